"""What was asked of endpoints that act for systems without a key API, and what they confirmed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from orchestration.ops.tables import command_request


@dataclass(frozen=True)
class Request:
    """One command to one key, the newest of its key unless said otherwise."""

    gateway: str
    key_ref: str
    seq: int
    verb: str  # block | release
    generation: int
    message_id: str
    deadline_at: datetime
    is_acknowledged: bool
    is_alerted: bool


def newest(connection: Connection, gateway: str, key_ref: str) -> Request | None:
    """The last command for a key."""
    row = connection.execute(
        select(command_request)
        .where(command_request.c.gateway == gateway, command_request.c.key_ref == key_ref)
        .order_by(command_request.c.seq.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else _request(row)


def add(connection: Connection, new: Request, *, at: datetime) -> None:
    """One more command."""
    connection.execute(
        insert(command_request).values(
            gateway=new.gateway,
            key_ref=new.key_ref,
            seq=new.seq,
            verb=new.verb,
            generation=new.generation,
            message_id=new.message_id,
            requested_at=at,
            deadline_at=new.deadline_at,
        )
    )


def acknowledge(connection: Connection, request: Request, *, at: datetime) -> None:
    """What was asked is seen to be in place."""
    connection.execute(_of(request).values(acknowledged_at=at))


def mark_alerted(connection: Connection, request: Request, *, at: datetime) -> None:
    """Somebody was told that no acknowledgement came."""
    connection.execute(_of(request).values(alerted_at=at))


def overdue(connection: Connection, *, now: datetime) -> Sequence[Request]:
    """The commands whose time is over without an acknowledgement; those overtaken are not."""
    rows = connection.execute(
        select(command_request).order_by(
            command_request.c.gateway, command_request.c.key_ref, command_request.c.seq
        )
    )
    last = {(row.gateway, row.key_ref): _request(row) for row in rows}
    return [each for each in last.values() if not each.is_acknowledged and each.deadline_at <= now]


def _of(request: Request) -> Any:
    return update(command_request).where(
        command_request.c.gateway == request.gateway,
        command_request.c.key_ref == request.key_ref,
        command_request.c.seq == request.seq,
    )


def _request(row: Any) -> Request:
    return Request(
        gateway=row.gateway,
        key_ref=row.key_ref,
        seq=row.seq,
        verb=row.verb,
        generation=row.generation,
        message_id=row.message_id,
        deadline_at=row.deadline_at,
        is_acknowledged=row.acknowledged_at is not None,
        is_alerted=row.alerted_at is not None,
    )
