"""The Decimal reference: each rule against figures worked by hand."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from price_catalog.cost import CostLines, Usage, cost
from price_catalog.rows import PriceRow

MILLION = Decimal("0.000001")


def rate(
    meter: str, usd_per_million: str, *, tier: str = "standard", above: int | None = None
) -> PriceRow:
    return PriceRow("p", "m", "m", meter, tier, above, Decimal(usd_per_million) * MILLION)


def total(
    usage: Usage, *rates: PriceRow, tier: str | None = None, provider: str = "p"
) -> Decimal | None:
    return lines(usage, *rates, tier=tier, provider=provider).total_usd


def lines(
    usage: Usage, *rates: PriceRow, tier: str | None = None, provider: str = "p"
) -> CostLines:
    return cost(usage, provider=provider, rates=rates, service_tier=tier)


BASE = (rate("input", "5"), rate("cache_read", "0.50"), rate("output", "25"))
TIERED = (*BASE, rate("input", "10", above=200_000), rate("output", "37.5", above=200_000))


def test_a_million_tokens_at_2_50_per_million_is_2_50() -> None:
    assert total(Usage(input=1_000_000), rate("input", "2.50")) == Decimal("2.5")


def test_cached_input_is_priced_apart() -> None:
    # 816 * 5 + 1024 * 0.50 + 320 * 25 = 4,080 + 512 + 8,000 = 12,592 millionths
    usage = Usage(input=816, cache_read=1024, output=320)
    assert total(usage, *BASE) == Decimal("0.012592")


def test_a_cache_write_has_its_own_rate() -> None:
    # 3 * 3 + 12,304 * 3.75 + 550 * 15 = 9 + 46,140 + 8,250 = 54,399 millionths
    usage = Usage(input=3, cache_write_5m=12_304, output=550)
    rates = (rate("input", "3"), rate("cache_write", "3.75"), rate("output", "15"))
    assert total(usage, *rates) == Decimal("0.054399")


def test_writes_of_each_lifetime_have_their_rate_or_the_base_write_rate() -> None:
    rates = (rate("input", "3"), rate("cache_write", "3.75"), rate("cache_write_1h", "6"))
    assert total(Usage(cache_write_1h=1_000_000), *rates) == 6
    assert total(Usage(cache_write_30m=1_000_000), *rates) == Decimal("3.75")
    stood_in = lines(Usage(cache_write_12h=1_000_000), *rates)
    assert (stood_in.total_usd, stood_in.is_fallback) == (Decimal("3.75"), True)


def test_past_the_threshold_the_whole_request_is_dearer() -> None:
    at = Usage(input=100_000, cache_read=100_000, output=1000)
    above = Usage(input=100_000, cache_read=100_001, output=1000)
    # 100,000 * 5 + 100,000 * 0.5 + 1,000 * 25 = 500,000 + 50,000 + 25,000
    assert total(at, *TIERED) == Decimal("0.575")
    # 100,000 * 10 + 100,001 * 0.5 (no higher rate: keeps its own) + 1,000 * 37.5
    assert total(above, *TIERED) == Decimal("1.0875005")
    assert lines(above, *TIERED).is_fallback


def test_at_xai_the_threshold_itself_is_already_above() -> None:
    assert total(Usage(input=200_000), *TIERED, provider="xai") == 2
    assert total(Usage(input=199_999), *TIERED, provider="xai") == Decimal("0.999995")


def test_a_service_tier_has_its_rate_or_the_standard_one_kind_by_kind() -> None:
    rates = (*BASE, rate("input", "2.5", tier="flex"))
    found = lines(Usage(input=1_000_000, output=1_000_000), *rates, tier="flex")
    assert (found.total_usd, found.is_fallback) == (Decimal("27.5"), True)
    assert not lines(Usage(input=1_000_000), *rates, tier="flex").is_fallback


def test_size_goes_before_tier_but_batch_is_a_path_of_its_own() -> None:
    usage = Usage(input=300_000)
    flex = rate("input", "2.5", tier="flex")
    batch = rate("input", "2.5", tier="batch")
    # Standard above the threshold: 300,000 * 10; batch keeps its base rate: 300,000 * 2.5
    assert total(usage, *TIERED, flex, tier="flex") == 3
    assert total(usage, *TIERED, batch, tier="batch") == Decimal("0.75")


def test_a_missing_cache_rate_is_the_resolved_input_rate_and_a_zero_is_zero() -> None:
    tiered_input = (rate("input", "5"), rate("input", "10", above=200_000))
    assert total(Usage(cache_read=300_000), *tiered_input) == 3
    assert total(Usage(cache_read=300_000), *tiered_input, rate("cache_read", "0")) == 0


def test_reasoning_costs_output_unless_it_has_a_rate_that_applies() -> None:
    thought = Usage(reasoning=1_000_000)
    assert total(thought, rate("output", "10")) == 10
    own = (rate("output", "10"), rate("reasoning", "40"))
    assert total(thought, *own) == 40
    # The tier states its output rate, so the standard reasoning rate is not its own.
    assert total(thought, *own, rate("output", "20", tier="priority"), tier="priority") == 20


def test_audio_is_never_priced_as_text_and_an_unknown_is_never_zero() -> None:
    found = lines(Usage(input=10, audio_input=10), rate("input", "5"))
    assert found.lines["audio_input"] is None
    assert found.total_usd is None
    assert total(Usage(), rate("input", "5")) == 0


tokens = st.integers(0, 10**9)
usages = st.builds(Usage, input=tokens, cache_read=tokens, output=tokens, reasoning=tokens)


@given(usages)
def test_costs_are_additive_over_buckets_without_tiers(usage: Usage) -> None:
    parts = [
        Usage(input=usage.input),
        Usage(cache_read=usage.cache_read),
        Usage(output=usage.output),
        Usage(reasoning=usage.reasoning),
    ]
    alone = [total(part, *BASE) for part in parts]
    assert total(usage, *BASE) == sum(each for each in alone if each is not None)


@given(usages)
def test_a_cost_is_the_sum_of_its_lines_and_none_is_negative(usage: Usage) -> None:
    found = lines(usage, *TIERED)
    known = [each for each in found.lines.values() if each is not None]
    assert len(known) == len(found.lines)
    assert found.total_usd == sum(known)
    assert min(known) >= 0
    assert (found.total_usd == 0) == (usage == Usage())


@given(usages, st.integers(0, 1000))
def test_prices_times_any_factor_are_costs_times_it(usage: Usage, factor: int) -> None:
    scaled = [replace(each, rate_usd_per_unit=each.rate_usd_per_unit * factor) for each in TIERED]
    one = total(usage, *TIERED)
    assert one is not None
    assert total(usage, *scaled) == one * factor


@given(usages, tokens)
def test_more_tokens_never_cost_less(usage: Usage, more: int) -> None:
    one = total(usage, *TIERED)
    other = total(Usage(**(vars(usage) | {"input": usage.input + more})), *TIERED)
    assert one is not None
    assert other is not None
    assert other >= one >= 0


@pytest.mark.parametrize("tier", [None, "", "default", "standard", "auto"])
def test_a_tier_of_standard_traffic_is_no_fallback(tier: str | None) -> None:
    assert not lines(Usage(input=1), *BASE, tier=tier).is_fallback


def test_an_unknown_tier_is_priced_as_standard_and_says_so() -> None:
    found = lines(Usage(input=1_000_000), *BASE, tier="ultraslow")
    assert (found.total_usd, found.is_fallback) == (5, True)


def test_a_cheaper_hour_has_its_rate_up_to_its_last_minute() -> None:
    cheap = replace(rate("input", "2"), week_minute_from=0, week_minute_to=60)

    def at(moment: datetime | None) -> Decimal | None:
        usage = Usage(input=1_000_000)
        found = cost(
            usage, provider="p", rates=(*BASE, cheap), service_tier=None, occurred_at=moment
        )
        return found.total_usd

    # 2026-11-23 is a Monday.
    assert at(datetime(2026, 11, 23, 0, 59, 59)) == 2  # noqa: DTZ001
    assert at(datetime(2026, 11, 23, 1)) == 5  # noqa: DTZ001
    assert at(None) == 5


def test_a_region_multiplies_every_rate_and_the_name_may_say_global() -> None:
    uplift = PriceRow("p", "m", "m", "uplift", "standard", None, Decimal("1.1"), "factor", "eu")
    bare = replace(uplift, variant="not_global")

    def where(row: PriceRow, *, region: str | None, extract: str | None = None) -> Decimal | None:
        usage = Usage(input=1_000_000, output=1_000_000)
        found = cost(
            usage,
            provider="p",
            rates=(*BASE, row),
            service_tier=None,
            region=region,
            region_extract=extract,
        )
        return found.total_usd

    assert where(uplift, region="EU") == 33
    assert where(uplift, region="us") == 30
    assert where(uplift, region=None) == 30
    assert where(bare, region=None) == 33
    assert where(bare, region="us-east-1", extract="global") == 30


def test_a_request_has_a_fee_whatever_its_tokens_and_a_search_stands_in_for_one() -> None:
    fee = replace(rate("request", "5000"), unit="requests")
    assert total(Usage(output=1_000_000), *BASE, fee) == Decimal("25.005")
    search = replace(rate("search", "5000"), unit="searches", variant="low")
    assert total(Usage(), *BASE, search) == 0
    found = lines(Usage(), *BASE, search, provider="perplexity")
    assert (found.total_usd, found.is_fallback) == (Decimal("0.005"), True)


def test_a_cached_token_without_a_rate_costs_half_at_fireworks() -> None:
    usage = Usage(cache_read=1_000_000)
    assert total(usage, rate("input", "5"), provider="fireworks_ai") == Decimal("2.5")
    assert total(usage, rate("input", "5")) == 5
