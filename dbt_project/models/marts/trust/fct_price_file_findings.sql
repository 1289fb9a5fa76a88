-- one row per part of a price file that is worth a look: keys not understood, entries refused, rates flagged
with unparsed_keys as (
    select * from {{ ref('stg_price_catalog__unparsed_keys') }}
),

rejected_prices as (
    select * from {{ ref('stg_price_catalog__rejected_prices') }}
),

verdicts as (
    select * from {{ ref('stg_price_catalog__verdicts') }}
    where verdict = 'flag'
)

select
    snapshot_id,
    'unparsed_key' as finding,
    price_key as catalogue_key,
    cast(null as {{ dbt.type_string() }}) as column_name,
    'not_understood' as reason,
    models_count,
    observed_at
from unparsed_keys
union all
select
    snapshot_id,
    'rejected_entry' as finding,
    catalogue_key,
    column_name,
    reason,
    cast(1 as bigint) as models_count,
    observed_at
from rejected_prices
union all
select
    snapshot_id,
    'flagged_rate' as finding,
    catalogue_key,
    meter as column_name,
    reason,
    cast(1 as bigint) as models_count,
    observed_at
from verdicts
