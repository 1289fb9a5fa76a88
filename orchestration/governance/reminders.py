"""A level that lasts, told again after a time: a message, and no transition."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import Connection

from orchestration.governance.binding import told_binding
from orchestration.governance.bodies import event_type_of, single_body, transition_data
from orchestration.governance.budgets import Reading
from orchestration.governance.endpoints import Endpoint, subscribed
from orchestration.ops import evaluator
from orchestration.ops.evaluator import StoredState
from orchestration.ops.outbox import enqueue


def remind(
    connection: Connection,
    standing: Sequence[tuple[StoredState, timedelta | None]],
    *,
    reading: Reading,
    endpoints: Mapping[str, Endpoint],
) -> int:
    """How many reminders now wait: the newest that is due of each alert, once an endpoint.

    The n-th is due n times the length after the transition. What was due while nothing was
    evaluated is told once, not as often as it was missed.
    """
    # Of a period that is over nothing is told again, whatever came late.
    due = [
        (state, after)
        for state, after in standing
        if after and state.state.announced != "ok" and not state.state.rolled
    ]
    if not due:
        return 0
    last = evaluator.last_moves(connection)
    messages = 0
    for state, after in due:
        found = last.get((state.alert_id, state.period_start))
        if found is None:
            continue
        move, told_at = found
        number = (reading.as_of - told_at) // after
        if number < 1:
            continue
        identity = evaluator.transition_id(state.alert_id, state.period_start, move.seq)
        event_type = event_type_of(move, state.alert_id)
        targets = subscribed(
            endpoints,
            event_type=event_type,
            entities=state.context["entity"]["lineage"],
            recipients=state.context.get("recipients"),
        )
        data = transition_data(
            state.context,
            move,
            transition_id=identity,
            alert_id=state.alert_id,
            snapshot_id=reading.snapshot_id,
            as_of=reading.as_of,
            binding_budget=told_binding(reading, state),
        )
        messages += enqueue(
            connection,
            subject_kind="reminder",
            subject_id=f"{identity}|{number}",
            event_type=event_type,
            endpoint_ids=[target.id for target in targets],
            body=single_body(
                event_type, timestamp=reading.as_of, data={**data, "reminder": number}
            ),
            created_at=reading.as_of,
        )
    return messages
