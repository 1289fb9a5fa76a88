"""What docs/organisation.md shows is accepted as it stands there."""

import re
import shutil
from pathlib import Path

from click.testing import CliRunner

from ingestion.config_loader import load_config
from orchestration.cli import main

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "organisation.md").read_text(encoding="utf-8")


def example(kind: str) -> str:
    [found] = re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    return found


def test_the_example_is_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "entities.yaml").write_text(example("yaml"), encoding="utf-8")
    (tmp_path / "people.csv").write_text(example("csv"), encoding="utf-8")
    shutil.copy(ROOT / "config" / "webhooks.yaml", tmp_path)
    nodes = {node.id: node for node in load_config(tmp_path).nodes}
    assert [edge.parent for edge in nodes["hedy"].parents] == ["team-search", "team-assist"]
    assert nodes["hedy"].email == "hedy@acme.example"
    assert [owner.name for owner in nodes["team-search"].owners] == ["Ada", "Barbara"]


def test_every_command_of_the_page_exists() -> None:
    commands = set(re.findall(r"meterhouse (\w+(?: identity)?)", PAGE))
    assert commands == {"doctor", "accept identity", "init"}
    for command in commands:
        assert CliRunner().invoke(main, [*command.split(), "--help"]).exit_code == 0


def test_every_mart_of_the_page_is_a_model() -> None:
    marts = set(re.findall(r"`(?:core|spend|trust)\.((?:fct|dim)_\w+)`", PAGE))
    models = {path.stem for path in (ROOT / "dbt_project" / "models" / "marts").rglob("*.sql")}
    assert len(marts) == 7
    assert marts <= models
