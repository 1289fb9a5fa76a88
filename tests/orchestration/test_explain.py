"""`meterhouse explain` over hand-made marts: figures of pricing.md, worked by hand."""

import json
import re
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from contract_marts import publish

from orchestration.cli import main
from orchestration.cli.explain_queries import KINDS
from orchestration.cli.explained import _TIERS

ROOT = Path(__file__).resolve().parents[2]
AT = datetime(2026, 11, 22, 12)  # noqa: DTZ001 (the marts hold naive UTC)
EVER = datetime(1970, 1, 1)  # noqa: DTZ001
# 816 uncached, 1,024 cached, 320 out at 5 / 0.50 / 25 a million: 0.00408 + 0.000512 + 0.008.
RATES = {"input": "0.000005", "cache_read": "0.0000005", "output": "0.000025"}


def act(key: str, **given: Any) -> dict[str, Any]:
    """An act of 0.012592 at list, 5 % off, sold with 20 % on top."""
    tokens = {"input": 816, "cache_read": 1024, "output": 320}
    lists = {kind: Decimal(RATES[kind]) * tokens[kind] for kind in tokens}
    return {
        "usage_key": key,
        "source_instance": "proxy",
        "occurred_at": AT,
        "usage_on": AT.date(),
        "provider": "openai",
        "model_served": "gpt-x",
        "model_id": "openai/gpt-x",
        "entity_key": "search",
        "customer_key": "northwind",
        "price_status": "priced",
        "cost_basis": "contracted",
        "cost_policy": "reprice",
        "price_version_key": "v1",
        "price_rule_id": "five-off",
        "sell_rule_id": "resale",
        "reported_cost_usd": Decimal("0.02"),
        "total_input_tokens": 1840,
        **{f"{kind}_tokens": tokens.get(kind, 0) for kind in KINDS},
        **{f"list_{kind}_cost_usd": lists.get(kind, Decimal(0)) for kind in KINDS},
        "list_cost_usd": Decimal("0.012592"),
        "contracted_cost_usd": Decimal("0.0119624"),
        "effective_cost_usd": Decimal("0.0119624"),
        "charged_usd": Decimal("0.01435488"),
        "margin_usd": Decimal("0.00239248"),
        "load_id": "1795.5",
        "pass_id": 3,
        **given,
    }


def unpriced(key: str) -> dict[str, Any]:
    """An act of a model that nobody knows."""
    money = ("contracted_cost_usd", "effective_cost_usd", "charged_usd", "margin_usd")
    return act(
        key,
        model_served="gpt-unheard",
        model_id=None,
        price_status="unmatched_model",
        price_version_key=None,
        price_rule_id=None,
        sell_rule_id=None,
        reported_cost_usd=None,
        estimated_cost_usd=Decimal("0.05"),
        **dict.fromkeys((*money, "list_cost_usd", *(f"list_{k}_cost_usd" for k in KINDS))),
    )


