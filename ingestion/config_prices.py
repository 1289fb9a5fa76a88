"""What `config/prices.yaml` may say: contracts, negotiated rates, and what customers are charged.

Belongs here: the shape of a rule, and what two rules say about each other. Which rule applies to an
act is decided in dbt (`int_prices__terms_resolved`); ties are refused here, at load.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import combinations, product
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ingestion.config_org import Feature
from ingestion.config_schema import Dated
from ingestion.config_tree import Node, Placed
from ingestion.config_types import Declared, Id, Text
from ingestion.config_yaml import Problem
from ingestion.source_config import SourceConfig

TokenMeter = Literal[
    "input", "cache_read", "cache_write_5m", "cache_write_30m", "cache_write_1h", "cache_write_12h",
    "output", "reasoning", "audio_input", "audio_output", "image_input", "image_output",
]  # fmt: skip
# `request` is the fee of each request; the others are what an act counts instead of tokens.
OtherMeter = Literal[
    "request", "requests", "searches", "characters", "seconds", "images", "pages", "credits",
    "conversations", "ai_units", "capacity_units", "dbu",
]  # fmt: skip
Meter = TokenMeter | OtherMeter
Tier = Literal["standard", "flex", "priority", "batch", "ultrafast", "balanced", "fast"]
Rate = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=15)]
PerMillion = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=9)]
Ratio = Annotated[Decimal, Field(ge=0, le=100, max_digits=9, decimal_places=6)]
Usd = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=9)]

# How each kind says its number, on either side.
_NUMBER_OF: Mapping[str, tuple[str, ...]] = {
    "fixed_rate": ("usd_per_unit", "usd_per_million"),
    "discount": ("ratio",),
    "multiplier": ("ratio",),
    "passthrough_reported": (),
    "cost_plus": ("ratio",),
    "cost_plus_fixed": ("usd",),
    "floor": ("usd",),
    "cap": ("usd",),
}
# Kinds that speak of a request as a whole, not of a meter.
_OF_A_REQUEST = ("passthrough_reported", "cost_plus_fixed", "floor", "cap")
_MILLIONTH = Decimal("0.000001")


class Contract(Declared):
    """An agreement with a provider, and the sources whose usage it covers (none named: all)."""

    id: Id
    provider: Text | None = None
    sources: tuple[Id, ...] = ()


class PriceRule(Dated):
    """What both sides of a price share: whose, of what, when, how much."""

    id: Id
    entity: Id | None = None
    customer: Id | None = None
    feature: Id | None = None
    provider: Text | None = None
    model: Text | None = None
    meters: tuple[Meter, ...] = ()
    applies_to: tuple[Tier, ...] = ()
    ratio: Ratio | None = None
    usd: Usd | None = None
    usd_per_unit: Rate | None = None
    usd_per_million: PerMillion | None = None
    priority: Annotated[int, Field(ge=-999, le=999)] = 0

    @property
    def rule_kind(self) -> str:
        """The kind, which either side declares with its own words."""
        return str(getattr(self, "kind"))  # noqa: B009 (declared by the subclasses)

    @property
    def rate_usd_per_unit(self) -> Decimal | None:
        """The fixed rate by the single unit, however it was written."""
        if self.usd_per_million is not None:
            return self.usd_per_million * _MILLIONTH
        return self.usd_per_unit

    @property
    def factor(self) -> Decimal | None:
        """What a cost is multiplied by."""
        if self.ratio is None:
            return None
        of_kind = {"discount": 1 - self.ratio, "cost_plus": 1 + self.ratio}
        return of_kind.get(self.rule_kind, self.ratio)

    @model_validator(mode="after")
    def _one_number(self) -> Self:
        numbers = ("ratio", "usd", "usd_per_unit", "usd_per_million")
        given = [name for name in numbers if getattr(self, name) is not None]
        wanted = _NUMBER_OF[self.rule_kind]
        if len(given) != min(1, len(wanted)) or not set(given) <= set(wanted):
            raise ValueError(f"kind {self.rule_kind} needs {' or '.join(wanted) or 'no number'}")
        if self.rule_kind == "discount" and self.ratio is not None and self.ratio > 1:
            raise ValueError("ratio: a discount is a share of the price, 0.05 for 5 %")
        if self.rule_kind in _OF_A_REQUEST and self.meters:
            raise ValueError(f"meters: {self.rule_kind} speaks of a whole request")
        for name in ("meters", "applies_to"):
            if len(set(getattr(self, name))) < len(getattr(self, name)):
                raise ValueError(f"{name}: names one twice")
        if self.rule_kind == "fixed_rate" and not self.meters:
            raise ValueError("meters: a fixed rate needs the meters it is the rate of")
        return self


class Override(PriceRule):
    """A rate we negotiated: what an act costs us instead of its list price."""

    contract: Id | None = None
    kind: Literal["fixed_rate", "discount", "multiplier", "passthrough_reported"]
    base: Literal["list", "previous"] = "list"

    @model_validator(mode="after")
    def _one_scope(self) -> Self:
        if sum(scope is not None for scope in (self.entity, self.customer, self.contract)) > 1:
            raise ValueError("say at most one of entity, customer and contract")
        if self.base == "previous" and self.kind not in ("discount", "multiplier"):
            raise ValueError("base: only a discount or multiplier stands on another rule")
        return self


class SellRule(PriceRule):
    """What a customer is charged for an act, from what it costs us."""

    kind: Literal["cost_plus", "fixed_rate", "cost_plus_fixed", "floor", "cap"]

    @model_validator(mode="after")
    def _one_scope(self) -> Self:
        if self.entity is not None and self.customer is not None:
            raise ValueError("say at most one of entity and customer")
        return self


class WhatIf(Declared):
    """A question: what our traffic on a model would have cost on another one."""

    id: Id
    provider: Text
    model: Text
    target_provider: Text
    target_model: Text


def price_problems(
    contracts: Sequence[Placed[Contract]],
    overrides: Sequence[Placed[Override]],
    selling: Sequence[Placed[SellRule]],
    *,
    sources: Sequence[SourceConfig],
    nodes: Mapping[str, Node],
    features: Sequence[Feature],
) -> Iterator[Problem]:
    """Rules about nobody, and rules of which none is the more specific."""
    known_sources = {source.id for source in sources}
    for placed in contracts:
        for index, name in enumerate(placed.value.sources):
            if name not in known_sources:
                yield placed.problem(f"no source is called {name}", "sources", index)
    of_contract = {placed.value.id: placed.value for placed in contracts}
    names = {feature.id for feature in features}
    for placed in (*overrides, *selling):
        rule = placed.value
        for part, tree in (("entity", "owner"), ("customer", "customer")):
            target = getattr(rule, part)
            if target is not None and (target not in nodes or nodes[target].tree != tree):
                yield placed.problem(f"no node of the {tree} tree is called {target}", part)
        if rule.feature is not None and rule.feature not in names:
            yield placed.problem(f"no feature is called {rule.feature}", "feature")
        contract = getattr(rule, "contract", None)
        if contract is not None and contract not in of_contract:
            yield placed.problem(f"no contract is called {contract}", "contract")
        elif rule.model is not None and provider_of(rule, of_contract) is None:
            yield placed.problem("say whose model it is (provider)", "model")
    yield from _ties(overrides, of_contract)
    yield from _ties(selling, of_contract)


def provider_of(rule: PriceRule, contracts: Mapping[str, Contract]) -> str | None:
    """The provider a rule speaks of: its own, else its contract's."""
    contract = contracts.get(getattr(rule, "contract", None) or "")
    return rule.provider or (contract.provider if contract else None)


