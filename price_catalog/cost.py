"""The cost of one request in Decimal, straight from parsed rates: the reference dbt must equal.

It reads the uncompiled rates on purpose, so that a mistake in `price_resolved` cannot hide here.
Rules: spec of pricing, R04 (context cliffs), R06 (cache lifetimes), R07 (missing is not zero), R09
to R11 (regions), R18 (off-peak hours), R19 (audio is never text), R22 (request fees) and the
fallbacks of section 6.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext

from price_catalog.rows import PriceRow
from price_catalog.uplifts import region_factor

# Providers whose higher context tier starts at the threshold itself, not one token above it.
INCLUSIVE_THRESHOLD_PROVIDERS = frozenset({"xai"})
_SERVICE_TIERS = {
    "flex": "flex",
    "priority": "priority",
    "batch": "batch",
    "batches": "batch",
    "ultrafast": "ultrafast",
    "balanced": "balanced",
    "fast": "fast",
}
_RATE_PLACES = Decimal("0.000000000000001")
# A cached token whose rate is not stated costs half of an uncached one there.
_HALF_PRICE_CACHE_PROVIDERS = frozenset({"fireworks_ai"})
# Tiers whose traffic is billed at the standard rates.
_STANDARD_TIERS = frozenset({"", "standard", "default", "auto", "on_demand", "standard_only"})


@dataclass(frozen=True)
class Usage:
    """Disjoint token buckets of one request."""

    input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_30m: int = 0
    cache_write_1h: int = 0
    cache_write_12h: int = 0
    output: int = 0
    reasoning: int = 0
    audio_input: int = 0
    audio_output: int = 0
    image_input: int = 0
    image_output: int = 0

    @property
    def total_input_tokens(self) -> int:
        """What a context tier is measured by: every input kind, cached or not."""
        return (
            self.input
            + self.cache_read
            + self.cache_write_5m
            + self.cache_write_30m
            + self.cache_write_1h
            + self.cache_write_12h
            + self.audio_input
            + self.image_input
        )


@dataclass(frozen=True)
class Rate:
    """A resolved rate; explicit when the catalogue states it for exactly this tier and size."""

    usd_per_unit: Decimal
    is_explicit: bool


@dataclass(frozen=True)
class CostLines:
    """Cost by bucket; None where a used bucket has no rate, and then there is no total either.

    `request` is the fee of the request whatever its tokens, 0 where the model has none.
    """

    lines: Mapping[str, Decimal | None]
    is_fallback: bool

    @property
    def total_usd(self) -> Decimal | None:
        """The sum of the lines, or None when one of them is unknown."""
        amounts = list(self.lines.values())
        known = [amount for amount in amounts if amount is not None]
        with localcontext(prec=80):
            return sum(known, Decimal(0)) if len(known) == len(amounts) else None


def billed_tier(service_tier: str | None) -> str:
    """The price tier of a served service tier; an unknown one is billed as standard."""
    return _SERVICE_TIERS.get((service_tier or "").lower(), "standard")


def is_known_tier(service_tier: str | None) -> bool:
    """Whether the tier's rates are known, or standard ones stand in for it."""
    name = (service_tier or "").lower()
    return name in _SERVICE_TIERS or name in _STANDARD_TIERS


def cost(
    usage: Usage,
    *,
    provider: str,
    rates: Iterable[PriceRow],
    service_tier: str | None,
    occurred_at: datetime | None = None,
    region: str | None = None,
    region_extract: str | None = None,
) -> CostLines:
    """What a request of this model costs at list price, by bucket.

    Without a moment (UTC) it is at no cheaper hour. `region_extract` is what the raw name of the
    model says of its region (match.py).
    """
    rows = tuple(rates)
    book = _RateBook(
        provider=provider,
        rates=tuple(row for row in rows if row.unit == "token" or row.meter in _FEES),
        tier=billed_tier(service_tier),
        total_input=usage.total_input_tokens,
        minute=None if occurred_at is None else _minute_of_week(occurred_at),
        factor=region_factor(rows, region=region, region_extract=region_extract),
    )
    lines: dict[str, Decimal | None] = {}
    is_fallback = not is_known_tier(service_tier)
    with localcontext(prec=80):
        for each in fields(usage):
            tokens = getattr(usage, each.name)
            rate = book.rate_of(each.name)
            if tokens == 0:
                lines[each.name] = Decimal(0)
            elif rate is None:
                lines[each.name] = None
            else:
                lines[each.name] = tokens * rate.usd_per_unit
                is_fallback = is_fallback or not rate.is_explicit
        fee = book.rate_of("request")
        lines["request"] = Decimal(0) if fee is None else fee.usd_per_unit
        if fee is not None and fee.usd_per_unit != 0:
            is_fallback = is_fallback or not fee.is_explicit
    return CostLines(lines=lines, is_fallback=is_fallback)


