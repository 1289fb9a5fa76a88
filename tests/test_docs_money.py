"""What docs/money.md shows is accepted as it stands there."""

import re
import shutil
from pathlib import Path

import duckdb
from click.testing import CliRunner

from ingestion.config_loader import load_config
from orchestration.cli import main

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "money.md").read_text(encoding="utf-8")


def test_the_rules_of_the_example_are_a_configuration(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    [example] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "config" / "prices.yaml").write_text(example, encoding="utf-8")
    config = load_config(tmp_path / "config")
    assert [rule.id for rule in config.overrides] == ["anthropic-5-off", "own-gpt-4o"]
    assert len(config.selling) == 3


def test_every_command_of_the_page_exists() -> None:
    commands = set(re.findall(r"meterhouse (\w+)", PAGE))
    assert commands == {"explain", "doctor", "accept", "reprice", "close"}
    for command in commands:
        assert CliRunner().invoke(main, [command, "--help"]).exit_code == 0


def test_every_mart_of_the_page_is_a_model() -> None:
    marts = set(re.findall(r"`(?:core|spend|margin|trust)\.((?:fct|dim)_\w+)`", PAGE))
    models = {path.stem for path in (ROOT / "dbt_project" / "models" / "marts").rglob("*.sql")}
    assert len(marts) > 8
    assert marts <= models


def test_the_figures_of_the_page_are_exact() -> None:
    with duckdb.connect() as connection:
        row = connection.execute(
            """select 0.012592 * 0.95, 0.012592 * 0.95 * 1.2,
            0.012592 * 0.95 * 1.2 - 0.012592 * 0.95"""
        ).fetchone()
    assert row is not None
    for amount in row:
        assert f"{amount:f}".rstrip("0") in PAGE
