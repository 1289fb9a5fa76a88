-- one row: which pass these marts come from
with current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
)

select
    pass_id as snapshot_id,
    as_of,
    true as checks_ok,
    cast(null as {{ dbt.type_string() }}) as held_reason
from current_pass
