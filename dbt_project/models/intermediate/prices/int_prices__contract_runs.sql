-- one row per source instance, unit, name and unbroken run of equal rates of the source's own contract or price list, in the
-- contract's currency
with stated as (
    select
        source_instance,
        source,
        unit,
        rate_name,
        service_type,
        -- An act of Snowflake names its service type, one of Databricks its SKU.
        case source when 'snowflake_cortex' then coalesce(service_type, '') else '' end as service_tier,
        case source when 'snowflake_cortex' then '' else rate_name end as model_name,
        currency_code,
        cast(rate_amount as decimal(26, 15)) as rate_amount,
        is_own_account,
        cast(valid_from_on as timestamp) as valid_from_at,
        -- A rate sheet lags by a day or two: until the next line a rate goes on.
        case when source <> 'snowflake_cortex' then cast(valid_to_on as timestamp) end as stated_to_at
    from {{ ref('int_prices__contract_rates') }}
    where not is_adjustment
        -- Of the weakest currency, too; what is beyond is no rate.
        and rate_amount >= 0
        and rate_amount < 100000000000
        and (source <> 'snowflake_cortex' or service_type is not null)
),

-- Of lines for one thing at once: that of the account itself, then the dollar's, then the dearest.
ranked as (
    select
        *,
        row_number() over (
            partition by source_instance, unit, service_tier, model_name, valid_from_at
            order by
                case when is_own_account then 0 else 1 end,
                case when currency_code = 'USD' then 0 else 1 end,
                rate_amount desc,
                currency_code,
                rate_name
        ) as preference
    from stated
),

ended as (
    select
        *,
        least(
            coalesce(stated_to_at, timestamp '9999-12-31 00:00:00'),
            coalesce(
                lead(valid_from_at) over (
                    partition by source_instance, unit, service_tier, model_name order by valid_from_at
                ),
                timestamp '9999-12-31 00:00:00'
            )
        ) as valid_to_at
    from ranked
    where preference = 1
),

marked as (
    select
        *,
        case
            when lag(currency_code) over (
                    partition by source_instance, unit, service_tier, model_name order by valid_from_at
                ) = currency_code
                and lag(rate_amount) over (
                    partition by source_instance, unit, service_tier, model_name order by valid_from_at
                ) = rate_amount
                and lag(valid_to_at) over (
                    partition by source_instance, unit, service_tier, model_name order by valid_from_at
                ) = valid_from_at
                then 0
            else 1
        end as starts_a_run
    from ended
),

numbered as (
    select
        *,
        sum(starts_a_run) over (
            partition by source_instance, unit, service_tier, model_name
            order by valid_from_at
            rows between unbounded preceding and current row
        ) as run_number
    from marked
)

select
    {{ hash_key(['source_instance', 'unit', 'service_tier', 'model_name', 'run_number']) }} as run_key,
    source_instance,
    source,
    unit,
    service_tier,
    model_name,
    min(rate_name) as rate_name,
    currency_code,
    rate_amount,
    min(valid_from_at) as valid_from_at,
    max(valid_to_at) as valid_to_at
from numbered
group by
    source_instance,
    source,
    unit,
    service_tier,
    model_name,
    run_number,
    currency_code,
    rate_amount
