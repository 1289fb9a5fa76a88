"""What `config/charges.yaml` and `config/fx.yaml` may say: cost that no metered act carries.

Belongs here: the shape of charges, commitments and exchange rates, and what they say about each
other. What of them becomes a charge line is decided in dbt (`int_charges__*`).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from ingestion.config_tree import Node, Placed
from ingestion.config_types import Declared, Id, Text
from ingestion.config_yaml import Problem
from ingestion.source_config import SourceConfig

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Provider = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
Amount = Annotated[Decimal, Field(gt=0, max_digits=17, decimal_places=6)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Ratio = Annotated[Decimal, Field(gt=0, le=1, max_digits=7, decimal_places=6)]
Rate = Annotated[Decimal, Field(gt=0, max_digits=12, decimal_places=10)]
Allocation = Literal["by_usage", "by_headcount", "fixed_shares", "none"]
_MONTHS_OF = {"month": 1, "quarter": 3, "year": 12}
# What is paid in advance and drawn down: its use is told apart by provider, so one at a time.
_DRAWN = ("drawdown", "prepaid_purchase")


class Share(Declared):
    """A node's part of a charge."""

    entity: Id
    share: Ratio


class _Paid(Declared):
    """What charges and commitments have in common: to whom, how much, and whose cost it is."""

    id: Id
    name: Text | None = None
    provider: Provider
    currency: Currency = "USD"
    valid_from_on: date
    valid_to_on: date | None = None
    entity: Id | None = None
    allocation: Allocation = "none"
    shares: tuple[Share, ...] = ()
    customer_allocation: Literal["by_usage", "none"] = "none"
    # The line of the provider's own bill that this is, as the bill writes it.
    bill_line: Text | None = None

    @model_validator(mode="after")
    def _parted(self) -> Self:
        if self.valid_to_on is not None and self.valid_from_on >= self.valid_to_on:
            raise ValueError("valid_from_on must be before valid_to_on")
        if (self.allocation == "fixed_shares") != bool(self.shares):
            raise ValueError("shares belong to allocation: fixed_shares, and it needs them")
        if self.shares and sum(part.share for part in self.shares) != 1:
            raise ValueError("shares: they must sum to exactly 1")
        if len({part.entity for part in self.shares}) != len(self.shares):
            raise ValueError("shares: an entity has two")
        return self


class Charge(_Paid):
    """What is paid whatever is used: once, or for every month or day of its validity."""

    kind: Literal[
        "seats", "subscription", "provisioned_capacity", "platform_fee", "prepaid_purchase"
    ]
    amount: Amount | None = None
    count: Count | None = None
    unit_amount: Amount | None = None
    period: Literal["month", "day", "once"]

    @model_validator(mode="after")
    def _one_amount(self) -> Self:
        if (self.amount is None) == (self.unit_amount is None):
            raise ValueError("say either amount, or count and unit_amount")
        if (self.count is None) != (self.unit_amount is None):
            raise ValueError("count and unit_amount go together")
        if self.kind == "prepaid_purchase" and self.period != "once":
            raise ValueError("period: a prepaid purchase is made once")
        if self.period == "once" and self.valid_to_on is not None:
            raise ValueError("valid_to_on: what is paid once has no end (see commitments)")
        return self

    @property
    def whole_amount(self) -> Decimal:
        """What one period costs."""
        if self.amount is not None:
            return self.amount
        assert self.count is not None and self.unit_amount is not None
        return self.count * self.unit_amount


