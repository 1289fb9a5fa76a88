"""A model price file in the LiteLLM JSON format as flat rows of Decimal, one a rate and condition.

Belongs here: the walk over the file, numbers from their text, what is refused and why. A key that
price_keys.py does not know is counted in `unparsed_keys`, never dropped silently. Does not belong:
which rate applies to a request (cost.py; dbt `price_resolved`).
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

from price_catalog.lending import lent_rates, sped_up
from price_catalog.match import canonical_provider
from price_catalog.off_peak import OffPeakError, week_ranges
from price_catalog.price_keys import (
    SEARCH_KEY,
    SEARCH_SIZES,
    SYNONYMS,
    TOKEN_METERS,
    UNSUPPORTED,
    Condition,
    condition_of,
    looks_like_a_price,
)
from price_catalog.rows import (
    ModelRow,
    ParsedCatalogue,
    PriceRow,
    RejectedRate,
    rates_hash,
)
from price_catalog.uplifts import UPLIFT_KEYS, factor_of, stated_uplifts, with_unsaid_uplifts

__all__ = ["ModelRow", "ParsedCatalogue", "PriceFileError", "PriceRow", "RejectedRate", "parse"]

_NOT_MODELS = frozenset({"sample_spec", "fallback_generalizations"})
# Factors of `provider_specific_entry` that are read; the rest is reported.
_SPECIFIC_FACTORS = frozenset({"us", "fast"})
_RATE_PLACES = Decimal("0.000000000000001")
_RATE_LIMIT = Decimal("999")

Model = tuple[str, str]


class PriceFileError(ValueError):
    """The bytes are not a model price file."""


def parse(content: bytes) -> ParsedCatalogue:
    """The rates of a price file; raises PriceFileError where it is not an object of models."""
    entries = _entries(content)
    rejected: list[RejectedRate] = []
    unparsed: Counter[str] = Counter()
    keys = _one_key_per_model(entries, rejected)
    stated: dict[Model, tuple[PriceRow, ...]] = {}
    for identity, key in keys.items():
        reading = _Reading(identity=identity, key=key, rejected=rejected, unparsed=unparsed)
        stated[identity] = (
            *reading.rates(entries[key]),
            *stated_uplifts(entries[key], key=key, identity=identity, rejected=rejected),
        )
    prices = lent_rates(with_unsaid_uplifts(stated, keys=keys))
    models = [
        ModelRow(
            *identity,
            catalogue_key=key,
            mode=_text(entries[key].get("mode")),
            deprecation_on=_date(entries[key].get("deprecation_date")),
            rates_hash=rates_hash(prices[identity]),
        )
        for identity, key in keys.items()
    ]
    return ParsedCatalogue(
        prices=tuple(row for rows in prices.values() for row in rows),
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
    entries: dict[str, dict[str, object]], rejected: list[RejectedRate]
) -> dict[tuple[str, str], str]:
    """One key for each (provider, model): the un-prefixed one wins, the others are reported.

    Their rates complete it: what one key states and the other leaves out is known all the same.
    """
    taken: dict[tuple[str, str], str] = {}
    # A key equal to the model's name sorts before the same name behind a prefix.
    for key in sorted(entries, key=lambda each: (each.count("/"), each)):
        provider = canonical_provider(str(entries[key]["litellm_provider"]))
        identity = (provider, _model_name(key, provider=provider))
        if identity in taken:
            reason = f"names the same model as {taken[identity]}"
            rejected.append(RejectedRate(catalogue_key=key, price_key=None, reason=reason))
            entries[taken[identity]] = {**entries[key], **entries[taken[identity]]}
        else:
            taken[identity] = key
    return dict(sorted(taken.items()))


def _model_name(key: str, *, provider: str) -> str:
    prefix, slash, rest = key.partition("/")
    return rest if slash and rest and canonical_provider(prefix) == provider else key


@dataclass
class _Reading:
    """One entry of the file being read: what is found under which condition."""

    identity: Model
    key: str
    rejected: list[RejectedRate]
    unparsed: Counter[str]
    found: dict[Condition, PriceRow] = field(default_factory=dict)

    def rates(self, entry: Mapping[str, object]) -> tuple[PriceRow, ...]:
        """What the entry states; a range of `tiered_pricing` wins over a flat key."""
        if self.identity in UNSUPPORTED:
            reason = "its provider bills by a rule of its own that is not supported"
            self.rejected.append(RejectedRate(self.key, None, reason))
            return ()
        # The newer of two names of one rate comes last and stays.
        for price_key in sorted(entry, key=lambda name: name not in SYNONYMS):
            self._take_key(price_key, entry[price_key])
        self._take_ranges(entry.get("tiered_pricing"))
        self._take_specific(entry.get("provider_specific_entry"))
        return tuple(self.found.values())

    def _take_key(self, price_key: str, value: object) -> None:
        condition = condition_of(price_key)
        if condition is not None:
            self._take(condition, value, price_key=price_key)
        elif price_key == "off_peak_pricing":
            self._take_off_peak(value)
        elif price_key == SEARCH_KEY:
            self._take_searches(value)
        elif price_key in UPLIFT_KEYS or price_key in ("tiered_pricing", "provider_specific_entry"):
            pass
        elif looks_like_a_price(price_key):
            self.unparsed[price_key] += 1

    def _take_ranges(self, ranges: object) -> None:
        if ranges is None:
            return
        if not isinstance(ranges, list):
            self._refuse("tiered_pricing", "not a list of ranges")
            return
        for position, bounds in enumerate(ranges):
            where = f"tiered_pricing[{position}]"
            if isinstance(bounds, dict) and "range" not in bounds:
                self.unparsed["tiered_pricing"] += 1
                continue
            lower = _lower_bound(bounds)
            if lower is None:
                self._refuse(where, "no range of two numbers")
                continue
            for price_key, value in bounds.items():
                meter = TOKEN_METERS.get(price_key)
                if meter is not None:
                    condition = Condition(meter=meter, min_input_tokens=lower or None)
                    self._take(condition, value, price_key=f"{where}.{price_key}")
                elif price_key != "range":
                    self.unparsed[f"tiered_pricing.{price_key}"] += 1

    def _take_off_peak(self, document: object) -> None:
        try:
            ranges = week_ranges(document if isinstance(document, dict) else {})
        except OffPeakError as error:
            self._refuse("off_peak_pricing", str(error))
            return
        for price_key, value in document.items() if isinstance(document, dict) else ():
            meter = TOKEN_METERS.get(price_key)
            if meter is None:
                if price_key not in ("windows", "weekday_timezone"):
                    self.unparsed[f"off_peak_pricing.{price_key}"] += 1
                continue
            for start, end in ranges:
                condition = Condition(meter=meter, week_minute_from=start, week_minute_to=end)
                self._take(condition, value, price_key=f"off_peak_pricing.{price_key}")

    def _take_searches(self, sizes: object) -> None:
        if not isinstance(sizes, dict):
            self._refuse(SEARCH_KEY, "not an object of sizes")
            return
        for name, value in sizes.items():
            if name in SEARCH_SIZES:
                condition = Condition(meter="search", unit="searches", variant=SEARCH_SIZES[name])
                self._take(condition, value, price_key=f"{SEARCH_KEY}.{name}")
            else:
                self.unparsed[f"{SEARCH_KEY}.{name}"] += 1
        # One rate for every size needs no size to be known.
        if set(sizes) == set(SEARCH_SIZES) and len({str(each) for each in sizes.values()}) == 1:
            condition = Condition(meter="search", unit="searches")
            self._take(condition, next(iter(sizes.values())), price_key=SEARCH_KEY)

    def _take_specific(self, specific: object) -> None:
        for name, value in specific.items() if isinstance(specific, dict) else ():
            if name not in _SPECIFIC_FACTORS:
                self.unparsed[f"provider_specific_entry.{name}"] += 1
            elif name == "fast":
                factor = factor_of(value)
                if factor is None:
                    self._refuse("provider_specific_entry.fast", "not a factor between 1 and 10")
                    continue
                for row in sped_up(tuple(self.found.values()), factor=factor):
                    self.found[_condition(row)] = row

    def _take(self, condition: Condition, value: object, *, price_key: str) -> None:
        if value is None:
            return
        rate = rate_of(value)
        if isinstance(rate, str):
            self._refuse(price_key, rate)
            return
        self.found[condition] = PriceRow(
            *self.identity, catalogue_key=self.key, rate_usd_per_unit=rate, **vars(condition)
        )

    def _refuse(self, price_key: str, reason: str) -> None:
        self.rejected.append(RejectedRate(self.key, price_key, reason))


def _condition(row: PriceRow) -> Condition:
    return Condition(**{name: getattr(row, name) for name in Condition.__dataclass_fields__})


def _lower_bound(bounds: object) -> int | None:
    limits = bounds.get("range") if isinstance(bounds, dict) else None
    if not isinstance(limits, list) or len(limits) != 2:
        return None
    lower = limits[0]
    if isinstance(lower, bool) or not isinstance(lower, int | Decimal):
        return None
    return int(lower) if Decimal(lower).is_finite() and 0 <= lower < 10**12 else None


def rate_of(value: object) -> Decimal | str:
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


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _date(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
