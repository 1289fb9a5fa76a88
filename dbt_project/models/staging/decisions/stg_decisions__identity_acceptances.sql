-- one row per identifier of a source that a person placed by accepting a suggestion; of two the newer
with decided as (
    select * from {{ newest_decisions('identity_acceptances') }}
),

ranked as (
    select
        *,
        row_number() over (
            partition by source_instance, dimension, field, field_value
            order by accepted_at desc, acceptance_id
        ) as newest_rank
    from decided
)

select
    acceptance_id,
    dimension,
    source_instance,
    field,
    field_value,
    target_key,
    accepted_by,
    {{ utc('accepted_at') }} as accepted_at
from ranked
where newest_rank = 1