def credits(key: str) -> dict[str, Any]:
    """An act of 1.5 credits at 2.20: 3.30."""
    none = {f"{kind}_tokens": 0 for kind in KINDS}
    lists = {f"list_{kind}_cost_usd": Decimal(0) for kind in KINDS}
    amounts = {"list_cost_usd": Decimal("3.3"), "list_unit_cost_usd": Decimal("3.3")}
    unit = {"unit": "credits", "quantity": Decimal("1.5"), "unit_rate_key": "u1"}
    return act(key, **none, **lists, **amounts, **unit)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    band = {"more_than_input_tokens": -1, "week_minute_from": 0, "week_minute_to": 10080}
    rate = {
        "provider": "openai",
        "canonical_provider": "openai",
        "region": "",
        "service_tier": "standard",
        "valid_from_at": EVER,
        **band,
    }
    place = {
        "entity_key": "search",
        "customer_key": "northwind",
        "provider": "openai",
        "model_id": "openai/gpt-x",
    }
    moved = place | {"usage_on": AT.date(), "source_instance": "proxy"}
    known = {f"{kind}_usd_per_unit": Decimal(value) for kind, value in RATES.items()}
    publish(
        folder / "marts.duckdb",
        {
            "core.fct_usage": [
                act("aaa1"),
                act("aab2", effective_cost_usd=Decimal("0.02"), cost_basis="reported",
                    price_status="reported", cost_policy="trust_reported"),
                act("bad3", list_output_cost_usd=Decimal("0.009")),
                act("eee6", effective_cost_usd=Decimal("0.02"), cost_basis="reported",
                    price_status="reported", price_rule_id="as-told"),
                act("fff7", price_rule_id="on-top five-off"),
                unpriced("ccc4"),
                credits("ddd5"),
            ],
            "core.dim_rates": [
                rate | known | {"model_name": "gpt-x", "model_id": "openai/gpt-x",
                                "price_version_key": "v1", "matched_by": "alias",
                                "is_fallback_cache_read": True},
                rate | {"model_name": "gpt-unheard", "matched_by": "none",
                        "estimate_input_usd_per_unit": Decimal("0.00001"),
                        "estimate_output_usd_per_unit": Decimal("0.0001")},
            ],
            "core.dim_prices": [
                {"price_version_key": "v1", "service_tier": "standard", "snapshot_id": "sha-1"}
            ],
            "core.dim_unit_rates": [
                {"unit_rate_key": "u1", "unit": "credits", "rate_origin": "contract",
                 "rate_usd_per_unit": Decimal("2.2")}
            ],
            "core.dim_price_rules": [
                {"rule_id": "five-off", "side": "buy", "rule_kind": "discount",
                 "factor_ratio": Decimal("0.95")},
                {"rule_id": "on-top", "side": "buy", "rule_kind": "discount",
                 "factor_ratio": Decimal("0.9"), "is_on_previous": True},
                {"rule_id": "as-told", "side": "buy", "rule_kind": "passthrough_reported"},
                {"rule_id": "resale", "side": "sell", "rule_kind": "cost_plus",
                 "factor_ratio": Decimal("1.2")},
            ],
            "core.dim_entities": [{"entity_key": "search", "entity_path": "acme / search"}],
            "core.dim_customers": [
                {"customer_key": "northwind", "customer_path": "customers / northwind"}
            ],
            "trust.fct_duplicate_usage": [
                {"usage_key": "shadow", "duplicate_of_usage_key": "aaa1", "covered_by": "proxy",
                 "source_instance": "tracer", "matched_by": "request id",
                 "carrier_source_instance": "proxy", "carried_because": "coverage rule"}
            ],
            "trust.fct_restatements": [
                moved | {"pass_id": 1, "reason": "new", "effective_cost_usd": Decimal("0.02")},
                moved | {"pass_id": 3, "reason": "price", "effective_cost_usd": Decimal("-0.01")},
                moved | {"pass_id": 3, "reason": "late", "entity_key": "sales"},
            ],
            "spend.fct_corrections": [
                place | {"corrected_period": "2026-11", "period": "2026-12", "reason": "price",
                         "effective_cost_usd": Decimal("-0.01")},
                place | {"corrected_period": "2026-10", "period": "2026-12", "reason": "late"},
            ],
            "trust.fct_unpriced_usage": [
                {"usage_on": date(2026, 11, 22), "source_instance": "proxy", "provider": "openai",
                 "model_name": "gpt-unheard", "price_status": "unmatched_model",
                 "likely_reason": "map it under model_aliases",
                 "suggested_config": "- {provider: openai}"}
            ],
        },
    )  # fmt: skip
    return folder


def explain(home: Path, *arguments: str) -> Result:
    runner = CliRunner(env={"METERHOUSE_HOME": str(home)})
    return runner.invoke(main, ["explain", *arguments])


def test_a_dollar_is_explained_line_by_line(home: Path) -> None:
    said = explain(home, "aaa1")
    assert said.exit_code == 0
    lines = [" ".join(line.split()) for line in said.output.splitlines()]
    for line in (
        "input_tokens 816 x 0.000005 = 0.00408",
        "cache_read_tokens 1,024 x 0.0000005 = 0.000512; another rate stands in for one not stated",
        "output_tokens 320 x 0.000025 = 0.008",
        "list_cost_usd 0.012592",
        "contracted_cost_usd 0.0119624",
        "charged_usd 0.01435488",
        "margin_usd 0.00239248",
        "name openai/gpt-x -> openai/gpt-x",
        "matched_by alias",
        "owner acme / search",
        "snapshot_id sha-1",
        "rule_id five-off, side buy, rule_kind discount, factor_ratio 0.95",
        "rule_id resale, side sell, rule_kind cost_plus, factor_ratio 1.2",
        "claim not taken: cost_policy of proxy is reprice (sources.yaml)",
        "usage_key shadow, source_instance tracer, matched_by request id,"
        " carried_because coverage rule",
    ):
        assert line in lines


