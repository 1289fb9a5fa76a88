"""A gateway that refuses our credential: told once, and once more when it accepts it again."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from orchestration.enforcement.policy import needs_reading
from orchestration.enforcement.telling import Turn
from orchestration.governance.bodies import iso
from orchestration.governance.endpoints import hearing_endpoints
from orchestration.governance.outages import Words, tell_outage
from orchestration.ops import reconciler
from orchestration.ops.store import writing

_WORDS = Words("gateway", "gateway.refused", "gateway.recovered")


def tell_credential(turn: Turn, *, refusal: str | None) -> int:
    """How many messages now wait; `refusal` is what the gateway answered, None: it accepts us."""
    with writing(turn.engine) as connection:
        return tell_outage(
            connection,
            _WORDS,
            turn.name,
            is_down=refusal is not None,
            data={"gateway": turn.name, "answer": refusal, "as_of": iso(turn.now())},
            endpoints=hearing_endpoints(connection),
            at=turn.now(),
        )


def refused_gateways(
    connection: Connection, names: Iterable[str], *, now: datetime
) -> dict[str, str]:
    """What each of these gateways answered where it refused us last, and limits are to be set."""
    found: dict[str, str] = {}
    for name in names:
        failing = reconciler.failing_keys(connection, name)
        for limit in reconciler.limits_of(connection, name, now=now) if failing else ():
            last = failing.get(limit.key_ref)
            if last and last.result == "refused" and needs_reading(limit.desired, limit.applied):
                found[name] = last.why
    return found
