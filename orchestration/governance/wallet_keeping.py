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
from orchestration.ops.store import writing
from orchestration.ops.wallet_keeper import Balance

_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Kept:
    """What keeping the ledger changed."""

    snapshot_id: int
    is_ignored: bool  # the balances are of a newer snapshot
    changed_postings: int = 0
    balances: tuple[Balance, ...] = ()
    refused: tuple[str, ...] = ()  # entries that were edited or taken out after they were recorded


def keep_ledger(engine: Engine, marts: duckdb.DuckDBPyConnection, facts: WalletFacts) -> Kept:
    """The ledger of a snapshot, committed whole; the same snapshot again changes nothing."""
    with localcontext(EXACT), writing(engine) as connection:
        newest, _ = wallet_keeper.newest_balances(connection)
        if newest is not None and facts.snapshot_id < newest:
            return Kept(facts.snapshot_id, is_ignored=True)
        refused = wallet_keeper.record_entries(connection, facts.entries, recorded_at=facts.as_of)
        opening, fresh = _postings(connection, marts, facts)
        changed = wallet_keeper.save_postings(connection, fresh, since=period_of(opening.at))
        balances = _balances([row.wallet_id for row in facts.wallets], opening, fresh)
        wallet_keeper.save_balances(connection, balances, snapshot_id=facts.snapshot_id)
        checkpoint("wallets.before_commit")
    return Kept(facts.snapshot_id, False, changed, balances, tuple(refused))


def _postings(
    connection: Connection, marts: duckdb.DuckDBPyConnection, facts: WalletFacts
) -> tuple[Opening, list[Posting]]:
    """What closed months leave, and the postings of open ones anew."""
    wallets = [row.wallet() for row in facts.wallets]
    entries = wallet_keeper.recorded_entries(connection)
    newest_closed = max(evaluator.closed_periods(connection), default=None)
    opening = NOTHING_CLOSED
    if newest_closed is not None:
        opening = _opening(connection, entries, newest_closed)
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
    return opening, ledger(wallets, entries, uses, opening=opening, as_of=facts.as_of)


def _opening(connection: Connection, entries: list[Entry], newest_closed: str) -> Opening:
    """What closed months leave: kept once a month has closed, since it never changes again."""
    period, text = wallet_keeper.newest_checkpoint(connection, until=newest_closed)
    earlier = NOTHING_CLOSED if text is None else from_text(text)
    if period == newest_closed:
        return earlier
    opens_at = month_end(newest_closed)
    frozen = wallet_keeper.closed_postings(
        connection, since=period_of(earlier.at), before=period_of(opens_at)
    )
    opening = opening_after(frozen, entries, at=opens_at, earlier=earlier)
    wallet_keeper.save_checkpoint(connection, newest_closed, to_text(opening))
    return opening


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
