"""The doctor says which source is not scheduled and why, and what a person has to look at."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from contract_marts import publish
from portkey_server import API_KEY, portkey_server

from orchestration.cli import main

ENTITIES = "entities:\n  - {id: acme, type: organisation}\n"
SOURCES = """sources:
  - {id: proxy-one, system: litellm, evidence_layer: gateway,
     base_url_env: ONE_URL, api_key_env: ONE_KEY}
  - {id: proxy-two, system: litellm, evidence_layer: gateway,
     base_url_env: TWO_URL, api_key_env: TWO_KEY}
  - {id: proxy-off, system: litellm, evidence_layer: gateway, enabled: false,
     base_url_env: OFF_URL, api_key_env: OFF_KEY}
"""
PORTKEY_SOURCE = """sources:
  - {id: portkey-main, system: portkey, evidence_layer: gateway, enabled: false,
     workspace_slug: main, base_url_env: P_URL, api_key_env: P_READER}
"""
PORTKEY = """gateways:
  - {id: portkey-main, system: portkey, base_url_env: P_URL, admin_key_env: P_KEY}
"""


def ask(folder: Path, *, sources: str = SOURCES, environ: Mapping[str, str]) -> Result:
    config = folder / "config"
    config.mkdir(exist_ok=True)
    (config / "entities.yaml").write_text(ENTITIES, encoding="utf-8")
    (config / "sources.yaml").write_text(sources, encoding="utf-8")
    home = {"METERHOUSE_HOME": str(folder / "home"), "METERHOUSE_CONFIG": str(config)}
    return CliRunner().invoke(main, ["doctor"], env={**home, "COLUMNS": "140", **environ})


def publish_marts(
    folder: Path, *, read_at: datetime, as_of: datetime, red_checks: Sequence[str] | None = ()
) -> None:
    """Marts as they were published: nothing was stale then. None: by a version without checks."""
    (folder / "home").mkdir()
    checks: dict[str, list[dict[str, Any]]] = {}
    if red_checks is not None:
        named = {"source_instance": "proxy-one", "is_red": True}
        checks["trust.fct_source_checks"] = [{**named, "check_name": name} for name in red_checks]
    reading = {"source_instance": "proxy-one", "last_read_at": read_at, "is_stale": False}
    publish(
        folder / "home" / "marts.duckdb",
        {
            "core.published_snapshot": [{"snapshot_id": 1, "as_of": as_of}],
            "trust.fct_source_freshness": [{**reading, "rows_rejected_count": 0}],
            "trust.fct_price_reviews": [],
            "trust.fct_identity_suggestions": [],
            **checks,
        },
    )


def line_of(result: Result, subject: str) -> str:
    [line] = [each for each in result.output.splitlines() if f" {subject} " in each]
    return line


def test_each_of_two_proxies_is_told_on_its_own(tmp_path: Path) -> None:
    environ = {"ONE_URL": "http://127.0.0.1:9", "ONE_KEY": "sk-doctor-canary"}
    result = ask(tmp_path, environ=environ)
    assert result.exit_code == 0, result.output
    assert "ready, never read" in line_of(result, "proxy-one")
    assert "not scheduled" in line_of(result, "proxy-two")
    assert "set TWO_URL, TWO_KEY" in line_of(result, "proxy-two")
    assert "switched off" in line_of(result, "proxy-off")
    assert "sk-doctor-canary" not in result.output


def test_a_refused_configuration_needs_a_person(tmp_path: Path) -> None:
    result = ask(tmp_path, sources="sources:\n  - {id: x, system: nobody}\n", environ={})
    assert result.exit_code == 1
    assert "sources.yaml:2" in result.output


@pytest.mark.parametrize("ways", ["", "base_url_env: A", "api_key_env: A", "database_url_env: D, "
                                  "base_url_env: A, api_key_env: B"])  # fmt: skip
def test_a_proxy_is_read_one_way(tmp_path: Path, ways: str) -> None:
    sources = f"sources:\n  - {{id: p, system: litellm, evidence_layer: gateway, {ways}}}\n"
    result = ask(tmp_path, sources=sources, environ={})
    assert result.exit_code == 1
    assert "say either base_url_env and api_key_env, or database_url_env" in result.output


@pytest.mark.parametrize(
    "hours, is_overdue, is_stale",
    [(0, False, False), (3, False, False), (4, True, False), (7, True, True)],
)
def test_what_is_published_is_judged_as_of_now(
    tmp_path: Path, hours: int, is_overdue: bool, is_stale: bool
) -> None:
    """Passes that stopped call nothing stale any more."""
    as_of = datetime(2026, 11, 23, 12, tzinfo=UTC)
    publish_marts(tmp_path, read_at=as_of, as_of=as_of)
    environ = {"ONE_URL": "http://127.0.0.1:9", "ONE_KEY": "k"}
    now = (as_of + timedelta(hours=hours)).isoformat()
    result = ask(tmp_path, environ={**environ, "METERHOUSE_NOW": now})
    line = line_of(result, "published marts")
    assert "as of 2026-11-23 12:00 UTC" in line
    assert ("nothing newer is published" in line) == is_overdue
    assert (" stale " in line_of(result, "proxy-one")) == is_stale
    assert result.exit_code == (1 if is_overdue else 0)


@pytest.mark.parametrize(
    ("red_checks", "is_told"),
    [(("rows_fit", "daily_totals_tie"), True), ((), False), (None, False)],
)
def test_a_source_with_red_checks_is_told_with_their_names(
    tmp_path: Path, red_checks: Sequence[str] | None, is_told: bool
) -> None:
    as_of = datetime(2026, 11, 23, 12, tzinfo=UTC)
    publish_marts(tmp_path, read_at=as_of, as_of=as_of, red_checks=red_checks)
    environ = {"ONE_URL": "http://127.0.0.1:9", "ONE_KEY": "k", "METERHOUSE_NOW": as_of.isoformat()}
    result = ask(tmp_path, environ=environ)
    line = line_of(result, "proxy-one")
    assert (" checks are red " in line) == is_told
    assert ("daily_totals_tie, rows_fit: see trust.fct_source_checks" in line) == is_told
    assert result.exit_code == (1 if is_told else 0), result.output


KEYS, POLICIES = ("GET", "/api-keys"), ("GET", "/policies/usage-limits")


@pytest.mark.parametrize(
    ("plan", "asked", "state", "advice"),
    [
        ({}, [KEYS, POLICIES], "caps and rates of keys can be set", ""),
        (
            {"policies": None},
            [KEYS, POLICIES],
            "rates of keys can be limited",
            "has no usage policies (GET policies/usage-limits: 403)",
        ),
        ({"has_key_api": False}, [KEYS], "alerts only", "has no key API (GET api-keys: 403)"),
    ],
)
def test_what_a_portkey_plan_allows_is_asked_by_reading_alone(
    tmp_path: Path, plan: dict[str, Any], asked: list[tuple[str, str]], state: str, advice: str
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "enforcement.yaml").write_text(PORTKEY, encoding="utf-8")
    with portkey_server(**plan) as server:
        environ = {"P_URL": server.url, "P_KEY": API_KEY}
        result = ask(tmp_path, sources=PORTKEY_SOURCE, environ=environ)
        assert [(each.method, each.path) for each in server.script.asked] == asked
    assert result.exit_code == 0, result.output
    line = line_of(result, "gateway portkey-main")
    assert state in line
    assert advice in " ".join(result.output.replace("│", " ").split())
    assert API_KEY not in result.output


def test_a_portkey_that_does_not_answer_is_said_to(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "enforcement.yaml").write_text(PORTKEY, encoding="utf-8")
    environ = {"P_URL": "http://127.0.0.1:9", "P_KEY": API_KEY}
    result = ask(tmp_path, sources=PORTKEY_SOURCE, environ=environ)
    assert "gives no clear answer" in line_of(result, "gateway portkey-main")
