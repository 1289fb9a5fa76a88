"""`meterhouse plan`: what a configuration would move, told beforehand and done to nothing."""

import hashlib
from datetime import timedelta
from pathlib import Path

from platform_home import AS_OF, BUDGETS, Platform, write_budgets

AT = AS_OF + timedelta(minutes=5)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_lower_budget_is_told_with_the_key_it_would_block_and_changes_nothing(
    platform: Platform,
) -> None:
    before = [digest(platform.home / name) for name in ("marts.duckdb", "ops.sqlite")]
    write_budgets(platform.config, BUDGETS)
    code, output = platform.finish(platform.start("plan", at=AT))
    assert (code, output) == (0, "Nothing would change.\n")

    lower = "agent-researcher, period: month, amount: 0.01"
    write_budgets(
        platform.config, BUDGETS.replace("agent-researcher, period: month, amount: 100", lower)
    )
    code, output = platform.finish(platform.start("plan", at=AT))
    assert code == 0, output
    words = " ".join(output.split())
    assert "agent-researcher" in words and "critical" in words
    assert "agent-researcher-key │ block │ agent-researcher-monthly" in words
    assert "agent-coder-key" not in words
    assert [digest(platform.home / name) for name in ("marts.duckdb", "ops.sqlite")] == before
    assert not list(platform.home.glob("trial_*"))


def test_a_refused_configuration_has_no_plan(platform: Platform) -> None:
    write_budgets(platform.config, BUDGETS.replace("entity: acme,", "entity: nobody,"))
    code, output = platform.finish(platform.start("plan", at=AT))
    assert code == 2
    assert "budgets.yaml:2: no entity is called nobody" in output
