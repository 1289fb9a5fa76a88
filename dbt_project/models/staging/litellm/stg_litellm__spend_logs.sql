-- one row per version of a proxied call. LiteLLM counts inclusively: prompt_tokens contain cache reads and writes,
-- completion_tokens contain reasoning; here every bucket stands apart
{{ litellm_calls(raw_rows('litellm', 'spend_logs')) }}
