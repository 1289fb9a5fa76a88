-- one row per line item of the AWS bill that Bedrock caused, as its billing period was last stated. The usage type is
-- `<region>-<billing model>-<token type>[-tier…]`; the billing model is no model id. A token quantity is in the pricing
-- unit, thousands or millions
with source as (
    select * from {{ newest_windows('aws_cur', 'line_items') }}
),

numbered as (
    select
        source.*,
        -- Lines that are alike in everything are two lines.
        row_number() over (
            partition by
                source.source_instance, source.line_item_id, source.usage_start_at, source.usage_type,
                source.line_item_type
            order by source.source_locator
        ) as occurrence
    from source
),

renamed as (
    select
        {{ hash_key([
            'window_key', 'line_item_id', 'usage_start_at', 'usage_type', 'line_item_type', 'occurrence',
        ]) }} as bill_line_id,
        source_instance,
        cast({{ utc('usage_start_at') }} as date) as billed_on,
        line_item_type,
        coalesce(usage_type, '') as usage_type,
        -- Without the region, which is the first part.
        substr(coalesce(usage_type, ''), position('-' in coalesce(usage_type, '')) + 1) as metered_text,
        product_code,
        region,
        usage_amount,
        lower(coalesce(pricing_unit, '')) as pricing_unit,
        unblended_cost,
        currency_code,
        usage_account_id,
        iam_principal,
        resource_id,
        resource_tags,
        extracted_at
    from numbered
),

metered as (
    select
        *,
        case
            when line_item_type = 'Tax' then 'tax'
            when line_item_type in ('Credit', 'Refund') then 'credit'
            when line_item_type like '%Discount' then 'discount'
            when line_item_type not like '%Usage' then 'fee'
            when metered_text like '%-cache-read-input-token%' then 'cache_read'
            -- Lifetimes are not told apart: the default one, 5 minutes.
            when metered_text like '%-cache-write-input-token%' then 'cache_write_5m'
            when metered_text like '%-input-token%' then 'input'
            when metered_text like '%-output-token%' then 'output'
            else 'other'
        end as meter
    from renamed
),

named as (
    select
        *,
        meter in ('input', 'cache_read', 'cache_write_5m', 'output') as is_metered_kind,
        replace(replace(replace(replace(
            metered_text, '-mantle-', '-'), '-cache-read-input-', '-input-'), '-cache-write-input-', '-input-'
        ), '-output-', '-input-') as model_text
    from metered
)

select
    bill_line_id,
    source_instance,
    'aws_bedrock' as provider,
    billed_on,
    coalesce(nullif(usage_type, ''), line_item_type) as line_item,
    case
        when is_metered_kind then substr(model_text, 1, position('-input-' in model_text) - 1)
    end as model_name,
    meter,
    case
        when is_metered_kind and pricing_unit like '1k token%' then cast(usage_amount * 1000 as decimal(38, 15))
        when is_metered_kind and pricing_unit like '1m token%' then cast(usage_amount * 1000000 as decimal(38, 15))
        else usage_amount
    end as quantity,
    case
        when is_metered_kind and (pricing_unit like '1k token%' or pricing_unit like '1m token%') then 'tokens'
        when is_metered_kind and pricing_unit like 'token%' then 'tokens'
        else nullif(pricing_unit, '')
    end as quantity_unit,
    unblended_cost as billed_amount,
    upper(currency_code) as currency_code,
    case when upper(currency_code) = 'USD' then unblended_cost end as billed_cost_usd,
    is_metered_kind,
    usage_account_id as raw_workspace,
    cast(null as {{ dbt.type_string() }}) as raw_key_hash,
    iam_principal as raw_user,
    line_item_type,
    product_code,
    region,
    resource_id,
    resource_tags as tags,
    {{ utc('extracted_at') }} as loaded_at
from named
