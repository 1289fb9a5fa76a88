"""The wallet ledger of a snapshot in the ops store: open months anew, closed ones never."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, localcontext

import duckdb
from sqlalchemy import Connection, Engine

from ingestion.checkpoints import checkpoint
from orchestration.governance.wallet_book import BEGINNING, Posting, period_of
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
        closed, fresh, since = _postings(connection, marts, facts)
        changed = wallet_keeper.save_postings(connection, fresh, since=since)
        balances = _balances([row.wallet_id for row in facts.wallets], closed, fresh)
        wallet_keeper.save_balances(connection, balances, snapshot_id=facts.snapshot_id)
        checkpoint("wallets.before_commit")
    return Kept(facts.snapshot_id, False, changed, balances, tuple(refused))


def _postings(
    connection: Connection, marts: duckdb.DuckDBPyConnection, facts: WalletFacts
) -> tuple[list[Posting], list[Posting], str]:
    """The postings of closed months as they are, those of open ones anew, and the month between."""
    wallets = [row.wallet() for row in facts.wallets]
    entries = wallet_keeper.recorded_entries(connection)
    newest_closed = max(evaluator.closed_periods(connection), default=None)
    opens_at = BEGINNING if newest_closed is None else month_end(newest_closed)
    since = period_of(opens_at)
    closed = wallet_keeper.closed_postings(connection, before=since)
    opening = opening_after(closed, entries, at=opens_at)
    uses = hourly_use(
        marts,
        since=opens_at,
        until=facts.as_of + _MOMENT,
        cuts=cuts_of(wallets, entries, until=facts.as_of),
    )
    if newest_closed is not None:
        names = [wallet.wallet_id for wallet in wallets]
        uses += corrections(opening, closed_use(marts, until=opens_at), wallet_ids=names)
    fresh = ledger(wallets, entries, uses, opening=opening, as_of=facts.as_of)
    return closed, fresh, since


def _balances(
    wallet_ids: Iterable[str], closed: list[Posting], fresh: list[Posting]
) -> tuple[Balance, ...]:
    zero = Decimal(0)
    settled = {wallet_id: zero for wallet_id in wallet_ids}
    ongoing, debt = dict(settled), dict(settled)
    for each in (*closed, *fresh):
        if each.wallet_id not in settled:
            continue
        ongoing[each.wallet_id] += each.amount
        if each.kind == "debt":
            debt[each.wallet_id] += each.part
    for each in closed:
        if each.wallet_id in settled:
            settled[each.wallet_id] += each.amount
    return tuple(
        Balance(wallet_id, settled[wallet_id], ongoing[wallet_id], debt[wallet_id])
        for wallet_id in sorted(settled)
    )
