"""The configuration as rows: one load a version, none for an unchanged one."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pyarrow as pa
import pytest
from dlt.extract import DltResource
from written_config import write_config

from ingestion.config_loader import Config, load_config
from ingestion.config_tables import TABLES, config_source, config_tables
from ingestion.pipeline import pipeline_for, run_source, warehouse_path

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
FILES = {
    "entities": """\
entities:
  - {id: acme, type: organisation, cost_center: CC-1, aliases: [Acme Inc],
     owner: {name: FinOps, email: f@acme.example, channel: finops}}
  - id: team-a
    type: team
    name: A
    parent: acme
    owners:
      - {name: Ada, valid_to_at: 2026-11-02T00:00:00Z}
      - {name: Bob, valid_from_at: 2026-11-02T00:00:00Z}
  - {id: team-b, type: team, parent: acme}
  - id: hedy
    type: user
    email: Hedy@acme.example
    parents:
      - {parent: team-a, valid_to_at: 2026-11-02T01:00:00+01:00}
      - {parent: team-b, valid_from_at: 2026-11-02T00:00:00Z}
""",
    "webhooks": """\
endpoints:
  - {id: finops, url_env: A, secret_env: B, events: ["*"]}
""",
    "sources": """\
sources:
  - {id: one, system: litellm, evidence_layer: gateway, base_url_env: A, api_key_env: B,
     entity_from: [raw_team]}
""",
    "identities": """\
identities:
  - {field: raw_team, match: same_id, prefix: team-}
  - {source: one, field: raw_team, value: [x, y], target: team-a}
  - {field: raw_team, pattern: "b-.*", target: team-b}
""",
    "budgets": """\
budgets:
  - {id: b, entity: team-a, period: month, amount: 100.10, mode: hard, actions: [block],
     thresholds: {info: 0.5, critical: 1}}
  - {id: later, enabled: false, entity: team-b, period: month, amount: 1}
""",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.mkdir()
    return write_config(path, FILES)


def rows(folder: Path, table: str, *columns: str) -> list[tuple[Any, ...]]:
    found = config_tables(load_config(folder), extracted_at=AT)[table].select(list(columns))
    return [tuple(row.values()) for row in found.to_pylist()]


def test_nodes_carry_who_answers_for_them(folder: Path) -> None:
    found = rows(folder, "entities", "entity_key", "tree", "entity_type", "entity_name", "email")
    assert found[:4] == [
        ("acme", "owner", "organisation", "acme", None),
        ("team-a", "owner", "team", "A", None),
        ("team-b", "owner", "team", "team-b", None),
        ("hedy", "owner", "user", "hedy", "hedy@acme.example"),
    ]
    columns = ("entity_key", "owner_name", "owner_email", "owner_channel", "valid_from_at")
    assert rows(folder, "entity_owners", *columns) == [
        ("acme", "FinOps", "f@acme.example", "finops", None),
        ("team-a", "Ada", None, None, None),
        ("team-a", "Bob", None, None, datetime(2026, 11, 2, tzinfo=UTC)),
    ]
    assert rows(folder, "entity_cost_centers", "entity_key", "cost_center") == [("acme", "CC-1")]
    assert rows(folder, "entity_aliases", "entity_key", "alias") == [("acme", "Acme Inc")]
    assert [row[0] for row in found[4:]] == [
        "acme-unattributed",
        "customers",
        "customers-internal",
        "customers-unattributed",
    ]


def test_a_move_is_two_half_open_ranges_in_utc(folder: Path) -> None:
    move = datetime(2026, 11, 2, tzinfo=UTC)
    found = rows(
        folder, "entity_parents", "entity_key", "parent_key", "valid_from_at", "valid_to_at"
    )
    assert [row for row in found if row[0] == "hedy"] == [
        ("hedy", "team-a", None, move),
        ("hedy", "team-b", move, None),
    ]


def test_rules_are_numbered_as_written_one_a_value(folder: Path) -> None:
    columns = ("rule_number", "source_instance", "match_kind", "match_value", "target_key")
    assert rows(folder, "identities", *columns) == [
        (1, "*", "same_id", "team-", None),
        (2, "one", "value", "x", "team-a"),
        (3, "one", "value", "y", "team-a"),
        (4, "*", "pattern", "b-.*", "team-b"),
    ]


def test_levels_stay_as_written_and_disabled_budgets_are_left_out(folder: Path) -> None:
    columns = ("budget_id", "amount", "unit", "threshold_kind")
    columns += ("info_level", "warning_level", "critical_level", "action")
    assert rows(folder, "budgets", *columns) == [
        ("b", Decimal("100.10"), "usd", "share", Decimal("0.5"), None, Decimal(1), "block")
    ]


def test_what_a_budget_counts_is_written_for_sql(folder: Path) -> None:
    (folder / "budgets.yaml").write_text(
        """budgets:
  - id: b
    entity: team-a
    measure: quantity
    unit: credits
    period: rolling
    length: 36h
    amount: 5
    filter: {model: [openai/o3, x/y], tag: env=prod}
    increases: [{amount: 2, valid_to_at: 2026-12-01T00:00:00Z}]
    thresholds: {info: 0.8}
    hysteresis: 0.05
    renotify_after: 2d
