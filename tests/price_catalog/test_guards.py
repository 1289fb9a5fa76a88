"""What of a price file is accepted, flagged, held back or refused: by hand, and for any bytes."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from price_catalog.guards import Decision, Judged, Past, decide, in_force, rate_key
from price_catalog.parse import PriceRow, parse

BASE_RATES: dict[str, Any] = {
    "input_cost_per_token": "2.5e-6",
    "output_cost_per_token": "1e-5",
    "cache_read_input_token_cost": "2.5e-7",
}


def price_file(**models: dict[str, Any]) -> bytes:
    """A price file with rates as they are written here, digit by digit."""
    entries = [
        f'"{name}": {{"litellm_provider": "p"'
        + "".join(f', "{key}": {value}' for key, value in entry.items())
        + "}"
        for name, entry in models.items()
    ]
    return ("{" + ", ".join(entries) + "}").encode()


def known(content: bytes, *, used: frozenset[str] = frozenset({"p/m"})) -> Past:
    catalogue = parse(content)
    return Past(
        last_good={rate_key(row): row.rate_usd_per_unit for row in catalogue.prices},
        models=frozenset(f"{row.provider}/{row.model}" for row in catalogue.models),
        used=used,
    )


PAST = known(price_file(m=BASE_RATES))


def after(past: Past = PAST, **changed: Any) -> Decision:
    return decide(price_file(m=BASE_RATES | changed), past=past)


def only(decision: Decision) -> Judged:
    [judged] = decision.judged
    return judged


def input_rate(decision: Decision, past: Past = PAST) -> Decimal | None:
    row = PriceRow("p", "m", "m", "input", "standard", None, Decimal(0))
    return in_force(decision, past=past).get(rate_key(row))


@pytest.mark.parametrize(
    ("stated", "reason"),
    [
        ("2.5e-5", "more than 3 times the last good rate"),
        ("2.5e-12", "less than a third of the last good rate"),
        ("7.500000001e-6", "more than 3 times the last good rate"),
        ("8.3e-7", "less than a third of the last good rate"),
        ("0", "zero on a used model"),
        ("0.0011", "over 1,000 USD per million tokens"),
    ],
)
def test_a_slip_is_held_back_and_the_last_good_rate_stays(stated: str, reason: str) -> None:
    decision = after(input_cost_per_token=stated)
    judged = only(decision)
    assert (judged.row.meter, judged.verdict, judged.reason) == ("input", "quarantine", reason)
    assert judged.old_rate == Decimal("0.0000025")
    assert input_rate(decision) == Decimal("0.0000025")


def test_a_rise_by_a_fifth_and_exactly_three_times_are_taken() -> None:
    for stated in ("3e-6", "7.5e-6"):
        decision = after(input_cost_per_token=stated)
        assert decision.judged == ()
        assert input_rate(decision) == Decimal(stated)


@pytest.mark.parametrize("stated", ["-1", "NaN", "Infinity", '"free"', "true"])
def test_what_is_no_rate_is_rejected_and_the_last_good_one_stays(stated: str) -> None:
    decision = after(input_cost_per_token=stated)
    assert decision.catalogue is not None
    assert [each.price_key for each in decision.catalogue.rejected] == ["input_cost_per_token"]
    assert input_rate(decision) == Decimal("0.0000025")


def test_a_fall_to_zero_on_a_model_that_nobody_uses_is_taken_and_flagged() -> None:
    unused = known(price_file(m=BASE_RATES), used=frozenset())
    decision = after(unused, cache_read_input_token_cost="0")
    assert only(decision).verdict == "flag"


def test_a_price_accepted_by_a_person_is_taken_and_no_longer_asked_about() -> None:
    first = after(input_cost_per_token="2.5e-5")
    past = Past(PAST.last_good, PAST.models, PAST.used, frozenset({only(first).item_id}))
    decision = after(past, input_cost_per_token="2.5e-5")
    assert input_rate(decision, past) == Decimal("0.000025")
    later = Past(in_force(decision, past=past), PAST.models, PAST.used)
    assert after(later, input_cost_per_token="2.5e-5").judged == ()


def test_the_same_step_has_the_same_id_in_every_file_and_another_step_another() -> None:
    ids = {only(after(input_cost_per_token=rate)).item_id for rate in ("2.5e-5", "0.000025")}
    assert len(ids) == 1
    assert only(after(input_cost_per_token="2.6e-5")).item_id not in ids


def test_on_first_sight_only_a_rate_over_the_absolute_limit_is_held_back() -> None:
    nothing = Past()
    dear = decide(
        price_file(m=BASE_RATES | {"output_cost_per_token": "0.0097"}),
        past=nothing,
    )
    assert [(each.row.meter, each.verdict) for each in dear.judged] == [("output", "quarantine")]
    assert len(in_force(dear, past=nothing)) == 2
    inverted = after(nothing, cache_read_input_token_cost="5e-6")
    assert {each.verdict for each in inverted.judged} == {"flag"}


def test_batch_dearer_than_standard_is_held_back_where_it_is_new() -> None:
    with_batch = BASE_RATES | {"input_cost_per_token_batches": "1.25e-6"}
    past = known(price_file(m=with_batch))
    decision = after(past, input_cost_per_token_batches="2.6e-6")
    assert (only(decision).verdict, only(decision).reason) == (
        "quarantine",
        "batch dearer than standard",
    )


def test_a_rate_is_compared_with_what_stays_in_force_beside_it() -> None:
    past = known(
        price_file(m={"input_cost_per_token": "1e-6", "cache_read_input_token_cost": "5e-7"})
    )
    # The input is ten times the last one and held at 1: the cache read at 1.2 would be dearer.
    content = price_file(
        m={"input_cost_per_token": "1e-5", "cache_read_input_token_cost": "1.2e-6"}
    )
    decision = decide(content, past=past)
    assert {each.row.meter: (each.verdict, each.reason) for each in decision.judged} == {
        "input": ("quarantine", "more than 3 times the last good rate"),
        "cache_read": ("quarantine", "a cache read dearer than input"),
    }
    assert in_force(decision, past=past) == past.last_good
    [item] = [each.item_id for each in decision.judged if each.row.meter == "input"]
    accepted = decide(content, past=replace(past, approved=frozenset({item})))
    assert [each.row.meter for each in accepted.judged] == ["input"]


def test_a_yes_to_a_file_holds_for_every_file_that_asks_the_same() -> None:
    names = [f"m{number}" for number in range(40)]
    past = known(
        price_file(**{name: BASE_RATES for name in names}), used=frozenset({"p/m0", "p/m1"})
    )

    def without(*gone: str, past: Past = past, **more: Any) -> Decision:
        kept = {name: BASE_RATES | more for name in names if name not in gone}
        return decide(price_file(**kept), past=past)

    first, later = without("m0"), without("m0", output_cost_per_token="1.1e-5")
    assert first.refused == later.refused == "lacks 1 used model(s): p/m0"
    assert first.item_id == later.item_id
    assert without("m0", "m1").item_id != first.item_id
    approved = replace(past, approved=frozenset({first.item_id}))
    assert without("m0", past=approved, output_cost_per_token="1.2e-5").refused is None
    both = without("m0", "m2", "m3", past=approved)
    assert both.refused == "fell from 40 models to 37; lacks 1 used model(s): p/m0"
    assert decide(b"<html>", past=past).item_id != decide(b"<htm>", past=past).item_id


def test_a_size_that_no_table_holds_refuses_the_file() -> None:
    decision = after(input_cost_per_token_above_99999999999999999999_tokens="1e-6")
    assert decision.refused is not None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
keys = st.sampled_from([*BASE_RATES, "input_cost_per_token_batches", "tiered_pricing", "mode"])
numbers = st.sampled_from(["1e-6", "1e999", "-1", "NaN", "0", "1e-400", "2.5e-5", "9" * 5000, '""'])
mangled = st.one_of(
    st.binary(max_size=200),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(keys, json_values).map(
        lambda entry: json.dumps({"m": {"litellm_provider": "p"} | entry}).encode()
    ),
    st.dictionaries(keys, numbers).map(lambda entry: price_file(m=entry)),
    st.integers(0, 80).map(lambda cut: price_file(m=BASE_RATES)[:cut]),
)


@settings(max_examples=300, deadline=None)
@given(content=mangled)
def test_no_bytes_whatever_raise_or_move_a_used_price_beyond_the_guards(content: bytes) -> None:
    decision = decide(content, past=PAST)
    rates = in_force(decision, past=PAST)
    for key, good in PAST.last_good.items():
        assert good <= rates[key] * 3 and rates[key] <= good * 3
    assert all(rate.is_finite() and rate >= 0 for rate in rates.values())
    if decision.catalogue is None:
        assert rates == PAST.last_good
        assert decision.refused
