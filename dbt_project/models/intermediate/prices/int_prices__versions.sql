-- one row per model and unbroken run of snapshots with the same rates
{{ config(materialized='table') }}

with models as (
    select * from {{ ref('stg_price_catalog__models') }}
),

compared as (
    select
        *,
        lag(rates_hash) over (
            partition by provider, model_name order by observed_at, load_id
        ) as previous_rates_hash
    from models
),

-- A model that a later snapshot lacks keeps its last version open: catalogues drop and restore keys.
changed as (
    select *
    from compared
    where previous_rates_hash is null or previous_rates_hash <> rates_hash
),

numbered as (
    select
        *,
        row_number() over (
            partition by provider, model_name order by observed_at, load_id
        ) as version_number,
        lead(observed_at) over (
            partition by provider, model_name order by observed_at, load_id
        ) as superseded_at
    from changed
)

select
    {{ hash_key(['provider', 'model_name', 'version_number', 'snapshot_id']) }} as price_version_key,
    concat(provider, '/', model_name) as price_key,
    provider,
    model_name,
    load_id,
    snapshot_id,
    version_number,
    case when version_number = 1 then 'addition' else 'change' end as change_kind,
    -- What was valid before the first observation is not known: its rates are used, and flagged on each event.
    case
        when version_number = 1 then timestamp '1970-01-01 00:00:00' else observed_at
    end as valid_from_at,
    superseded_at as valid_to_at,
    observed_at,
    superseded_at
from numbered
