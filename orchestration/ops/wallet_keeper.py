"""What the wallet ledger reads and writes in the ops store; the caller holds the transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, delete, func, insert, select, update

from orchestration.governance.wallet_book import Entry, Posting, period_of
from orchestration.ops.tables import (
    period_close,
    wallet_balance,
    wallet_checkpoint,
    wallet_entry,
    wallet_posting,
)

_POSTING_FIELDS = tuple(field.name for field in fields(Posting))


@dataclass(frozen=True)
class Balance:
    """A wallet at one snapshot."""

    wallet_id: str
    settled: Decimal
    ongoing: Decimal
    debt: Decimal


@dataclass(frozen=True)
class PostingChanges:
    """Rows of the book to add, to write anew, and to mark as removed."""

    fresh: list[dict[str, Any]]
    changed: list[dict[str, Any]]
    gone: list[dict[str, Any]]

    def count(self) -> int:
        """How many rows."""
        return len(self.fresh) + len(self.changed) + len(self.gone)


def state_of(connection: Connection) -> tuple[Any, ...]:
    """Tells whether anything changed that a ledger is made of or replaces."""
    return (
        newest_balances(connection)[0],
        connection.scalar(select(func.max(period_close.c.period))),
        connection.scalar(select(func.count()).select_from(wallet_entry)),
        connection.scalar(select(func.max(wallet_posting.c.revision))),
        connection.scalar(select(func.max(wallet_checkpoint.c.period))),
    )


def new_entries(
    known: Iterable[Entry], declared: Iterable[Entry]
) -> tuple[list[Entry], tuple[str, ...]]:
    """Entries that are not recorded yet; which others differ from what was recorded."""
    recorded = {entry.entry_id: entry for entry in known}
    new: list[Entry] = []
    refused: list[str] = []
    seen = set()
    for entry in declared:
        seen.add(entry.entry_id)
        if entry.entry_id not in recorded:
            new.append(entry)
        elif recorded[entry.entry_id] != entry:
            refused.append(f"{entry.entry_id} was recorded otherwise and counts as it was recorded")
    gone = sorted(recorded.keys() - seen)
    return new, (*refused, *(f"{name} is no longer declared and still counts" for name in gone))


def save_entries(
    connection: Connection, entries: Iterable[Entry], *, recorded_at: datetime
) -> None:
    """Appends entries."""
    rows = [_values(entry) | {"recorded_at": recorded_at} for entry in entries]
    if rows:
        connection.execute(insert(wallet_entry), rows)


def recorded_entries(connection: Connection) -> list[Entry]:
    """Every entry that was ever recorded."""
    return [
        Entry(
            entry_id=row.id,
            wallet_id=row.wallet_id,
            kind=row.kind,
            amount=row.amount,
            effective_at=row.effective_at,
            expires_at=row.expires_at,
            priority=row.priority,
            category=row.category,
            grant_id=row.grant_id,
            to_wallet_id=row.to_wallet_id,
            top_up_id=row.top_up_id,
        )
        for row in connection.execute(select(wallet_entry).order_by(wallet_entry.c.id))
    ]


def closed_postings(connection: Connection, *, since: str, before: str) -> list[Posting]:
    """The postings of the months from `since` to just before `before` (as 2026-11)."""
    rows = connection.execute(
        select(wallet_posting)
        .where(
            wallet_posting.c.period >= since,
            wallet_posting.c.period < before,
            wallet_posting.c.is_removed.is_(False),
        )
        .order_by(wallet_posting.c.at, wallet_posting.c.posting_id)
    ).mappings()
    return [_posting(row) for row in rows]


def drawing_members(connection: Connection, wallet_id: str, *, since: datetime) -> set[str]:
    """The nodes whose use was drawn from a wallet since then."""
    rows = connection.scalars(
        select(wallet_posting.c.member_key)
        .where(
            wallet_posting.c.period >= period_of(since),
            wallet_posting.c.at >= since,
            wallet_posting.c.wallet_id == wallet_id,
            wallet_posting.c.kind == "use",
            wallet_posting.c.is_removed.is_(False),
        )
        .distinct()
    )
    return {member for member in rows if member is not None}


def newest_checkpoint(connection: Connection, *, until: str) -> tuple[str | None, str | None]:
    """The newest closed month up to `until` of which it is kept what it leaves, and that."""
    row = connection.execute(
        select(wallet_checkpoint)
        .where(wallet_checkpoint.c.period <= until)
        .order_by(wallet_checkpoint.c.period.desc())
        .limit(1)
    ).first()
    return (None, None) if row is None else (row.period, row.opening_json)


def save_checkpoint(connection: Connection, period: str, text: str) -> None:
    """What a month leaves that has closed."""
    connection.execute(insert(wallet_checkpoint).values(period=period, opening_json=text))


def changes_to(
    connection: Connection, postings: Sequence[Posting], *, since: str
) -> PostingChanges:
    """What makes the postings of the month `since` and later these."""
    stored = {
        row["posting_id"]: row
        for row in connection.execute(
            select(wallet_posting).where(wallet_posting.c.period >= since)
        ).mappings()
    }
    newest = connection.scalar(select(func.coalesce(func.max(wallet_posting.c.revision), 0)))
    mark = {"revision": newest + 1}
    fresh, changed = [], []
    for posting in postings:
        row = stored.pop(posting.posting_id, None)
        if row is not None and not row["is_removed"] and _posting(row) == posting:
            continue
        values = _posting_values(posting) | mark | {"is_removed": False}
        (fresh if row is None else changed).append(values)
    gone = [
        {"posting_id": name, "is_removed": True} | mark
        for name, row in stored.items()
        if not row["is_removed"]
    ]
    return PostingChanges(fresh, changed, gone)


def save_postings(connection: Connection, changes: PostingChanges) -> None:
    """Makes these changes."""
    if changes.fresh:
        connection.execute(insert(wallet_posting), changes.fresh)
    _update_all(connection, changes.changed)
    _update_all(connection, changes.gone)


def newest_balances(connection: Connection) -> tuple[int | None, dict[str, Balance]]:
    """The snapshot that the balances are of, and each wallet's."""
    rows = connection.execute(select(wallet_balance)).all()
    snapshot_id = max((row.snapshot_id for row in rows), default=None)
    return snapshot_id, {
        row.wallet_id: Balance(row.wallet_id, row.settled, row.ongoing, row.debt) for row in rows
    }


