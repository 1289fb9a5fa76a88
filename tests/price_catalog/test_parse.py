"""A price file becomes flat rows of Decimal; what is refused or not understood is told."""

import json
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from price_catalog.parse import ParsedCatalogue, PriceFileError, parse
from price_catalog.refresh import read_seed


def parsed(model: str, **entry: object) -> ParsedCatalogue:
    return parse(json.dumps({model: {"litellm_provider": "openai"} | entry}).encode())


def conditions(catalogue: ParsedCatalogue) -> dict[tuple[str, str, int | None], Decimal]:
    return {
        (row.meter, row.service_tier, row.min_input_tokens): row.rate_usd_per_unit
        for row in catalogue.prices
    }


def test_a_key_is_a_meter_a_size_and_a_service_tier() -> None:
    catalogue = parsed(
        "m",
        input_cost_per_token=2.5e-06,
        input_cost_per_token_above_200k_tokens_priority=9e-06,
        output_cost_per_token_batches=5e-06,
        cache_read_input_token_cost_flex=1e-07,
    )
    assert conditions(catalogue) == {
        ("input", "standard", None): Decimal("0.0000025"),
        ("input", "priority", 200_000): Decimal("0.000009"),
        ("output", "batch", None): Decimal("0.000005"),
        ("cache_read", "flex", None): Decimal("0.0000001"),
    }
    assert catalogue.unparsed_keys == {}


def test_above_1hr_is_a_cache_lifetime_and_not_a_size() -> None:
    catalogue = parsed(
        "m",
        cache_creation_input_token_cost=3.75e-06,
        cache_creation_input_token_cost_above_1hr=6e-06,
        cache_creation_input_token_cost_above_1hr_above_200k_tokens=1.2e-05,
        cache_creation_input_token_cost_above_12hr_above_272k_tokens_flex=1e-05,
    )
    assert conditions(catalogue) == {
        ("cache_write", "standard", None): Decimal("0.00000375"),
        ("cache_write_1h", "standard", None): Decimal("0.000006"),
        ("cache_write_1h", "standard", 200_000): Decimal("0.000012"),
        ("cache_write_12h", "flex", 272_000): Decimal("0.00001"),
    }


def test_tiered_pricing_gives_a_row_for_each_range() -> None:
    ranges = [
        {"range": [0, 32000.0], "input_cost_per_token": 1e-06},
        {"range": [32000.0, 128000.0], "input_cost_per_token": 1.8e-06},
    ]
    assert conditions(parsed("m", tiered_pricing=ranges)) == {
        ("input", "standard", None): Decimal("0.000001"),
        ("input", "standard", 32_000): Decimal("0.0000018"),
    }


def test_numbers_come_from_the_text_and_round_half_even_at_15_places() -> None:
    text = """{"m": {"litellm_provider": "p", "input_cost_per_token": 1.0000000000000001e-07,
        "output_cost_per_token": 0.0000000000000025, "cache_read_input_token_cost": 0.1}}"""
    assert conditions(parse(text.encode())) == {
        ("input", "standard", None): Decimal("0.000000100000000"),
        ("output", "standard", None): Decimal("0.000000000000002"),
        ("cache_read", "standard", None): Decimal("0.1"),
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("NaN", "not a finite number"),
        ("-Infinity", "not a finite number"),
        ("-1e-6", "negative"),
        ('"0.000001"', "not a number"),
        ("true", "not a number"),
        ("[1]", "not a number"),
        ("1000", "above 999 USD per unit"),
        ("1e999999", "above 999 USD per unit"),
        ("1e-999999", "below the smallest rate kept (15 places)"),
    ],
)
def test_what_is_no_rate_is_rejected_with_its_reason(text: str, reason: str) -> None:
    body = f'{{"m": {{"litellm_provider": "p", "input_cost_per_token": {text}}}}}'
    catalogue = parse(body.encode())
    assert catalogue.prices == ()
    [rejected] = catalogue.rejected
    assert (rejected.catalogue_key, rejected.price_key) == ("m", "input_cost_per_token")
    assert rejected.reason == reason


def test_an_explicit_zero_is_a_rate_and_a_null_is_none() -> None:
    catalogue = parsed("m", input_cost_per_token=0, output_cost_per_token=None)
    assert conditions(catalogue) == {("input", "standard", None): Decimal(0)}
    assert catalogue.rejected == ()


