-- One row per Bedrock invocation, in the order of its delivery to the log bucket.
create table bedrock as
select
    start_ms,
    least(
        start_ms + duration_ms + 120000 + floor(u(i, 'delivery') * 240000)::bigint,
        getvariable('as_of_ms') - 1000
    ) as delivered_ms,
    duration_ms,
    ttft_ms,
    uuid_of(i, 'invocation') as request_id,
    case
        when is_embedding then 'InvokeModel'
        when u(i, 'operation') < 0.45 then 'Converse'
        when u(i, 'operation') < 0.75 then 'ConverseStream'
        when u(i, 'operation') < 0.9 then 'InvokeModelWithResponseStream'
        else 'InvokeModel'
    end as operation,
    name as model_id,
    input_tokens,
    cache_read_tokens,
    cache_write_5m_tokens,
    cache_write_1h_tokens,
    completion_tokens as output_tokens,
    is_embedding,
    case when is_error then 'ThrottlingException' end as error_code,
    case when is_error then 0::decimal(38, 15) else
        (input_tokens * input_rate)::decimal(38, 15)
        + (cache_read_tokens * cache_read_rate)::decimal(38, 15)
        + (cache_write_5m_tokens * cache_write_5m_rate)::decimal(38, 15)
        + (cache_write_1h_tokens * cache_write_1h_rate)::decimal(38, 15)
        + (completion_tokens * output_rate)::decimal(38, 15)
    end as list_usd,
    team_id,
    user_email,
    customer,
    agent_id,
    case when u(i, 'untagged') < 0.03 then null else feature end as feature,
    u(i, 'has_metadata') >= 0.15 as has_metadata,
    case when starts_with(name, 'us.') or starts_with(name, 'global.')
        then case when u(i, 'rerouted') < 0.4 then 'us-west-2' end end as inference_region,
    -- Only the body tells a one hour cache write: without it the true cost could not be known.
    u(i, 'body') < 0.002 and cache_write_1h_tokens = 0 as is_body_in_s3,
    null::varchar as trace
from calls
where system = 'bedrock'
order by delivered_ms, i;