def save_balances(connection: Connection, balances: Iterable[Balance], *, snapshot_id: int) -> None:
    """The balances of a snapshot, in place of those before."""
    connection.execute(delete(wallet_balance))
    for each in balances:
        connection.execute(
            insert(wallet_balance).values(
                wallet_id=each.wallet_id,
                snapshot_id=snapshot_id,
                settled=each.settled,
                ongoing=each.ongoing,
                debt=each.debt,
            )
        )


def _values(entry: Entry) -> dict[str, Any]:
    values: dict[str, Any] = {field.name: getattr(entry, field.name) for field in fields(Entry)}
    return {"id": values.pop("entry_id"), **values}


def _posting_values(posting: Posting) -> dict[str, Any]:
    values = {name: getattr(posting, name) for name in _POSTING_FIELDS}
    values |= {name: getattr(posting, name) for name in ("posting_id", "period", "home_wallet_id")}
    return values | {"chain": ">".join(posting.chain) if posting.chain else None}


def _posting(row: RowMapping | Mapping[str, Any]) -> Posting:
    values = {name: row[name] for name in _POSTING_FIELDS}
    return Posting(**values | {"chain": tuple(row["chain"].split(">")) if row["chain"] else None})


def _update_all(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    names = [name for name in rows[0] if name != "posting_id"]
    connection.execute(
        update(wallet_posting)
        .where(wallet_posting.c.posting_id == bindparam("of_posting"))
        .values({name: bindparam(f"new_{name}") for name in names}),
        [
            {"of_posting": row["posting_id"], **{f"new_{name}": row[name] for name in names}}
            for row in rows
        ],
    )
