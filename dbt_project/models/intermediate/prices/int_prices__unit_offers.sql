-- one row per known rate of a unit that is no token, what it holds for ('' is any) and range of time: of sources' own
-- contracts and price lists, of the bundled rate cards, of the price file
with contract_ranges as (
    select * from {{ ref('int_prices__contract_ranges') }}
),

contract_rates as (
    select * from {{ ref('int_prices__contract_rates') }}
),

cards as (
    select * from {{ ref('stg_price_catalog__unit_rates') }}
),

catalogue_rates as (
    select * from {{ ref('int_prices__unit_rates_stated') }}
),

-- Which edition in which region an account is, as its newest rate sheet tells.
accounts as (
    select
        source_instance,
        edition,
        account_region,
        row_number() over (
            partition by source_instance order by valid_from_on desc, edition, account_region
        ) as newest_rank
    from contract_rates
    where is_own_account
        and edition is not null
        and account_region is not null
),

contract as (
    select
        'contract' as rate_origin,
        1 as origin_rank,
        source_instance,
        true as is_offered,
        case source when 'snowflake_cortex' then 'snowflake' else source end as provider,
        model_name,
        cast(null as {{ dbt.type_string() }}) as price_key,
        service_tier,
        unit,
        rate_usd_per_unit,
        currency_code,
        rate_name,
        cast(null as {{ dbt.type_string() }}) as url,
        cast(null as date) as checked_on,
        valid_from_at,
        valid_to_at
    from contract_ranges
),

-- An entry for an edition or a region holds for the accounts that are known to be of it.
rate_card as (
    select
        'rate_card' as rate_origin,
        2 as origin_rank,
        coalesce(accounts.source_instance, '') as source_instance,
        -- What is for an edition that no account has is offered to nobody, but tells how dear the unit may be.
        accounts.source_instance is not null
        or (cards.edition = '' and cards.account_region = '') as is_offered,
        cards.provider,
        cards.model_name,
        cast(null as {{ dbt.type_string() }}) as price_key,
        cards.service_tier,
        cards.unit,
        cards.rate_usd_per_unit,
        'USD' as currency_code,
        cards.quoted as rate_name,
        cards.url,
        cards.checked_on,
        cards.valid_from_at,
        cards.valid_to_at
    from cards
    left join accounts
        on (cards.edition <> '' or cards.account_region <> '')
        and cards.edition in ('', accounts.edition)
        and cards.account_region in ('', accounts.account_region)
        and accounts.newest_rank = 1
),

catalogue as (
    select
        'catalogue' as rate_origin,
        3 as origin_rank,
        '' as source_instance,
        is_offered,
        provider,
        '' as model_name,
        price_key,
        service_tier,
        unit,
        rate_usd_per_unit,
        'USD' as currency_code,
        concat(price_key, ' ', meter) as rate_name,
        cast(null as {{ dbt.type_string() }}) as url,
        cast(null as date) as checked_on,
        valid_from_at,
        valid_to_at
    from catalogue_rates
),

unioned as (
    select * from contract
    union all
    select * from catalogue
    union all
    select * from rate_card
)

select
    {{ hash_key(['rate_origin', 'rate_name', 'source_instance', 'provider', 'model_name', 'price_key', 'service_tier', 'unit',
        'rate_usd_per_unit', 'currency_code', 'valid_from_at']) }} as unit_rate_key,
    *
from unioned
