-- one row per budget that is hard or asks for limits, or burn rate that acts, and gateway key that counts, or could count, towards
-- it: what enforcement may limit, and how much of the key's use of the last 7 days is the budget's own; a key that its gateway
-- only lists is its owner's, and so is a team or user, written team:<id>; a customer:<id> is the customer's
with quarter_hours as (
    select * from {{ ref('int_spend__quarter_hours') }}
),

budgets as (
    select * from {{ ref('int_budgets__limiting') }}
),

expanded as (
    select * from {{ ref('int_org__expanded') }}
),

current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
),

listed_keys as (
    select * from {{ ref('int_budgets__listed_keys') }}
),

recent as (
    select
        quarter_hours.*
    from quarter_hours
    inner join current_pass
        on quarter_hours.bucket_start_at >= current_pass.as_of - interval '7 days'
    where quarter_hours.raw_key_hash is not null
),

key_totals as (
    select
        source,
        source_instance,
        raw_key_hash,
        max(raw_key_alias) as raw_key_alias,
        sum(total_tokens) as total_tokens
    from recent
    group by
        source,
        source_instance,
        raw_key_hash
),

budgeted as (
    {{ budgeted_acts('recent', at='bucket_start_at', dated=false) }}
),

own as (
    select
        budget_id,
        source,
        source_instance,
        raw_key_hash,
        sum(total_tokens) as own_tokens
    from budgeted
    group by
        budget_id,
        source,
        source_instance,
        raw_key_hash
),

-- A budget that is used up must not be dodged with a key that nobody used of late. What it would be used for is not known.
unused as (
    select
        listed_keys.*,
        current_pass.as_of as listed_at,
        {% for column in (
            'provider', 'model_id', 'operation', 'application_key', 'feature_key', 'unit', 'budget_tags',
        ) -%}
        cast(null as {{ dbt.type_string() }}) as {{ column }}{{ ',' if not loop.last }}
        {% endfor %}
    from listed_keys
    cross join current_pass
    left join key_totals
        on listed_keys.source_instance = key_totals.source_instance
        and listed_keys.raw_key_hash = key_totals.raw_key_hash
    where key_totals.raw_key_hash is null
),

budgeted_unused as (
    {{ budgeted_acts('unused', at='listed_at', dated=false) }}
)

select
    own.budget_id,
    own.source as gateway,
    own.source_instance,
    own.raw_key_hash,
    key_totals.raw_key_alias,
    cast(
        case when key_totals.total_tokens > 0
            then cast(own.own_tokens as double precision) / cast(key_totals.total_tokens as double precision)
            else 1
        end as double precision
    ) as own_usage_ratio
from own
inner join key_totals
    on own.source = key_totals.source
    and own.source_instance = key_totals.source_instance
    and own.raw_key_hash = key_totals.raw_key_hash
union all
select
    budget_id,
    source as gateway,
    source_instance,
    raw_key_hash,
    raw_key_alias,
    case when identity_kind = 'key' then cast(1 as double precision) end as own_usage_ratio
from budgeted_unused
