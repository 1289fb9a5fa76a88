-- one row per line of Anthropic's bill as last stated: a UTC day, workspace (null is the default one) and description
with source as (
    select * from {{ newest_windows('anthropic_bill', 'costs') }}
),

numbered as (
    select
        source.*,
        -- Lines that are alike in everything are two lines.
        row_number() over (
            partition by
                source.source_instance, source.starts_at, source.workspace_id, source.model, source.service_tier,
                source.context_window, source.inference_geo, source.speed, source.cost_type, source.token_type,
                source.description, source.currency
            order by source.source_locator
        ) as occurrence
    from source
),

renamed as (
    select
        {{ hash_key([
            'starts_at', 'workspace_id', 'model', 'service_tier', 'context_window', 'inference_geo', 'speed',
            'cost_type', 'token_type', 'description', 'currency', 'occurrence',
        ]) }} as bill_line_id,
        source_instance,
        'anthropic' as provider,
        cast({{ utc('starts_at') }} as date) as billed_on,
        coalesce(description, cost_type) as line_item,
        model as model_name,
        coalesce(cost_type, 'other') as cost_type,
        token_type,
        -- Amounts are cents.
        {{ money('amount_cents * 0.01') }} as billed_amount,
        upper(currency) as currency_code,
        workspace_id as raw_workspace,
        {{ utc('extracted_at') }} as loaded_at
    from numbered
)

select
    bill_line_id,
    source_instance,
    provider,
    billed_on,
    line_item,
    model_name,
    case
        when token_type = 'uncached_input_tokens' then 'input'
        when token_type = 'cache_read_input_tokens' then 'cache_read'
        when token_type = 'cache_creation.ephemeral_5m_input_tokens' then 'cache_write_5m'
        when token_type = 'cache_creation.ephemeral_1h_input_tokens' then 'cache_write_1h'
        when token_type = 'output_tokens' then 'output'
        else cost_type
    end as meter,
    -- The report says what was paid, not for how much.
    cast(null as decimal(38, 15)) as quantity,
    cast(null as {{ dbt.type_string() }}) as quantity_unit,
    billed_amount,
    currency_code,
    case when currency_code = 'USD' then billed_amount end as billed_cost_usd,
    cost_type = 'tokens' as is_metered_kind,
    raw_workspace,
    cast(null as {{ dbt.type_string() }}) as raw_key_hash,
    cast(null as {{ dbt.type_string() }}) as raw_user,
    loaded_at
from renamed
