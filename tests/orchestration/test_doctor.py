"""The doctor says which source is not scheduled and why, and what a person has to look at."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

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


def ask(folder: Path, *, sources: str = SOURCES, environ: Mapping[str, str]) -> Result:
    config = folder / "config"
    config.mkdir()
    (config / "entities.yaml").write_text(ENTITIES, encoding="utf-8")
    (config / "sources.yaml").write_text(sources, encoding="utf-8")
    home = {"METERHOUSE_HOME": str(folder / "home"), "METERHOUSE_CONFIG": str(config)}
    return CliRunner().invoke(main, ["doctor"], env={**home, "COLUMNS": "140", **environ})


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
