"""All policy of when things run: cadences, freshness, pools, conditions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import dagster as dg

from ingestion.source_config import SourceConfig

WAREHOUSE_POOL = "duckdb"
DISPATCH_POOL = "ops_dispatch"

NIGHTLY = "37 3 * * *"
WEEKLY = "37 4 * * 0"


@dataclass(frozen=True)
class Cadence:
    """When a system is read, and when it is read again further back."""

    load_cron: str
    reread_cron: str


def _hourly(minute: int, *, reread: str = NIGHTLY) -> Cadence:
    return Cadence(f"{minute} * * * *", reread)


def _daily(minute: int, *, reread: str = WEEKLY) -> Cadence:
    return Cadence(f"{minute} 6 * * *", reread)


# Minutes differ so that the one writer is not asked for by all at once.
CADENCES: dict[str, Cadence] = {
    # Queries are metered: its long re-read is weekly.
    "agentforce": _hourly(52, reread=WEEKLY),
    "anthropic_bill": _daily(8),
    "aws_cur": _daily(13),
    "bedrock": _hourly(17),
    "databricks": _hourly(32),
    "helicone": _hourly(22),
    "langfuse": _hourly(27),
    "litellm": _hourly(7),
    "openai_bill": _daily(3),
    "openrouter": _hourly(9),
    "portkey": _hourly(12),
    "revenue": _daily(43),
    "sap_joule": _daily(57),
    "snowflake_cortex": _hourly(42),
}
# The safety net of what is pushed: a sensor wakes its load within seconds.
COLLECTOR_CRON = "2 * * * *"
PRICES_CRON = "11 5 * * *"
PASS_CRON = "45 * * * *"
OUTBOUND_CRON = "*/5 * * * *"
TIMEZONE = "UTC"

# A month's books close so many days after its end (DESIGN D21), as a pass begins.
CLOSE_AFTER_DAYS = 5

# With a pass an hour, a published snapshot older than this is told to people.
SNAPSHOT_OVERDUE_AFTER = timedelta(hours=3)

PASS_INTERVAL_SECONDS = 300
WAKE_INTERVAL_SECONDS = 30
SPOOL_INTERVAL_SECONDS = 10

# Above this share of tokens without a price, of so many days, a check is red.
UNPRICED_LIMIT = Decimal("0.01")
UNPRICED_DAYS = 30

PRICES_FRESHNESS = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(days=7), warn_window=timedelta(days=2)
)
COLLECTOR_FRESHNESS = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=6), warn_window=timedelta(hours=2)
)
MARTS_FRESHNESS = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=6), warn_window=timedelta(hours=2)
)


def freshness_of(sources: Sequence[SourceConfig]) -> dg.FreshnessPolicy:
    """How old a system's raw tables may be: as its most patient instance declares."""
    hours = max(source.stale_after_hours for source in sources)
    return dg.FreshnessPolicy.time_window(
        fail_window=timedelta(hours=hours), warn_window=timedelta(hours=hours) / 2
    )


def after_loads(
    load_keys: list[dg.AssetKey], *, begun: Sequence[dg.AssetKey]
) -> dg.AutomationCondition[dg.AssetKey]:
    """One pass when something upstream is new and no load is under way.

    The sensor that evaluates it runs at most every five minutes, so ten sources that finish one
    after the other make one pass, not ten. What a pass itself writes as it begins (`begun`) must
    not wake the next. What a failed check stops is stopped inside the run: dbt skips what is
    downstream of it, nothing is published, and so nothing is evaluated. The first pass of all is
    the schedule's, or a person's: conditions build on what it built.
    """
    condition = (
        dg.AutomationCondition.eager().ignore(dg.AssetSelection.assets(*begun))
        & ~dg.AutomationCondition.missing()
    )
    for key in load_keys:
        condition = condition & ~dg.AutomationCondition.asset_matches(
            key, dg.AutomationCondition.in_progress()
        )
    return condition.with_label("after_loads")
