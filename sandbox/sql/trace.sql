-- The two trace files as the tables litellm and bedrock; same columns as the generated world.

create macro uuid_of(i, salt) as
    regexp_replace(
        md5(i || ':' || salt), '^(.{8})(.{4}).(.{3}).(.{3})(.{12})$', '\1-\2-4\3-a\4-\5'
    );

create macro rows_of(file) as table
select
    row_number() over () as i,
    epoch_us(raw.TIMESTAMP::timestamp) // 1000 as traced_ms,
    raw.ContextTokens::bigint as input_tokens,
    raw.GeneratedTokens::bigint as output_tokens
from read_csv(file, header = true, all_varchar = true) as raw;

-- Whole days only, so that the time of day stays the real one. The latest row of both files is put
-- on the day before as_of.
create table shifted as
with both_files as (
    select 'chat' as work, * from rows_of(getvariable('chat_file'))
    union all
    select 'code' as work, * from rows_of(getvariable('code_file'))
)
select
    *,
    traced_ms + (
        getvariable('as_of_ms') // 86400000 - 1 - (max(traced_ms) over ()) // 86400000
    ) * 86400000 as start_ms
from both_files;

create table litellm as
select
    start_ms,
    500 + output_tokens * 10 as duration_ms,
    400::bigint as ttft_ms,
    uuid_of(i, 'chat') as call_id,
    'chatcmpl-' || uuid_of(i, 'chat response') as request_id,
    'acompletion' as call_type,
    'openai/' || getvariable('chat_model') as model,
    getvariable('chat_model') as model_group,
    'openai' as provider,
    input_tokens as prompt_tokens,
    output_tokens as completion_tokens,
    input_tokens + output_tokens as total_tokens,
    0::bigint as cache_read_tokens,
    0::bigint as cache_write_5m_tokens,
    0::bigint as cache_write_1h_tokens,
    0::bigint as reasoning_tokens,
    0::decimal(38, 15) as spend_usd,
    null::decimal(38, 15) as list_usd,
    null::decimal(38, 15) as input_usd,
    null::decimal(38, 15) as cache_read_usd,
    null::decimal(38, 15) as cache_write_usd,
    null::decimal(38, 15) as output_usd,
    null::decimal(38, 15) as reasoning_usd,
    'success' as status,
    'None' as cache_hit,
    'assist-prod' as key_alias,
    'team-assist' as team_id,
    null::varchar as user_email,
    null::varchar as customer,
    null::varchar as agent_id,
    'chat' as feature,
    'web' as app,
    uuid_of(i, 'session') as session_id,
    0 as retries,
    false as is_fallback,
    null::integer as error_code,
    getvariable('chat_tag') as trace
from shifted
where work = 'chat'
order by start_ms, i;

create table bedrock as
select
    start_ms,
    least(start_ms + 500 + output_tokens * 10 + 180000, getvariable('as_of_ms') - 1000)
        as delivered_ms,
    500 + output_tokens * 10 as duration_ms,
    400::bigint as ttft_ms,
    uuid_of(i, 'code') as request_id,
    'Converse' as operation,
    getvariable('code_model') as model_id,
    input_tokens,
    0::bigint as cache_read_tokens,
    0::bigint as cache_write_5m_tokens,
    0::bigint as cache_write_1h_tokens,
    output_tokens,
    false as is_embedding,
    null::varchar as error_code,
    (input_tokens * 0.00000006::decimal(18, 15))::decimal(38, 15)
        + (output_tokens * 0.00000024::decimal(18, 15))::decimal(38, 15) as list_usd,
    'team-platform' as team_id,
    null::varchar as user_email,
    null::varchar as customer,
    null::varchar as agent_id,
    null::varchar as feature,
    true as has_metadata,
    null::varchar as inference_region,
    false as is_body_in_s3,
    getvariable('code_tag') as trace
from shifted
where work = 'code'
order by delivered_ms, i;
