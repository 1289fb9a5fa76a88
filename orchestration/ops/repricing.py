"""Repricings: windows whose usage is priced by the rates known at a later time; never deleted."""

from datetime import datetime

from sqlalchemy import Connection, Engine, func, insert, select, update

from orchestration.ops.store import writing
from orchestration.ops.tables import repricing


def apply_repricing(
    engine: Engine,
    *,
    from_at: datetime,
    to_at: datetime,
    as_known_at: datetime,
    price_key: str | None,
    by: str,
    now: datetime,
) -> str:
    """The id of a repricing of [from_at, to_at) that the next pass honours."""
    with writing(engine) as connection:
        repricing_id = next_id(connection)
        connection.execute(
            insert(repricing).values(
                id=repricing_id,
                from_at=from_at,
                to_at=to_at,
                as_known_at=as_known_at,
                price_key=price_key,
                by=by,
                created_at=now,
            )
        )
    return repricing_id


def undo_repricing(engine: Engine, repricing_id: str, *, by: str, now: datetime) -> bool:
    """Takes a repricing back from the next pass on; False if there is none, or not any more."""
    with writing(engine) as connection:
        changed = connection.execute(
            update(repricing)
            .where(repricing.c.id == repricing_id, repricing.c.undone_at.is_(None))
            .values(undone_at=now, undone_by=by)
        )
    return changed.rowcount > 0


def next_id(connection: Connection) -> str:
    """The id that the next repricing gets: they are numbered from 1."""
    count = connection.scalar(select(func.count()).select_from(repricing)) or 0
    return f"reprice-{count + 1}"
