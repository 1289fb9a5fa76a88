"""What docs/limits.md shows can be typed as it stands there."""

import re
import shlex
from pathlib import Path

import pytest
from budget_readings import AS_OF, KEY, budget, key, reading
from click.testing import CliRunner
from ops_stores import opened_store, store_url
from sqlalchemy import insert, update

from orchestration.cli import main
from orchestration.governance.evaluate import evaluate
from orchestration.ops.store import writing
from orchestration.ops.tables import desired_limit, enforcement_action

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")


def test_every_command_of_the_page_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a store in which the page's approval is asked for and its action was taken."""
    monkeypatch.setenv("METERHOUSE_OPS_URL", store_url(tmp_path))
    monkeypatch.setenv("METERHOUSE_NOW", AS_OF.isoformat())
    with opened_store(tmp_path) as engine:
        evaluate(engine, reading=reading(1, budget("10")))
        evaluate(engine, reading=reading(2, budget("1000"), keys=(key(own=0.5),)))
        with writing(engine) as connection:
            connection.execute(update(desired_limit).values(approval_id="litellm-main-17"))
            action = {"seq": 42, "at": AS_OF, "gateway": "litellm-main", "key_ref": KEY}
            done = {"verb": "block", "result": "verified", "dry_run": False, "generation": 1}
            said = {"why": "a budget asks for it", "by": "meterhouse"}
            connection.execute(insert(enforcement_action).values(**action, **done, **said))
        commands = re.findall(r"^meterhouse (ops .*?)(?:\s+#.*)?$", PAGE, re.MULTILINE)
        assert len(commands) == 6
        for command in commands:
            answered = CliRunner().invoke(main, shlex.split(command))
            assert answered.exit_code == 0, f"{command}: {answered.output}"


def test_every_mart_of_the_page_is_a_model() -> None:
    marts = set(re.findall(r"`(?:budgets|trust)\.((?:fct|dim)_\w+)`", PAGE))
    models = {path.stem for path in (ROOT / "dbt_project" / "models" / "marts").rglob("*.sql")}
    assert len(marts) == 7 and marts <= models
