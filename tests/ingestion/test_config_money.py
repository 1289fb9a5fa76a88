"""What charges, commitments and exchange rates may not say, by file and line; what they become."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from written_config import write_config

from ingestion.config_loader import Config, load_config
from ingestion.config_tables import config_tables
from ingestion.config_yaml import ConfigError

GOOD = {
    "entities": "entities:\n  - {id: acme, type: organisation}\n"
    "  - {id: team-a, type: team, parent: acme}\n  - {id: team-b, type: team, parent: acme}\n",
    "sources": "sources: [{id: bill, system: openai_bill, admin_key_env: A}]\n",
}
PAID = "provider: tool, amount: 5, period: month, valid_from_on: 2026-01-01"
TERM = "provider: tool, amount: 100, valid_from_on: 2026-01-01, valid_to_on: 2027-01-01"


def charge(text: str) -> dict[str, str]:
    return {"charges": f"charges:\n  - {{id: c, {text}}}\n"}


def commitment(*texts: str) -> dict[str, str]:
    items = [f"  - {{id: {name}, {text}}}\n" for name, text in zip("mn", texts, strict=False)]
    return {"charges": "commitments:\n" + "".join(items)}


def rates(*texts: str) -> dict[str, str]:
    return {"fx": "fx_rates:\n" + "".join(f"  - {{currency: EUR, {text}}}\n" for text in texts)}


def loaded(tmp_path: Path, files: dict[str, str]) -> Config:
    return load_config(write_config(tmp_path, GOOD | files))


def rows(tmp_path: Path, files: dict[str, str], table: str, *columns: str) -> list[tuple[Any, ...]]:
    config = loaded(tmp_path, files)
    found = config_tables(config, extracted_at=datetime(2026, 11, 1, tzinfo=UTC))[table]
    return [tuple(row.values()) for row in found.select(list(columns)).to_pylist()]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (charge(f"kind: seats, count: 3, {PAID}"), "count and unit_amount go together"),
        (charge(f"kind: seats, unit_amount: 3, {PAID}"), "say either amount, or count and"),
        (charge(f"kind: prepaid_purchase, {PAID}"), "a prepaid purchase is made once"),
        (charge(f"kind: seats, {PAID}, currency: euro"), "String should match pattern"),
        (charge(f"kind: seats, {PAID}, amount: 0"), "duplicate key: amount"),
        (charge(f"kind: seats, {PAID}, valid_to_on: 2026-01-01"), "must be before valid_to_on"),
        (charge(f"kind: seats, {PAID}, allocation: fixed_shares"), "shares belong to allocation"),
        (
            charge(
                f"kind: seats, {PAID}, allocation: fixed_shares, shares: "
                "[{entity: team-a, share: 0.3}, {entity: team-b, share: 0.6}]"
            ),
            "shares: they must sum to exactly 1",
        ),
        (
            charge(
                f"kind: seats, {PAID}, allocation: fixed_shares, shares: "
                "[{entity: team-a, share: 0.4}, {entity: team-z, share: 0.6}]"
            ),
            "charges.yaml:2: no node of the owner tree is called team-z",
        ),
        (
            charge(f"kind: seats, {PAID}, entity: customers"),
            "charges.yaml:2: no node of the owner tree is called customers",
        ),
        (
            charge(f"kind: seats, {PAID}, bill_line: Seats"),
            "charges.yaml:2: no source owns the bill of tool",
        ),
        (
            charge(f"kind: seats, {PAID}") | {"fx": "rates: []\n"},
            "fx.yaml:1: unknown section rates; known: fx_rates",
        ),
        (
            commitment(f"kind: min_spend, {TERM}", f"kind: drawdown, {TERM}"),
            "charges.yaml:3: m is a commitment to tool at the same time",
        ),
        (
            {
                "charges": "charges:\n  - {id: c, kind: prepaid_purchase, provider: tool,"
                " amount: 1, period: once, valid_from_on: 2026-05-01}\n"
                f"commitments:\n  - {{id: c, kind: min_spend, {TERM}}}\n"
            },
            "charges.yaml:4: charge c is declared twice (first: charges.yaml:2)",
        ),
        (
            commitment(f"kind: min_spend, {TERM}, period: quarter".replace("2027-01", "2026-12")),
            "valid_to_on: the last quarter would be cut",
        ),
        (
            commitment(f"kind: min_spend, {TERM}, overage_ratio: 0.1"),
            "overage_ratio belongs to kind: drawdown",
        ),
        (
            rates(
                "valid_from_on: 2026-01-01, valid_to_on: 2026-03-01, usd_per_unit: 1.08",
                "valid_from_on: 2026-02-01, usd_per_unit: 1.10",
            ),
            "fx.yaml:3: EUR has a rate on 2026-02-01 already",
        ),
        (rates("valid_from_on: 2026-01-01, usd_per_unit: 0"), "greater than 0"),
        ({"fx": "fx_rates: [{currency: USD, valid_from_on: 2026-01-01, usd_per_unit: 1}]\n"},
         "a dollar is a dollar"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_with_words(
    tmp_path: Path, files: dict[str, str], expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, files)
    assert expected in str(caught.value)


def test_a_rate_left_open_ends_where_the_next_of_its_currency_begins(tmp_path: Path) -> None:
    files = {
        "fx": "fx_rates:\n"
        "  - {currency: GBP, valid_from_on: 2026-02-01, usd_per_unit: 1.3}\n"
        "  - {currency: EUR, valid_from_on: 2026-03-01, usd_per_unit: 1.1}\n"
        "  - {currency: EUR, valid_from_on: 2026-01-01, usd_per_unit: 1.08}\n"
    }
    columns = ("currency_code", "usd_per_unit", "valid_from_on", "valid_to_on")
    assert rows(tmp_path, files, "fx_rates", *columns) == [
        ("EUR", Decimal("1.08"), date(2026, 1, 1), date(2026, 3, 1)),
        ("EUR", Decimal("1.1"), date(2026, 3, 1), None),
        ("GBP", Decimal("1.3"), date(2026, 2, 1), None),
    ]


def test_a_commitment_is_a_row_a_term(tmp_path: Path) -> None:
    files = commitment(f"kind: min_spend, {TERM}, period: quarter")
    found = rows(tmp_path, files, "commitments", "valid_from_on", "valid_to_on", "term_amount")
    starts = [date(2026, 1, 1), date(2026, 4, 1), date(2026, 7, 1), date(2026, 10, 1)]
    assert found == [
        (start, end, Decimal("100"))
        for start, end in zip(starts, [*starts[1:], date(2027, 1, 1)], strict=True)
    ]


def test_seats_are_multiplied_and_belong_to_the_root_unless_said(tmp_path: Path) -> None:
    seats = "kind: seats, provider: tool, count: 25, unit_amount: 30.00, period: month"
    files = charge(f"{seats}, valid_from_on: 2026-01-01")
    found = rows(tmp_path, files, "charges", "period_amount", "entity_key", "currency_code")
    assert found == [(Decimal("750"), "acme", "USD")]


def test_a_charge_prices_nothing_anew(tmp_path: Path) -> None:
    before = loaded(tmp_path, {}).versions
    after = loaded(tmp_path, charge(f"kind: seats, {PAID}")).versions
    assert after.config_version != before.config_version
    assert (after.pricing_version, after.attribution_version) == (
        before.pricing_version,
        before.attribution_version,
    )
