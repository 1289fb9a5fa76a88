"""An unknown identifier that looks like a known node is booked there once a person says so."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from ops_stores import opened_store, rows, store_url
from platform_home import LATER, Platform

from ingestion.declared_tables import declare_tables
from orchestration.cli import main
from orchestration.ops.decisions import land_decisions
from orchestration.ops.identities import (
    Placement,
    accept_identity,
    accepted_identities,
    undo_identity,
)
from orchestration.ops.store import reading
from orchestration.ops.tables import identity_acceptance

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PLACEMENT = Placement("owner", "litellm-main", "raw_team", "contractors", "team-x")
# The sandbox's one team that no configuration declares.
EXTERNALS = "  - {id: team-external, type: team, parent: acme, aliases: [Team-Contractors]}\n"
# Its four calls, tokens by USD per million: an embedding, gpt-4.1 (with cached input), gpt-4o-mini,
# gpt-5-mini (with reasoning).
WAITING = 4
SPENT = Decimal("0.000001") * (
    776 * Decimal("0.02")
    + (4180 * Decimal("2") + 6144 * Decimal("0.5") + 1297 * Decimal("8"))
    + (3915 * Decimal("0.15") + 314 * Decimal("0.6"))
    + (11466 * Decimal("0.25") + (1878 + 2110) * Decimal("2"))
)
BOOKED = """
    select entity_key, count(*), sum(effective_cost_usd) from core.fct_usage
    where raw_team = 'team-contractors' and source = 'litellm' group by entity_key
"""
MOVED = """
    select reason, entity_key, sum(requests_count), sum(effective_cost_usd)
    from trust.fct_restatements where pass_id = (select max(pass_id) from trust.fct_restatements)
    group by reason, entity_key order by entity_key
"""


def test_an_acceptance_stands_until_it_is_taken_back_and_may_be_renewed(tmp_path: Path) -> None:
    with opened_store(tmp_path) as store:
        assert accept_identity(store, "s1", PLACEMENT, by="ada", now=NOW)
        assert not accept_identity(store, "s1", PLACEMENT, by="bob", now=NOW)
        with reading(store) as connection:
            assert accepted_identities(connection) == {"s1"}
        assert undo_identity(store, "s1", by="bob", now=NOW)
        assert not undo_identity(store, "s1", by="bob", now=NOW)
        with reading(store) as connection:
            assert accepted_identities(connection) == frozenset()
        assert accept_identity(store, "s1", PLACEMENT, by="eve", now=NOW)
        (row,) = rows(store, identity_acceptance)
    assert (row["field_value"], row["target_key"], row["by"]) == ("contractors", "team-x", "eve")
    assert (row["undone_at"], row["undone_by"]) == (None, None)


def test_what_was_taken_back_no_longer_reaches_the_models(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    declare_tables(home)
    with opened_store(tmp_path) as store:
        accept_identity(store, "s1", PLACEMENT, by="ada", now=NOW)
        assert land_decisions(store, home)
        undo_identity(store, "s1", by="ada", now=NOW)
        assert land_decisions(store, home)
        assert not land_decisions(store, home)


def test_only_what_waits_can_be_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METERHOUSE_HOME", str(tmp_path))
    monkeypatch.setenv("METERHOUSE_OPS_URL", store_url(tmp_path))
    refused = CliRunner().invoke(main, ["accept", "identity", "nothing"])
    assert refused.exit_code == 1
    assert "nothing waits under 'nothing'" in refused.output
    undone = CliRunner().invoke(main, ["accept", "identity", "--undo", "nothing"])
    assert undone.exit_code == 1
    assert "nothing is accepted under 'nothing'" in undone.output


def test_one_command_books_an_alias_and_the_past_is_restated(
    platform: Platform, history: Path
) -> None:
    platform.put_back(history)
    entities = platform.config / "entities.yaml"
    entities.write_text(entities.read_text(encoding="utf-8") + EXTERNALS, encoding="utf-8")
    platform.run(at=LATER)
    [(suggestion_id, reason, waiting, cost)] = platform.read(
        "select suggestion_id, reason, request_count, effective_cost_usd"
        " from trust.fct_identity_suggestions where suggested_key = 'team-external'"
    )
    assert (reason, waiting, cost) == ("alias", WAITING, SPENT)
    assert platform.read(BOOKED) == [("acme-unattributed", WAITING, SPENT)]

    runner = CliRunner(env={**platform.environment(LATER), "COLUMNS": "200"})
    seen = runner.invoke(main, ["doctor"])
    assert f"meterhouse accept identity {suggestion_id}" in seen.output.replace("\n", " ")
    accepted = runner.invoke(main, ["accept", "identity", suggestion_id, "--by", "ada"])
    assert accepted.exit_code == 0, accepted.output
    assert "team-contractors is team-external: accepted" in accepted.output
    assert suggestion_id not in runner.invoke(main, ["doctor"]).output

    platform.run(at=LATER + timedelta(minutes=10))
    assert platform.read(BOOKED) == [("team-external", WAITING, SPENT)]
    assert platform.read(MOVED) == [
        ("attribution", "acme-unattributed", -WAITING, -SPENT),
        ("attribution", "team-external", WAITING, SPENT),
    ]
    assert platform.read(
        "select count(*) from trust.fct_identity_suggestions"
        f" where suggestion_id = '{suggestion_id}'"
    ) == [(0,)]
