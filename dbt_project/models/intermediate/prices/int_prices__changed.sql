-- one row per observed price version that ended a rate in force, beside the version before it
with versions as (
    select * from {{ ref('int_prices__versions') }}
),

verdicts as (
    select * from {{ ref('stg_price_catalog__verdicts') }}
    where verdict = 'quarantine'
),

approvals as (
    select * from {{ ref('stg_decisions__price_approvals') }}
),

-- What a person let in counts from the file that stated it, and was not known before.
accepted as (
    select
        concat(verdicts.provider, '/', verdicts.model_name) as price_key,
        verdicts.observed_at,
        max(approvals.approved_at) as approved_at
    from verdicts
    inner join approvals
        on verdicts.item_id = approvals.approval_id
    group by concat(verdicts.provider, '/', verdicts.model_name), verdicts.observed_at
),

followed as (
    select
        *,
        lag(price_version_key) over (
            partition by price_key order by version_number
        ) as previous_version_key
    from versions
)

-- A change counts from its observation: what begins at another time is the history that a second source remembers.
select
    followed.price_version_key,
    followed.previous_version_key,
    followed.price_key,
    followed.provider,
    followed.model_name,
    followed.valid_from_at,
    followed.observed_at,
    greatest(followed.observed_at, coalesce(accepted.approved_at, followed.observed_at)) as known_at
from followed
left join accepted
    on followed.price_key = accepted.price_key
    and followed.observed_at = accepted.observed_at
where followed.change_kind = 'price_change'
    and followed.known_by = 'observed'
    and followed.valid_from_at = followed.observed_at
    and followed.version_number > 1
