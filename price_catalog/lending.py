"""Rates the price file states elsewhere: on the alias of a snapshot, or as a factor of a speed."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Decimal

from price_catalog.match import without_date
from price_catalog.rows import PriceRow

Model = tuple[str, str]
_PLACES = Decimal("0.000000000000001")


def lent_rates(rates: Mapping[Model, tuple[PriceRow, ...]]) -> dict[Model, tuple[PriceRow, ...]]:
    """The rates with the service tiers that a dated snapshot lacks and its undated alias has.

    Only an alias with the same standard input and output rates lends: `gpt-4o` is no longer the
    model that `gpt-4o-2024-05-13` is. A lent row keeps the alias's key as its catalogue key.
    """
    return {identity: (*own, *_lent(identity, own, rates)) for identity, own in rates.items()}


def _lent(
    identity: Model, own: tuple[PriceRow, ...], rates: Mapping[Model, tuple[PriceRow, ...]]
) -> Iterator[PriceRow]:
    provider, model = identity
    alias = without_date(model)
    if alias == model or _base(own) != _base(rates.get((provider, alias), ())):
        return
    known = {(row.meter, row.service_tier) for row in own}
    for row in rates[provider, alias]:
        is_tier = row.service_tier != "standard" and row.unit == "token"
        if is_tier and (row.meter, row.service_tier) not in known:
            yield replace(row, model=model)


def _base(rates: tuple[PriceRow, ...]) -> dict[str, Decimal]:
    return {
        row.meter: row.rate_usd_per_unit
        for row in rates
        if row.meter in ("input", "output")
        and row.service_tier == "standard"
        and row.min_input_tokens is None
        and row.week_minute_from is None
    }


def sped_up(rates: tuple[PriceRow, ...], *, factor: Decimal) -> Iterator[PriceRow]:
    """The rates of the tier `fast`: every standard rate of a token times the factor."""
    for row in rates:
        if row.service_tier == "standard" and row.unit == "token":
            raised = (row.rate_usd_per_unit * factor).quantize(_PLACES, rounding=ROUND_HALF_EVEN)
            yield replace(row, service_tier="fast", rate_usd_per_unit=raised)
