-- one row per Databricks billing record, at the list price of its SKU and hour: a retraction is a line of its own, with a
-- negative quantity. A contract may differ from the list
with records as (
    select
        *,
        -- Two full-width decimals have no product.
        cast(quantity as decimal(19, 9)) as billed_quantity
    from {{ ref('stg_databricks__billing_usage') }}
),

prices as (
    select
        *,
        cast(list_amount_per_unit as decimal(18, 9)) as rate_amount
    from {{ ref('stg_databricks__list_prices') }}
),

-- Of prices that hold at once: the dollar's, that of the record's own cloud, the one that began last.
priced as (
    select
        records.*,
        prices.rate_amount,
        prices.currency_code,
        row_number() over (
            partition by records.source_instance, records.record_id
            order by
                case when prices.currency_code = 'USD' then 0 else 1 end,
                case when prices.cloud = records.cloud then 0 else 1 end,
                prices.valid_from_at desc,
                prices.currency_code
        ) as preference
    from records
    left join prices
        on records.source_instance = prices.source_instance
        and records.sku_name = prices.sku_name
        and records.unit = prices.unit
        and (records.cloud = prices.cloud or prices.cloud is null)
        and records.period_start_at >= prices.valid_from_at
        and (records.period_start_at < prices.valid_to_at or prices.valid_to_at is null)
)

select
    source_instance,
    record_id as bill_line_id,
    'databricks' as provider,
    usage_on as billed_on,
    concat_ws(' ', sku_name, record_type) as line_item,
    endpoint_name as model_name,
    usage_type as meter,
    quantity,
    unit as quantity_unit,
    {{ money('billed_quantity * rate_amount') }} as billed_amount,
    currency_code,
    case
        when currency_code = 'USD' then {{ money('billed_quantity * rate_amount') }}
    end as billed_cost_usd,
    true as is_metered_kind,
    workspace_id as raw_workspace,
    cast(null as {{ dbt.type_string() }}) as raw_key_hash,
    run_as as raw_user,
    loaded_at
from priced
where preference = 1
