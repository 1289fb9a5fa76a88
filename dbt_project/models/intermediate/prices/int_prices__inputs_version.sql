-- exactly one row: what decides prices, as a text that changes when it does
with files as (
    select * from {{ ref('int_prices__files') }}
),

approvals as (
    select * from {{ ref('stg_decisions__price_approvals') }}
),

newest_file as (
    select max(load_id) as price_load_id
    from files
),

newest_opinions as (
    select max(load_id) as opinions_load_id
    from {{ ref('stg_price_catalog__opinions') }}
),

-- A price that a person accepts was in the file before.
accepted as (
    select
        count(*) as approvals_count,
        max(approved_at) as newest_approved_at
    from approvals
),

-- What contracts and rate cards say of units, not when it was said: a day's equal rate changes nothing.
unit_offers as (
    select
        md5(
            coalesce({{ dbt.listagg(
                "concat_ws(' ', unit_rate_key, cast(valid_to_at as " ~ dbt.type_string() ~ "))",
                "'|'", "order by unit_rate_key"
            ) }}, '')
        ) as unit_offers_version
    from {{ ref('int_prices__unit_offers') }}
    where rate_origin <> 'catalogue'
)

select
    concat_ws(
        ' ',
        newest_file.price_load_id,
        newest_opinions.opinions_load_id,
        case
            when accepted.approvals_count > 0
                then concat(
                    cast(accepted.approvals_count as {{ dbt.type_string() }}),
                    '@',
                    cast(accepted.newest_approved_at as {{ dbt.type_string() }})
                )
        end,
        unit_offers.unit_offers_version
    ) as price_inputs_version
from newest_file
cross join newest_opinions
cross join accepted
cross join unit_offers
