"""Wallets, entries and use for tests, short to write: times as text in UTC, amounts as text."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from orchestration.governance.wallet_book import Entry, Opening, Posting, TopUpRule, Use, Wallet
from orchestration.governance.wallets import ledger

HOUR = timedelta(hours=1)


def at(text: str) -> datetime:
    """2026-02-10 or 2026-02-10T08:15, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def wallet(wallet_id: str = "w", **changes: Any) -> Wallet:
    """A wallet from the beginning of 2026, without recurring grants or top-ups."""
    facts: dict[str, Any] = {"valid_from_at": at("2026-01-01"), "valid_to_at": None}
    return Wallet(wallet_id=wallet_id, **(facts | {"recurring": (), "top_up": None} | changes))


def top_up(threshold: str, **changes: Any) -> TopUpRule:
    """Direct, at most one an hour, never expiring."""
    facts: dict[str, Any] = {
        "threshold": Decimal(threshold),
        "amount": None,
        "target": None,
        "needs_confirmation": False,
        "cooldown": HOUR,
        "priority": None,
        "expires_after": None,
    }
    return TopUpRule(**(facts | changes))


def grant(entry_id: str, amount: str, *, on: str = "2026-01-01", **changes: Any) -> Entry:
    """A grant into wallet w."""
    until = changes.pop("until", None)
    return entry(
        entry_id, "grant", amount, on=on, expires_at=at(until) if until else None, **changes
    )


def entry(entry_id: str, kind: str, amount: str | None, *, on: str, **changes: Any) -> Entry:
    """Any entry of wallet w."""
    facts: dict[str, Any] = {"wallet_id": "w", "effective_at": at(on)}
    value = None if amount is None else Decimal(amount)
    return Entry(entry_id=entry_id, kind=kind, amount=value, **(facts | changes))


def use(cost: str, on: str, *, chain: tuple[str, ...] = ("w",), **changes: Any) -> Use:
    """An hour's use of one member."""
    facts: dict[str, Any] = {"member_key": "m", "end_at": at(on) + HOUR}
    return Use(start_at=at(on), chain=chain, cost=Decimal(cost), **(facts | changes))


def run(
    *,
    wallets: Iterable[Wallet] = (wallet(),),
    entries: Iterable[Entry] = (),
    uses: Iterable[Use] = (),
    opening: Opening | None = None,
    as_of: str = "2026-12-31",
) -> list[Posting]:
    """The ledger of these until `as_of`."""
    return ledger(wallets, entries, uses, opening=opening or Opening(), as_of=at(as_of))


def taken(postings: Iterable[Posting], kind: str) -> list[tuple[str | None, str]]:
    """The parts of one kind, in order: which lot and how much."""
    return [(each.lot_id, f"{each.part:f}") for each in postings if each.kind == kind]


def left(postings: Iterable[Posting], wallet_id: str = "w") -> dict[str, str]:
    """What is left of each lot of a wallet, lots that are used up left out."""
    sums: dict[str, Decimal] = {}
    for each in postings:
        if each.lot_id is not None and each.wallet_id == wallet_id:
            sums[each.lot_id] = sums.get(each.lot_id, Decimal(0)) + each.amount
    return {lot_id: f"{amount:f}" for lot_id, amount in sorted(sums.items()) if amount}
