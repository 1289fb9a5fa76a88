-- one row per declared charge, of the configuration in force; `entity_key` is the node whose cost it is
with source as (
    select * from {{ source('raw_config', 'charges') }}
),

in_force as (
    select * from {{ ref('stg_config__versions') }}
),

renamed as (
    select
        source.charge_id,
        source.charge_kind,
        source.charge_name,
        source.provider,
        source.period,
        source.period_amount,
        source.currency_code,
        source.valid_from_on,
        source.valid_to_on,
        source.entity_key,
        source.allocation,
        source.customer_allocation,
        source.bill_line
    from source
    inner join in_force
        on source._dlt_load_id = in_force.load_id
)

select * from renamed
