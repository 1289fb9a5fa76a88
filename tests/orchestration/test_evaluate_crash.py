"""Killed at any point of evaluate, dispatch and reconcile, a re-run ends where a clean run ends."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from checkpoint_trace import passings, written_in
from gateway_server import gateway_server, receiver_server
from ops_stores import opened_store, rows, store_url
from postgres_server import empty_database

from orchestration.ops.tables import alert_state, applied_limit, desired_limit, outbox, transition

pytestmark = pytest.mark.crash
TESTS = Path(__file__).parent.parent
# (checkpoint, how often the clean walk passes it)
POINTS = {
    "evaluate.begun": 4,
    "evaluate.states_saved": 4,
    "evaluate.before_commit": 4,
    "evaluate.after_commit": 4,
    "dispatch.leased": 4,
    "dispatch.sent": 4,
    "dispatch.acked": 4,
    "reconcile.intent": 2,
    "reconcile.applied": 2,
    "reconcile.recorded": 2,
}
# Killed where whole passes are: a book of wallets is not on this road.
ELSEWHERE = {"wallets.before_commit"}
Walk = Callable[[dict[str, Any]], int]


@pytest.fixture(scope="module")
def walk() -> Iterator[Walk]:
    process = subprocess.Popen(
        [sys.executable, str(TESTS / "governance_steps.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])},
    )
    assert process.stdin and process.stdout
    reader, writer = process.stdout, process.stdin

    def run(task: dict[str, Any]) -> int:
        writer.write(json.dumps(task) + "\n")
        writer.flush()
        return int(reader.readline())

    yield run
    writer.close()
    process.wait()
    reader.close()


def final_state(
    walk: Walk,
    folder: Path,
    crashes: list[str],
    *,
    mutant: str | None = None,
    trace: Path | None = None,
    url: str | None = None,
) -> dict[str, Any]:
    """Where the road ends after these crashes, with the outside world's view of it.

    The store is a file of its own in the folder unless its `url` is told.
    """
    folder.mkdir()
    with gateway_server({"a" * 64: {}}) as gateway, receiver_server() as receiver:
        task = {
            "ops_url": url or store_url(folder),
            "gateway_url": gateway.url,
            "receiver_url": receiver.url,
            "mutant": mutant,
            "trace": str(trace) if trace else "",
        }
        for point in crashes:
            status = walk({**task, "crash_at": point})
            assert status in (-signal.SIGKILL, 0)
            assert status or len(crashes) > 1
        assert walk({**task, "crash_at": ""}) == 0
        with opened_store(folder, url) as engine:
            tables = (transition, alert_state, desired_limit, applied_limit)
            messages = {
                row["id"]: (row["status"], row["event_type"], row["body"])
                for row in rows(engine, outbox)
            }
            extra = len(receiver.deliveries) - len(receiver.bodies())
            assert extra <= len(crashes)
            return {
                **{table.name: rows(engine, table) for table in tables},
                "messages": messages,
                "received": receiver.bodies(),
                "writes": gateway.writes,
                "keys": gateway.keys,
            }


@pytest.fixture(scope="module")
def clean(walk: Walk, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return final_state(walk, tmp_path_factory.mktemp("clean") / "ops", [])


def test_the_clean_walk_breaches_blocks_recovers_and_releases(clean: dict[str, Any]) -> None:
    assert [(row["from_level"], row["to_level"]) for row in clean["transition"]] in (
        [("ok", "critical"), ("critical", "ok")],
        [("critical", "ok"), ("ok", "critical")],
    )
    assert clean["writes"] == [("a" * 64, True), ("a" * 64, False)]
    assert sorted(event for _, event, _ in clean["messages"].values()) == [
        "budget.threshold_reached",
        "budget.threshold_recovered",
        "limit.applied",
        "limit.released",
    ]
    assert {status for status, _, _ in clean["messages"].values()} == {"delivered"}


def test_every_checkpoint_of_the_road_is_killed_at_each_time_it_is_passed(
    walk: Walk, tmp_path: Path
) -> None:
    trace = tmp_path / "checkpoints"
    final_state(walk, tmp_path / "ops", [], trace=trace)
    assert passings(trace) == POINTS
    assert written_in(["orchestration/governance", "orchestration/enforcement"]) == (
        POINTS.keys() | ELSEWHERE
    )


@pytest.mark.parametrize(
    "point", [f"{name}:{n}" for name, count in POINTS.items() for n in range(1, count + 1)]
)
def test_a_kill_at_this_point_changes_nothing_in_the_end(
    walk: Walk, clean: dict[str, Any], tmp_path: Path, point: str
) -> None:
    assert final_state(walk, tmp_path / "ops", [point]) == clean


# A design, and the kill that tells it from the right one.
@pytest.mark.parametrize(
    ("mutant", "point"),
    [
        ("outbox after commit", "evaluate.after_commit:2"),
        ("ack before send", "dispatch.leased:1"),
        ("record before apply", "reconcile.recorded:1"),
    ],
)
def test_a_design_in_the_wrong_order_is_caught(
    walk: Walk, clean: dict[str, Any], tmp_path: Path, mutant: str, point: str
) -> None:
    # Unharmed it does as much as the right one: only the kill shows the difference.
    unharmed = final_state(walk, tmp_path / "unharmed", [], mutant=mutant)
    assert unharmed["received"] == clean["received"]
    assert unharmed["writes"] == clean["writes"]
    assert final_state(walk, tmp_path / "killed", [point], mutant=mutant) != clean


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A few seeds in every run, fifty where all kill points are asked for."""
    if "seed" in metafunc.fixturenames:
        seeds = 50 if metafunc.config.option.crash_points == "all" else 6
        metafunc.parametrize("seed", range(seeds))


def chosen(seed: int) -> list[str]:
    points = [f"{name}:{n}" for name, count in POINTS.items() for n in range(1, count + 1)]
    return random.Random(seed).sample(points, 4)


def test_four_kills_in_a_row_change_nothing_in_the_end(
    walk: Walk, clean: dict[str, Any], tmp_path: Path, seed: int
) -> None:
    assert final_state(walk, tmp_path / "ops", chosen(seed)) == clean


def test_four_kills_in_a_row_change_nothing_on_postgres(
    walk: Walk, clean: dict[str, Any], tmp_path: Path, server: str, seed: int
) -> None:
    url = empty_database(server)
    assert final_state(walk, tmp_path / "ops", chosen(seed), url=url) == clean
