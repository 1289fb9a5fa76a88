"""OpenRouter's list of models becomes the same flat rows as the base's; what is refused is told."""

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from price_catalog.cost import Usage, cost
from price_catalog.guards import Past, decide
from price_catalog.openrouter_models import parse_models
from price_catalog.parse import PriceFileError
from price_catalog.rows import ParsedCatalogue, RejectedRate

FIXTURE = Path(__file__).parents[1] / "fixtures" / "price_catalog" / "openrouter_models.json"
LISTED = parse_models(FIXTURE.read_bytes())
CLAUDE = "anthropic/claude-sonnet-4.5"
GLM = "z-ai/glm-5-turbo"
KIMI = "moonshotai/kimi-k2-0905"


def one(**pricing: object) -> ParsedCatalogue:
    stated = {"prompt": "0.000001", "completion": "0.000002"} | pricing
    return parse_models(json.dumps({"data": [{"id": "a/b", "pricing": stated}]}).encode())


def total(slug: str, usage: Usage, *, clock: str = "12:00") -> Decimal | None:
    hour, minute = clock.split(":")
    lines = cost(
        usage,
        provider="openrouter",
        rates=[row for row in LISTED.prices if row.model == slug],
        service_tier=None,
        occurred_at=datetime(2026, 11, 22, int(hour), int(minute)),  # noqa: DTZ001 (naive UTC)
    )
    return lines.total_usd


def test_rates_are_strings_in_usd_per_token_and_a_zero_fee_is_none() -> None:
    rates = {row.meter: row.rate_usd_per_unit for row in LISTED.prices if row.model == KIMI}
    assert rates == {"input": Decimal("0.00000039"), "output": Decimal("0.0000019")}
    # Reasoning of no price of its own costs output: 0.39 + 1.90.
    assert total(KIMI, Usage(input=1_000_000, reasoning=1_000_000)) == Decimal("2.29")
    assert total("qwen/qwen3-coder:free", Usage(input=5, output=5)) == 0


def test_an_override_prices_the_whole_request_strictly_above_its_prompt_tokens() -> None:
    # 200,000 at 3 and 1,000 at 15 per million; one token more: 200,001 at 6 and 1,000 at 22.5
    assert total(CLAUDE, Usage(input=200_000, output=1_000)) == Decimal("0.615")
    assert total(CLAUDE, Usage(input=200_001, output=1_000)) == Decimal("1.222506")
    # A price key that the override leaves out keeps its base price: an hour of cache costs 6.
    long = Usage(input=200_000, cache_write_1h=100_000)
    assert total(CLAUDE, long) == Decimal("1.8")


@pytest.mark.parametrize(
    ("clock", "input_tokens", "expected"),
    [
        # 10,000 at 0.6 (22:30 to 01:00) or 1.2, and 1,000 at 4
        ("22:29", 10_000, "0.016"),
        ("22:30", 10_000, "0.010"),
        ("00:59", 10_000, "0.010"),
        ("01:00", 10_000, "0.016"),
        # 40,000 at 2.4, the later override, also at night; 1,000 at 4, at night 2
        ("12:00", 40_000, "0.100"),
        ("23:00", 40_000, "0.098"),
    ],
)
def test_of_overrides_that_hold_the_later_one_wins_for_each_key(
    clock: str, input_tokens: int, expected: str
) -> None:
    usage = Usage(input=input_tokens, output=1_000)
    assert total(GLM, usage, clock=clock) == Decimal(expected)


def test_a_variable_price_is_no_price_and_the_model_stays_listed() -> None:
    [auto] = LISTED.rejected
    assert (auto.catalogue_key, auto.price_key) == ("openrouter/auto", "prompt")
    assert auto.reason.startswith("a variable price (-1)")
    assert "openrouter/auto" in {row.model for row in LISTED.models}
    assert "openrouter/auto" not in {row.model for row in LISTED.prices}


def test_what_is_told_per_image_and_listed_per_token_is_reported_and_not_taken() -> None:
    assert LISTED.unparsed_keys == {"image": 1}
    assert one(image="0", per_dream="0.1").unparsed_keys == {"per_dream": 1}


@pytest.mark.parametrize(
    ("pricing", "price_key", "reason"),
    [
        ({"prompt": 0.000001}, "prompt", "not a string of digits"),
        ({"completion": "cheap"}, "completion", "not a number"),
        ({"completion": "NaN"}, "completion", "not a number"),
        ({"completion": "-2"}, "completion", "negative"),
        ({"prompt": None}, "prompt", "missing"),
        ({"discount": 0.1}, "discount", "a discount that the rates may or may not contain"),
        ({"overrides": {}}, "overrides", "not a list"),
        (
            {"overrides": [{"utc_days": [6], "prompt": "0"}]},
            "overrides[0].utc_days",
            "a condition that is not understood",
        ),
        (
            {"overrides": [{"min_prompt_tokens": "many", "prompt": "0"}]},
            "overrides[0].min_prompt_tokens",
            "not a number of tokens",
        ),
        (
            {"overrides": [{"utc_start": 1075, "utc_end": 1200, "prompt": "0"}]},
            "overrides[0].utc_start",
            "no hours of a day",
        ),
    ],
)
def test_an_entry_of_which_a_part_is_wrong_has_no_price(
    pricing: dict[str, object], price_key: str, reason: str
) -> None:
    catalogue = one(**pricing)
    assert catalogue.prices == ()
    assert catalogue.rejected == (RejectedRate("a/b", price_key, reason),)


def test_entries_without_a_name_or_named_twice_are_told() -> None:
    entry = {"id": "a/b", "pricing": {"prompt": "0.000001", "completion": "0.000002"}}
    catalogue = parse_models(json.dumps({"data": [entry, 1, {}, entry]}).encode())
    assert [(each.catalogue_key, each.price_key) for each in catalogue.rejected] == [
        ("data[1]", None),
        ("data[2]", None),
        ("a/b", None),
    ]
    assert [(row.meter, row.rate_usd_per_unit) for row in catalogue.prices] == [
        ("input", Decimal("0.000001")),
        ("output", Decimal("0.000002")),
    ]


PAGE = FIXTURE.read_bytes().replace(b'"next": null', b'"next": "/api/v1/models?offset=5"')
NO_LISTS = [b"", b"<html>", b"[]", b'{"error": 1}', b'{"data": []}', PAGE]


@pytest.mark.parametrize("body", NO_LISTS)
def test_what_is_no_list_of_models_is_refused(body: bytes) -> None:
    with pytest.raises(PriceFileError):
        parse_models(body)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(["prompt", "image", "overrides", "discount", "utc_start", "utc_end"])


@given(st.dictionaries(KEYS | st.text(), JSON_VALUES | st.sampled_from(["sNaN", "1e9999999"])))
def test_no_list_whatever_breaks_the_guards(pricing: dict[str, object]) -> None:
    pricing = {"prompt": "0.1", "completion": "0.1", "overrides": [pricing]} | pricing
    body = json.dumps({"data": [{"id": "a/b", "pricing": pricing}]}).encode()
    decision = decide(body, past=Past(), read=parse_models)
    for row in decision.catalogue.prices if decision.catalogue else ():
        assert 0 <= row.rate_usd_per_unit < 1000
