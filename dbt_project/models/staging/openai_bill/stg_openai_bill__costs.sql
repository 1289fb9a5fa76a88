-- one row per line of OpenAI's bill as last stated: a UTC day, project, key and line item. The model stands only in the
-- text of the line item (`<model>, <kind>`), whose format OpenAI does not promise
with source as (
    select * from {{ newest_windows('openai_bill', 'costs') }}
),

numbered as (
    select
        source.*,
        -- Lines that are alike in everything are two lines.
        row_number() over (
            partition by
                source.source_instance, source.starts_at, source.project_id, source.api_key_id, source.line_item,
                source.currency
            order by source.source_locator
        ) as occurrence
    from source
),

renamed as (
    select
        {{ hash_key(['starts_at', 'project_id', 'api_key_id', 'line_item', 'currency', 'occurrence']) }}
            as bill_line_id,
        source_instance,
        'openai' as provider,
        cast({{ utc('starts_at') }} as date) as billed_on,
        line_item,
        lower(coalesce(line_item, '')) as line_text,
        case
            when quantity_unit = '1000_tokens' then cast(quantity * 1000 as decimal(38, 15))
            else quantity
        end as quantity,
        case when quantity_unit = '1000_tokens' then 'tokens' else quantity_unit end as quantity_unit,
        amount as billed_amount,
        upper(currency) as currency_code,
        project_id as raw_workspace,
        api_key_id as raw_key_hash,
        cast(null as {{ dbt.type_string() }}) as raw_user,
        {{ utc('extracted_at') }} as loaded_at
    from numbered
),

metered as (
    select
        *,
        case
            when line_text like '%, cached input%' then 'cache_read'
            when line_text like '%, cache write%' then 'cache_write_30m'
            when line_text like '%, input%' then 'input'
            when line_text like '%, output%' then 'output'
            when line_text like '%web search%' then 'web_search'
            when line_text like '%code interpreter%' then 'code_execution'
            when line_text like '%file search%' then 'file_search'
            when line_text like '%storage%' then 'storage'
            when line_text like '%seat%' then 'seats'
            when line_text like '%tax%' then 'tax'
            when quantity_unit in ('tokens', 'images', 'characters') then quantity_unit
            when quantity_unit like 'duration%' then 'seconds'
            else 'other'
        end as meter
    from renamed
)

select
    bill_line_id,
    source_instance,
    provider,
    billed_on,
    line_item,
    case when line_text like '%, %' then split_part(line_item, ', ', 1) end as model_name,
    meter,
    quantity,
    quantity_unit,
    billed_amount,
    currency_code,
    case when currency_code = 'USD' then billed_amount end as billed_cost_usd,
    -- What models did, whatever it is counted in, could have been metered; tools, seats and taxes could not.
    meter in (
        'input', 'cache_read', 'cache_write_30m', 'output', 'tokens', 'images', 'characters', 'seconds'
    ) as is_metered_kind,
    raw_workspace,
    raw_key_hash,
    raw_user,
    loaded_at
from metered
