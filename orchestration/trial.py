"""A decision tried out: the models built over a copy of the warehouse in which it was taken.

Nothing of the real home is written but a scratch folder, which is removed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
from sqlalchemy import Engine, insert, select

from ingestion.config_loader import Config
from ingestion.config_tables import config_source
from ingestion.decisions import Row
from ingestion.declared_tables import declare_tables
from ingestion.passes import begin_pass
from ingestion.pipeline import pipeline_for, run_source, warehouse_path
from orchestration import settings
from orchestration.governance.acting_alerts import with_acting_alerts
from orchestration.governance.budgets import read_budgets
from orchestration.governance.evaluate import Evaluation, evaluate
from orchestration.governance.limits import Held
from orchestration.governance.readings import read_alerts
from orchestration.governance.wallet_alerts import wallet_alerts
from orchestration.governance.wallet_facts import read_wallets
from orchestration.governance.wallet_keeping import Kept, keep_ledger
from orchestration.ops.decisions import land_decisions
from orchestration.ops.store import open_store, writing
from orchestration.ops.store import reading as reading_store
from orchestration.ops.tables import (
    alert_state,
    alert_version,
    applied_limit,
    desired_limit,
    facts_snapshot,
    period_close,
    transition,
    wallet_balance,
    wallet_checkpoint,
    wallet_entry,
    wallet_posting,
)
from orchestration.ops.wallet_keeper import Balance, newest_balances
from orchestration.warehouse import building_marts, writer_lock

# Models that stand on repricings, as far as they say why numbers move.
_SELECTED = "stg_decisions__repricings+,+fct_restatements"
# What an evaluation reads, and why numbers move.
_JUDGED = ("+fct_budget_status", "+fct_budget_keys", "+fct_budget_limits", "+fct_alert_readings")
_JUDGED += ("+published_snapshot", "+fct_restatements", "+fct_wallet_usage", "+dim_wallets")
_JUDGED += ("+dim_wallet_entries", "+dim_wallet_features")
# What evaluating needs of the ops store; what was sent and done is left out.
_REMEMBERED = (alert_version, alert_state, transition, facts_snapshot, period_close)
_REMEMBERED += (desired_limit, applied_limit)
_REMEMBERED += (wallet_entry, wallet_posting, wallet_balance, wallet_checkpoint)


@dataclass(frozen=True)
class Difference:
    """By how much one place and model would cost more (or less) in one month."""

    period: str
    entity_key: str
    model_id: str | None
    effective_cost_usd: Decimal


def try_repricing(engine: Engine, home: Path, *, proposed: Row, now: datetime) -> list[Difference]:
    """What a repricing would change, by month, entity and model; the largest first."""
    with _copied(home) as copy:
        declare_tables(copy)
        pass_id = begin_pass(copy, as_of=now)
        land_decisions(engine, copy, proposed=[proposed])
        _build(copy, select=[_SELECTED])
        with duckdb.connect(str(building_marts(copy)), read_only=True) as marts:
            rows = marts.execute(
                "select strftime(usage_on, '%Y-%m'), entity_key, model_id, sum(effective_cost_usd)"
                " from trust.fct_restatements"
                " where pass_id = ? and reason = 'price' and usage_on >= ? and usage_on < ?"
                " group by all having sum(effective_cost_usd) <> 0"
                " order by abs(sum(effective_cost_usd)) desc, 1, 2, 3",
                [pass_id, proposed["from_at"].date(), proposed["to_at"].date()],
            ).fetchall()
    return [Difference(*row) for row in rows]


@dataclass(frozen=True)
class Outcome:
    """What a configuration would change: dollars, alerts, keys, wallets."""

    differences: list[Difference]
    evaluation: Evaluation
    held: list[Held]  # limits that would wait for trusted data and do not wait now
    balances: list[tuple[Balance | None, Balance | None]]  # of wallets, before and after
    refused_entries: tuple[str, ...]


def try_config(engine: Engine, home: Path, *, config: Config, now: datetime) -> Outcome:
    """What the next pass would do under a configuration, with the data that are loaded already."""
    with _copied(home) as copy:
        held_now = _held_now(copy)
        declare_tables(copy)
        pass_id = begin_pass(copy, as_of=now)
        pipeline = pipeline_for("config", instance=None, home=copy)
        run_source(pipeline, config_source(config, extracted_at=now))
        land_decisions(engine, copy)
        _build(copy, select=_JUDGED)
        with duckdb.connect(str(building_marts(copy)), read_only=True) as marts:
            rows = marts.execute(
                "select strftime(usage_on, '%Y-%m'), entity_key, model_id, sum(effective_cost_usd)"
                " from trust.fct_restatements"
                " where pass_id = ?"
                " group by all having sum(effective_cost_usd) <> 0"
                " order by abs(sum(effective_cost_usd)) desc, 1, 2, 3",
                [pass_id],
            ).fetchall()
            reading = with_acting_alerts(read_budgets(marts), marts)
            others = read_alerts(marts)
            reading = reading.limiting({each.id: each.targets for each in config.gateways})
            store = _remembered(engine, copy)
            try:
                wallets = read_wallets(marts)
                kept = keep_ledger(store, marts, wallets)
                evaluation = evaluate(
                    store,
                    reading=reading,
                    others={**wallet_alerts(store, wallets), **others},
                    exempt=config.exempt_keys,
                )
            finally:
                store.dispose()
    return Outcome(
        [Difference(*row) for row in rows],
        evaluation,
        held=[each for each in evaluation.held_limits if _place(each) not in held_now],
        balances=_moved(engine, kept),
        refused_entries=kept.refused,
    )


def _place(held: Held) -> tuple[str, str]:
    return held.standing.row.budget_id, held.standing.row.budget_version


def _held_now(home: Path) -> set[tuple[str, str]]:
    """Budgets, with their versions, that are held as things stand."""
    with duckdb.connect(str(building_marts(home)), read_only=True) as marts:
        return set(
            marts.execute(
                "select budget_id, budget_version from budgets.fct_budget_status"
                " where is_current and held_reason is not null"
            ).fetchall()
        )


def _moved(engine: Engine, kept: Kept) -> list[tuple[Balance | None, Balance | None]]:
    """The wallets that would hold or owe something else, come or go."""
    with reading_store(engine) as connection:
        _, before = newest_balances(connection)
    after = {each.wallet_id: each for each in kept.balances}
    names = sorted(before.keys() | after.keys())
    return [
        (before.get(each), after.get(each)) for each in names if before.get(each) != after.get(each)
    ]


def _remembered(engine: Engine, copy: Path) -> Engine:
    """A store beside the copied warehouse that remembers where each alert and limit stands."""
    store = open_store(f"sqlite:///{copy / 'ops.sqlite'}")
    with reading_store(engine) as source, writing(store) as target:
        for table in _REMEMBERED:
            rows = [dict(row._mapping) for row in source.execute(select(table))]
            if rows:
                target.execute(insert(table), rows)
    return store


@contextmanager
def _copied(home: Path) -> Iterator[Path]:
    """A copy of the warehouse and the built marts, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="trial_", dir=home) as folder:
        copy = Path(folder)
        with writer_lock(home):
            for file in (warehouse_path(home), building_marts(home)):
                with duckdb.connect(str(file)) as connection:
                    connection.execute("checkpoint")
                shutil.copyfile(file, copy / file.name)
        yield copy


def _build(copy: Path, *, select: Sequence[str]) -> None:
    command = [str(Path(sys.executable).with_name("dbt")), "--quiet", "run", "--select", *select]
    for option, value in (
        ("--project-dir", settings.DBT_PROJECT_DIR),
        ("--profiles-dir", settings.DBT_PROJECT_DIR),
        ("--target-path", copy / "dbt" / "target"),
        ("--log-path", copy / "dbt" / "logs"),
    ):
        command += [option, str(value)]
    environ = os.environ | {"METERHOUSE_HOME": str(copy), "DO_NOT_TRACK": "1"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stdout[-4000:] + done.stderr[-4000:])
