-- one row per version of an external model's call with tokens: its share of the money of its hour, model and tags; null
-- where none is stated. The shares of a group sum to its money exactly: the heaviest call takes what rounding leaves
with calls as (
    select
        *,
        -- Of a call told twice in one reading the last counts, as it does downstream.
        row_number() over (
            partition by source_instance, window_key, reading_load_id, source_record_id
            order by source_locator desc
        ) as told_rank
    from {{ ref('stg_databricks__invocations') }}
    where spend_weight > 0 and not is_removed
),

readings as (
    select * from {{ ref('stg_databricks__hour_readings') }}
),

spend as (
    select
        source_instance,
        window_key,
        reading_load_id,
        spend_key,
        sum(spent_usd) as spent_usd,
        -- Two providers may serve one model by one name: then nobody knows which of them served a call.
        case when min(provider) = max(provider) then min(provider) end as provider
    from {{ ref('stg_databricks__spend_records') }}
    where spent_usd is not null and not is_removed
    group by
        source_instance,
        window_key,
        reading_load_id,
        spend_key
),

matched as (
    select
        calls.source_instance,
        calls.window_key,
        calls.source_record_id,
        calls.reading_load_id,
        calls.source_locator,
        calls.spend_key,
        calls.spend_weight,
        readings.load_id as version_load_id,
        spend.provider,
        spend.spent_usd
    from calls
    inner join readings
        on calls.source_instance = readings.source_instance
        and calls.window_key = readings.window_key
        and calls.reading_load_id = readings.calls_load_id
    left join spend
        on readings.source_instance = spend.source_instance
        and readings.window_key = spend.window_key
        and readings.spend_load_id = spend.reading_load_id
        and calls.spend_key = spend.spend_key
    where calls.told_rank = 1
),

weighed as (
    select
        *,
        row_number() over (
            partition by source_instance, window_key, version_load_id, spend_key
            order by spend_weight desc, source_record_id
        ) as weight_rank,
        cast(
            cast(spend_weight as double)
            / sum(spend_weight) over (
                partition by source_instance, window_key, version_load_id, spend_key
            ) as decimal(18, 15)
        ) as share_ratio
    from matched
),

shared as (
    select
        *,
        {{ money('spent_usd * share_ratio') }} as rounded_usd
    from weighed
)

select
    source_instance,
    window_key,
    source_record_id,
    reading_load_id,
    source_locator,
    version_load_id,
    provider,
    case
        when weight_rank = 1
            then {{ money('spent_usd + rounded_usd - sum(rounded_usd) over (
                partition by source_instance, window_key, version_load_id, spend_key
            )') }}
        else rounded_usd
    end as share_usd
from shared
