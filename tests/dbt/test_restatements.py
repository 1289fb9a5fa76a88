"""Why totals moved: the differences of consecutive snapshots, by reason, sum exactly."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from facts_warehouse import Facts, act

FIRST, SECOND, THIRD = date(2026, 11, 10), date(2026, 11, 11), date(2026, 11, 20)
MODELS = ("int_usage__replaced", "fct_usage", "int_usage__compared", "int_usage__restated")
TOTALS = "select sum(effective_cost_usd), sum(total_tokens), count(*) from marts.core.fct_usage"


def at(day: int) -> datetime:
    return datetime(2026, 11, day, 12)  # noqa: DTZ001


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Facts, list[tuple[Any, ...]]]:
    """Three passes and their totals; the second is interrupted once the facts are built."""
    facts = Facts(tmp_path_factory.mktemp("restated") / "home")
    totals = []
    history = [
        act("same", FIRST, "1"),
        act("repriced", FIRST, "2"),
        act("moved", FIRST, "4"),
        act("corrected", FIRST, "8", model_id=None, provider=None),
        act("redated", FIRST, "16"),
        act("removed", SECOND, "32"),
        act("unpriced", SECOND, None),
        act("told_twice", SECOND, "64"),
    ]
    facts.put(history, as_of=at(12), touched=[FIRST, SECOND])
    facts.build(*MODELS)
    totals += facts.read(TOTALS)

    changed = [
        act("same", FIRST, "1"),
        act("repriced", FIRST, "2.5"),
        act("moved", FIRST, "4", entity_key="team-data"),
        act("corrected", FIRST, "9", row_hash="second"),
        act("redated", SECOND, "16", row_hash="second"),
        act("unpriced", SECOND, None),
        act("late", FIRST, "0.25"),
        act("new", THIRD, "0.125"),
    ]
    facts.put(changed, as_of=at(20), touched=[FIRST, SECOND, THIRD], gone="removed")
    facts.build(*MODELS[:2])
    priced = [*changed[:-3], act("unpriced", SECOND, "3", cost_basis="reported"), *changed[-2:]]
    facts.put(priced, as_of=at(20), touched=[SECOND])
    facts.build(*MODELS, "fct_restatements")
    totals += facts.read(TOTALS)
    return facts, totals


def test_differences_sum_to_the_difference_of_the_snapshots(
    built: tuple[Facts, list[tuple[Any, ...]]],
) -> None:
    facts, totals = built
    sums = "select sum(effective_cost_usd), sum(total_tokens), sum(requests_count)"
    [whole] = facts.read(f"{sums} from marts.trust.fct_restatements")
    [since] = facts.read(f"{sums} from marts.trust.fct_restatements where pass_id > 1")

    # 1 + 2 + 4 + 8 + 16 + 32 + 64, then 1 + 2.5 + 4 + 9 + 16 + 3 + 0.25 + 0.125
    assert [each[0] for each in totals] == [Decimal(127), Decimal("35.875")]
    assert whole == totals[1]
    assert since == tuple(now - before for now, before in zip(totals[1], totals[0], strict=True))


def test_each_difference_says_why(built: tuple[Facts, list[tuple[Any, ...]]]) -> None:
    facts, _ = built
    found = facts.read(
        "select usage_on, entity_key, model_id, reason, effective_cost_usd, total_tokens"
        " from marts.trust.fct_restatements where pass_id = 3"
    )
    gpt = "openai/gpt-4o"
    expected = {
        (FIRST, "team-search", gpt, "price", Decimal("0.5"), 0),
        (FIRST, "team-search", gpt, "attribution", Decimal(-4), -100),
        (FIRST, "team-data", gpt, "attribution", Decimal(4), 100),
        # The redated act left the first day for the second; the corrected one has a model now.
        (FIRST, "team-search", None, "corrected", Decimal(-8), -100),
        (FIRST, "team-search", gpt, "corrected", Decimal(-7), 0),
        (SECOND, "team-search", gpt, "corrected", Decimal(16), 100),
        (FIRST, "team-search", gpt, "late", Decimal("0.25"), 100),
        (SECOND, "team-search", gpt, "removed", Decimal(-32), -100),
        (SECOND, "team-search", gpt, "duplicate", Decimal(-64), -100),
        (SECOND, "team-search", gpt, "config", Decimal(3), 0),
        (THIRD, "team-search", gpt, "new", Decimal("0.125"), 100),
    }
    assert set(found) == expected
    assert len(found) == len(expected)


def test_what_was_compared_is_forgotten(
    built: tuple[Facts, list[tuple[Any, ...]]], tmp_path: Path
) -> None:
    facts, _ = built
    facts.put([act("same", FIRST, "1")], as_of=at(21), touched=[FIRST])
    facts.build("int_usage__replaced")
    kept = facts.read("select pass_id from intermediate.int_usage__replaced group by pass_id")
    assert kept == [(4,)]


def test_a_rate_that_comes_or_goes_is_a_price_and_another_rule_is_the_configuration(
    tmp_path: Path,
) -> None:
    facts = Facts(tmp_path / "home")
    unknown = {"cost_basis": None, "model_id": None, "cost_policy": "reprice"}
    known = {"cost_policy": "reprice"}
    facts.put(
        [
            act("listed", FIRST, None, **unknown),
            act("negotiated", FIRST, None, **unknown, price_rule_id="five-off"),
            act("taken_back", FIRST, "4", **known),
            act("new_rule", FIRST, None, **unknown),
            act("new_policy", FIRST, None, **unknown | {"cost_policy": "trust_reported"}),
            act("renegotiated", FIRST, "32", **known),
        ],
        as_of=at(12),
        touched=[FIRST],
    )
    facts.build(*MODELS)
    changed = [
        act("listed", FIRST, "1", **known),
        act("negotiated", FIRST, "2", **known, cost_basis="contracted", price_rule_id="five-off"),
        act("taken_back", FIRST, None, **unknown),
        act("new_rule", FIRST, "8", **known, cost_basis="contracted", price_rule_id="fixed"),
        act("new_policy", FIRST, "16", **known),
        act("renegotiated", FIRST, "30", **known, cost_basis="contracted"),
    ]
    facts.put(changed, as_of=at(12), touched=[FIRST])
    facts.build(*MODELS)

    reasons = facts.read("select usage_key, reason from intermediate.int_usage__compared")
    assert dict(reasons) == {
        "listed": "price",
        "negotiated": "price",
        "taken_back": "price",
        "new_rule": "config",
        "new_policy": "config",
        "renegotiated": "config",
    }


def test_what_is_charged_and_counted_in_units_is_restated_beside_the_cost(tmp_path: Path) -> None:
    facts = Facts(tmp_path / "home")
    credits_used = {"unit": "credits", "quantity": Decimal(3)}
    facts.put(
        [
            act("sold", FIRST, "1", charged_usd=Decimal(5)),
            act("placed", FIRST, "2", charged_usd=Decimal(4), **credits_used),
            act("estimated", FIRST, None, estimated_cost_usd=Decimal(7), cost_policy="reprice"),
        ],
        as_of=at(12),
        touched=[FIRST],
    )
    facts.build(*MODELS)
    changed = [
        # Sold under other terms at the same cost.
        act("sold", FIRST, "1", charged_usd=Decimal(6)),
        act("placed", FIRST, "2", charged_usd=Decimal(4), **credits_used, entity_key="team-data"),
        act("estimated", FIRST, "8", cost_policy="reprice"),
    ]
    facts.put(changed, as_of=at(12), touched=[FIRST])
    facts.build(*MODELS, "fct_restatements")

    found = facts.read(
        "select entity_key, unit, reason, effective_cost_usd, estimated_cost_usd, charged_usd,"
        " quantity from intermediate.int_usage__restated where pass_id = 2 and reason is not null"
    )
    assert {row[:3]: row[3:] for row in found} == {
        ("team-search", None, "config"): (0, 0, 1, 0),
        ("team-search", None, "price"): (8, -7, 0, 0),
        ("team-search", "credits", "attribution"): (-2, 0, -4, -3),
        ("team-data", "credits", "attribution"): (2, 0, 4, 3),
    }
    assert len(found) == 4
    # Totals of cost, tokens and acts did not move by what is charged.
    reasons = facts.read("select reason from marts.trust.fct_restatements where pass_id = 2")
    assert sorted(reasons) == [("attribution",), ("attribution",), ("price",)]