_FEES = ("request", "search")


def _minute_of_week(moment: datetime) -> int:
    return moment.weekday() * 24 * 60 + moment.hour * 60 + moment.minute


@dataclass(frozen=True)
class _RateBook:
    """The rates of one model as one request sees them."""

    provider: str
    rates: tuple[PriceRow, ...]
    tier: str
    total_input: int
    minute: int | None
    factor: Decimal

    def rate_of(self, bucket: str) -> Rate | None:
        """The rate of a bucket after every fallback, where the request runs."""
        rate = self._listed(bucket)
        if rate is None or self.factor == 1:
            return rate
        raised = (rate.usd_per_unit * self.factor).quantize(_RATE_PLACES, rounding=ROUND_HALF_UP)
        return Rate(usd_per_unit=raised, is_explicit=rate.is_explicit)

    def _listed(self, bucket: str) -> Rate | None:
        match bucket:
            case "cache_read":
                return self._stated("cache_read") or _inexact(self._uncached_read())
            case "request":
                return self._stated("request") or _inexact(self._search_fee())
            case "cache_write_5m" | "cache_write_30m":
                return self._stated("cache_write") or _inexact(self._stated("input"))
            case "cache_write_1h" | "cache_write_12h":
                own = self._stated(bucket) or _inexact(self._stated("cache_write"))
                return own or _inexact(self._stated("input"))
            case "reasoning":
                return self._reasoning()
            case _:
                return self._stated(bucket)

    def _uncached_read(self) -> Rate | None:
        rate = self._stated("input")
        if rate is None or self.provider not in _HALF_PRICE_CACHE_PROVIDERS:
            return rate
        half = (rate.usd_per_unit / 2).quantize(_RATE_PLACES, rounding=ROUND_HALF_UP)
        return Rate(usd_per_unit=half, is_explicit=False)

    def _search_fee(self) -> Rate | None:
        """A request to Perplexity searches once, at the smallest size unless it asks for more."""
        return self._stated("search", variant="low") if self.provider == "perplexity" else None

    def _reasoning(self) -> Rate | None:
        stated = self._stated("reasoning")
        states_tier_output = self.tier != "standard" and self._has("output", tier=self.tier)
        states_tier_reasoning = self._has("reasoning", tier=self.tier)
        if stated is not None and (states_tier_reasoning or not states_tier_output):
            return stated
        return _inexact(self._stated("output"))

    def _stated(self, meter: str, variant: str = "") -> Rate | None:
        """The most specific stated rate: size before tier, but batch is a path of its own."""
        candidates = [row for row in self._open() if row.meter == meter and row.variant == variant]
        if not candidates:
            return None
        best = max(candidates, key=self._specificity)
        is_explicit = best.service_tier == self.tier and best.min_input_tokens == self._band()
        return Rate(usd_per_unit=best.rate_usd_per_unit, is_explicit=is_explicit)

    def _has(self, meter: str, *, tier: str) -> bool:
        return any(row.meter == meter and row.service_tier == tier for row in self._open())

    def _open(self) -> list[PriceRow]:
        return [
            row
            for row in self.rates
            if row.service_tier in (self.tier, "standard")
            and self._reaches(row.min_input_tokens)
            and self._is_hour(row)
        ]

    def _band(self) -> int | None:
        """The threshold that the request has passed last, whichever meter or tier states it."""
        passed = {
            row.min_input_tokens
            for row in self.rates
            if row.min_input_tokens is not None and self._reaches(row.min_input_tokens)
        }
        return max(passed, default=None)

    def _is_hour(self, row: PriceRow) -> bool:
        if row.week_minute_from is None or row.week_minute_to is None:
            return True
        return self.minute is not None and row.week_minute_from <= self.minute < row.week_minute_to

    def _reaches(self, threshold: int | None) -> bool:
        if threshold is None:
            return True
        if self.provider in INCLUSIVE_THRESHOLD_PROVIDERS:
            return self.total_input >= threshold
        return self.total_input > threshold

    def _specificity(self, row: PriceRow) -> tuple[int, int, int]:
        size = -1 if row.min_input_tokens is None else row.min_input_tokens
        tier = int(row.service_tier == self.tier)
        hour = int(row.week_minute_from is not None)
        return (tier, size, hour) if self.tier == "batch" else (size, tier, hour)


def _inexact(rate: Rate | None) -> Rate | None:
    return None if rate is None else Rate(usd_per_unit=rate.usd_per_unit, is_explicit=False)
