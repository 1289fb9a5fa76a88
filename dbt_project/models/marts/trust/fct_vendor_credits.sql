-- one row per source instance, contract, unit and day of a statement: credits bought of a vendor, used and left
select
    source_instance,
    source,
    contract_id,
    unit,
    stated_on,
    {{ money('granted_quantity') }} as granted_quantity,
    {{ money('used_quantity') }} as used_quantity,
    {{ money('balance_quantity') }} as balance_quantity
from {{ ref('int_statements__credits') }}
