"""A published snapshot that is overdue, told once: `snapshot.overdue`, then `snapshot.recovered`.

What a failed check or a failed run stops is not published; alerts and limits then stay as they are.
"""

from datetime import datetime, timedelta

from sqlalchemy import Engine

from orchestration.governance.bodies import iso
from orchestration.governance.endpoints import hearing_endpoints
from orchestration.governance.outages import Words, tell_outage
from orchestration.ops.store import writing

_WORDS = Words("snapshot", "snapshot.overdue", "snapshot.recovered")


def announce_overdue_snapshot(
    engine: Engine, *, as_of: datetime, now: datetime, overdue_after: timedelta
) -> int:
    """How many messages now wait about a newest snapshot that is older than it may be, or was."""
    age = now - as_of
    with writing(engine) as connection:
        return tell_outage(
            connection,
            _WORDS,
            "published",
            is_down=age > overdue_after,
            data={"as_of": iso(as_of), "age_seconds": int(age.total_seconds())},
            endpoints=hearing_endpoints(connection),
            at=now,
        )
