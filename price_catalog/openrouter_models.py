"""OpenRouter's list of models (`/api/v1/models`) as flat price rows: a gap filler behind the base.

Rates are strings, USD per single unit. Belongs here: that format, and its `overrides`. An override
holds where all its conditions do: more prompt tokens than a threshold, hours of the UTC day as
HHMM numbers, half-open; of several that hold the later one wins for each price key, and a key that
none names keeps the base price. Does not: which catalogue wins (int_prices__observed_versions).
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from itertools import pairwise

from price_catalog.off_peak import DAY
from price_catalog.parse import PriceFileError, rate_of
from price_catalog.price_keys import Condition
from price_catalog.rows import ModelRow, ParsedCatalogue, PriceRow, RejectedRate, rates_hash

PROVIDER = "openrouter"
# `image` and `image_output` are not among them: they are told per image and listed per token too.
_METERS: Mapping[str, Condition] = {
    "prompt": Condition("input"),
    "completion": Condition("output"),
    "internal_reasoning": Condition("reasoning"),
    "input_cache_read": Condition("cache_read"),
    "input_cache_write": Condition("cache_write"),
    "input_cache_write_1h": Condition("cache_write_1h"),
    "audio": Condition("audio_input"),
    "audio_output": Condition("audio_output"),
    "input_audio_cache": Condition("audio_cache_read"),
    "image_token": Condition("image_input"),
    "request": Condition("request", unit="requests"),
    "web_search": Condition("search", unit="searches"),
}
_REQUIRED = ("prompt", "completion")
# A zero of these is how the list says that nothing is charged apart: reasoning then costs output.
_ZERO_IS_NO_PRICE = frozenset(_METERS) - {
    *_REQUIRED,
    *("input_cache_read", "input_cache_write", "input_cache_write_1h"),
}
_CONDITIONS = ("min_prompt_tokens", "utc_start", "utc_end")
_LARGEST_SIZE = 10**12
Hours = tuple[int, int]


class _EntryError(ValueError):
    """Why a whole entry has no price: its price key and the reason."""

    def __init__(self, price_key: str, reason: str) -> None:
        super().__init__(reason)
        self.price_key = price_key


@dataclass(frozen=True)
class _Override:
    """Rates over a size (0 is any), in hours of the day as minutes (none is always)."""

    more_than_tokens: int
    hours: tuple[Hours, ...]
    rates: Mapping[str, Decimal]

    def holds(self, *, size: int, minute: int | None) -> bool:
        if size < self.more_than_tokens:
            return False
        if not self.hours:
            return True
        return minute is not None and any(start <= minute < end for start, end in self.hours)


def parse_models(content: bytes) -> ParsedCatalogue:
    """The rates of a list of models; raises PriceFileError where it is none."""
    found: dict[str, tuple[PriceRow, ...]] = {}
    rejected: list[RejectedRate] = []
    unparsed: Counter[str] = Counter()
    for position, entry in enumerate(_entries(content)):
        slug = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(slug, str) or not slug:
            rejected.append(RejectedRate(f"data[{position}]", None, "names no model"))
        elif slug in found:
            rejected.append(RejectedRate(slug, None, "is listed twice: the first one holds"))
        else:
            found[slug] = tuple(_Reading(slug, rejected, unparsed).rates(entry.get("pricing")))
    if not found:
        raise PriceFileError("the list names no model")
    found = dict(sorted(found.items()))
    return ParsedCatalogue(
        prices=tuple(row for rows in found.values() for row in rows),
        models=tuple(
            ModelRow(PROVIDER, slug, slug, None, None, rates_hash(rows))
            for slug, rows in found.items()
        ),
        rejected=tuple(rejected),
        unparsed_keys=dict(sorted(unparsed.items())),
        provider_names=frozenset({PROVIDER}),
    )


def _entries(content: bytes) -> list[object]:
    try:
        document = json.loads(content, parse_float=Decimal, parse_constant=Decimal)
    except (ValueError, RecursionError) as error:
        raise PriceFileError("the list of models is not JSON") from error
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, list):
        raise PriceFileError("the list of models is not an object with `data`")
    links = document.get("links")
    if isinstance(links, dict) and links.get("next") is not None:
        raise PriceFileError("the list of models is one page of several: ask without a limit")
    return data


@dataclass
class _Reading:
    """One entry of the list being read."""

    slug: str
    rejected: list[RejectedRate]
    unparsed: Counter[str]
    overrides: list[_Override] = field(default_factory=list)

    def rates(self, pricing: object) -> Iterator[PriceRow]:
        """Every rate under its condition; none of an entry of which one part is not to be trusted.

        A wrong size or hour would price requests at another's rate, so nothing is taken then.
        """
        try:
            base = self._base(pricing)
            overrides = [
                self._override(each, where=f"overrides[{position}]")
                for position, each in enumerate(_listed(pricing))
            ]
        except _EntryError as error:
            self.rejected.append(RejectedRate(self.slug, error.price_key, str(error)))
            return
        for size in sorted({0, *(each.more_than_tokens for each in overrides)}):
            always = _resolved(base, overrides, size=size, minute=None)
            yield from self._rows(always, size=size)
            for start, end in _day_parts(overrides):
                then = _resolved(base, overrides, size=size, minute=start)
                changed = {key: rate for key, rate in then.items() if always.get(key) != rate}
                for day in range(7):
                    yield from self._rows(
                        changed, size=size, hours=(day * DAY + start, day * DAY + end)
                    )

    def _base(self, pricing: object) -> dict[str, Decimal]:
        if not isinstance(pricing, dict):
            raise _EntryError("pricing", "no object of prices")
        for key in _REQUIRED:
            if pricing.get(key) is None:
                raise _EntryError(key, "missing")
        discount = pricing.get("discount")
        if discount is not None and _decimal(discount) != 0:
            raise _EntryError("discount", "a discount that the rates may or may not contain")
        rates = self._stated(pricing, where="", known=("overrides", "discount"))
        return {
            key: rate for key, rate in rates.items() if rate != 0 or key not in _ZERO_IS_NO_PRICE
        }

    def _override(self, entry: object, *, where: str) -> _Override:
        if not isinstance(entry, dict):
            raise _EntryError(where, "not an object")
        stated_size = entry.get("min_prompt_tokens")
        size = 0 if stated_size is None else _whole(stated_size, below=_LARGEST_SIZE)
        if size is None:
            raise _EntryError(f"{where}.min_prompt_tokens", "not a number of tokens")
        strange = [key for key in entry if key not in _METERS and key not in _CONDITIONS]
        if strange:
            raise _EntryError(f"{where}.{strange[0]}", "a condition that is not understood")
        rates = self._stated(entry, where=f"{where}.", known=_CONDITIONS)
        return _Override(size, _hours(entry, where=where), rates)

    def _stated(
        self, entry: Mapping[str, object], *, where: str, known: tuple[str, ...]
    ) -> dict[str, Decimal]:
        """The rates by price key; unknown keys are counted, a bad rate refuses the entry."""
        rates: dict[str, Decimal] = {}
        for key, value in entry.items():
            if key in known or value is None:
                continue
            if key not in _METERS:
                # A zero of what is not understood costs nothing either way.
                if _decimal(value) != 0:
                    self.unparsed[key] += 1
                continue
            rate = _rate(value)
            if isinstance(rate, str):
                raise _EntryError(f"{where}{key}", rate)
            rates[key] = rate
        return rates

    def _rows(
        self, rates: Mapping[str, Decimal], *, size: int, hours: Hours | None = None
    ) -> Iterator[PriceRow]:
        for key, rate in rates.items():
            condition = _METERS[key]
            # What is not counted in tokens knows no size or hour.
            if condition.unit != "token" and (size or hours):
                continue
            yield PriceRow(
                PROVIDER,
                self.slug,
                self.slug,
                meter=condition.meter,
                service_tier=condition.service_tier,
                min_input_tokens=size or None,
                rate_usd_per_unit=rate,
                unit=condition.unit,
                week_minute_from=hours[0] if hours else None,
                week_minute_to=hours[1] if hours else None,
            )


def _listed(pricing: object) -> list[object]:
    overrides = pricing.get("overrides") if isinstance(pricing, dict) else None
    if overrides is None:
        return []
    if not isinstance(overrides, list):
        raise _EntryError("overrides", "not a list")
    return overrides


def _resolved(
    base: Mapping[str, Decimal], overrides: list[_Override], *, size: int, minute: int | None
) -> dict[str, Decimal]:
    """What holds for a request of just over a size at a minute of the day (None: in no window)."""
    rates = dict(base)
    for override in overrides:
        if override.holds(size=size, minute=minute):
            rates |= override.rates
    return rates


def _day_parts(overrides: list[_Override]) -> Iterator[Hours]:
    """The parts of the day between which a window opens or closes."""
    edges = {edge for each in overrides for hours in each.hours for edge in hours}
    if edges:
        ordered = sorted({0, *edges, DAY})
        yield from pairwise(ordered)


def _hours(entry: Mapping[str, object], *, where: str) -> tuple[Hours, ...]:
    if entry.get("utc_start") is None and entry.get("utc_end") is None:
        return ()
    start, end = (_minute(entry.get(key)) for key in ("utc_start", "utc_end"))
    if start is None or end is None or start == end:
        raise _EntryError(f"{where}.utc_start", "no hours of a day")
    if end > start:
        return ((start, end),)
    # Past midnight: the rest of the day, and the beginning of one.
    return ((start, DAY), (0, end)) if end else ((start, DAY),)


def _minute(value: object) -> int | None:
    """Minutes since midnight of a clock number HHMM; 2400 is the day's end."""
    clock = _whole(value, below=2401)
    if clock is None or clock % 100 > 59:
        return None
    return clock // 100 * 60 + clock % 100


def _whole(value: object, *, below: int) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    number = Decimal(value)
    if not number.is_finite() or not 0 <= number < below or number != int(number):
        return None
    return int(number)


def _decimal(value: object) -> Decimal | None:
    try:
        number = Decimal(value) if isinstance(value, str | int | Decimal) else None
    except InvalidOperation:
        return None
    return number if number is not None and number.is_finite() else None


def _rate(value: object) -> Decimal | str:
    """The rate, or why it is none: a string of digits, as the list writes it."""
    if not isinstance(value, str):
        return "not a string of digits"
    number = _decimal(value)
    if number == -1:
        return "a variable price (-1): what it costs is told by the model it chose"
    return rate_of(number)
