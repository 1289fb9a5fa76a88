"""What prices.yaml may say: rules by file and line, ties refused, rates as exact decimals."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from written_config import write_config

from ingestion.config_loader import load_config
from ingestion.config_tables import config_tables
from ingestion.config_yaml import ConfigError

FILES = {
    "entities": """\
entities:
  - {id: acme, type: organisation}
  - {id: team-a, type: team, parent: acme}
""",
    "customers": "customers:\n  - {id: northwind}\n",
    "features": "features:\n  - {id: chat}\n",
    "sources": """\
sources:
  - {id: one, system: litellm, evidence_layer: gateway, base_url_env: A, api_key_env: B}
  - {id: two, system: litellm, evidence_layer: gateway, base_url_env: A, api_key_env: B}
""",
}


def folder(tmp_path: Path, prices: str) -> Path:
    return write_config(tmp_path, FILES | {"prices": prices})


def refusals(tmp_path: Path, prices: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(folder(tmp_path, prices))
    return str(caught.value).splitlines()


def rules(tmp_path: Path, prices: str) -> list[dict[str, Any]]:
    config = load_config(folder(tmp_path, prices))
    tables = config_tables(config, extracted_at=datetime(2026, 11, 1, tzinfo=UTC))
    return tables["price_rules"].to_pylist()


def test_a_discount_is_a_factor_and_a_quote_per_million_is_multiplied(tmp_path: Path) -> None:
    found = rules(
        tmp_path,
        "overrides:\n"
        "  - {id: d, provider: openai, kind: discount, ratio: 0.05}\n"
        "  - {id: f, provider: openai, meters: [input, output], kind: fixed_rate,"
        " usd_per_million: 2.5}\n"
        "selling:\n  - {id: s, customer: northwind, kind: cost_plus, ratio: 0.2}\n",
    )
    assert [(row["rule_id"], row["side"], row["meter"]) for row in found] == [
        ("d", "buy", None),
        ("f", "buy", "input"),
        ("f", "buy", "output"),
        ("s", "sell", None),
    ]
    assert [row["factor_ratio"] for row in found] == [
        Decimal("0.95"),
        None,
        None,
        Decimal("1.2"),
    ]
    # 2.5 per million is 0.0000025 a token.
    assert found[1]["rate_usd_per_unit"] == Decimal("0.0000025")
    assert (found[3]["scope"], found[3]["scope_key"]) == ("customer", "northwind")


def test_a_contract_gives_its_provider_to_its_rules(tmp_path: Path) -> None:
    prices = "contracts:\n  - {id: c, provider: anthropic}\noverrides:\n"
    [row] = rules(tmp_path, f"{prices}  - {{id: d, contract: c, kind: discount, ratio: 0.1}}\n")
    assert (row["scope"], row["scope_key"], row["provider"]) == ("contract", "c", "anthropic")


DISCOUNT = "kind: discount, ratio: 0.1"


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        (
            f"overrides:\n  - {{id: a, {DISCOUNT}}}\n  - {{id: b, {DISCOUNT}}}\n",
            "prices.yaml:3: is as specific as a at the same time: set a priority",
        ),
        (
            "overrides:\n  - {id: a, kind: fixed_rate, usd_per_unit: 1}\n",
            "prices.yaml:2: overrides[0]: meters: a fixed rate needs the meters it is the rate of",
        ),
        (
            "overrides:\n  - {id: a, kind: discount}\n",
            "prices.yaml:2: overrides[0]: kind discount needs ratio",
        ),
        (
            "overrides:\n  - {id: a, kind: discount, ratio: 5}\n",
            "prices.yaml:2: overrides[0]: ratio: a discount is a share of the price, 0.05 for 5 %",
        ),
        (
            f"overrides:\n  - {{id: a, entity: nobody, {DISCOUNT}}}\n",
            "prices.yaml:2: no node of the owner tree is called nobody",
        ),
        (
            f"overrides:\n  - {{id: a, contract: none-such, {DISCOUNT}}}\n",
            "prices.yaml:2: no contract is called none-such",
        ),
        (
            f"overrides:\n  - {{id: a, entity: acme, customer: northwind, {DISCOUNT}}}\n",
            "prices.yaml:2: overrides[0]: say at most one of entity, customer and contract",
        ),
        (
            f"overrides:\n  - {{id: a, model: gpt-4o, {DISCOUNT}}}\n",
            "prices.yaml:2: say whose model it is (provider)",
        ),
        (
            "selling:\n  - {id: a, feature: search, kind: floor, usd: 1}\n",
            "prices.yaml:2: no feature is called search",
        ),
        (
            "overrides:\n  - {id: a, meters: [input, input], kind: discount, ratio: 0.1}\n",
            "prices.yaml:2: overrides[0]: meters: names one twice",
        ),
        (
            "contracts:\n  - {id: c, sources: [three]}\n",
            "prices.yaml:2: no source is called three",
        ),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(tmp_path: Path, prices: str, expected: str) -> None:
    assert refusals(tmp_path, prices) == [expected]


@pytest.mark.parametrize(
    "other",
    [
        f"{{id: b, entity: acme, {DISCOUNT}}}",
        f"{{id: b, provider: openai, {DISCOUNT}}}",
        f"{{id: b, priority: 1, {DISCOUNT}}}",
        f"{{id: b, meters: [input], {DISCOUNT}}}",
        "{id: b, kind: passthrough_reported}",
    ],
)
def test_rules_that_differ_in_what_they_speak_of_are_ranked(tmp_path: Path, other: str) -> None:
    assert len(rules(tmp_path, f"overrides:\n  - {{id: a, {DISCOUNT}}}\n  - {other}\n")) == 2


def test_rules_one_after_the_other_are_no_tie(tmp_path: Path) -> None:
    end, start = 'valid_to_at: "2026-07-01T00:00:00Z"', 'valid_from_at: "2026-07-01T00:00:00Z"'
    prices = f"overrides:\n  - {{id: a, {end}, {DISCOUNT}}}\n  - {{id: b, {start}, {DISCOUNT}}}\n"
    assert [row["rule_id"] for row in rules(tmp_path, prices)] == ["a", "b"]


def test_contracts_over_other_sources_are_no_tie(tmp_path: Path) -> None:
    prices = (
        "contracts:\n  - {id: c, sources: [one]}\n  - {id: d, sources: [two]}\noverrides:\n"
        f"  - {{id: a, contract: c, {DISCOUNT}}}\n  - {{id: b, contract: d, {DISCOUNT}}}\n"
    )
    assert len(rules(tmp_path, prices)) == 2
