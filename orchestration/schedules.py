"""Clocks: a schedule a source, the nightly re-read, prices, and the safety nets."""

import dagster as dg

from ingestion.config_loader import Config
from orchestration import settings
from orchestration.automation import (
    CADENCES,
    COLLECTOR_CRON,
    OUTBOUND_CRON,
    PASS_CRON,
    PRICES_CRON,
    TIMEZONE,
)
from orchestration.jobs import Jobs, load_config


def schedules(
    config: Config, jobs: Jobs, *, has_credentials: dict[str, bool]
) -> list[dg.ScheduleDefinition]:
    """Every clock; a source whose credentials are not set is left stopped, as all are if asked."""
    running = dg.DefaultScheduleStatus.RUNNING
    stopped = dg.DefaultScheduleStatus.STOPPED
    default = running if settings.clocks_run() else stopped
    clocks = []
    for source in config.sources:
        if source.id not in jobs.loads:
            continue
        cadence = CADENCES[source.system]
        name = source.id.replace("-", "_")
        status = default if has_credentials[source.id] else stopped
        clocks += [
            dg.ScheduleDefinition(
                name=f"{name}_new",
                job=jobs.loads[source.id],
                cron_schedule=cadence.load_cron,
                execution_timezone=TIMEZONE,
                default_status=status,
                description=f"What is new at {source.id}.",
            ),
            dg.ScheduleDefinition(
                name=f"{name}_deep_reread",
                job=jobs.loads[source.id],
                cron_schedule=cadence.reread_cron,
                execution_timezone=TIMEZONE,
                default_status=status,
                description=f"{source.id} again, further back: late and restated rows.",
                run_config=load_config(source, deep_reread=True),
            ),
        ]
    return [
        *clocks,
        dg.ScheduleDefinition(
            name="price_catalog_daily",
            job=jobs.prices,
            cron_schedule=PRICES_CRON,
            execution_timezone=TIMEZONE,
            default_status=default,
            description="Public model prices, every day.",
        ),
        dg.ScheduleDefinition(
            name="collector_hourly",
            job=jobs.collector,
            cron_schedule=COLLECTOR_CRON,
            execution_timezone=TIMEZONE,
            default_status=default,
            description="Safety net: what was pushed, every hour.",
        ),
        dg.ScheduleDefinition(
            name="pass_hourly",
            job=jobs.whole_pass,
            cron_schedule=PASS_CRON,
            execution_timezone=TIMEZONE,
            default_status=default,
            description="Safety net: a whole pass an hour, whatever woke or did not.",
        ),
        dg.ScheduleDefinition(
            name="outbound_every_5_minutes",
            job=jobs.outbound,
            cron_schedule=OUTBOUND_CRON,
            execution_timezone=TIMEZONE,
            default_status=default,
            description="Safety net: messages that are due, limits that drifted.",
        ),
    ]
