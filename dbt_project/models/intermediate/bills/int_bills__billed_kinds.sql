-- one row per provider, UTC day, compared model and token kind of the bill's lines of model use: what was billed, for
-- how many tokens. A line that says no quantity takes the tokens of the provider's usage report
with lines as (
    select * from {{ ref('int_bills__lines') }}
    where is_authoritative and is_metered_kind
),

usage_reports as (
    select * from {{ ref('int_bills__usage') }}
),

owned as (
    select * from {{ ref('stg_config__owned_providers') }}
),

names as (
    select * from {{ ref('int_bills__names_matched') }}
),

billed as (
    select
        lines.provider,
        lines.billed_on as usage_on,
        coalesce(names.model_key, '*') as model_key,
        lines.meter as token_kind,
        sum(coalesce(lines.billed_cost_usd, 0)) as billed_cost_usd,
        sum(case when lines.quantity_unit = 'tokens' then lines.quantity end) as line_tokens,
        count(*) as lines_count,
        sum(case when lines.billed_cost_usd = round(lines.billed_cost_usd, 2) then 1 else 0 end) as cent_lines_count,
        sum(case when lines.currency_code <> 'USD' then 1 else 0 end) as foreign_lines_count
    from lines
    left join names
        on lines.provider = names.provider
        and lines.model_name = names.model_name
    group by
        lines.provider,
        lines.billed_on,
        coalesce(names.model_key, '*'),
        lines.meter
),

counted as (
    select
        usage_reports.provider,
        usage_reports.billed_on as usage_on,
        coalesce(names.model_key, '*') as model_key,
        usage_reports.token_kind,
        sum(usage_reports.billed_tokens) as reported_tokens
    from usage_reports
    inner join owned
        on usage_reports.provider = owned.provider
        and usage_reports.source_instance = owned.source_instance
    left join names
        on usage_reports.provider = names.provider
        and usage_reports.model_name = names.model_name
    group by
        usage_reports.provider,
        usage_reports.billed_on,
        coalesce(names.model_key, '*'),
        usage_reports.token_kind
)

select
    billed.provider,
    billed.usage_on,
    billed.model_key,
    billed.token_kind,
    {{ money('billed.billed_cost_usd') }} as billed_cost_usd,
    nullif(cast(round(coalesce(billed.line_tokens, counted.reported_tokens)) as bigint), 0) as billed_tokens,
    billed.lines_count,
    billed.cent_lines_count,
    billed.foreign_lines_count
from billed
left join counted
    on billed.provider = counted.provider
    and billed.usage_on = counted.usage_on
    and billed.model_key = counted.model_key
    and billed.token_kind = counted.token_kind
