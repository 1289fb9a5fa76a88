"""Sensors only wake things: they read our own state and never call anyone."""

import hashlib
from typing import Any

import dagster as dg
from sqlalchemy import and_, func, or_, select

from ingestion.collector import inbox
from ingestion.collector.spool import newest, spool_path
from orchestration import settings
from orchestration.automation import (
    PASS_INTERVAL_SECONDS,
    SPOOL_INTERVAL_SECONDS,
    WAKE_INTERVAL_SECONDS,
)
from orchestration.jobs import FAST_LANE_JOB
from orchestration.ops.evaluator import newest_snapshot
from orchestration.ops.store import open_store, reading
from orchestration.ops.tables import outbox
from orchestration.warehouse import published_marts


def _default_status() -> dg.DefaultSensorStatus:
    running = settings.clocks_run()
    return dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED


def config_sensor(job: Any) -> dg.SensorDefinition:
    """Wakes the load of config/ when a file of it changed."""

    @dg.sensor(
        name="config_changed_sensor",
        job=job,
        minimum_interval_seconds=WAKE_INTERVAL_SECONDS,
        default_status=_default_status(),
        description="A file of config/ changed.",
    )
    def config_changed(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        digest = hashlib.sha256()
        for path in sorted(settings.config_path().rglob("*.yaml")):
            digest.update(path.read_bytes())
        found = digest.hexdigest()[:32]
        if found == context.cursor:
            return dg.SensorResult(skip_reason="config/ is as it was.")
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=found)], cursor=found)

    return config_changed


_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def spool_sensor(job: Any) -> dg.SensorDefinition:
    """Wakes the fast lane when something was pushed, or dropped into the inbox, since last time."""

    @dg.sensor(
        name="spool_sensor",
        job=job,
        minimum_interval_seconds=SPOOL_INTERVAL_SECONDS,
        default_status=_default_status(),
        description="Something new lies in the collector's spool or in the inbox.",
    )
    def something_pushed(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        found = _pushed()
        if found is None or found == context.cursor:
            return dg.SensorResult(skip_reason="Nothing new was pushed.")
        running = dg.RunsFilter(job_name=FAST_LANE_JOB, statuses=_UNDER_WAY)
        if context.instance.get_runs_count(running):
            # What it does not take along is new at the next tick: the cursor stays.
            return dg.SensorResult(skip_reason="A fast lane is under way.")
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=found)], cursor=found)

    return something_pushed


def _pushed() -> str | None:
    """A word for what lies in the spool and in the inbox; None where there is nothing."""
    spool = newest(spool_path(settings.home()))
    files = [
        (path.parent.name, path.name, stat.st_size, stat.st_mtime_ns)
        for path in inbox.listed(settings.home())
        for stat in (path.stat(),)
    ]
    if (spool is None or not spool.last_sequence) and not files:
        return None
    last = f"{spool.spool_id}-{spool.last_sequence}" if spool else ""
    return hashlib.sha256(f"{last} {files}".encode()).hexdigest()[:32]


def snapshot_sensor(job: Any) -> dg.SensorDefinition:
    """Wakes the outbound assets when a published snapshot was not evaluated yet."""

    @dg.sensor(
        name="snapshot_published_sensor",
        job=job,
        minimum_interval_seconds=WAKE_INTERVAL_SECONDS,
        default_status=_default_status(),
        description="A newer snapshot is published than the last one evaluated.",
    )
    def snapshot_published(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        path = settings.marts_path()
        if not path.exists():
            return dg.SensorResult(skip_reason="Nothing is published yet.")
        with published_marts(path) as connection:
            row = connection.execute(
                "select max(snapshot_id) from core.published_snapshot"
            ).fetchone()
        published = row[0] if row else None
        evaluated = newest_snapshot(open_store(settings.ops_url()))
        if published is None or published <= evaluated:
            reason = f"Snapshot {published} is not above {evaluated}, which is evaluated."
            return dg.SensorResult(skip_reason=reason)
        return dg.SensorResult(
            run_requests=[dg.RunRequest(run_key=f"snapshot-{published}")], cursor=str(published)
        )

    return snapshot_published


def outbox_sensor(job: Any) -> dg.SensorDefinition:
    """Wakes the delivery when a message is due."""

    @dg.sensor(
        name="message_due_sensor",
        job=job,
        minimum_interval_seconds=WAKE_INTERVAL_SECONDS,
        default_status=_default_status(),
        description="A message waits in the outbox and its time has come.",
    )
    def message_due(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = settings.now()
        due = and_(
            outbox.c.status == "pending", or_(outbox.c.next_at.is_(None), outbox.c.next_at <= now)
        )
        with reading(open_store(settings.ops_url())) as connection:
            count, attempts = connection.execute(
                select(func.count(), func.sum(outbox.c.attempts)).where(due)
            ).one()
        if not count:
            return dg.SensorResult(skip_reason="No message is due.")
        # The same messages after another attempt are another reason to wake.
        key = f"due-{count}-{attempts}-{now:%Y%m%d%H%M}"
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=key)])

    return message_due


def pass_sensor(selection: dg.AssetSelection) -> dg.AutomationConditionSensorDefinition:
    """Evaluates the models' conditions, at most every five minutes; ships switched on."""
    return dg.AutomationConditionSensorDefinition(
        name="pass_sensor",
        target=selection,
        default_status=_default_status(),
        minimum_interval_seconds=PASS_INTERVAL_SECONDS,
        description="A pass when loads have finished.",
    )
