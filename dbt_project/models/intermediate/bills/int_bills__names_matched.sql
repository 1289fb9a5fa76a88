-- one row per provider and model name on its bill: the metered model it means, by the key the two are compared under.
-- `*` where nothing says which (AWS bills by names of its own): map it under model_aliases in prices.yaml
{{ config(materialized='table') }}
with lines as (
    select provider, model_name from {{ ref('int_bills__lines') }}
    where is_authoritative and is_metered_kind and model_name is not null
),

usage_reports as (
    select provider, model_name from {{ ref('int_bills__usage') }}
    where model_name is not null
),

metered as (
    select * from {{ ref('int_bills__metered_by_model') }}
),

aliases as (
    select * from {{ ref('int_prices__aliases') }}
),

catalogue as (
    select provider, model_name, price_key from {{ ref('int_prices__versions') }}
    where version_number = 1
),

bill_names as (
    select provider, model_name, {{ undated_name('model_name') }} as base_name from lines
    union
    select provider, model_name, {{ undated_name('model_name') }} as base_name
    from usage_reports
),

metered_names as (
    select
        provider,
        lower(model_name) as model_name,
        model_id,
        coalesce(model_id, concat(provider, '/', model_name)) as model_key,
        {{ undated_name('model_name') }} as base_name
    from metered
    group by provider, model_name, model_id
),

candidates as (
    select bill_names.provider, bill_names.model_name, metered_names.model_key, 2 as match_rank, true as is_metered
    from bill_names
    inner join metered_names
        on bill_names.provider = metered_names.provider
        and lower(bill_names.model_name) = metered_names.model_name
    union all
    select bill_names.provider, bill_names.model_name, metered_names.model_key, 3 as match_rank, true as is_metered
    from bill_names
    inner join metered_names
        on bill_names.provider = metered_names.provider
        and concat(bill_names.provider, '/', bill_names.model_name) = metered_names.model_id
    union all
    select bill_names.provider, bill_names.model_name, metered_names.model_key, 4 as match_rank, true as is_metered
    from bill_names
    inner join metered_names
        on bill_names.provider = metered_names.provider
        and (
            bill_names.base_name = metered_names.base_name
            or concat(bill_names.provider, '/', bill_names.base_name) = metered_names.model_id
        )
    union all
    select
        bill_names.provider,
        bill_names.model_name,
        concat(aliases.target_provider, '/', aliases.target_model) as model_key,
        1 as match_rank,
        true as is_metered
    from bill_names
    inner join aliases
        on bill_names.provider = aliases.provider
        and bill_names.model_name = aliases.model_raw
    union all
    select bill_names.provider, bill_names.model_name, catalogue.price_key, 5 as match_rank, false as is_metered
    from bill_names
    inner join catalogue
        on bill_names.provider = catalogue.provider
        and catalogue.model_name in (bill_names.model_name, bill_names.base_name)
    union all
    select provider, model_name, '*' as model_key, 6 as match_rank, false as is_metered
    from bill_names
),

ranked as (
    select
        *,
        row_number() over (partition by provider, model_name order by match_rank, model_key) as preference
    from candidates
)

select
    provider,
    model_name,
    model_key,
    is_metered
from ranked
where preference = 1