def slots_of(rule: PriceRule) -> tuple[str | None, ...]:
    """The meters a rule speaks of; its kind where that is a slot of its own; None for all."""
    if rule.rule_kind in _OF_A_REQUEST:
        return (rule.rule_kind,)
    return rule.meters or (None,)


def _ties(
    rules: Sequence[Placed[Override]] | Sequence[Placed[SellRule]],
    contracts: Mapping[str, Contract],
) -> Iterator[Problem]:
    for first, second in combinations(rules, 2):
        if _is_tied(first.value, second.value, contracts):
            yield second.problem(
                f"is as specific as {first.value.id} at the same time: set a priority", "id"
            )


def _is_tied(one: PriceRule, other: PriceRule, contracts: Mapping[str, Contract]) -> bool:
    """Whether one act could fall under both, and neither comes first."""
    same = all(
        getattr(one, part) == getattr(other, part)
        for part in ("entity", "customer", "feature", "model", "priority")
    )
    return (
        same
        and provider_of(one, contracts) == provider_of(other, contracts)
        and _share_a_source(one, other, contracts)
        and any(a == b for a, b in product(slots_of(one), slots_of(other)))
        and bool(one.applies_to) == bool(other.applies_to)
        and (not one.applies_to or bool(set(one.applies_to) & set(other.applies_to)))
        and _overlap(one, other)
    )


def _share_a_source(one: PriceRule, other: PriceRule, contracts: Mapping[str, Contract]) -> bool:
    names = [getattr(rule, "contract", None) for rule in (one, other)]
    if None in names:
        return names == [None, None]
    first, second = (contracts[name].sources if name in contracts else () for name in names)
    return not first or not second or bool(set(first) & set(second))


def _overlap(one: Dated, other: Dated) -> bool:
    for a, b in ((one, other), (other, one)):
        if a.valid_to_at and b.valid_from_at and b.valid_from_at >= a.valid_to_at:
            return False
    return True