""",
        encoding="utf-8",
    )
    columns = ("measure", "unit", "model_filter", "source_filter", "tag_filter")
    columns += ("rolling_minutes", "hysteresis_ratio", "renotify_minutes", "info_level")
    assert rows(folder, "budgets", *columns) == [
        (
            *("quantity", "credits", "|openai/o3|x/y|", None, "|env=prod|"),
            *(36 * 60, Decimal("0.05"), 2 * 24 * 60, Decimal("0.8")),
        )
    ]
    assert rows(folder, "budget_tags", "tag_key", "tag_value") == [("env", "prod")]
    assert rows(folder, "budget_increases", "budget_id", "amount") == [("b", Decimal(2))]


ALERT = """alerts:
  - {id: a, kind: burn_rate, entity: team-a, thresholds: {info: 8}, hysteresis: 0.05,
     renotify_after: 6h}
"""


def test_what_an_alert_says_of_coming_back_and_reminding_is_a_row(folder: Path) -> None:
    (folder / "alerts.yaml").write_text(ALERT, encoding="utf-8")
    columns = ("hysteresis_ratio", "renotify_minutes", "is_paused")
    assert rows(folder, "alerts", *columns) == [(Decimal("0.05"), 360, False)]


def test_a_tag_that_a_budget_asks_for_is_told_apart_in_history_too(folder: Path) -> None:
    before = load_config(folder).versions
    asked = FILES["budgets"].replace("mode: hard", "filter: {tag: env=prod}, mode: hard")
    (folder / "budgets.yaml").write_text(asked, encoding="utf-8")
    after = load_config(folder).versions
    assert before.attribution_version != after.attribution_version
    assert before.pricing_version == after.pricing_version


def test_another_amount_is_another_budget_version(folder: Path) -> None:
    before = rows(folder, "budgets", "budget_version")
    (folder / "entities.yaml").write_text(FILES["entities"].replace("name: A", "name: Alpha"))
    assert rows(folder, "budgets", "budget_version") == before
    (folder / "budgets.yaml").write_text(FILES["budgets"].replace("100.10", "100.11"))
    assert rows(folder, "budgets", "budget_version") != before


def test_a_bill_owns_its_provider_unless_it_says_otherwise(folder: Path) -> None:
    bills = """\
  - {id: mine, system: openai_bill, admin_key_env: A}
  - {id: spare, system: openai_bill, admin_key_env: B, owns: []}
  - {id: a, system: anthropic_bill, admin_key_env: A, owns: [anthropic]}
