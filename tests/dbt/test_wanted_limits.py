"""What ought to stand at gateways, and what waits for whom, as a dashboard reads it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from budget_readings import AS_OF, NOVEMBER, budget, key, reading
from ops_stores import opened_store
from sqlalchemy import Engine
from staged_warehouse import build

from ingestion.declared_tables import declare_tables
from ingestion.pipeline import pipeline_for, run_source, warehouse_path
from orchestration.governance.budgets import LimitReading
from orchestration.governance.evaluate import evaluate
from orchestration.ops import people
from orchestration.ops.mirror import ops_source
from orchestration.ops.store import reading as reading_store

MODELS = (
    "stg_ops__wanted_limits",
    "stg_ops__limit_approvals",
    "fct_wanted_limits",
    "fct_limit_approvals",
)
DAY = timedelta(days=1)


class Place:
    """A store whose mirror is built into marts."""

    def __init__(self, engine: Engine, home: Path) -> None:
        self.engine, self.home, self.snapshot = engine, home, 0
        declare_tables(home)
        with duckdb.connect(str(warehouse_path(home))) as connection:
            connection.execute("create schema staging")
            connection.execute(
                "create table staging.stg_run__current_pass (pass_id bigint, as_of timestamp)"
            )
        with duckdb.connect(str(home / "marts_build.duckdb")) as marts:
            marts.execute("create schema core")
            marts.execute(
                "create table core.dim_entity_owners as select 'agent-coder' as entity_key,"
                " 'ada' as owner_name, 'ops' as owner_channel, true as is_current"
            )

    def stands(self, *rows: Any, keys: tuple[Any, ...], moved: tuple[LimitReading, ...]) -> None:
        self.snapshot += 1
        read = reading(self.snapshot, *rows, keys=keys, limits=moved)
        evaluate(self.engine, reading=read)

    def mirror(self, *, at: datetime = AS_OF) -> None:
        """The marts after a mirror, at that time."""
        with duckdb.connect(str(warehouse_path(self.home))) as connection:
            connection.execute("delete from staging.stg_run__current_pass")
            now = at.astimezone(UTC).replace(tzinfo=None)
            connection.execute("insert into staging.stg_run__current_pass values (1, ?)", [now])
        pipeline = pipeline_for("ops", instance=None, home=self.home)
        run_source(pipeline, ops_source(lambda: self.engine))
        build(self.home, select=MODELS)

    def wanted(self) -> list[tuple[Any, ...]]:
        return self._read(
            "select key_alias, budget_id, want, asked_for, status, held_reason, approval_id,"
            " cause, used, owner_name, own_usage_ratio"
            " from budgets.fct_wanted_limits order by key_ref, budget_id"
        )

    def approvals(self) -> list[tuple[Any, ...]]:
        return self._read(
            "select approval_id, status, keys_count, approved_by from budgets.fct_limit_approvals"
        )

    def _read(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.home / "marts_build.duckdb"), read_only=True) as marts:
            return marts.execute(query).fetchall()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    home = tmp_path / "home"
    home.mkdir()
    with opened_store(tmp_path) as engine:
        yield Place(engine, home)


def test_a_dashboard_sees_what_ought_to_stand_and_what_waits_for_whom(place: Place) -> None:
    """A key of its own, one that others use half of; another budget asks for a rate and waits."""
    shared = key("b" * 64, alias="shared", own=0.5)
    keys = (key("a" * 64), key("a" * 64, of="all"), shared)
    rate = {"budget_id": "all", "action": "rate_limit", "mode": "soft"}
    moved = (LimitReading("all", NOVEMBER, requests_per_minute=10),)
    people.arm(place.engine, "litellm-main", by="ada", now=AS_OF)
    place.stands(budget("10"), budget("10", **rate), keys=keys, moved=moved)
    place.stands(budget("1000"), budget("900", **rate), keys=keys, moved=moved)
    place.mirror()
    own, said = ("agent-coder-key",), (None, None, "usage")
    first = "litellm-main-2-1"
    assert place.wanted() == [
        (*own, "all", "block", "rate_limit", "to_be_set", *said, 900, "ada", 1.0),
        (*own, "coder", "block", "block", "to_be_set", *said, 1000, "ada", 1.0),
        ("shared", "coder", "block", "block", "waits_for_approval", None, first, "usage", 1000,
         "ada", 0.5),
    ]  # fmt: skip
    assert place.approvals() == [(first, "waits", 1, None)]

    with reading_store(place.engine) as connection:
        sha = people.sha_of(people.waiting_limits(connection, first))
    until = AS_OF + DAY
    people.approve_limits(place.engine, first, plan_sha=sha, by="ada", now=AS_OF, expires_at=until)
    people.disarm(place.engine, "litellm-main", by="ada", now=AS_OF)
    place.mirror(at=until - DAY / 2)
    assert {row[4] for row in place.wanted()} == {"dry_run"}
    assert place.approvals() == [(first, "given", 1, "ada")]

    stale = {"held_reason": "stale source: litellm-main"}
    place.stands(budget("1000", **stale), budget("0", **rate), keys=keys, moved=moved)
    place.mirror(at=until)
    assert {row[4:6] for row in place.wanted()} == {("held", "stale source: litellm-main")}
    assert place.approvals() == [(first, "waits", 1, "ada")]

    place.stands(budget("0"), budget("0", **rate), keys=keys, moved=moved)
    place.mirror(at=until)
    assert place.wanted() == []
    assert place.approvals() == [(first, "expired", 0, "ada")]
