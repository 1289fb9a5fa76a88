-- one row per identity: its places, and the sets of price rules it is bought and sold under (0 for none)
{{ config(materialized='table') }}

with identity_matches as (
    select * from {{ ref('int_org__identity_matches') }}
),

identities as (
    select * from {{ ref('int_org__identities') }}
),

scopes as (
    select * from {{ ref('int_prices__scopes') }}
)

select
    identity_matches.*,
    coalesce(bought.scope_number, 0) as buy_scope_number,
    coalesce(sold.scope_number, 0) as sell_scope_number
from identity_matches
inner join identities
    on identity_matches.identity_key = identities.identity_key
{% for side, alias in [('buy', 'bought'), ('sell', 'sold')] -%}
left join scopes as {{ alias }}
    on {{ alias }}.side = '{{ side }}'
    and identity_matches.entity_key = {{ alias }}.entity_key
    and identity_matches.customer_key = {{ alias }}.customer_key
    and coalesce(identity_matches.feature_key, '') = {{ alias }}.feature_key
    and identities.source_instance = {{ alias }}.source_instance
{% endfor %}
