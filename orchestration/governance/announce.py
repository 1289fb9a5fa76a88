"""Who is told what: transitions and held limits written down with their messages, in one place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from orchestration.governance.alerts import Level, Move
from orchestration.governance.approvals import Asked
from orchestration.governance.binding import told_binding
from orchestration.governance.bodies import (
    context_of,
    digest_body,
    event_type_of,
    single_body,
    transition_data,
)
from orchestration.governance.budgets import Reading
from orchestration.governance.endpoints import Endpoint, subscribed
from orchestration.governance.fitting import listed
from orchestration.governance.limits import Held
from orchestration.governance.subjects import recipients_of
from orchestration.ops import evaluator
from orchestration.ops.evaluator import StoredState
from orchestration.ops.outbox import enqueue


@dataclass(frozen=True)
class Announced:
    """One transition as it was recorded, for tables that people read."""

    transition_id: str
    alert_id: str
    entity_key: str
    entity_name: str
    event_type: str
    from_level: Level
    to_level: Level
    crossed: tuple[Level, ...]
    value: Decimal | None
    limit_value: Decimal | None
    unit: str
    late: bool
    baseline: bool
    endpoint_ids: tuple[str, ...]


def announce(
    connection: Connection,
    moves: Sequence[tuple[StoredState, Move]],
    *,
    reading: Reading,
    endpoints: Mapping[str, Endpoint],
) -> tuple[tuple[Announced, ...], int]:
    """The transitions recorded, and how many messages now wait.

    The first findings of a pass go to an endpoint as one message, so that onboarding is no storm.
    """
    announced: list[Announced] = []
    baselines: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    messages = 0
    for state, move in moves:
        event_type = event_type_of(move, state.alert_id)
        identity = evaluator.transition_id(state.alert_id, state.period_start, move.seq)
        lineage = state.context["entity"]["lineage"]
        recipients = state.context.get("recipients")
        targets = subscribed(
            endpoints, event_type=event_type, entities=lineage, recipients=recipients
        )
        evaluator.record_transition(
            connection,
            move,
            of=state,
            snapshot_id=reading.snapshot_id,
            skipped_reason=None if targets else f"no endpoint hears {event_type} of this entity",
            created_at=reading.as_of,
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
        if move.baseline:
            for target in targets:
                baselines.setdefault((target.id, event_type), []).append(data)
        else:
            messages += enqueue(
                connection,
                subject_kind="transition",
                subject_id=identity,
                event_type=event_type,
                endpoint_ids=[target.id for target in targets],
                body=single_body(event_type, timestamp=reading.as_of, data=data),
                created_at=reading.as_of,
            )
        announced.append(_announced(state, move, identity, targets))
    for (endpoint_id, event_type), entries in baselines.items():
        messages += enqueue(
            connection,
            subject_kind="digest",
            subject_id=f"{event_type}|snapshot-{reading.snapshot_id}",
            event_type=event_type,
            endpoint_ids=[endpoint_id],
            body=digest_body(
                event_type, entries, timestamp=reading.as_of, snapshot_id=reading.snapshot_id
            ),
            created_at=reading.as_of,
        )
    return tuple(announced), messages


def announce_held(
    connection: Connection,
    held: Sequence[Held],
    *,
    reading: Reading,
    endpoints: Mapping[str, Endpoint],
) -> int:
    """How many messages say that a block waits: one a budget, period and endpoint.

    In a period without end it is one a breach.
    """
    messages = 0
    for each in held:
        row = each.standing.row
        since = f"{row.period_start_at:%Y-%m-%dT%H:%M:%SZ}"
        if row.period in ("rolling", "lifetime"):
            since = str(each.standing.transition_id)
        targets = subscribed(
            endpoints,
            event_type="limit.held",
            entities=row.lineage(),
            recipients=recipients_of(row.recipients),
        )
        data = {
            **context_of(row),
            **listed("keys", each.key_aliases),
            "why": each.reason,
            "transition_id": each.standing.transition_id,
        }
        messages += enqueue(
            connection,
            subject_kind="limit",
            subject_id=f"held|{row.budget_id}|{since}",
            event_type="limit.held",
            endpoint_ids=[target.id for target in targets],
            body=single_body("limit.held", timestamp=reading.as_of, data=data),
            created_at=reading.as_of,
        )
    return messages


def announce_asked(
    connection: Connection,
    asked: Sequence[Asked],
    *,
    reading: Reading,
    endpoints: Mapping[str, Endpoint],
) -> int:
    """How many messages ask for an approval: one an approval and endpoint."""
    messages = 0
    for each in asked:
        reasons = [reason for want in each.wants for reason in want.reasons]
        lineage = tuple(dict.fromkeys(name for reason in reasons for name in reason["lineage"]))
        targets = subscribed(endpoints, event_type="limit.held", entities=lineage)
        data = {
            "approval": each.approval_id,
            "gateway": each.gateway,
            "why": each.why,
            **listed("budgets", sorted({reason["budget_id"] for reason in reasons})),
            **listed("keys", sorted({str(reason["key_alias"]) for reason in reasons})),
            "keys_count": len(each.wants),
            "approve_with": f"meterhouse ops approve {each.approval_id}",
        }
        messages += enqueue(
            connection,
            subject_kind="limit",
            subject_id=f"approval|{each.approval_id}|{len(each.wants)}|{reading.snapshot_id}",
            event_type="limit.held",
            endpoint_ids=[target.id for target in targets],
            body=single_body("limit.held", timestamp=reading.as_of, data=data),
            created_at=reading.as_of,
        )
    return messages


def _announced(
    state: StoredState, move: Move, identity: str, targets: Sequence[Endpoint]
) -> Announced:
    return Announced(
        transition_id=identity,
        alert_id=state.alert_id,
        entity_key=state.context["entity"]["key"],
        entity_name=state.context["entity"]["name"],
        event_type=event_type_of(move, state.alert_id),
        from_level=move.from_level,
        to_level=move.to_level,
        crossed=move.crossed,
        value=state.value,
        limit_value=state.limit_value,
        unit=state.unit,
        late=move.late,
        baseline=move.baseline,
        endpoint_ids=tuple(target.id for target in targets),
    )