def test_a_price_key_that_is_not_understood_is_counted() -> None:
    catalogue = parsed("m", output_cost_per_dream=0.1, input_cost_per_token_decisions=1)
    assert catalogue.prices == ()
    assert catalogue.unparsed_keys == {
        "input_cost_per_token_decisions": 1,
        "output_cost_per_dream": 1,
    }


def test_of_two_keys_of_one_model_the_one_without_prefix_wins_and_the_other_is_told() -> None:
    entry = {"litellm_provider": "deepseek", "input_cost_per_token": 1}
    other = entry | {"input_cost_per_token": 2}
    catalogue = parse(json.dumps({"deepseek/chat": other, "chat": entry}).encode())
    assert [row.rate_usd_per_unit for row in catalogue.prices] == [Decimal(1)]
    assert [row.catalogue_key for row in catalogue.rejected] == ["deepseek/chat"]


def test_the_provider_is_canonical_and_its_prefix_is_not_part_of_the_name() -> None:
    entries = {
        "bedrock/us-east-1/m": {"litellm_provider": "bedrock"},
        "us.m-v1:0": {"litellm_provider": "bedrock_converse", "deprecation_date": "2027-01-31"},
        "vertex_ai/n": {"litellm_provider": "vertex_ai-llama_models"},
        "sample_spec": {"litellm_provider": "x"},
    }
    models = parse(json.dumps(entries).encode()).models
    assert [(row.provider, row.model) for row in models] == [
        ("aws_bedrock", "us-east-1/m"),
        ("aws_bedrock", "us.m-v1:0"),
        ("vertex_ai", "n"),
    ]
    assert models[1].deprecation_on == date(2027, 1, 31)


def test_the_rates_hash_changes_with_a_rate_and_with_nothing_else() -> None:
    [one] = parsed("m", input_cost_per_token=1e-06, mode="chat").models
    [same] = parsed("m", mode="completion", input_cost_per_token=0.000001).models
    [dearer] = parsed("m", input_cost_per_token=2e-06, mode="chat").models
    assert one.rates_hash == same.rates_hash
    assert one.rates_hash != dearer.rates_hash


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"error": "gone"}', b"\xff", b'{"m": {}}', b"[" * 9999]
)
def test_what_is_no_price_file_is_refused(body: bytes) -> None:
    with pytest.raises(PriceFileError):
        parse(body)


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(body: bytes) -> None:
    try:
        parse(body)
    except PriceFileError:
        return


numbers = st.one_of(st.floats(), st.integers(), st.text(max_size=5), st.none(), st.booleans())


@given(
    numbers, st.one_of(numbers, st.lists(st.dictionaries(st.sampled_from(["range", "x"]), numbers)))
)
def test_any_value_is_taken_or_rejected(rate: object, ranges: object) -> None:
    catalogue = parsed("m", input_cost_per_token=rate, tiered_pricing=ranges)
    for row in catalogue.prices:
        assert 0 <= row.rate_usd_per_unit <= 999


def test_the_seed_is_understood() -> None:
    catalogue = parse(read_seed())
    rates = {
        (row.provider, row.model, row.meter): row.rate_usd_per_unit
        for row in catalogue.prices
        if row.service_tier == "standard"
        and row.min_input_tokens is None
        and row.week_minute_from is None
    }
    assert rates[("openai", "gpt-4o", "input")] == Decimal("0.0000025")
    assert rates[("anthropic", "claude-sonnet-4-5", "cache_write_1h")] == Decimal("0.000006")
    assert {row.reason.split(" as ")[0] for row in catalogue.rejected} == {
        "names the same model",
        "not a number",
        "its provider bills by a rule of its own that is not supported",
    }


