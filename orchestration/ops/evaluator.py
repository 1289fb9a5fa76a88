"""What an evaluation reads and writes in the ops store; the caller holds the transaction."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import Connection, Engine, func, insert, select, update

from orchestration.governance.alerts import Cause, Level, Move, State
from orchestration.ops.store import reading
from orchestration.ops.tables import (
    alert_state,
    alert_version,
    facts_snapshot,
    period_close,
    transition,
)

_EDITED_FROM = "edited_from"


@dataclass(frozen=True)
class StoredState:
    """One alert in one period, as it was left."""

    alert_id: str
    period_start: datetime
    period_end: datetime
    state: State
    value: Decimal | None
    limit_value: Decimal | None
    unit: str
    version: str
    context: Mapping[str, Any]
    # The thresholds before the edit that brought a budget to where it is limited; while it is.
    edited_from: Mapping[str, str | None] | None = None


class SnapshotBehind(Exception):
    """A snapshot of later with a number of before: what published it does not count on from us."""


def newest_snapshot(engine: Engine) -> int:
    """The number of the newest snapshot that was evaluated; 0 before the first."""
    with reading(engine) as connection:
        return connection.scalar(select(func.max(facts_snapshot.c.snapshot_id))) or 0


def record_snapshot(
    connection: Connection, *, snapshot_id: int, as_of: datetime, checks_ok: bool, held: str | None
) -> bool:
    """True if the snapshot is newer than every one before; else nothing is recorded."""
    newest = connection.execute(
        select(facts_snapshot).order_by(facts_snapshot.c.snapshot_id.desc()).limit(1)
    ).one_or_none()
    if newest is not None and snapshot_id <= newest.snapshot_id:
        if snapshot_id < newest.snapshot_id and as_of > newest.as_of:
            raise SnapshotBehind(
                f"snapshot {snapshot_id} is of {as_of:%Y-%m-%d %H:%M} UTC, later than snapshot "
                f"{newest.snapshot_id}, and has a lower number: it was published from another home "
                "than METERHOUSE_OPS_URL goes with. Put that home back, or run `meterhouse run`: "
                "the next pass counts on from here"
            )
        return False
    connection.execute(
        insert(facts_snapshot).values(
            snapshot_id=snapshot_id, as_of=as_of, checks_ok=checks_ok, held_reason=held
        )
    )
    return True


def first_evaluated(connection: Connection) -> dict[str, datetime]:
    """When each alert was evaluated for the first time."""
    rows = connection.execute(select(alert_version.c.alert_id, alert_version.c.effective_at))
    first: dict[str, datetime] = {}
    for row in rows:
        first[row.alert_id] = min(first.get(row.alert_id, row.effective_at), row.effective_at)
    return first


def record_version(
    connection: Connection,
    *,
    alert_id: str,
    version: str,
    body: Mapping[str, Any],
    effective_at: datetime,
) -> None:
    """The version of an alert's declaration, once."""
    known = connection.scalar(
        select(alert_version.c.version).where(
            alert_version.c.alert_id == alert_id, alert_version.c.version == version
        )
    )
    if known is not None:
        return
    text = json.dumps(body, sort_keys=True)
    connection.execute(
        insert(alert_version).values(
            alert_id=alert_id,
            version=version,
            body_json=text,
            body_sha=hashlib.sha256(text.encode()).hexdigest(),
            effective_at=effective_at,
        )
    )


def last_versions(connection: Connection) -> dict[str, frozenset[str]]:
    """The versions under which each alert was seen by the last evaluation that saw it."""
    newest = (
        select(alert_state.c.alert_id, func.max(alert_state.c.last_snapshot_id).label("newest"))
        .group_by(alert_state.c.alert_id)
        .subquery()
    )
    rows = connection.execute(
        select(alert_state.c.alert_id, alert_state.c.alert_version).join(
            newest,
            (alert_state.c.alert_id == newest.c.alert_id)
            & (alert_state.c.last_snapshot_id == newest.c.newest),
        )
    )
    found: dict[str, frozenset[str]] = {}
    for row in rows:
        found[row.alert_id] = found.get(row.alert_id, frozenset()) | {row.alert_version}
    return found


