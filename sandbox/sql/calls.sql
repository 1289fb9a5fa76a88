-- One row per call of the generated world, before it is told as a LiteLLM or a Bedrock record.
-- Every random figure is a hash of (seed, call number, purpose): same seed, same world, whatever the
-- number of threads. Needs the tables slots, users, agents, teams, mix, feature_mix, models, rates.

create macro u(i, salt) as
    (hash(getvariable('seed') || ':' || i || ':' || salt) >> 11)::double * 1.1102230246251565e-16;

create macro z(i, salt) as
    sqrt(-2 * ln(greatest(u(i, salt || '1'), 1e-12))) * cos(2 * pi() * u(i, salt || '2'));

create macro uuid_of(i, salt) as
    regexp_replace(
        md5(getvariable('seed') || ':' || i || ':' || salt),
        '^(.{8})(.{4}).(.{3}).(.{3})(.{12})$', '\1-\2-4\3-a\4-\5'
    );

create table timed as
select
    r.i,
    least(
        slots.start_ms + floor(u(r.i, 'time') * 3600000)::bigint,
        getvariable('last_ms') - floor(u(r.i, 'late') * 60000)::bigint
    ) as start_ms,
    case when u(r.i, 'system') < 0.7 then 'litellm' else 'bedrock' end as system,
    u(r.i, 'agent') < 0.14 as is_agent,
    u(r.i, 'contractor') < 0.012 as is_contractor
from (select range as i from range(getvariable('events'))) as r
asof join slots on (r.i + 0.5) / getvariable('events') >= slots.lo;

create table placed as
select
    timed.*,
    case when timed.is_agent then agents.agent_id end as agent_id,
    case when timed.is_agent then 'agents' else feature_mix.feature end as feature,
    case
        when timed.is_agent then agents.team_id
        when timed.system = 'litellm' and timed.is_contractor then 'team-contractors'
        when users.first_name = 'hedy' and timed.start_ms < getvariable('hedy_moved_ms')
            then 'team-search'
        else users.team_id
    end as team_id,
    case
        when timed.is_agent or timed.is_contractor and timed.system = 'litellm' then null
        when u(timed.i, 'service') < 0.12 then null
        else users.first_name || '@acme.example'
    end as user_email,
    case
        when u(timed.i, 'unknown_customer') < 0.01 then 'acquired-co'
        when u(timed.i, 'internal') < 0.22 then null
        else customers.customer
    end as customer
from timed
asof join agents on u(timed.i, 'which_agent') >= agents.lo
asof join users on u(timed.i, 'user') >= users.lo
asof join customers on u(timed.i, 'customer') >= customers.lo
asof join feature_mix on u(timed.i, 'feature') >= feature_mix.lo;

create table sized as
select
    placed.*,
    models.*,
    u(placed.i, 'error') < 0.025 as is_error,
    least(
        greatest(
            12,
            round(
                models.median_input * case when placed.is_agent then 2.6 else 1.0 end
                * exp(0.95 * z(placed.i, 'input'))
            )
        ),
        models.max_input
    )::bigint as prompt_tokens,
    case when models.is_embedding then 0 else least(
        greatest(3, round(models.median_output * exp(0.8 * z(placed.i, 'output')))), 30000
    ) end::bigint as completion_tokens
from placed
asof join mix
    on placed.system = mix.system
    and case when placed.is_agent then 'agents'
             when placed.feature = 'search' then 'search'
             else 'chat' end = mix.work
    and u(placed.i, 'model') >= mix.lo
left join models on models.model_no = mix.model_no;

create table bucketed as
select
    sized.*,
    case
        when cache = 'none' or prompt_tokens < 1024 then 0
        when cache = 'openai' and u(i, 'reads') < 0.38
            then (floor(prompt_tokens * (0.2 + 0.65 * u(i, 'read_share')) * 0.0078125) * 128)
        when cache = 'read_only' and u(i, 'reads') < 0.2
            then floor(prompt_tokens * (0.2 + 0.5 * u(i, 'read_share')))
        when cache = 'anthropic' and u(i, 'reads') < 0.5
            then floor(prompt_tokens * (0.4 + 0.4 * u(i, 'read_share')))
        else 0
    end::bigint as cache_read_tokens,
    case
        when cache = 'anthropic' and prompt_tokens >= 1024 and u(i, 'writes') < 0.35
            then floor(prompt_tokens * (0.03 + 0.16 * u(i, 'write_share')))
        else 0
    end::bigint as cache_write_tokens,
    case when reasons and u(i, 'reasons') < case when cache = 'anthropic' then 0.12 else 0.8 end
        then floor(completion_tokens * (0.2 + 0.6 * u(i, 'reasoning_share'))) else 0
    end::bigint as reasoning_tokens,
    case when u(i, 'ttl') < 0.2 then true else false end as is_long_lived
from sized;

create table calls as
select
    b.* exclude (cache_write_tokens),
    case when b.is_long_lived then 0 else b.cache_write_tokens end as cache_write_5m_tokens,
    case when b.is_long_lived then b.cache_write_tokens else 0 end as cache_write_1h_tokens,
    b.prompt_tokens - b.cache_read_tokens - b.cache_write_tokens as input_tokens,
    r.input as input_rate,
    r.output as output_rate,
    r.cache_read as cache_read_rate,
    r.cache_write_5m as cache_write_5m_rate,
    r.cache_write_1h as cache_write_1h_rate,
    least(
        220 + (u(b.i, 'ttft') * 900)::bigint + (b.prompt_tokens * 0.004)::bigint
        + (b.completion_tokens * (4 + 8 * u(b.i, 'speed')))::bigint,
        55000
    )::bigint as duration_ms,
    180 + (u(b.i, 'ttft') * 900)::bigint as ttft_ms
from bucketed as b
left join rates as r
    on r.model_no = b.model_no
    and r.from_input <= b.prompt_tokens
    and b.prompt_tokens < r.to_input;
