"""The wallet ledger: entries and priced use in, postings out. Pure, exact, without division.

A line is what happened at one time (a grant, an expiry, an hour's use of one member); its postings
say which grant it moved and by how much. Of every line the parts sum to what it states, and a
wallet's balance is the sum of its postings. Time is handed in; nothing after `as_of` has happened.
"""

import heapq
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Context, Decimal, Inexact, localcontext
from typing import Any

from orchestration.governance.wallet_book import (
    TOP_UP_LINE,
    Entry,
    Lot,
    Opening,
    Posting,
    TopUps,
    Use,
    UseKey,
    Wallet,
    period_of,
    top_up_id,
)
from orchestration.governance.wallet_grants import recurring_grants
from orchestration.governance.wallet_lots import Lots

_ZERO = Decimal(0)
_HOUR = timedelta(hours=1)
# Amounts have 15 places: any rounding would be a mistake, and is an error.
EXACT = Context(prec=76, traps=[Inexact])
# What happens first at one instant.
_EXPIRY, _GRANT, _ENTRY, _TOP_UP, _GIVEN_BACK, _USE = range(6)


def ledger(
    wallets: Iterable[Wallet],
    entries: Iterable[Entry],
    uses: Iterable[Use],
    *,
    opening: Opening,
    as_of: datetime,
) -> list[Posting]:
    """The postings since `opening`, in the order in which they happened."""
    with localcontext(EXACT):
        run = _Run({each.wallet_id: each for each in wallets}, opening, as_of)
        return run.all([*entries], uses)


