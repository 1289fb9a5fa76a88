"""Usage of every model of a price file, of each kind its rates tell apart; the same every time."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from price_warehouse import OCCURRED_AT, event

from price_catalog.cost import CostLines, Usage, cost
from price_catalog.match import CatalogueIndex, match_in_region
from price_catalog.rows import PriceRow

KINDS = (
    "plain",
    "cached",
    "cache_writes",
    "long_cache_writes",
    "reasoning",
    "audio",
    "image",
    "tier",
    "threshold",
    "off_peak",
    "region",
)
# A Monday, 00:00 UTC: the first minute of a week.
WEEK_BEGINS_AT = datetime(2026, 11, 16)  # noqa: DTZ001 (the warehouse stores naive UTC)
# Beside the tiers that a model states: what sources call standard, what nobody knows.
OTHER_TIERS = ("default", "flex", "priority", "batch", "ultraslow")
REGIONS = ("eu", "us", "global", "europe-west4", "EU")
Rates = tuple[PriceRow, ...]


@dataclass(frozen=True)
class Request:
    """One request of a model."""

    kind: str
    usage: Usage
    service_tier: str | None = None
    occurred_at: datetime = OCCURRED_AT
    region: str | None = None


def generated_events(generated: Mapping[str, Rates]) -> Iterator[dict[str, object]]:
    """Every model of the seed with requests of each kind."""
    for key, rates in sorted(generated.items()):
        for number, request in enumerate(requests_of(key, rates)):
            yield event(
                f"{key}#{number}",
                request.usage,
                provider=rates[0].provider,
                model_served=rates[0].model,
                service_tier=request.service_tier,
                occurred_at=request.occurred_at,
                usage_on=request.occurred_at.date(),
                region=request.region,
            )


def expected_of(
    request: Request, of: PriceRow, *, index: CatalogueIndex, generated: Mapping[str, Rates]
) -> CostLines:
    """The reference's answer: the model its name means where it runs, then its cost."""
    found = match_in_region(of.model, provider=of.provider, region=request.region, index=index)
    return cost(
        request.usage,
        provider=str(found.provider),
        rates=generated[f"{found.provider}/{found.model}"],
        service_tier=request.service_tier,
        occurred_at=request.occurred_at,
        region=request.region,
        region_extract=found.region_extract,
    )


def requests_of(key: str, rates: Rates) -> Iterator[Request]:
    """Requests around each threshold, in each tier, hour and region that the rates tell apart."""
    chance = random.Random(key)
    yield from _of_each_kind(chance, {row.meter for row in rates})
    stated = {row.service_tier for row in rates if row.unit == "token"} - {"standard"}
    tiers = sorted(stated | {chance.choice(OTHER_TIERS)})
    for tier in tiers:
        yield Request("tier", _mixed(chance, chance.randint(0, 3000)), tier)
    thresholds = {row.min_input_tokens for row in rates if row.unit == "token"} - {None}
    for threshold in sorted(each for each in thresholds if each is not None):
        for step in (-1, 0, 1):
            for tier in (None, *tiers):
                yield Request("threshold", _mixed(chance, threshold + step), tier)
    minutes = {row.week_minute_from for row in rates} | {row.week_minute_to for row in rates}
    for minute in sorted(each for each in minutes if each is not None):
        for step in (-1, 0, 1):
            moment = WEEK_BEGINS_AT + timedelta(minutes=minute + step)
            yield Request("off_peak", _mixed(chance, 1000), None, moment)
    if any(row.meter == "uplift" for row in rates):
        for region in REGIONS:
            usage = _mixed(chance, chance.randint(0, 3000))
            yield Request("region", usage, chance.choice([None, *tiers]), region=region)


def _of_each_kind(chance: random.Random, meters: set[str]) -> Iterator[Request]:
    def some() -> int:
        return chance.randint(1, 5000)

    yield Request("plain", Usage(input=some(), output=some()))
    yield Request("cached", Usage(input=some(), cache_read=some(), output=some()))
    writes = Usage(input=some(), cache_write_5m=some(), cache_write_1h=some(), output=some())
    yield Request("cache_writes", writes)
    writes = Usage(input=some(), cache_write_30m=some(), cache_write_12h=some(), output=some())
    yield Request("long_cache_writes", writes)
    yield Request("reasoning", Usage(input=some(), output=some(), reasoning=some()))
    if meters & {"audio_input", "audio_output"}:
        heard = some() if "audio_input" in meters else 0
        spoken = some() if "audio_output" in meters else 0
        yield Request("audio", Usage(input=some(), audio_input=heard, audio_output=spoken))
        # Never at the rate of text, also where the other direction has none.
        yield Request("audio", Usage(audio_input=some(), audio_output=some()))
    if meters & {"image_input", "image_output"}:
        yield Request("image", Usage(input=some(), image_input=some(), image_output=some()))


def _mixed(chance: random.Random, size: int) -> Usage:
    """So many input tokens; half of the requests are plain, so that no fallback is by chance."""
    is_plain = chance.random() < 0.5
    parts = [size] * 5 if is_plain else sorted(chance.randint(0, size) for _ in range(5))
    return Usage(
        input=parts[0],
        cache_read=parts[1] - parts[0],
        cache_write_5m=parts[2] - parts[1],
        cache_write_30m=parts[3] - parts[2],
        cache_write_1h=parts[4] - parts[3],
        cache_write_12h=size - parts[4],
        output=chance.randint(0, 5000),
        reasoning=0 if is_plain else chance.choice([0, 777]),
    )
