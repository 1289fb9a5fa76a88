"""What a reconciliation reads and writes in the ops store; the caller holds the transaction."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import Connection, delete, func, insert, select, update

from orchestration.enforcement.gateway import Kind, Settings, Wanted
from orchestration.enforcement.policy import Applied, Desired, Phase, Verb, Want
from orchestration.ops.people import limit_approvals
from orchestration.ops.tables import applied_limit, desired_limit, enforcement_action, override


@dataclass(frozen=True)
class Limit:
    """One key at one gateway: what ought to be, what we did, what a person said."""

    gateway: str
    key_ref: str
    desired: Desired
    applied: Applied | None
    previous: Mapping[str, Any] | None
    reasons: tuple[Mapping[str, Any], ...]
    override: "StoredOverride | None"
    wanted: Wanted | None  # None: open
    approval_id: str | None  # what a person has to say yes to, and has not

    @property
    def ended_kind(self) -> str | None:
        """The kind of limit that was in place before this key was to be open."""
        return self.reasons[0].get("action") if self.reasons else None

    @property
    def key_alias(self) -> str | None:
        """The name people know the key by."""
        return self.reasons[0].get("key_alias") if self.reasons else None

    @property
    def lineage(self) -> tuple[str, ...]:
        """Every entity whose budget speaks, with its ancestors."""
        return tuple(dict.fromkeys(name for why in self.reasons for name in why["lineage"]))


@dataclass(frozen=True)
class StoredOverride:
    """A person's decision that stands for a while."""

    until: datetime
    by: str
    reason: str
    marks: Mapping[str, str]


@dataclass(frozen=True)
class Failure:
    """What a gateway answered where it gave no clear answer, or refused us."""

    result: str  # unknown | refused
    why: str


def limits_of(connection: Connection, gateway: str, *, now: datetime) -> list[Limit]:
    """Every key that was ever to be limited at this gateway."""
    approved = limit_approvals(connection, now=now)
    applied = {
        row.key_ref: row
        for row in connection.execute(
            select(applied_limit).where(applied_limit.c.gateway == gateway)
        )
    }
    overrides = {
        row.key_ref: _override(row)
        for row in connection.execute(select(override).where(override.c.gateway == gateway))
    }
    rows = connection.execute(
        select(desired_limit)
        .where(desired_limit.c.gateway == gateway)
        .order_by(desired_limit.c.key_ref)
    )
    limits: list[Limit] = []
    for row in rows:
        done = applied.get(row.key_ref)
        waits_for = None if row.approval_id in approved else row.approval_id
        limits.append(
            Limit(
                gateway=gateway,
                key_ref=row.key_ref,
                desired=Desired(
                    cast("Want", row.want),
                    row.generation,
                    row.held_reason or (f"waits for approval {waits_for}" if waits_for else None),
                ),
                approval_id=waits_for,
                applied=Applied(
                    verb=cast("Verb", done.verb),
                    generation=done.generation,
                    phase=cast("Phase", done.phase),
                    wrote=json.loads(done.wrote_json),
                    wrote_fingerprint=done.wrote_fingerprint,
                    at=done.at,
                    found_fingerprint=done.observed_fingerprint,
                )
                if done
                else None,
                previous=json.loads(done.prev_json) if done and done.prev_json else None,
                reasons=tuple(json.loads(row.reason_json)),
                override=overrides.get(row.key_ref),
                wanted=_wanted(row.want, json.loads(row.want_json)),
            )
        )
    return limits


def _wanted(want: str, stated: Mapping[str, Any]) -> Wanted | None:
    if want == "open":
        return None
    remaining, amount = stated.get("remaining_usd"), stated.get("amount_usd")
    return Wanted(
        kind=cast("Kind", want),
        remaining_usd=None if remaining is None else Decimal(remaining),
        amount_usd=None if amount is None else Decimal(amount),
        requests_per_minute=stated.get("requests_per_minute"),
    )


def _override(row: Any) -> StoredOverride:
    return StoredOverride(row.until, row.by, row.reason, json.loads(row.marks_json))


def gateways_with_limits(connection: Connection) -> list[str]:
    """The gateways for which a limit was ever wanted."""
    names = connection.scalars(select(desired_limit.c.gateway).distinct())
    return sorted(names)


