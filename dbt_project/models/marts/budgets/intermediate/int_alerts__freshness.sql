-- one row per freshness alert and source that was ever read: its last reading's age as a multiple of what it may be
with alerts as (
    select * from {{ ref('stg_config__alerts') }}
    where kind = 'freshness'
),

freshness as (
    select * from {{ ref('fct_source_freshness') }}
),

sources as (
    select * from {{ ref('stg_config__sources') }}
)

select
    alerts.alert_id,
    freshness.source_instance,
    {{ ratio('freshness.read_age_ms', 'sources.stale_after_hours * 3600000') }} as value,
    concat(
        '{"source":', {{ json_quote('freshness.source_instance') }}, ',"system":', {{ json_quote('freshness.source') }},
        ',"read_age_ms":', cast(freshness.read_age_ms as {{ dbt.type_string() }}),
        ',"usage_age_ms":', coalesce(cast(freshness.usage_age_ms as {{ dbt.type_string() }}), 'null'),
        ',"stale_after_hours":', cast(sources.stale_after_hours as {{ dbt.type_string() }}), '}'
    ) as facts_json
from alerts
cross join freshness
inner join sources
    on freshness.source_instance = sources.source_instance