class _Run:
    """One walk through time; lots, debts and top-ups as they stand on the way."""

    def __init__(self, wallets: dict[str, Wallet], opening: Opening, as_of: datetime) -> None:
        self.wallets, self.opening, self.as_of = wallets, opening, as_of
        self.owed, self.paid = dict(opening.owed), dict(opening.paid)
        self.top_ups = dict(opening.top_ups)
        self.lots = Lots()
        self.waiting_voids: dict[str, list[Entry]] = {}
        self.checks: set[tuple[datetime, str]] = set()
        self.events: list[tuple[datetime, int, datetime, str, Any]] = []

    def all(self, entries: list[Entry], uses: Iterable[Use]) -> list[Posting]:
        for lot in self.opening.lots:
            self._keep(replace(lot))
        for wallet in self.wallets.values():
            entries += recurring_grants(wallet, until=self.as_of)
            self._look(wallet.wallet_id, max(wallet.valid_from_at, self.opening.at))
        for entry in entries:
            if entry.line_id not in self.opening.lines and entry.wallet_id in self.wallets:
                rank = _GRANT if entry.kind == "grant" else _ENTRY
                self._plan(entry.effective_at, rank, entry.entry_id, entry)
        for use in uses:
            rank = _GIVEN_BACK if use.cost < 0 else _USE
            self._plan(use.start_at, rank, use.line_id, use)
        while self.events:
            at, rank, _, _, what = heapq.heappop(self.events)
            if rank == _EXPIRY:
                self._expire(what, at)
            elif rank == _TOP_UP:
                self._top_up(self.wallets[what], at)
            elif rank in (_GIVEN_BACK, _USE):
                self._use(what)
            else:
                self._enter(what, at)
        return self.lots.postings

    def _plan(self, at: datetime, rank: int, name: str, what: Any) -> None:
        # What belongs to closed books happens as the open ones begin, in the order of its dates.
        if (counts_at := max(at, self.opening.at)) <= self.as_of:
            heapq.heappush(self.events, (counts_at, rank, at, name, what))

    def _keep(self, lot: Lot) -> None:
        self.lots.keep(lot)
        if lot.expires_at is not None:
            self._plan(lot.expires_at, _EXPIRY, lot.lot_id, lot)

    def _begin(self, lot: Lot, line_id: str, kind: str, at: datetime, **line: Any) -> None:
        """A lot that is new: what it states is what it begins with."""
        amount, lot.remaining = lot.remaining, _ZERO
        self.lots.post(line_id, kind, at, lot=lot, amount=amount, **line)
        self._keep(lot)
        for void in self.waiting_voids.pop(lot.lot_id, ()):
            self._void(void, at)
        self._look(lot.wallet_id, at)

    def _expire(self, lot: Lot, at: datetime) -> None:
        if left := lot.remaining:
            line = f"expiry|{lot.lot_id}"
            self.lots.post(line, "expiry", at, lot=lot, amount=-left, part=left, stated=left)
            self._look(lot.wallet_id, at)

    def _enter(self, entry: Entry, at: datetime) -> None:
        if entry.kind == "void":
            self._void(entry, at)
        elif entry.kind == "transfer":
            self._transfer(entry, at)
        elif entry.amount is not None and entry.amount < 0:
            self._take_back(entry, at)
        else:
            amount = entry.amount or _ZERO
            lot = Lot(
                lot_id=entry.entry_id,
                wallet_id=entry.wallet_id,
                category=entry.category,
                priority=entry.priority,
                expires_at=entry.expires_at,
                remaining=amount,
            )
            if entry.top_up_id is not None:
                self._answer(entry.wallet_id, entry.top_up_id)
            self._begin(lot, entry.line_id, entry.kind, at, part=amount, stated=amount)
        self._look(entry.wallet_id, at)

    def _void(self, entry: Entry, at: datetime) -> None:
        """What is left of a grant is void, or so much of it; a pending top-up is called off."""
        assert entry.grant_id is not None
        lot = self.lots.by_id.get(entry.grant_id)
        if lot is not None:
            stated = lot.remaining if entry.amount is None else entry.amount
            part = min(lot.remaining, stated)
            line = {"amount": -part, "part": part, "stated": stated}
            self.lots.post(entry.line_id, "void", at, lot=lot, **line)
            self._short(entry, at, part=stated - part, stated=stated)
        elif self._answer(entry.wallet_id, entry.grant_id):
            none = {"wallet_id": entry.wallet_id, "part": _ZERO, "stated": _ZERO}
            self.lots.post(entry.line_id, "void", at, **none)
        else:
            self.waiting_voids.setdefault(entry.grant_id, []).append(entry)

    def _transfer(self, entry: Entry, at: datetime) -> None:
        """Moves what there is; each piece keeps the priority and the expiry it had."""
        assert entry.amount is not None and entry.to_wallet_id is not None
        stated = left = entry.amount
        for lot, part in self.lots.take(entry.wallet_id, stated):
            left -= part
            line = {"amount": -part, "part": part, "stated": stated}
            self.lots.post(entry.line_id, "transfer_out", at, lot=lot, **line)
            moved = replace(
                lot,
                lot_id=f"{lot.lot_id}>{entry.entry_id}",
                wallet_id=entry.to_wallet_id,
                remaining=part,
            )
            self._begin(moved, entry.line_id, "transfer_in", at, part=_ZERO, stated=stated)
        self._short(entry, at, part=left, stated=stated)

    def _take_back(self, entry: Entry, at: datetime) -> None:
        """An adjustment downwards, in drawdown order."""
        assert entry.amount is not None
        left = -entry.amount
        for lot, part in self.lots.take(entry.wallet_id, left):
            left -= part
            line = {"amount": -part, "part": -part, "stated": entry.amount}
            self.lots.post(entry.line_id, "adjustment", at, lot=lot, **line)
        self._short(entry, at, part=-left, stated=entry.amount)

    def _short(self, entry: Entry, at: datetime, *, part: Decimal, stated: Decimal) -> None:
        if part:
            rest = {"wallet_id": entry.wallet_id, "part": part, "stated": stated}
            self.lots.post(entry.line_id, "shortfall", at, **rest)

    def _use(self, use: Use) -> None:
        line = {
            "ended_at": use.end_at,
            "member_key": use.member_key,
            "chain": use.chain,
            "corrected_period": use.corrected_period,
            "stated": use.cost,
        }
        period = use.corrected_period or period_of(use.start_at)
        key = (use.chain, use.member_key, period)
        if use.cost < 0:
            self._give_back(use, key, line)
        else:
            self._draw(use, key, line)
        for wallet_id in use.chain:
            self._look(wallet_id, use.end_at)

    def _draw(self, use: Use, key: UseKey, line: dict[str, Any]) -> None:
        """From the nearest wallet, then the next; what none of them covers is a debt."""
        left, at = use.cost, use.start_at
        for wallet_id in use.chain:
            for lot, part in self.lots.take(wallet_id, left):
                left -= part
                self.lots.post(use.line_id, "use", at, lot=lot, amount=-part, part=part, **line)
                self.paid[wallet_id, key] = self.paid.get((wallet_id, key), _ZERO) + part
        if left:
            self.lots.post(use.line_id, "debt", at, wallet_id=use.chain[0], part=left, **line)
            self.owed[key] = self.owed.get(key, _ZERO) + left

    def _give_back(self, use: Use, key: UseKey, line: dict[str, Any]) -> None:
        """Use that shrank: first less debt, then a credit to the wallets that paid, last first."""
        left, at = -use.cost, use.start_at
        if forgiven := min(left, self.owed.get(key, _ZERO)):
            left -= forgiven
            self.owed[key] -= forgiven
            self.lots.post(use.line_id, "debt", at, wallet_id=use.chain[0], part=-forgiven, **line)
        shares: dict[str, Decimal] = {}
        for wallet_id in reversed(use.chain):
            shares[wallet_id] = min(left, max(self.paid.get((wallet_id, key), _ZERO), _ZERO))
            left -= shares[wallet_id]
        shares[use.chain[0]] += left
        for wallet_id, back in shares.items():
            if back:
                self.paid[wallet_id, key] = self.paid.get((wallet_id, key), _ZERO) - back
                lot_id = f"credit|{use.line_id}|{wallet_id}"
                lot = Lot(lot_id, wallet_id, "correction", None, None, back)
                self._begin(lot, use.line_id, "adjustment", at, part=-back, **line)

    def _look(self, wallet_id: str, at: datetime) -> None:
        """Has the balance looked at on the next full hour, for a wallet that tops itself up."""
        wallet = self.wallets.get(wallet_id)
        hour = at.replace(minute=0, second=0, microsecond=0)
        hour += _HOUR if hour < at else timedelta(0)
        if wallet is None or wallet.top_up is None or (hour, wallet_id) in self.checks:
            return
        self.checks.add((hour, wallet_id))
        self._plan(hour, _TOP_UP, wallet_id, wallet_id)

    def _top_up(self, wallet: Wallet, at: datetime) -> None:
        """The next top-up, where the balance has come down to the threshold and none is pending."""
        rule, state = wallet.top_up, self.top_ups.get(wallet.wallet_id, TopUps())
        self.checks.discard((at, wallet.wallet_id))
        is_over = wallet.valid_to_at is not None and at >= wallet.valid_to_at
        if rule is None or state.pending_id or at < wallet.valid_from_at or is_over:
            return
        balance = self.lots.balance(wallet.wallet_id)
        if balance > rule.threshold:
            return
        if state.last_at is not None and at < state.last_at + rule.cooldown:
            self._look(wallet.wallet_id, state.last_at + rule.cooldown)
            return
        number = state.count + 1
        if rule.needs_confirmation:
            # One that was answered before it was asked for is done with: the next is another.
            while top_up_id(wallet.wallet_id, number) in state.answered:
                number += 1
        lot_id = top_up_id(wallet.wallet_id, number)
        line = f"{TOP_UP_LINE}{lot_id}"
        amount = rule.amount if rule.target is None else rule.target - balance
        assert amount is not None
        state = replace(state, count=number, last_at=at)
        self.top_ups[wallet.wallet_id] = state
        if not rule.needs_confirmation:
            expires_at = at + rule.expires_after if rule.expires_after else None
            lot = Lot(lot_id, wallet.wallet_id, "purchased", rule.priority, expires_at, amount)
            self._begin(lot, line, "grant", at, part=amount, stated=amount)
        else:
            self.top_ups[wallet.wallet_id] = replace(state, pending_id=lot_id)
            asked = {"wallet_id": wallet.wallet_id, "part": amount, "stated": amount}
            self.lots.post(line, "top_up_pending", at, **asked)
        self._look(wallet.wallet_id, at + rule.cooldown)

    def _answer(self, wallet_id: str, name: str) -> bool:
        """A top-up is paid for or called off; True if it was pending."""
        state = self.top_ups.get(wallet_id, TopUps())
        is_pending = state.pending_id == name
        pending_id = None if is_pending else state.pending_id
        answered = state.answered | {name}
        self.top_ups[wallet_id] = replace(state, pending_id=pending_id, answered=answered)
        return is_pending
