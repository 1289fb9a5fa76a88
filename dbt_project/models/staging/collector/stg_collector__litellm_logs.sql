-- one row per version of a proxied call that LiteLLM pushed. It has the key of the pulled row of the same call, which
-- counts wherever both are there: a push is sent once and may be lost, the proxy's own table is the ledger
{{ litellm_calls(raw_rows('collector', 'litellm_logs'), richness=-1) }}
