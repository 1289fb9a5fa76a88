"""What a region adds to a price: factors that the price file states, and those it leaves unsaid.

Belongs here: reading them, and which one a request meets (the reference for dbt's
`int_prices__region_factors`). A region that has keys of its own in the price file needs no factor:
match.py finds it by its name.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from price_catalog.rows import PriceRow, RejectedRate

UPLIFT = "uplift"
# Price key -> where it holds.
_STATED: Mapping[str, str] = {
    "regional_endpoint_uplift_multiplier": "regional",
    "regional_processing_uplift_multiplier_eu": "eu",
    "regional_processing_uplift_multiplier_us": "us",
}
UPLIFT_KEYS = frozenset(_STATED)
# Keys of `provider_specific_entry` that are factors on every rate.
_SPECIFIC: Mapping[str, str] = {"us": "us"}
# Azure's data zones cost a tenth more than the global deployment; keys are stated for some models.
_DATA_ZONES = ("eu", "us")
_TENTH_MORE = Decimal("1.1")
_LARGEST = Decimal("10")
_GEOS = ("us", "eu", "apac", "jp", "au")

Model = tuple[str, str]


def stated_uplifts(
    entry: Mapping[str, object], *, key: str, identity: Model, rejected: list[RejectedRate]
) -> Iterator[PriceRow]:
    """The factors of one entry of the price file."""
    found = {where: (name, entry[name]) for name, where in _STATED.items() if name in entry}
    specific = entry.get("provider_specific_entry")
    if isinstance(specific, dict):
        for name, where in _SPECIFIC.items():
            if name in specific:
                found[where] = (f"provider_specific_entry.{name}", specific[name])
    for where, (name, value) in found.items():
        factor = factor_of(value)
        if factor is None:
            rejected.append(RejectedRate(key, name, "not a factor between 1 and 10"))
        else:
            yield _uplift(identity, key=key, where=where, factor=factor)


def factor_of(value: object) -> Decimal | None:
    """A factor as the price file writes it, or None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    factor = Decimal(value)
    return factor if factor.is_finite() and 1 <= factor <= _LARGEST else None


def with_unsaid_uplifts(
    rates: Mapping[Model, tuple[PriceRow, ...]], *, keys: Mapping[Model, str]
) -> dict[Model, tuple[PriceRow, ...]]:
    """The rates with factors by rule: Azure's data zones, and bare Bedrock ids of recent Claude.

    The file lists a bare Bedrock id at the global rate, while in a region it costs a tenth more. A
    Claude model is recent where the file says so of its geo ids: one costs 1.1 times `global.`.
    """
    completed = dict(rates)
    for (provider, model), own in rates.items():
        where: tuple[str, ...] = ()
        if provider == "azure" and own and "/" not in model:
            where = _DATA_ZONES
        elif provider == "aws_bedrock" and model.startswith("anthropic.claude"):
            where = ("not_global",) if _is_regional_claude(model, rates) else ()
        key = keys[provider, model]
        added = (
            _uplift((provider, model), key=key, where=each, factor=_TENTH_MORE) for each in where
        )
        completed[provider, model] = (*own, *added)
    return completed


def _is_regional_claude(model: str, rates: Mapping[Model, tuple[PriceRow, ...]]) -> bool:
    def base(name: str) -> Decimal | None:
        return _base_input(rates.get(("aws_bedrock", name), ()))

    own = base(model)
    of_geos = {base(f"{geo}.{model}") for geo in _GEOS}
    return own is not None and own == base(f"global.{model}") and own * _TENTH_MORE in of_geos


def _uplift(identity: Model, *, key: str, where: str, factor: Decimal) -> PriceRow:
    return PriceRow(*identity, key, UPLIFT, "standard", None, factor, "factor", where)


def region_factor(
    rates: Iterable[PriceRow], *, region: str | None, region_extract: str | None
) -> Decimal:
    """The factor of a request: its region as the event names it, and what its model's name says."""
    named = (region or "").lower()
    met = [
        row.rate_usd_per_unit
        for row in rates
        if row.meter == UPLIFT
        and (
            row.variant == named
            or (row.variant == "regional" and named not in ("", "global"))
            or (row.variant == "not_global" and region_extract != "global")
        )
    ]
    return max(met, default=Decimal(1))


def _base_input(rates: Iterable[PriceRow]) -> Decimal | None:
    for row in rates:
        if (row.meter, row.service_tier, row.min_input_tokens) == ("input", "standard", None):
            return row.rate_usd_per_unit
    return None
