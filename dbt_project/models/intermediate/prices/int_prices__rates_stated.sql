-- one row per rate of a model and spell: an unbroken run of price files that state all rates of the model alike
with files as (
    select * from {{ ref('int_prices__files') }}
),

models as (
    select * from {{ ref('stg_price_catalog__models') }}
),

rates as (
    select * from {{ ref('stg_price_catalog__rates') }}
),

verdicts as (
    select * from {{ ref('stg_price_catalog__verdicts') }}
),

approvals as (
    select * from {{ ref('stg_decisions__price_approvals') }}
),

held as (
    select
        verdicts.load_id,
        verdicts.rate_key
    from verdicts
    left join approvals
        on verdicts.item_id = approvals.approval_id
    where verdicts.verdict = 'quarantine'
        and approvals.approval_id is null
),

listed as (
    select
        files.catalogue,
        models.provider,
        models.model_name,
        models.load_id,
        models.rates_hash,
        files.ordinal,
        lag(models.rates_hash) over (
            partition by files.catalogue, models.provider, models.model_name
            order by files.ordinal
        ) as previous_rates_hash,
        lag(files.ordinal) over (
            partition by files.catalogue, models.provider, models.model_name
            order by files.ordinal
        ) as previous_ordinal
    from models
    inner join files
        on models.load_id = files.load_id
),

-- A spell is an unbroken run of files that state a model with equal rates: only its first one is looked into.
begun as (
    select
        *,
        case
            when previous_rates_hash = rates_hash and previous_ordinal = ordinal - 1 then 0
            else 1
        end as is_begin
    from listed
),

numbered as (
    select
        *,
        sum(is_begin) over (
            partition by catalogue, provider, model_name order by ordinal
        ) as spell_number
    from begun
),

spells as (
    select
        catalogue,
        provider,
        model_name,
        spell_number,
        max(case when is_begin = 1 then load_id end) as load_id,
        min(ordinal) as from_ordinal,
        max(ordinal) as to_ordinal
    from numbered
    group by catalogue, provider, model_name, spell_number
),

-- The listing itself is followed as a rate without a value: a model may be listed without any rate.
stated as (
    select
        spells.*,
        rates.rate_key,
        rates.rate_usd_per_unit,
        case when held.rate_key is null then 0 else 1 end as is_held
    from spells
    inner join rates
        on spells.load_id = rates.load_id
        and spells.provider = rates.provider
        and spells.model_name = rates.model_name
    left join held
        on rates.load_id = held.load_id
        and rates.rate_key = held.rate_key
    union all
    select
        spells.*,
        'listing' as rate_key,
        cast(null as decimal(18, 15)) as rate_usd_per_unit,
        0 as is_held
    from spells
)

select * from stated