class Commitment(_Paid):
    """What was promised to be spent, term after term: metered use counts towards it."""

    kind: Literal["drawdown", "min_spend", "ptu_hourly"]
    valid_to_on: date
    # Of a term; of one unit and hour where the kind is ptu_hourly.
    amount: Amount
    period: Literal["month", "quarter", "year", "term"] = "term"
    count: Count = 1
    # What is used beyond a drawdown costs so much more.
    overage_ratio: Annotated[Decimal, Field(ge=0, max_digits=9, decimal_places=6)] = Decimal(0)

    @model_validator(mode="after")
    def _whole_terms(self) -> Self:
        if self.kind == "ptu_hourly" and self.period != "term":
            raise ValueError("period: hours are charged by the day")
        if self.kind != "ptu_hourly" and self.count != 1:
            raise ValueError("count belongs to kind: ptu_hourly")
        if self.kind != "drawdown" and self.overage_ratio:
            raise ValueError("overage_ratio belongs to kind: drawdown")
        if self.period != "term" and self.valid_from_on.day > 28:
            raise ValueError("valid_from_on: terms begin on a day that every month has")
        if self.terms()[-1][1] != self.valid_to_on:
            raise ValueError(f"valid_to_on: the last {self.period} would be cut")
        return self

    def terms(self) -> list[tuple[date, date]]:
        """The half-open terms, each of which is settled by itself."""
        if self.period == "term":
            return [(self.valid_from_on, self.valid_to_on)]
        found, start = [], self.valid_from_on
        while start < self.valid_to_on:
            months = start.year * 12 + start.month - 1 + _MONTHS_OF[self.period]
            end = start.replace(year=months // 12, month=months % 12 + 1)
            found.append((start, end))
            start = end
        return found


class FxRate(Declared):
    """What one unit of a currency was in dollars, from a day until the next rate or a stated end.

    The end is exclusive; a day without a rate has none.
    """

    currency: Currency
    usd_per_unit: Rate
    valid_from_on: date
    valid_to_on: date | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.currency == "USD":
            raise ValueError("currency: a dollar is a dollar")
        if self.valid_to_on is not None and self.valid_from_on >= self.valid_to_on:
            raise ValueError("valid_from_on must be before valid_to_on")
        return self


def money_problems(
    charges: Sequence[Placed[Charge]],
    commitments: Sequence[Placed[Commitment]],
    fx_rates: Sequence[Placed[FxRate]],
    *,
    sources: Sequence[SourceConfig],
    nodes: Mapping[str, Node],
) -> Iterator[Problem]:
    """Charges of unknown nodes, commitments of one provider at one time, rates that overlap."""
    owned = {provider for source in sources if source.enabled for provider in source.owns}
    for placed in (*charges, *commitments):
        paid = placed.value
        named = [(paid.entity, ("entity",))]
        named += [(s.entity, ("shares", n, "entity")) for n, s in enumerate(paid.shares)]
        for name, part in named:
            if name is not None and (name not in nodes or nodes[name].tree != "owner"):
                yield placed.problem(f"no node of the owner tree is called {name}", *part)
        if paid.bill_line is not None and paid.provider not in owned:
            yield placed.problem(f"no source owns the bill of {paid.provider}", "bill_line")
    yield from _pool_problems(charges, commitments)
    yield from _rate_problems(fx_rates)


def _pool_problems(
    charges: Sequence[Placed[Charge]], commitments: Sequence[Placed[Commitment]]
) -> Iterator[Problem]:
    """A dollar of use counts towards one commitment: those of a provider may not overlap.

    Prepaid purchases of one provider are one balance, which has no end.
    """
    settled = [placed for placed in commitments if placed.value.kind != "ptu_hourly"]
    bought = [placed for placed in charges if placed.value.kind in _DRAWN]
    for index, placed in enumerate(settled):
        mine = placed.value
        for other in settled[:index]:
            theirs = other.value
            if (
                mine.provider == theirs.provider
                and mine.valid_from_on < theirs.valid_to_on
                and theirs.valid_from_on < mine.valid_to_on
            ):
                yield placed.problem(
                    f"{theirs.id} is a commitment to {mine.provider} at the same time",
                    "valid_from_on",
                )
        for purchase in bought:
            if (
                purchase.value.provider == mine.provider
                and purchase.value.valid_from_on < mine.valid_to_on
            ):
                yield placed.problem(
                    f"{purchase.value.id} is prepaid to {mine.provider} at the same time",
                    "provider",
                )


def _rate_problems(fx_rates: Sequence[Placed[FxRate]]) -> Iterator[Problem]:
    latest: dict[str, FxRate] = {}
    for placed in sorted(fx_rates, key=lambda p: (p.value.currency, p.value.valid_from_on)):
        rate = placed.value
        before = latest.get(rate.currency)
        if before is not None and (
            before.valid_from_on == rate.valid_from_on
            or (before.valid_to_on is not None and before.valid_to_on > rate.valid_from_on)
        ):
            yield placed.problem(
                f"{rate.currency} has a rate on {rate.valid_from_on} already", "valid_from_on"
            )
        latest[rate.currency] = rate
