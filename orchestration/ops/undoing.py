"""A limit undone by the number of its action in the log: of the last that holds on its key."""

from datetime import datetime
from typing import Any, get_args

from sqlalchemy import Engine, Row, select

from orchestration.enforcement.gateway import Kind
from orchestration.ops.people import find_key, write_override
from orchestration.ops.store import writing
from orchestration.ops.tables import enforcement_action

_KINDS = get_args(Kind)


class CannotUndo(Exception):
    """The action set no limit, or none that holds still; says which one does."""


def undo(
    engine: Engine, seq: int, *, until: datetime, by: str, reason: str
) -> tuple[str, str, str | None]:
    """(gateway, key, alias) of the key that this action of the log limited: open until then.

    Only of the last action that holds there: an older one would undo what came after it.
    """
    with writing(engine) as connection:
        row = connection.execute(
            select(enforcement_action).where(enforcement_action.c.seq == seq)
        ).one_or_none()
        if row is None or not _set_limit(row):
            raise CannotUndo(f"action {seq} set no limit")
        later = connection.execute(
            select(enforcement_action)
            .where(
                enforcement_action.c.gateway == row.gateway,
                enforcement_action.c.key_ref == row.key_ref,
                enforcement_action.c.seq > seq,
            )
            .order_by(enforcement_action.c.seq.desc())
        )
        holds = next((each for each in later if _changed_key(each)), None)
        if holds is not None:
            can = f"undo {holds.seq}" if _set_limit(holds) else "it left nothing to undo"
            later_one = f"action {holds.seq} ({holds.verb}) came after it"
            raise CannotUndo(f"action {seq} holds no more: {later_one}; {can}")
        write_override(
            connection,
            gateway=row.gateway,
            key_ref=row.key_ref,
            until=until,
            by=by,
            reason=reason,
            marks={},
        )
        known = find_key(connection, row.key_ref)
        alias = next((each[2] for each in known if each[:2] == (row.gateway, row.key_ref)), None)
        return row.gateway, row.key_ref, alias


def _set_limit(action: Row[Any]) -> bool:
    """True if the action left a limit of ours in place, or may have."""
    if action.verb == "adopt":
        return True
    return action.verb in _KINDS and _is_done(action)


def _changed_key(action: Row[Any]) -> bool:
    """True if the action is about what stands at the key now."""
    if action.verb in ("adopt", "settle", "override", "foreign", "gone"):
        return True
    return action.verb in (*_KINDS, "release") and _is_done(action)


def _is_done(action: Row[Any]) -> bool:
    return not action.dry_run and action.result in ("verified", "pending_verify", "unknown")