def failing_keys(connection: Connection, gateway: str) -> dict[str, "Failure"]:
    """The keys whose last finding is a failure."""
    here = enforcement_action.c.gateway == gateway
    last = (
        select(func.max(enforcement_action.c.seq))
        .where(here)
        .group_by(enforcement_action.c.key_ref)
    )
    rows = connection.execute(
        select(enforcement_action).where(
            enforcement_action.c.seq.in_(last),
            enforcement_action.c.result.in_(("unknown", "refused")),
        )
    )
    return {row.key_ref: Failure(row.result, row.why) for row in rows}


def is_current(connection: Connection, limit: Limit) -> bool:
    """True if what ought to be, and what a person said, is still what it was as it was read."""
    generation = connection.scalar(
        select(desired_limit.c.generation).where(
            desired_limit.c.gateway == limit.gateway, desired_limit.c.key_ref == limit.key_ref
        )
    )
    return generation == limit.desired.generation and is_override_as_read(connection, limit)


def is_override_as_read(connection: Connection, limit: Limit) -> bool:
    """True unless a person has set or changed an override since the limit was read."""
    row = connection.execute(
        select(override).where(
            override.c.gateway == limit.gateway, override.c.key_ref == limit.key_ref
        )
    ).one_or_none()
    return (None if row is None else _override(row)) == limit.override


def save_applied(
    connection: Connection,
    limit: Limit,
    *,
    verb: Verb,
    phase: Phase,
    previous: Mapping[str, Any] | None,
    wrote: Settings,
    wrote_fingerprint: str | None,
    observed_fingerprint: str | None,
    at: datetime,
) -> None:
    """What we did for one key."""
    values = {
        "generation": limit.desired.generation,
        "verb": verb,
        "phase": phase,
        "prev_json": None if previous is None else json.dumps(dict(previous), sort_keys=True),
        "wrote_json": json.dumps(dict(wrote), sort_keys=True),
        "wrote_fingerprint": wrote_fingerprint,
        "observed_fingerprint": observed_fingerprint,
        "at": at,
    }
    here = (
        applied_limit.c.gateway == limit.gateway,
        applied_limit.c.key_ref == limit.key_ref,
    )
    changed = connection.execute(update(applied_limit).where(*here).values(**values))
    if changed.rowcount == 0:
        connection.execute(
            insert(applied_limit).values(gateway=limit.gateway, key_ref=limit.key_ref, **values)
        )


def clear_override(connection: Connection, limit: Limit) -> None:
    """The end of a person's override: of the one that was read, not of one set since."""
    if limit.override is None:
        return
    connection.execute(
        delete(override).where(
            override.c.gateway == limit.gateway,
            override.c.key_ref == limit.key_ref,
            override.c.until == limit.override.until,
        )
    )


def reason_of_intent(connection: Connection, limit: Limit) -> str | None:
    """Why the last write to this key was begun."""
    return connection.scalar(
        select(enforcement_action.c.why)
        .where(
            enforcement_action.c.gateway == limit.gateway,
            enforcement_action.c.key_ref == limit.key_ref,
            enforcement_action.c.result == "intent",
        )
        .order_by(enforcement_action.c.seq.desc())
        .limit(1)
    )


def append_action(
    connection: Connection,
    limit: Limit,
    *,
    verb: str,
    result: str,
    why: str,
    by: str,
    at: datetime,
    dry_run: bool,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> bool:
    """True if it was added: the same finding again (a plan each minute) is not news."""
    is_write = verb != "read" and result in ("intent", "verified", "pending_verify", "unknown")
    last = connection.execute(
        select(enforcement_action)
        .where(
            enforcement_action.c.gateway == limit.gateway,
            enforcement_action.c.key_ref == limit.key_ref,
        )
        .order_by(enforcement_action.c.seq.desc())
        .limit(1)
    ).one_or_none()
    new = (limit.desired.generation, verb, result, why, dry_run)
    if last is not None and not is_write:
        old = (last.generation, last.verb, last.result, last.why, last.dry_run)
        if old == new:
            return False
    connection.execute(
        insert(enforcement_action).values(
            at=at,
            gateway=limit.gateway,
            key_ref=limit.key_ref,
            generation=limit.desired.generation,
            verb=verb,
            before_json=None if before is None else json.dumps(dict(before), sort_keys=True),
            after_json=None if after is None else json.dumps(dict(after), sort_keys=True),
            dry_run=dry_run,
            result=result,
            why=why,
            by=by,
        )
    )
    return True
