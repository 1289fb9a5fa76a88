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


EACH_TEAM = """\
  - {id: low, each: team, period: month, amount: 0.01, mode: hard, actions: [block],
     thresholds: {critical: 1.0}}
"""


def test_what_would_wait_is_told_and_what_wallets_would_hold(platform: Platform) -> None:
    write_budgets(platform.config, EACH_TEAM)
    wallets = platform.config / "wallets.yaml"
    text = wallets.read_text(encoding="utf-8")
    wallets.write_text(text.replace("amount: 15000", "amount: 1000"), encoding="utf-8")
    [(before,)] = platform.read(
        "select ongoing_balance_usd from wallets.fct_wallet_balances"
        " where wallet_id = 'acme-allowance'"
    )
    code, output = platform.finish(platform.start("plan", at=AT, COLUMNS="240"))
    assert code == 0, output
    words = " ".join(output.split())
    assert "Limits that would wait for a person's yes" in words
    assert "by a change of budget" in words
    # The month's grant is 14,000 less; it expires with the month, so earlier ones change nothing.
    then = before - 14_000
    assert f"acme-allowance │ {before:,.2f} │ {then:,.2f} │ 0.00 │ 0.00" in words
    assert "support-agents" not in words
    assert "trusted data" not in words

    # Seven hours later the sources are stale: what is new waits for them.
    code, output = platform.finish(
        platform.start("plan", at=AS_OF + timedelta(hours=7), COLUMNS="240")
    )
    assert code == 0, output
    words = " ".join(output.split())
    assert "Limits that would wait for trusted data" in words
    assert "stale source: " in words
    assert "a person's yes" not in words


def test_a_refused_configuration_has_no_plan(platform: Platform) -> None:
    write_budgets(platform.config, BUDGETS.replace("entity: acme,", "entity: nobody,"))
    code, output = platform.finish(platform.start("plan", at=AT))
    assert code == 2
    assert "budgets.yaml:2: no entity is called nobody" in output
