"""What is down and what is up again, told once each way to every endpoint that hears of it.

It is about the whole installation: endpoints that hear of a part of it alone get none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from orchestration.governance.bodies import single_body
from orchestration.governance.endpoints import Endpoint, subscribed
from orchestration.ops.outbox import enqueue
from orchestration.ops.tables import outbox


@dataclass(frozen=True)
class Words:
    """What can be down (`source`, `gateway`, `snapshot`), and the types of its two events."""

    subject_kind: str
    down: str
    up: str


def tell_outage(
    connection: Connection,
    words: Words,
    subject: str,
    *,
    is_down: bool,
    data: Mapping[str, Any],
    endpoints: Mapping[str, Endpoint],
    at: datetime,
) -> int:
    """How many messages now wait; an endpoint is told of changes since it was told last."""
    messages = 0
    event_type = words.down if is_down else words.up
    for target in subscribed(endpoints, event_type=event_type, entities=()):
        told = _told(connection, words, subject, target.id)
        if (told[-1] if told else words.up) == event_type:
            continue
        messages += enqueue(
            connection,
            subject_kind=words.subject_kind,
            subject_id=f"{subject}|{len(told) + 1}",
            event_type=event_type,
            endpoint_ids=[target.id],
            body=single_body(event_type, timestamp=at, data=data),
            created_at=at,
        )
    return messages


def _told(connection: Connection, words: Words, subject: str, endpoint_id: str) -> list[str]:
    """What an endpoint was told of it, in order."""
    return list(
        connection.scalars(
            select(outbox.c.event_type)
            .where(
                outbox.c.subject_kind == words.subject_kind,
                outbox.c.subject_id.startswith(f"{subject}|", autoescape=True),
                outbox.c.endpoint_id == endpoint_id,
            )
            .order_by(outbox.c.ordinal)
        )
    )
