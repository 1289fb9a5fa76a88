-- one row: which pass these marts come from; built last, whatever part of the models a pass builds
-- depends_on: {{ ref('fct_budget_status') }}, {{ ref('fct_budget_keys') }}, {{ ref('fct_spend_daily') }}
-- depends_on: {{ ref('fct_alert_readings') }}, {{ ref('fct_budget_limits') }}, {{ ref('fct_bypass_usage') }}
-- depends_on: {{ ref('fct_entity_spend_daily') }}, {{ ref('fct_unpriced_usage') }}, {{ ref('fct_unattributed_usage') }}
-- depends_on: {{ ref('stg_decisions__price_approvals') }}, {{ ref('fct_corrections') }}
-- depends_on: {{ ref('fct_restatements') }}, {{ ref('fct_statement_monthly') }}
-- depends_on: {{ ref('fct_cost_reconciliation_by_model') }}, {{ ref('fct_coverage_daily') }}, {{ ref('fct_what_if') }}
-- depends_on: {{ ref('fct_price_changes') }}, {{ ref('fct_wallet_usage') }}, {{ ref('dim_wallets') }}
-- depends_on: {{ ref('dim_wallet_entries') }}, {{ ref('fct_wallet_drivers') }}, {{ ref('dim_wallet_features') }}
-- depends_on: {{ ref('fct_identity_suggestions') }}, {{ ref('dim_entity_owners') }}
-- depends_on: {{ ref('dim_rates') }}, {{ ref('dim_price_rules') }}, {{ ref('dim_prices') }}
with current_pass as (
    select * from {{ ref('stg_run__current_pass') }}
)

select
    pass_id as snapshot_id,
    as_of,
    true as checks_ok,
    cast(null as {{ dbt.type_string() }}) as held_reason
from current_pass