def test_what_is_no_token_has_its_unit_and_what_tells_its_rates_apart() -> None:
    sizes = {"search_context_size_low": 0.005, "search_context_size_high": 0.012}
    catalogue = parsed(
        "m",
        output_cost_per_second=0.1,
        output_cost_per_second_1080p=0.2,
        ocr_cost_per_page_batches=0.001,
        input_cost_per_video_per_second_above_8s_interval=0.3,
        search_context_cost_per_query=sizes,
    )
    found = {
        (row.meter, row.unit, row.service_tier, row.variant): row.rate_usd_per_unit
        for row in catalogue.prices
    }
    assert found == {
        ("second_output", "seconds", "standard", ""): Decimal("0.1"),
        ("second_output", "seconds", "standard", "1080p"): Decimal("0.2"),
        ("page", "pages", "batch", ""): Decimal("0.001"),
        ("video_second_input", "seconds", "standard", "above_8s"): Decimal("0.3"),
        ("search", "searches", "standard", "low"): Decimal("0.005"),
        ("search", "searches", "standard", "high"): Decimal("0.012"),
    }
    assert catalogue.unparsed_keys == {}


def test_of_two_names_of_one_rate_the_newer_wins() -> None:
    catalogue = parsed("m", cache_read_input_token_cost=1, input_cost_per_token_cache_hit=2)
    assert conditions(catalogue) == {("cache_read", "standard", None): Decimal(1)}


def test_a_fast_mode_is_a_tier_of_every_standard_rate_and_other_entries_are_reported() -> None:
    specific = {"fast": 2.0, "us": 1.1, "colour": "red"}
    catalogue = parsed("m", input_cost_per_token=3e-06, provider_specific_entry=specific)
    rows = {
        (row.meter, row.service_tier, row.variant): row.rate_usd_per_unit
        for row in catalogue.prices
    }
    assert rows == {
        ("input", "standard", ""): Decimal("0.000003"),
        ("input", "fast", ""): Decimal("0.000006"),
        ("uplift", "standard", "us"): Decimal("1.1"),
    }
    assert catalogue.unparsed_keys == {"provider_specific_entry.colour": 1}


def test_a_snapshot_has_the_tiers_of_its_alias_where_both_cost_the_same() -> None:
    alias = {
        "litellm_provider": "openai",
        "input_cost_per_token": 2,
        "input_cost_per_token_flex": 1,
    }
    same = {"litellm_provider": "openai", "input_cost_per_token": 2}
    entries = {"m": alias, "m-2026-01-31": same, "m-2025-01-31": same | {"input_cost_per_token": 5}}
    catalogue = parse(json.dumps(entries).encode())
    lent = [row for row in catalogue.prices if row.service_tier == "flex"]
    assert [(row.model, row.catalogue_key) for row in lent] == [("m", "m"), ("m-2026-01-31", "m")]


def test_a_key_completes_what_the_other_key_of_its_model_leaves_out() -> None:
    plain = {"litellm_provider": "vertex_ai", "input_cost_per_token": 1}
    prefixed = plain | {"input_cost_per_token": 2, "regional_endpoint_uplift_multiplier": 1.1}
    catalogue = parse(json.dumps({"m": plain, "vertex_ai/m": prefixed}).encode())
    rows = {(row.meter, row.variant): row.rate_usd_per_unit for row in catalogue.prices}
    assert rows == {("input", ""): Decimal(1), ("uplift", "regional"): Decimal("1.1")}


def test_a_bare_bedrock_claude_costs_more_in_a_region_where_its_geo_ids_do() -> None:
    def entry(rate: float) -> dict[str, object]:
        return {"litellm_provider": "bedrock", "input_cost_per_token": rate}

    entries = {
        "anthropic.claude-new": entry(3e-06),
        "global.anthropic.claude-new": entry(3e-06),
        "us.anthropic.claude-new": entry(3.3e-06),
        "anthropic.claude-old": entry(3e-06),
        "global.anthropic.claude-old": entry(3e-06),
        "us.anthropic.claude-old": entry(3e-06),
    }
    catalogue = parse(json.dumps(entries).encode())
    uplifts = [(row.model, row.variant) for row in catalogue.prices if row.meter == "uplift"]
    assert uplifts == [("anthropic.claude-new", "not_global")]


def test_a_router_has_no_rate_and_the_refusal_says_why() -> None:
    entry = {"litellm_provider": "azure", "input_cost_per_token": 1}
    catalogue = parse(json.dumps({"azure/model-router": entry}).encode())
    assert catalogue.prices == ()
    assert "rule of its own" in catalogue.rejected[0].reason
