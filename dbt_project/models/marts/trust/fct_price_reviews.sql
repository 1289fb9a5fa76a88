-- one row per price change or price file that a person has to look at, or had to
with verdicts as (
    select * from {{ ref('stg_price_catalog__verdicts') }}
    where verdict = 'quarantine'
),

looks as (
    select * from {{ ref('stg_price_catalog__snapshots') }}
),

approvals as (
    select * from {{ ref('stg_decisions__price_approvals') }}
),

lookup as (
    select * from {{ ref('int_prices__model_lookup') }}
),

models_in_use as (
    select price_key
    from lookup
    where price_key is not null
    group by price_key
),

ranked as (
    select
        *,
        row_number() over (
            partition by catalogue order by observed_at desc, load_id desc
        ) as newest_rank,
        max(case when status = 'accepted' then load_id end) over (
            partition by catalogue
        ) as accepted_load_id
    from looks
),

newest_files as (
    select accepted_load_id
    from ranked
    where newest_rank = 1
),

rates as (
    select
        verdicts.item_id,
        'rate' as kind,
        max(concat(verdicts.provider, '/', verdicts.model_name)) as subject,
        max(verdicts.meter) as meter,
        max(verdicts.service_tier) as service_tier,
        max(verdicts.min_input_tokens) as min_input_tokens,
        max(verdicts.old_rate_usd_per_unit) as old_usd_per_unit,
        max(verdicts.new_rate_usd_per_unit) as new_usd_per_unit,
        max(verdicts.reason) as reason,
        max(case when newest_files.accepted_load_id is null then 0 else 1 end) as is_stated,
        min(verdicts.observed_at) as first_observed_at
    from verdicts
    left join newest_files
        on verdicts.load_id = newest_files.accepted_load_id
    group by verdicts.item_id
),

files as (
    select
        item_id,
        'file' as kind,
        max(source_url) as subject,
        cast(null as {{ dbt.type_string() }}) as meter,
        cast(null as {{ dbt.type_string() }}) as service_tier,
        cast(null as {{ dbt.type_bigint() }}) as min_input_tokens,
        cast(null as decimal(18, 15)) as old_usd_per_unit,
        cast(null as decimal(18, 15)) as new_usd_per_unit,
        max(reason) as reason,
        max(case when newest_rank = 1 then 1 else 0 end) as is_stated,
        min(observed_at) as first_observed_at
    from ranked
    where status = 'refused'
    group by item_id
),

items as (
    select * from rates
    union all
    select * from files
)

select
    items.item_id,
    items.kind,
    items.subject,
    items.meter,
    items.service_tier,
    items.min_input_tokens,
    items.old_usd_per_unit,
    items.new_usd_per_unit,
    items.reason,
    items.kind = 'file' or models_in_use.price_key is not null as is_used,
    case
        when approvals.approval_id is not null then 'accepted'
        when items.is_stated = 1 then 'waiting'
        else 'withdrawn'
    end as status,
    approvals.approved_by as accepted_by,
    items.first_observed_at,
    approvals.approved_at as accepted_at
from items
left join models_in_use
    on items.subject = models_in_use.price_key
left join approvals
    on items.item_id = approvals.approval_id
