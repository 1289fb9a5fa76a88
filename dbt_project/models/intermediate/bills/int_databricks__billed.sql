-- one row per Databricks billing record, at the list price of its SKU and hour: a retraction is a line of its own, with a
-- negative quantity. A contract may differ from the list
with records as (
    select
        *,
        -- Two full-width decimals have no product.
        cast(quantity as decimal(19, 9)) as billed_quantity
    from {{ ref('stg_databricks__billing_usage') }}
),

-- Of prices in several currencies the dollar's; of several that start at once the last read.
prices as (
    select
        *,
        cast(list_amount_per_unit as decimal(18, 9)) as rate_amount,
        row_number() over (
            partition by source_instance, sku_name, cloud, unit, valid_from_at
            order by case when currency_code = 'USD' then 0 else 1 end, currency_code, load_id desc
        ) as preference
    from {{ ref('stg_databricks__list_prices') }}
)

select
    records.source_instance,
    records.record_id as bill_line_id,
    'databricks' as provider,
    records.usage_on as billed_on,
    concat_ws(' ', records.sku_name, records.record_type) as line_item,
    records.endpoint_name as model_name,
    records.usage_type as meter,
    records.quantity,
    records.unit as quantity_unit,
    {{ money('records.billed_quantity * prices.rate_amount') }} as billed_amount,
    prices.currency_code,
    case
        when prices.currency_code = 'USD'
            then {{ money('records.billed_quantity * prices.rate_amount') }}
    end as billed_cost_usd,
    true as is_metered_kind,
    records.workspace_id as raw_workspace,
    cast(null as {{ dbt.type_string() }}) as raw_key_hash,
    records.run_as as raw_user,
    records.loaded_at
from records
left join prices
    on records.source_instance = prices.source_instance
    and records.sku_name = prices.sku_name
    and records.unit = prices.unit
    and (records.cloud = prices.cloud or prices.cloud is null)
    and records.period_start_at >= prices.valid_from_at
    and (records.period_start_at < prices.valid_to_at or prices.valid_to_at is null)
    and prices.preference = 1
