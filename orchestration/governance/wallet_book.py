"""The words that the wallet ledger is written in: wallets, entries, use, lots and postings."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Literal

# The wallets that use may be drawn from, the nearest (its home) first.
Chain = tuple[str, ...]
# chain, member, month
UseKey = tuple[Chain, str, str]
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
# How the line of a top-up is called, before its number.
TOP_UP_LINE = "top_up|"


@dataclass(frozen=True, kw_only=True)
class Recurring:
    """A grant that comes again with each cycle."""

    recurring_id: str
    amount: Decimal
    every: Literal["day", "week", "month", "quarter", "year"]
    starts_at: datetime
    ends_at: datetime | None
    priority: int | None
    category: str
    expires: Literal["never", "cycle_end", "after"]
    expires_after: timedelta | None


@dataclass(frozen=True, kw_only=True)
class TopUpRule:
    """What is added when the balance has come down to a threshold: an amount, or up to a target."""

    threshold: Decimal
    amount: Decimal | None
    target: Decimal | None
    needs_confirmation: bool
    cooldown: timedelta
    priority: int | None
    expires_after: timedelta | None


@dataclass(frozen=True, kw_only=True)
class Wallet:
    """A wallet as far as its ledger is concerned."""

    wallet_id: str
    valid_from_at: datetime
    valid_to_at: datetime | None
    recurring: tuple[Recurring, ...]
    top_up: TopUpRule | None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of a person, or of a recurring grant."""

    entry_id: str
    wallet_id: str
    kind: Literal["grant", "void", "transfer", "adjustment"]
    amount: Decimal | None  # signed for an adjustment; None: a void of all that is left
    effective_at: datetime
    expires_at: datetime | None = None
    priority: int | None = None
    category: str | None = None
    grant_id: str | None = None  # what a void is of
    to_wallet_id: str | None = None
    top_up_id: str | None = None  # the pending top-up that a grant is the payment of

    @property
    def line_id(self) -> str:
        """The line that it makes."""
        return f"{self.kind}|{self.entry_id}"


@dataclass(frozen=True, kw_only=True)
class Use:
    """What one member used in one hour (or part of one), and the wallets it may be drawn from."""

    start_at: datetime
    end_at: datetime
    member_key: str
    chain: Chain
    cost: Decimal
    corrected_period: str | None = None  # the closed month that it corrects

    @cached_property
    def line_id(self) -> str:
        """The line that it makes."""
        parts = [f"{self.start_at:%Y-%m-%dT%H:%M}", ">".join(self.chain), self.member_key]
        kind = "correction" if self.corrected_period else "use"
        return "|".join([kind, *filter(None, [self.corrected_period]), *parts])


@dataclass
class Lot:
    """What is left of one grant in one wallet."""

    lot_id: str
    wallet_id: str
    category: str | None
    priority: int | None
    expires_at: datetime | None
    remaining: Decimal


@dataclass(frozen=True, kw_only=True)
class Posting:
    """One grant moved by one line; `amount` changes the balance, `part` is its share of the line.

    The parts of a line sum to what it states. Debt, a shortfall and a pending top-up move no grant.
    """

    line_id: str
    kind: str
    wallet_id: str
    lot_id: str | None
    at: datetime
    amount: Decimal
    part: Decimal
    stated: Decimal
    ended_at: datetime | None = None
    member_key: str | None = None
    chain: Chain | None = None
    corrected_period: str | None = None
    priority: int | None = None
    expires_at: datetime | None = None
    category: str | None = None

    @property
    def home_wallet_id(self) -> str | None:
        """The nearest wallet of the use."""
        return self.chain[0] if self.chain else None

    @property
    def posting_id(self) -> str:
        """Its name, the same whenever it is computed."""
        return f"{self.line_id}|{self.kind}|{self.lot_id or self.wallet_id}"

    @property
    def period(self) -> str:
        """The month whose books it stands in."""
        return period_of(self.at)


@dataclass(frozen=True)
class TopUps:
    """The top-ups of a wallet so far."""

    count: int = 0  # the number of the last one
    last_at: datetime | None = None
    pending_id: str | None = None
    answered: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Opening:
    """What closed months leave: nothing of it changes any more."""

    at: datetime = BEGINNING  # the open books begin
    lots: tuple[Lot, ...] = ()
    lines: frozenset[str] = frozenset()
    owed: Mapping[UseKey, Decimal] = field(default_factory=dict)
    paid: Mapping[tuple[str, UseKey], Decimal] = field(default_factory=dict)  # by wallet
    top_ups: Mapping[str, TopUps] = field(default_factory=dict)

    def recorded(self) -> dict[UseKey, Decimal]:
        """What closed months and their corrections hold of each member's use, by its month."""
        total = dict(self.owed)
        for (_, key), amount in self.paid.items():
            total[key] = total.get(key, Decimal(0)) + amount
        return total

    def declared(self, wallet_ids: Collection[str]) -> "Opening":
        """The same with wallets that are declared no more left out of the chains of use."""

        def shortened(key: UseKey) -> UseKey:
            chain, member, month = key
            if chain[0] in wallet_ids:
                chain = tuple(each for each in chain if each in wallet_ids)
            return chain, member, month

        owed: dict[UseKey, Decimal] = {}
        paid: dict[tuple[str, UseKey], Decimal] = {}
        for key, amount in self.owed.items():
            owed[shortened(key)] = owed.get(shortened(key), Decimal(0)) + amount
        for (payer, key), amount in self.paid.items():
            place = (payer, shortened(key))
            paid[place] = paid.get(place, Decimal(0)) + amount
        return replace(self, owed=owed, paid=paid)


NOTHING_CLOSED = Opening()


def top_up_id(wallet_id: str, number: int) -> str:
    """What the top-up of a wallet is called."""
    return f"{wallet_id}/top-up/{number}"


def period_of(at: datetime) -> str:
    """The month of an instant, as 2026-10."""
    return f"{at:%Y-%m}"
