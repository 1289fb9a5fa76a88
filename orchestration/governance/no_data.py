"""What an alert was judged by has gone: a message, and no transition; its level stays."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from orchestration.governance.bodies import family_of, iso, money, single_body
from orchestration.governance.budgets import Reading
from orchestration.governance.endpoints import Endpoint, subscribed
from orchestration.governance.subjects import Subject
from orchestration.ops.evaluator import StoredState
from orchestration.ops.outbox import enqueue


def tell_no_data(
    connection: Connection,
    gone: Sequence[tuple[Subject, StoredState]],
    *,
    reading: Reading,
    endpoints: Mapping[str, Endpoint],
) -> int:
    """How many messages now wait: one an endpoint each time data go.

    A period that begins without any is told nothing of, nor is one that is over.
    """
    messages = 0
    for subject, before in gone:
        if subject.is_paused or before.value is None or before.state.rolled:
            continue
        event_type = f"{family_of(subject.alert_id)}.no_data"
        targets = subscribed(
            endpoints,
            event_type=event_type,
            entities=subject.context["entity"]["lineage"],
            recipients=subject.recipients,
        )
        data = {
            **subject.context,
            "alert_id": subject.alert_id,
            "level": before.state.announced,
            "last_value": money(before.value),
            "snapshot": {"id": reading.snapshot_id, "as_of": iso(reading.as_of)},
        }
        messages += enqueue(
            connection,
            subject_kind="no_data",
            subject_id=f"{subject.alert_id}|{iso(subject.period_start_at)}|{reading.snapshot_id}",
            event_type=event_type,
            endpoint_ids=[target.id for target in targets],
            body=single_body(event_type, timestamp=reading.as_of, data=data),
            created_at=reading.as_of,
        )
    return messages
