"""A model price file in the LiteLLM JSON format as flat rows of Decimal, one a rate and condition.

Belongs here: the grammar of price keys, numbers from their text, what is refused and why. A key
this grammar does not know is counted in `unparsed_keys`, never dropped silently. Does not belong:
which rate applies to a request (cost.py; dbt `price_resolved`).
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

from price_catalog.match import canonical_provider

# Catalogue key stem -> meter. `cache_write` is the base write rate: what every lifetime without a
# rate of its own costs.
_METERS: Mapping[str, str] = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "output_cost_per_reasoning_token": "reasoning",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
    "input_cost_per_audio_token": "audio_input",
    "output_cost_per_audio_token": "audio_output",
    "input_cost_per_image_token": "image_input",
    "output_cost_per_image_token": "image_output",
}
# `_above_1hr` is a cache lifetime, not a request size.
_LIFETIMES = {"1hr": "cache_write_1h", "12hr": "cache_write_12h"}
_TIERS = {"batches": "batch", "flex": "flex", "priority": "priority"}
_KEY = re.compile(
    rf"^(?P<stem>{'|'.join(_METERS)})"
    r"(?:_above_(?P<lifetime>1hr|12hr))?"
    r"(?:_above_(?P<size>\d+)(?P<thousand>k?)_tokens)?"
    r"(?:_(?P<tier>batches|flex|priority))?$"
)
_LOOKS_LIKE_A_PRICE = re.compile(r"cost|pric|uplift_multiplier|provider_specific_entry")
_NOT_MODELS = frozenset({"sample_spec", "fallback_generalizations"})

_RATE_PLACES = Decimal("0.000000000000001")
_RATE_LIMIT = Decimal("999")


class PriceFileError(ValueError):
    """The bytes are not a model price file."""


@dataclass(frozen=True)
class PriceRow:
    """One rate of one meter under one condition; `min_input_tokens` None is the base."""

    provider: str
    model: str
    catalogue_key: str
    meter: str
    service_tier: str
    min_input_tokens: int | None
    rate_usd_per_unit: Decimal
    unit: str = "token"


@dataclass(frozen=True)
class ModelRow:
    """One catalogued model; `rates_hash` changes exactly when one of its rates does."""

    provider: str
    model: str
    catalogue_key: str
    mode: str | None
    deprecation_on: date | None
    rates_hash: str


@dataclass(frozen=True)
class RejectedRate:
    """A rate or a whole entry that was not taken, with the reason and where it stands."""

    catalogue_key: str
    price_key: str | None
    reason: str


@dataclass(frozen=True)
class ParsedCatalogue:
    """Everything one price file says: rates, models, what was refused, what was not understood."""

    prices: tuple[PriceRow, ...]
    models: tuple[ModelRow, ...]
    rejected: tuple[RejectedRate, ...]
    unparsed_keys: Mapping[str, int]
    provider_names: frozenset[str]


def parse(content: bytes) -> ParsedCatalogue:
    """The rates of a price file; raises PriceFileError where it is not an object of models."""
    entries = _entries(content)
    rejected: list[RejectedRate] = []
    unparsed: Counter[str] = Counter()
    prices: list[PriceRow] = []
    models: list[ModelRow] = []
    taken = _one_key_per_model(entries, rejected)
    for (provider, model), key in taken.items():
        entry = entries[key]
        rows = tuple(_rates(entry, key=key, rejected=rejected, unparsed=unparsed))
        rows = tuple(replace(row, provider=provider, model=model) for row in rows)
        prices.extend(rows)
        models.append(
            ModelRow(
                provider=provider,
                model=model,
                catalogue_key=key,
                mode=_text(entry.get("mode")),
                deprecation_on=_date(entry.get("deprecation_date")),
                rates_hash=_rates_hash(rows),
            )
        )
    return ParsedCatalogue(
        prices=tuple(prices),
        models=tuple(models),
        rejected=tuple(rejected),
        unparsed_keys=dict(sorted(unparsed.items())),
        provider_names=frozenset(
            str(each["litellm_provider"]).lower() for each in entries.values()
        ),
    )


def _entries(content: bytes) -> dict[str, dict[str, object]]:
    try:
        # NaN and Infinity pass Python's reader: they become Decimals, refused by value below.
        document = json.loads(content, parse_float=Decimal, parse_constant=Decimal)
    except (ValueError, RecursionError) as error:
        raise PriceFileError("the price file is not JSON") from error
    if not isinstance(document, dict):
        raise PriceFileError("the price file is not a JSON object")
    entries = {
        key: entry
        for key, entry in document.items()
        if key not in _NOT_MODELS
        and isinstance(entry, dict)
        and isinstance(entry.get("litellm_provider"), str)
    }
    if not entries:
        raise PriceFileError("the price file names no model")
    return entries


def _one_key_per_model(
    entries: Mapping[str, dict[str, object]], rejected: list[RejectedRate]
) -> dict[tuple[str, str], str]:
    """One key for each (provider, model): the un-prefixed one wins, the others are reported."""
    taken: dict[tuple[str, str], str] = {}
    # A key equal to the model's name sorts before the same name behind a prefix.
    for key in sorted(entries, key=lambda each: (each.count("/"), each)):
        provider = canonical_provider(str(entries[key]["litellm_provider"]))
        identity = (provider, _model_name(key, provider=provider))
        if identity in taken:
            reason = f"names the same model as {taken[identity]}"
            rejected.append(RejectedRate(catalogue_key=key, price_key=None, reason=reason))
        else:
            taken[identity] = key
    return dict(sorted(taken.items()))


def _model_name(key: str, *, provider: str) -> str:
    prefix, slash, rest = key.partition("/")
    return rest if slash and rest and canonical_provider(prefix) == provider else key


def _rates(
    entry: Mapping[str, object],
    *,
    key: str,
    rejected: list[RejectedRate],
    unparsed: Counter[str],
) -> Iterator[PriceRow]:
    """The rates of one entry; a `tiered_pricing` range wins over a flat key of its condition."""
    found: dict[tuple[str, str, int | None], PriceRow] = {}
    for price_key, value in entry.items():
        if price_key == "tiered_pricing":
            continue
        parts = _KEY.match(price_key)
        condition = _condition(parts) if parts else None
        if condition is None:
            if _LOOKS_LIKE_A_PRICE.search(price_key):
                unparsed[price_key] += 1
            continue
        _take(found, condition, value, key=key, price_key=price_key, rejected=rejected)

    ranges = entry.get("tiered_pricing") or []
    if not isinstance(ranges, list):
        rejected.append(RejectedRate(key, "tiered_pricing", "not a list of ranges"))
        ranges = []
    for position, bounds in enumerate(ranges):
        where = f"tiered_pricing[{position}]"
        if isinstance(bounds, dict) and "range" not in bounds:
            unparsed["tiered_pricing"] += 1
            continue
        lower = _lower_bound(bounds)
        if lower is None:
            rejected.append(RejectedRate(key, where, "no range of two numbers"))
            continue
        for price_key, value in bounds.items():
            meter = _METERS.get(price_key)
            if meter is not None:
                condition = (meter, "standard", lower or None)
                name = f"{where}.{price_key}"
                _take(found, condition, value, key=key, price_key=name, rejected=rejected)
            elif price_key != "range":
                unparsed[f"tiered_pricing.{price_key}"] += 1
    yield from found.values()


def _condition(parts: re.Match[str]) -> tuple[str, str, int | None] | None:
    meter = _METERS[parts["stem"]]
    if parts["lifetime"]:
        if meter != "cache_write":
            return None
        meter = _LIFETIMES[parts["lifetime"]]
    size = int(parts["size"]) * (1000 if parts["thousand"] else 1) if parts["size"] else None
    return meter, _TIERS[parts["tier"]] if parts["tier"] else "standard", size


def _lower_bound(bounds: object) -> int | None:
    limits = bounds.get("range") if isinstance(bounds, dict) else None
    if not isinstance(limits, list) or len(limits) != 2:
        return None
    lower = limits[0]
    if isinstance(lower, bool) or not isinstance(lower, int | Decimal):
        return None
    return int(lower) if Decimal(lower).is_finite() and 0 <= lower < 10**12 else None


def _take(
    found: dict[tuple[str, str, int | None], PriceRow],
    condition: tuple[str, str, int | None],
    value: object,
    *,
    key: str,
    price_key: str,
    rejected: list[RejectedRate],
) -> None:
    if value is None:
        return
    rate = _rate(value)
    if isinstance(rate, str):
        rejected.append(RejectedRate(catalogue_key=key, price_key=price_key, reason=rate))
        return
    meter, tier, size = condition
    found[condition] = PriceRow(
        provider="",
        model="",
        catalogue_key=key,
        meter=meter,
        service_tier=tier,
        min_input_tokens=size,
        rate_usd_per_unit=rate,
    )


def _rate(value: object) -> Decimal | str:
    """The rate to 15 places, half to even; or the reason why it is none."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return "not a number"
    number = Decimal(value)
    if not number.is_finite():
        return "not a finite number"
    if number < 0:
        return "negative"
    if number > _RATE_LIMIT:
        return "above 999 USD per unit"
    rounded = number.quantize(_RATE_PLACES, rounding=ROUND_HALF_EVEN)
    if rounded == 0 and number != 0:
        return "below the smallest rate kept (15 places)"
    return rounded


def _rates_hash(rows: tuple[PriceRow, ...]) -> str:
    lines = sorted(
        f"{row.meter}|{row.service_tier}|{row.min_input_tokens}|{row.rate_usd_per_unit:f}"
        for row in rows
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _date(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
