"""The wallet ledger of a snapshot in the ops store: open months anew, closed ones never."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, localcontext

import duckdb
from sqlalchemy import Connection, Engine

from ingestion.checkpoints import checkpoint
from orchestration.governance.wallet_book import (
    NOTHING_CLOSED,
    Entry,
    Opening,
    Posting,
    period_of,
)
from orchestration.governance.wallet_checkpoints import from_text, to_text
from orchestration.governance.wallet_closing import corrections, opening_after
from orchestration.governance.wallet_facts import (
    WalletFacts,
    closed_use,
    cuts_of,
    hourly_use,
)
from orchestration.governance.wallets import EXACT, ledger
from orchestration.ops import evaluator, wallet_keeper
from orchestration.ops.closing import month_end
from orchestration.ops.store import reading, writing
from orchestration.ops.wallet_keeper import Balance, PostingChanges

_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Kept:
    """What keeping the ledger changed."""

    snapshot_id: int
    is_ignored: bool  # the balances are of a newer snapshot
    changed_postings: int = 0
    balances: tuple[Balance, ...] = ()
    refused: tuple[str, ...] = ()  # entries that were edited or taken out after they were recorded


@dataclass(frozen=True)
class _Draft:
    """All that a snapshot makes of the store as it stands; nothing of it is written yet."""

    new_entries: list[Entry]
    refused: tuple[str, ...]
    checkpoint: tuple[str, str] | None  # a month that closed, and what it leaves as text
    changes: PostingChanges
    balances: tuple[Balance, ...]


def keep_ledger(engine: Engine, marts: duckdb.DuckDBPyConnection, facts: WalletFacts) -> Kept:
    """The ledger of a snapshot, committed whole; the same snapshot again changes nothing.

    It is made while others write, and anew where one of them changed what it is made of.
    """
    with localcontext(EXACT):
        while True:
            with reading(engine) as connection:
                state = wallet_keeper.state_of(connection)
                newest, _ = wallet_keeper.newest_balances(connection)
                if newest is not None and facts.snapshot_id < newest:
                    return Kept(facts.snapshot_id, is_ignored=True)
                draft = _draft(connection, marts, facts)
            with writing(engine) as connection:
                if wallet_keeper.state_of(connection) == state:
                    _save(connection, draft, facts)
                    checkpoint("wallets.before_commit")
                    break
    changed = draft.changes.count()
    return Kept(facts.snapshot_id, False, changed, draft.balances, draft.refused)


def _draft(connection: Connection, marts: duckdb.DuckDBPyConnection, facts: WalletFacts) -> _Draft:
    """What closed months leave, and the postings of open ones anew."""
    wallets = [row.wallet() for row in facts.wallets]
    known = wallet_keeper.recorded_entries(connection)
    new, refused = wallet_keeper.new_entries(known, facts.entries)
    entries = [*known, *new]
    newest_closed = max(evaluator.closed_periods(connection), default=None)
    opening, leaves = NOTHING_CLOSED, None
    if newest_closed is not None:
        opening, leaves = _opening(connection, known, newest_closed)
    uses = hourly_use(
        marts,
        since=opening.at,
        until=facts.as_of + _MOMENT,
        cuts=cuts_of(wallets, entries, until=facts.as_of),
    )
    if newest_closed is not None:
        names = {wallet.wallet_id for wallet in wallets}
        opening = opening.declared(names)
        uses += corrections(opening, closed_use(marts, until=opening.at), wallet_ids=names)
    fresh = ledger(wallets, entries, uses, opening=opening, as_of=facts.as_of)
    return _Draft(
        new_entries=new,
        refused=refused,
        checkpoint=leaves,
        changes=wallet_keeper.changes_to(connection, fresh, since=period_of(opening.at)),
        balances=_balances([row.wallet_id for row in facts.wallets], opening, fresh),
    )


def _save(connection: Connection, draft: _Draft, facts: WalletFacts) -> None:
    wallet_keeper.save_entries(connection, draft.new_entries, recorded_at=facts.as_of)
    if draft.checkpoint is not None:
        wallet_keeper.save_checkpoint(connection, *draft.checkpoint)
    wallet_keeper.save_postings(connection, draft.changes)
    wallet_keeper.save_balances(connection, draft.balances, snapshot_id=facts.snapshot_id)


def _opening(
    connection: Connection, entries: list[Entry], newest_closed: str
) -> tuple[Opening, tuple[str, str] | None]:
    """What closed months leave; to be kept once a month has closed: it never changes again."""
    period, text = wallet_keeper.newest_checkpoint(connection, until=newest_closed)
    earlier = NOTHING_CLOSED if text is None else from_text(text)
    if period == newest_closed:
        return earlier, None
    opens_at = month_end(newest_closed)
    frozen = wallet_keeper.closed_postings(
        connection, since=period_of(earlier.at), before=period_of(opens_at)
    )
    opening = opening_after(frozen, entries, at=opens_at, earlier=earlier)
    return opening, (newest_closed, to_text(opening))


def _balances(
    wallet_ids: Iterable[str], opening: Opening, fresh: list[Posting]
) -> tuple[Balance, ...]:
    settled = dict.fromkeys(wallet_ids, Decimal(0))
    debt = dict(settled)
    for lot in opening.lots:
        if lot.wallet_id in settled:
            settled[lot.wallet_id] += lot.remaining
    for ((home, *_), *_), amount in opening.owed.items():
        if home in debt:
            debt[home] += amount
    ongoing = dict(settled)
    for each in fresh:
        if each.wallet_id in ongoing:
            ongoing[each.wallet_id] += each.amount
            debt[each.wallet_id] += each.part if each.kind == "debt" else 0
    return tuple(
        Balance(wallet_id, settled[wallet_id], ongoing[wallet_id], debt[wallet_id])
        for wallet_id in sorted(settled)
    )
