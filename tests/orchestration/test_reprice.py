"""`meterhouse reprice --model` takes models that have prices, and no others."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from contract_marts import publish
from ops_stores import opened_store, rows

from orchestration.cli import main
from orchestration.ops.tables import repricing

WINDOW = ("--from", "2026-11-01", "--to", "2026-11-15", "--apply")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    keys = ("openai/gpt-4o", "openai/gpt-4o-mini", "anthropic/claude-haiku-4-5")
    publish(tmp_path / "marts.duckdb", {"core.dim_prices": [{"price_key": key} for key in keys]})
    return tmp_path


def reprice(home: Path, model: str) -> Result:
    runner = CliRunner(env={"METERHOUSE_HOME": str(home), "METERHOUSE_NOW": "2026-11-20T12:00:00Z"})
    return runner.invoke(main, ["reprice", *WINDOW, "--model", model, "--by", "ada"])


def repriced(home: Path) -> list[str]:
    with opened_store(home) as engine:
        return [row["price_key"] for row in rows(engine, repricing)]


def test_a_model_with_prices_is_repriced(home: Path) -> None:
    said = reprice(home, "openai/gpt-4o")
    assert said.exit_code == 0, said.output
    assert repriced(home) == ["openai/gpt-4o"]


def test_a_model_without_prices_is_refused_with_those_that_are_near(home: Path) -> None:
    said = reprice(home, "openai/gpt4o")
    assert said.exit_code == 2
    words = " ".join(said.stderr.split())
    assert "no prices of 'openai/gpt4o'; did you mean openai/gpt-4o, openai/gpt-4o-mini?" in words
    assert "no prices of 'zzz'" in reprice(home, "zzz").stderr
    assert repriced(home) == []


def test_before_the_first_pass_no_model_is_known(tmp_path: Path) -> None:
    said = reprice(tmp_path, "openai/gpt-4o")
    assert said.exit_code == 1
    assert "run a pass first" in said.stderr
