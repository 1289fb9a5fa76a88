"""Messages waiting to be sent, written in the transaction of the fact that they tell."""

import hashlib
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from orchestration.governance.formats import with_link
from orchestration.ops.tables import endpoint, outbox


def message_id(subject_kind: str, subject_id: str, endpoint_id: str) -> str:
    """The id that every try of one message to one endpoint carries; no full stop in it."""
    text = f"{subject_kind}:{subject_id}|{endpoint_id}"
    return f"msg_{hashlib.sha256(text.encode()).hexdigest()}"


def enqueue(
    connection: Connection,
    *,
    subject_kind: str,
    subject_id: str,
    event_type: str,
    endpoint_ids: Iterable[str],
    body: bytes,
    created_at: datetime,
) -> int:
    """The number of messages added: one an endpoint, none that is there already."""
    added = 0
    for endpoint_id in endpoint_ids:
        identity = message_id(subject_kind, subject_id, endpoint_id)
        if connection.scalar(select(outbox.c.id).where(outbox.c.id == identity)) is not None:
            continue
        page_url = connection.scalar(
            select(endpoint.c.page_url).where(endpoint.c.id == endpoint_id)
        )
        # Writers take turns (store.writing), so this counts up without gaps or races.
        ordinal = connection.scalar(select(func.coalesce(func.max(outbox.c.ordinal), 0) + 1))
        connection.execute(
            insert(outbox).values(
                id=identity,
                ordinal=ordinal,
                subject_kind=subject_kind,
                subject_id=subject_id,
                endpoint_id=endpoint_id,
                event_type=event_type,
                body=with_link(body, page_url=page_url),
                status="pending",
                attempts=0,
                step=0,
                created_at=created_at,
            )
        )
        added += 1
    return added
