"""All policy of when things run: cadences, freshness, pools, conditions."""

from datetime import timedelta

import dagster as dg

WAREHOUSE_POOL = "duckdb"
DISPATCH_POOL = "ops_dispatch"

LOAD_CRON = {"litellm": "7 * * * *", "bedrock": "17 * * * *"}
REREAD_CRON = "37 3 * * *"
REREAD_HOURS = 72
PRICES_CRON = "11 5 * * *"
PASS_CRON = "45 * * * *"
OUTBOUND_CRON = "*/5 * * * *"
TIMEZONE = "UTC"

PASS_INTERVAL_SECONDS = 300
WAKE_INTERVAL_SECONDS = 30

SOURCE_FRESHNESS = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=6), warn_window=timedelta(hours=2)
)
PRICES_FRESHNESS = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(days=7), warn_window=timedelta(days=2)
)
MARTS_FRESHNESS = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=6), warn_window=timedelta(hours=2)
)


def after_loads(load_keys: list[dg.AssetKey]) -> dg.AutomationCondition:
    """One pass when something upstream is new and no load is under way; never on failed checks.

    The sensor that evaluates it runs at most every five minutes, so ten sources that finish one
    after the other make one pass, not ten.
    """
    condition = dg.AutomationCondition.eager() & (
        dg.AutomationCondition.all_deps_blocking_checks_passed()
    )
    for key in load_keys:
        condition = condition & ~dg.AutomationCondition.asset_matches(
            key, dg.AutomationCondition.in_progress()
        )
    return condition.with_label("after_loads")