def stored_states(connection: Connection) -> dict[tuple[str, datetime], StoredState]:
    """Every alert's state by (alert, period start)."""
    rows = connection.execute(
        select(alert_state).order_by(alert_state.c.alert_id, alert_state.c.period_start)
    )
    return {
        (row.alert_id, row.period_start): StoredState(
            alert_id=row.alert_id,
            period_start=row.period_start,
            period_end=row.period_end,
            state=State(
                level=cast("Level", row.level),
                announced=cast("Level", row.announced),
                seq=row.seq,
                rolled=row.rolled,
            ),
            value=row.value,
            limit_value=row.limit_value,
            unit=row.unit,
            version=row.alert_version,
            context={name: said for name, said in context.items() if name != _EDITED_FROM},
            edited_from=context.get(_EDITED_FROM),
        )
        for row in rows
        for context in (json.loads(row.context_json),)
    }


def save_state(
    connection: Connection, new: StoredState, *, before: StoredState | None, snapshot_id: int
) -> None:
    """The state after this snapshot, set only if nobody moved it since it was read."""
    values = {
        "period_end": new.period_end,
        "level": new.state.level,
        "announced": new.state.announced,
        "seq": new.state.seq,
        "rolled": new.state.rolled,
        "value": new.value,
        "limit_value": new.limit_value,
        "unit": new.unit,
        "alert_version": new.version,
        "last_snapshot_id": snapshot_id,
        "context_json": json.dumps({**new.context, _EDITED_FROM: new.edited_from}, sort_keys=True),
    }
    key = {"alert_id": new.alert_id, "period_start": new.period_start}
    if before is None:
        connection.execute(insert(alert_state).values(**key, **values))
        return
    changed = connection.execute(
        update(alert_state)
        .where(
            alert_state.c.alert_id == new.alert_id,
            alert_state.c.period_start == new.period_start,
            alert_state.c.seq == before.state.seq,
            alert_state.c.last_snapshot_id <= snapshot_id,
        )
        .values(**values)
    )
    if changed.rowcount != 1:
        raise RuntimeError(f"{new.alert_id} was moved by another evaluator; nothing was written")


def transition_id(alert_id: str, period_start: datetime, seq: int) -> str:
    """The id of a transition: the same for the same alert, period and sequence, for ever."""
    text = f"{alert_id}|{period_start:%Y-%m-%dT%H:%M:%S.%fZ}|{seq}"
    return hashlib.sha256(text.encode()).hexdigest()


def record_transition(
    connection: Connection,
    move: Move,
    *,
    of: StoredState,
    snapshot_id: int,
    skipped_reason: str | None,
    created_at: datetime,
) -> None:
    """One transition, appended."""
    connection.execute(
        insert(transition).values(
            id=transition_id(of.alert_id, of.period_start, move.seq),
            alert_id=of.alert_id,
            period_start=of.period_start,
            period_end=of.period_end,
            seq=move.seq,
            from_level=move.from_level,
            to_level=move.to_level,
            crossed_json=json.dumps(list(move.crossed)),
            value=of.value,
            limit_value=of.limit_value,
            unit=of.unit,
            alert_version=of.version,
            snapshot_id=snapshot_id,
            cause=move.cause,
            late=move.late,
            baseline=move.baseline,
            skipped_reason=skipped_reason,
            created_at=created_at,
        )
    )


def last_moves(connection: Connection) -> dict[tuple[str, datetime], tuple[Move, datetime]]:
    """The last transition of each alert and period that is not ended, and when it was recorded."""
    rows = connection.execute(
        select(transition)
        .join(
            alert_state,
            (alert_state.c.alert_id == transition.c.alert_id)
            & (alert_state.c.period_start == transition.c.period_start)
            & (alert_state.c.seq == transition.c.seq),
        )
        .where(alert_state.c.rolled.is_(False))
    )
    return {
        (row.alert_id, row.period_start): (
            Move(
                seq=row.seq,
                from_level=cast("Level", row.from_level),
                to_level=cast("Level", row.to_level),
                crossed=tuple(json.loads(row.crossed_json)),
                cause=cast("Cause", row.cause),
                late=row.late,
                baseline=row.baseline,
            ),
            row.created_at,
        )
        for row in rows
    }


def closed_periods(connection: Connection) -> frozenset[str]:
    """The months whose books are closed, as 2026-10."""
    return frozenset(connection.scalars(select(period_close.c.period)))
