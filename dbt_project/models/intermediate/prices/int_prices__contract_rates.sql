-- one row per source instance, day and name of a rate: what a unit costs under the source's own contract or price list
with snowflake as (
    select
        source_instance,
        'snowflake_cortex' as source,
        usage_type as rate_name,
        service_type,
        'credits' as unit,
        effective_rate_amount as rate_amount,
        currency_code,
        -- The sheet holds the lines of every account of the organisation.
        lower(concat(organization_name, '-', account_name)) = lower(account)
        or lower(account_locator) = split_part(lower(account), '.', 1) as is_own_account,
        coalesce(is_adjustment, false) as is_adjustment,
        replace(lower(service_level), ' ', '_') as edition,
        upper(region) as account_region,
        rate_on as valid_from_on,
        cast(rate_on + interval '1 day' as date) as valid_to_on
    from {{ ref('stg_snowflake_cortex__rate_sheet_daily') }}
),

databricks as (
    select
        source_instance,
        'databricks' as source,
        sku_name as rate_name,
        cloud as service_type,
        unit,
        list_amount_per_unit as rate_amount,
        currency_code,
        true as is_own_account,
        false as is_adjustment,
        cast(null as {{ dbt.type_string() }}) as edition,
        cast(null as {{ dbt.type_string() }}) as account_region,
        cast(valid_from_at as date) as valid_from_on,
        cast(valid_to_at as date) as valid_to_on
    from {{ ref('stg_databricks__list_prices') }}
),

unioned as (
    select * from snowflake
    union all
    select * from databricks
)

select * from unioned
