"""Suggestions about identifiers that people accepted, and took back."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, insert, select, update

from orchestration.ops.store import writing
from orchestration.ops.tables import identity_acceptance


@dataclass(frozen=True)
class Placement:
    """An identifier of a source, and the node (or feature) that it stands for."""

    dimension: str
    source_instance: str
    field: str
    field_value: str
    target_key: str


def accept_identity(
    engine: Engine, suggestion_id: str, placement: Placement, *, by: str, now: datetime
) -> bool:
    """A person's yes to a suggestion; False if it stands already. One taken back may be renewed."""
    found = identity_acceptance.c.id == suggestion_id
    with writing(engine) as connection:
        before = connection.execute(select(identity_acceptance).where(found)).one_or_none()
        if before is None:
            values = {"id": suggestion_id, **asdict(placement), "by": by, "accepted_at": now}
            connection.execute(insert(identity_acceptance).values(values))
            return True
        renewed = {"by": by, "accepted_at": now, "undone_at": None, "undone_by": None}
        changed = connection.execute(
            update(identity_acceptance)
            .where(found, identity_acceptance.c.undone_at.is_not(None))
            .values(renewed)
        )
        return changed.rowcount > 0


def undo_identity(engine: Engine, suggestion_id: str, *, by: str, now: datetime) -> bool:
    """Takes an acceptance back; False if none stands under this id."""
    with writing(engine) as connection:
        changed = connection.execute(
            update(identity_acceptance)
            .where(
                identity_acceptance.c.id == suggestion_id,
                identity_acceptance.c.undone_at.is_(None),
            )
            .values(undone_at=now, undone_by=by)
        )
        return changed.rowcount > 0


def accepted_identities(connection: Connection) -> frozenset[str]:
    """Ids of the suggestions whose acceptance stands."""
    return frozenset(
        connection.scalars(
            select(identity_acceptance.c.id).where(identity_acceptance.c.undone_at.is_(None))
        )
    )