def test_the_lines_sum_to_the_list_cost_exactly(home: Path) -> None:
    said = json.loads(explain(home, "aaa1", "--json").output)
    costs = [Decimal(line["cost_usd"]) for line in said["lines"]]
    assert sum(costs) == Decimal(said["cost"]["list_cost_usd"]) == Decimal("0.012592")
    for line in said["lines"]:
        assert line["quantity"] * Decimal(line["rate_usd"]) == Decimal(line["cost_usd"])
        assert line["adds_up"] is True


def test_a_unit_that_is_no_token_shows_its_own_rate(home: Path) -> None:
    lines = [" ".join(line.split()) for line in explain(home, "ddd5").output.splitlines()]
    assert "credits 1.5 x 2.2 = 3.3" in lines
    assert "rate_origin contract" in lines


def test_a_claim_that_is_taken_says_why(home: Path) -> None:
    said = json.loads(explain(home, "aab", "--json").output)
    assert said["cost"]["effective_cost_usd"] == "0.02"
    assert said["cost"]["claim"] == "taken: proxy is trusted (cost_policy trust_reported)"


def test_a_claim_that_a_rule_passes_through_names_the_rule(home: Path) -> None:
    said = json.loads(explain(home, "eee6", "--json").output)
    assert said["cost"]["claim"] == "taken: rule as-told passes it through (prices.yaml)"


def test_rules_that_stand_on_each_other_are_shown_from_the_top_down(home: Path) -> None:
    said = json.loads(explain(home, "fff7", "--json").output)
    assert [rule["rule_id"] for rule in said["bought_by"]] == ["on-top", "five-off"]


def test_what_moved_after_it_was_counted_is_told_with_its_reason(home: Path) -> None:
    lines = [" ".join(line.split()) for line in explain(home, "aaa1").output.splitlines()]
    restated = lines.index("Restated, with the acts of its day, owner, customer, source and model")
    assert lines[restated + 1 : restated + 3] == [
        "pass_id 3, reason price, effective_cost_usd -0.01",
        "",
    ]
    corrected = lines.index("Corrected after its month closed, with those of its month and place")
    assert lines[corrected + 1 : corrected + 3] == [
        "corrected_period 2026-11, period 2026-12, reason price, effective_cost_usd -0.01",
        "",
    ]
    assert "Restated" not in explain(home, "ccc4").output


def test_service_tiers_are_priced_as_the_models_price_them() -> None:
    macro = (ROOT / "dbt_project" / "macros" / "price_tier.sql").read_text(encoding="utf-8")
    body = macro.split("macro price_tier(")[1].split("endmacro")[0]
    cases = re.findall(r"when '(\w+)' then '(\w+)'", body)
    assert len(cases) == body.count("when ")
    assert dict(cases) == _TIERS
    assert re.findall(r"else '(\w+)'", body) == ["standard"]


def test_a_line_that_does_not_multiply_out_is_pointed_at(home: Path) -> None:
    assert "0.009; DOES NOT MULTIPLY OUT" in explain(home, "bad3").output


def test_no_price_has_a_reason_an_estimate_and_a_remedy(home: Path) -> None:
    said = json.loads(explain(home, "ccc4", "--json").output)
    assert said["cost"]["effective_cost_usd"] == "unknown"
    assert said["unpriced"]["reason"] == "unmatched_model"
    assert said["unpriced"]["likely_reason"] == "map it under model_aliases"
    assert said["unpriced"]["suggested_config"] == "- {provider: openai}"
    assert Decimal(said["unpriced"]["estimated_cost_usd"]) == Decimal("0.05")
    assert said["lines"] == []


def test_what_another_source_meters_names_the_act_that_carries_it(home: Path) -> None:
    said = json.loads(explain(home, "shadow", "--json").output)
    assert said["provenance"]["duplicate_of_usage_key"] == "aaa1"
    assert said["cost"]["effective_cost_usd"] == "none here: proxy carries it (coverage rule)"


@pytest.mark.parametrize(
    ("key", "problem"), [("aa", "several keys"), ("zzz", "no act has a key that begins with 'zzz'")]
)
def test_a_key_that_is_not_one_acts_is_refused(home: Path, key: str, problem: str) -> None:
    said = explain(home, key)
    assert said.exit_code == 2
    assert problem in said.stderr


def test_before_the_first_pass_there_is_nothing_to_explain(tmp_path: Path) -> None:
    said = explain(tmp_path, "aaa1")
    assert said.exit_code == 2
    assert "meterhouse run" in said.stderr
