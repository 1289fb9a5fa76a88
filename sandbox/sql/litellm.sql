-- One row per LiteLLM call, in the order of its start: what a spend-log row is made of.
create table litellm as
with marked as (
    select
        calls.*,
        not is_error and not is_embedding and u(i, 'hit') < 0.04 as is_hit,
        case when input_rate is null then null
            else (input_tokens * input_rate)::decimal(38, 15) end as input_usd,
        (cache_read_tokens * cache_read_rate)::decimal(38, 15) as cache_read_usd,
        (cache_write_5m_tokens * cache_write_5m_rate)::decimal(38, 15)
        + (cache_write_1h_tokens * cache_write_1h_rate)::decimal(38, 15) as cache_write_usd,
        (completion_tokens * output_rate)::decimal(38, 15) as output_usd,
        (reasoning_tokens * output_rate)::decimal(38, 15) as reasoning_usd,
        uuid_of(i, 'call') as call_id
    from calls
    where system = 'litellm'
),

costed as (
    select *, input_usd + cache_read_usd + cache_write_usd + output_usd as list_usd from marked
)

select
    start_ms,
    case when is_hit then 4 + (u(i, 'hit_speed') * 40)::bigint else duration_ms end as duration_ms,
    case when is_hit or is_embedding or u(i, 'stream') < 0.5 then null else least(ttft_ms, duration_ms) end
        as ttft_ms,
    call_id,
    case
        when is_error or is_embedding then call_id
        when is_hit then 'chatcmpl-' || uuid_of(i, 'original') || '_cache_hit'
            || (start_ms // 1000) || '.' || lpad((start_ms % 1000)::varchar, 3, '0') || '25'
        else 'chatcmpl-' || uuid_of(i, 'response')
    end as request_id,
    case when is_embedding then 'aembedding'
        when provider = 'anthropic' and u(i, 'route') < 0.3 then 'anthropic_messages'
        else 'acompletion' end as call_type,
    name as model,
    model_group,
    provider,
    case when is_error and u(i, 'counted') < 0.7 then 0 else prompt_tokens end as prompt_tokens,
    case when is_error then 0 else completion_tokens end as completion_tokens,
    case when is_embedding then 0
        when is_error and u(i, 'counted') < 0.7 then 0
        when is_error then prompt_tokens
        else prompt_tokens + completion_tokens end as total_tokens,
    case when is_error then 0 else cache_read_tokens end as cache_read_tokens,
    case when is_error then 0 else cache_write_5m_tokens end as cache_write_5m_tokens,
    case when is_error then 0 else cache_write_1h_tokens end as cache_write_1h_tokens,
    case when is_error then 0 else reasoning_tokens end as reasoning_tokens,
    case when is_error or is_hit or list_usd is null then 0::decimal(38, 15) else list_usd end
        as spend_usd,
    list_usd,
    input_usd,
    cache_read_usd,
    cache_write_usd,
    output_usd,
    reasoning_usd,
    case when is_error then 'failure' else 'success' end as status,
    case when is_hit then 'True' when u(i, 'cache_on') < 0.2 then 'False' else 'None' end
        as cache_hit,
    case
        when agent_id is not null then 'agent-' || agent_id || '-key'
        when team_id = 'team-search' and u(i, 'key') < 0.25 then 'search-batch'
        when team_id = 'team-platform' and u(i, 'key') < 0.3 then 'platform-ci'
        else replace(team_id, 'team-', '') || '-prod'
    end as key_alias,
    team_id,
    user_email,
    customer,
    agent_id,
    case when u(i, 'untagged') < 0.03 then null else feature end as feature,
    case when u(i, 'app') < 0.5 then 'web' when u(i, 'app') < 0.7 then 'mobile'
        when u(i, 'app') < 0.85 then 'slack' else 'batch' end as app,
    uuid_of(i // 4, 'session') as session_id,
    case when u(i, 'retried') < 0.03 then 1 + (u(i, 'retries') * 2)::int else 0 end as retries,
    not is_error and u(i, 'fallback') < 0.015 as is_fallback,
    case when not is_error then null
        when u(i, 'error_kind') < 0.5 then 429 when u(i, 'error_kind') < 0.7 then 500
        when u(i, 'error_kind') < 0.85 then 408 else 400 end as error_code,
    null::varchar as trace
from costed
order by start_ms, i;
