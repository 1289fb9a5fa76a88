-- one row per commitment and half-open term, of the configuration in force; each term is settled by itself
with source as (
    select * from {{ source('raw_config', 'commitments') }}
),

in_force as (
    select * from {{ ref('stg_config__versions') }}
),

renamed as (
    select
        source.charge_id,
        source.commitment_kind,
        source.charge_name,
        source.provider,
        source.term_amount,
        source.units_count,
        source.overage_ratio,
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
