"""The cost of one request in Decimal, straight from parsed rates: the reference dbt must equal.

It reads the uncompiled rates on purpose, so that a mistake in `price_resolved` cannot hide here.
Rules: spec of pricing, R04 (context cliffs), R06 (cache lifetimes), R07 (missing is not zero), R19
(audio is never text) and the fallbacks of section 6.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal, localcontext

from price_catalog.parse import PriceRow

# Providers whose higher context tier starts at the threshold itself, not one token above it.
INCLUSIVE_THRESHOLD_PROVIDERS = frozenset({"xai"})
_SERVICE_TIERS = {"flex": "flex", "priority": "priority", "batch": "batch", "batches": "batch"}
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
    """Cost by bucket; None where a used bucket has no rate, and then there is no total either."""

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
    usage: Usage, *, provider: str, rates: Iterable[PriceRow], service_tier: str | None
) -> CostLines:
    """What a request of this model costs at list price, by bucket."""
    book = _RateBook(
        rates=tuple(rates),
        tier=billed_tier(service_tier),
        total_input=usage.total_input_tokens,
        is_inclusive=provider in INCLUSIVE_THRESHOLD_PROVIDERS,
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
    return CostLines(lines=lines, is_fallback=is_fallback)


@dataclass(frozen=True)
class _RateBook:
    """The rates of one model as one request sees them."""

    rates: tuple[PriceRow, ...]
    tier: str
    total_input: int
    is_inclusive: bool

    def rate_of(self, bucket: str) -> Rate | None:
        """The rate of a bucket after every fallback."""
        match bucket:
            case "cache_read":
                return self._stated("cache_read") or _inexact(self._stated("input"))
            case "cache_write_5m" | "cache_write_30m":
                return self._stated("cache_write") or _inexact(self._stated("input"))
            case "cache_write_1h" | "cache_write_12h":
                own = self._stated(bucket) or _inexact(self._stated("cache_write"))
                return own or _inexact(self._stated("input"))
            case "reasoning":
                return self._reasoning()
            case _:
                return self._stated(bucket)

    def _reasoning(self) -> Rate | None:
        stated = self._stated("reasoning")
        states_tier_output = self.tier != "standard" and self._has("output", tier=self.tier)
        states_tier_reasoning = self._has("reasoning", tier=self.tier)
        if stated is not None and (states_tier_reasoning or not states_tier_output):
            return stated
        return _inexact(self._stated("output"))

    def _stated(self, meter: str) -> Rate | None:
        """The most specific stated rate: size before tier, but batch is a path of its own."""
        candidates = [row for row in self._open() if row.meter == meter]
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
            if row.service_tier in (self.tier, "standard") and self._reaches(row.min_input_tokens)
        ]

    def _band(self) -> int | None:
        """The threshold that the request has passed last, whichever meter or tier states it."""
        passed = {
            row.min_input_tokens
            for row in self.rates
            if row.min_input_tokens is not None and self._reaches(row.min_input_tokens)
        }
        return max(passed, default=None)

    def _reaches(self, threshold: int | None) -> bool:
        if threshold is None:
            return True
        if self.is_inclusive:
            return self.total_input >= threshold
        return self.total_input > threshold

    def _specificity(self, row: PriceRow) -> tuple[int, int]:
        size = -1 if row.min_input_tokens is None else row.min_input_tokens
        tier = int(row.service_tier == self.tier)
        return (tier, size) if self.tier == "batch" else (size, tier)


def _inexact(rate: Rate | None) -> Rate | None:
    return None if rate is None else Rate(usd_per_unit=rate.usd_per_unit, is_explicit=False)