"""
    (folder / "sources.yaml").write_text(FILES["sources"] + bills, encoding="utf-8")
    assert rows(folder, "owned_providers", "source_instance", "provider") == [
        ("mine", "openai"),
        ("a", "anthropic"),
    ]
    assert rows(folder, "sources", "evidence_layer")[1:] == [("invoice",)] * 3


def test_the_order_of_evidence_is_as_declared_then_the_layers_left(folder: Path) -> None:
    assert rows(folder, "evidence_order", "name") == [
        ("gateway",),
        ("provider_log",),
        ("observability",),
        ("saas",),
    ]
    (source,) = rows(folder, "sources", "source_instance")[0]
    declared = FILES["sources"] + f"evidence_order: [{source}, observability]\n"
    (folder / "sources.yaml").write_text(declared, encoding="utf-8")
    assert rows(folder, "evidence_order", "position", "name") == [
        (0, source),
        (1, "observability"),
        (2, "gateway"),
        (3, "provider_log"),
        (4, "saas"),
    ]


def load(folder: Path, home: Path, at: datetime) -> None:
    source = config_source(load_config(folder), extracted_at=at)
    run_source(pipeline_for("config", instance=None, home=home), source)


def counts(home: Path) -> dict[str, int]:
    with duckdb.connect(str(warehouse_path(home))) as con:
        return {
            table: con.execute(f"select count(*) from raw_config.{table}").fetchone()[0]  # type: ignore[index]
            for table in (*TABLES, "_dlt_loads")
        }


def test_a_configuration_is_one_load_and_an_unchanged_one_is_none(
    folder: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    load(folder, home, AT)
    once = counts(home)
    assert once == {
        "sources": 1,
        "source_fields": 3,
        "owned_providers": 0,
        "evidence_order": 4,
        "entities": 8,
        "entity_parents": 7,
        "entity_owners": 3,
        "entity_cost_centers": 1,
        "entity_aliases": 1,
        "features": 0,
        "identities": 4,
        "budgets": 1,
        "budget_increases": 0,
        "budget_tags": 0,
        "alerts": 0,
        "model_aliases": 0,
        "contract_sources": 0,
        "price_rules": 0,
        "what_if_models": 0,
        "charges": 0,
        "commitments": 0,
        "charge_shares": 0,
        "fx_rates": 0,
        "wallets": 0,
        "wallet_limits": 0,
        "wallet_entries": 0,
        "versions": 1,
        "_dlt_loads": 1,
    }
    load(folder, home, AT.replace(hour=13))
    assert counts(home) == once
    (folder / "features.yaml").write_text("features: [{id: chat}]\n")
    load(folder, home, AT.replace(hour=14))
    twice = counts(home)
    assert (twice["features"], twice["versions"], twice["entities"], twice["_dlt_loads"]) == (
        1,
        2,
        16,
        2,
    )


@dlt.source(name="config", max_table_nesting=0)
def earlier_source(config: Config) -> list[DltResource]:
    """What a version loaded in which alerts had neither hysteresis nor reminders."""

    def resource(name: str, table: pa.Table) -> DltResource:
        def load_once() -> Iterator[pa.Table]:
            dlt.current.resource_state()["config_version"] = config.versions.config_version
            yield table

        return dlt.resource(load_once, name=name, write_disposition="append")

    tables = config_tables(config, extracted_at=AT)
    tables["alerts"] = tables["alerts"].drop_columns(["hysteresis_ratio", "renotify_minutes"])
    return [resource(name, table) for name, table in tables.items()]


@pytest.mark.parametrize(
    ("declared", "expected"),
    [("alerts: []\n", []), (ALERT, [(None, None), (Decimal("0.05"), 360)])],
    ids=["none", "one"],
)
def test_an_unchanged_configuration_is_loaded_into_columns_of_a_newer_version(
    folder: Path, tmp_path: Path, declared: str, expected: list[tuple[Any, ...]]
) -> None:
    (folder / "alerts.yaml").write_text(declared, encoding="utf-8")
    home = tmp_path / "home"
    run_source(
        pipeline_for("config", instance=None, home=home), earlier_source(load_config(folder))
    )
    for hour in (13, 14):
        load(folder, home, AT.replace(hour=hour))
    assert (counts(home)["versions"], counts(home)["entities"]) == (2, 16)
    with duckdb.connect(str(warehouse_path(home))) as con:
        found = con.execute(
            "select hysteresis_ratio, renotify_minutes from raw_config.alerts order by extracted_at"
        ).fetchall()
    assert found == expected


def test_a_configuration_taken_back_is_loaded_again(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    for text in ("features: []\n", "features: [{id: chat}]\n", "features: []\n"):
        (folder / "features.yaml").write_text(text)
        load(folder, home, AT)
    assert counts(home)["versions"] == 3


def test_every_row_says_which_configuration_and_when(folder: Path) -> None:
    config = load_config(folder)
    for name, table in config_tables(config, extracted_at=AT).items():
        assert set(table.column("config_version").to_pylist()) <= {
            config.versions.config_version
        }, name
        assert set(table.column("extracted_at").to_pylist()) <= {AT}, name
