"""A turn: a named lease with a fence, so that two processes never both believe it is theirs."""

import os
import socket
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, insert, select, update

from orchestration.ops.tables import lease


def holder_name() -> str:
    """This process as a lease holder: host, process namespace and process number."""
    namespace = Path("/proc/self/ns/pid")
    where = str(namespace.readlink()) if namespace.is_symlink() else ""
    return f"{socket.gethostname()}/{where}#{os.getpid()}"


def is_dead(holder: str) -> bool:
    """True if `holder` was a process of this very machine that no longer runs.

    A lease ends by the clock; where the clock is pinned (METERHOUSE_NOW) this is what frees the
    turn of a killed process.
    """
    where, _, number = holder.rpartition("#")
    if not number.isdigit() or where != holder_name().rpartition("#")[0]:
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def acquire(
    connection: Connection, *, name: str, holder: str, now: datetime, length: timedelta
) -> int | None:
    """The fence of the turn just taken, or None while somebody has it."""
    row = connection.execute(select(lease).where(lease.c.name == name)).one_or_none()
    if row is None:
        connection.execute(
            insert(lease).values(name=name, holder=holder, fence=1, until=now + length)
        )
        return 1
    if row.until > now and not is_dead(row.holder):
        return None
    fence = row.fence + 1
    connection.execute(
        update(lease)
        .where(lease.c.name == name)
        .values(holder=holder, fence=fence, until=now + length)
    )
    return int(fence)


def still_held(connection: Connection, *, name: str, fence: int) -> bool:
    """True while nobody has taken the turn since `fence`; asked inside every write."""
    return connection.scalar(select(lease.c.fence).where(lease.c.name == name)) == fence


def extend(connection: Connection, *, name: str, fence: int, until: datetime) -> bool:
    """True if the turn of `fence` was still ours and now lasts until then."""
    changed = connection.execute(
        update(lease).where(lease.c.name == name, lease.c.fence == fence).values(until=until)
    )
    return changed.rowcount == 1


def release(connection: Connection, *, name: str, fence: int, now: datetime) -> None:
    """Ends the turn of `fence`, if it is still the newest one."""
    connection.execute(
        update(lease).where(lease.c.name == name, lease.c.fence == fence).values(until=now)
    )
