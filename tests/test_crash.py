"""A pass killed anywhere, and run again: the marts, messages and gateway writes of a clean one.

`make test` kills at a seeded sample, one kill after another before a run gets through: once with
dlt's working folder lost as well, once with two runs at the same time. `make test-crash` kills at
every point listed, each on its own.
"""

import json
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from checkpoint_trace import passings, written_in
from platform_home import LATER, ROOT, Platform, canonical, differences, made_once, run_away

SEED = 20261123
# Checkpoints by phase of a pass, and which of their passings; the last of each is near its end.
POINTS = {
    "read": {"extract_page": (1, 4, 8), "dlt.extract": (1, 10, 20, 30, 40, 50)},
    "load": {"dlt.normalize": (1, 18, 36, 54, 72, 90), "dlt.load": (1, 12, 24, 36, 48, 60)},
    "build": {"dbt": (1, *range(54, 541, 54))},
    "publish": {
        "publish.before_rename": (1, 2),
        "publish.after_rename": (1, 2),
        "wallets.before_commit": (1,),
        "evaluate.begun": (1,),
        "evaluate.states_saved": (1,),
        "evaluate.before_commit": (1,),
        "evaluate.after_commit": (1,),
    },
    "act": {
        "reconcile.intent": (1, 2),
        "reconcile.applied": (1, 2),
        "reconcile.recorded": (1, 2),
        "dispatch.leased": (1, 3, 5),
        "dispatch.sent": (1, 3, 5),
        "dispatch.acked": (1, 3, 5),
    },
}
# A key or message that a killed process was busy with is left alone until its lease runs out.
LEASES_OVER = LATER + timedelta(minutes=10)
OUTBOUND = """
from orchestration.cli.instance import prepare_instance, run_job
prepare_instance()
from orchestration.definitions import defs
outcome = run_job(defs, "outbound_job", say=lambda text: None)
raise SystemExit(0 if outcome.is_success else outcome.error)
"""
# What was tried and in how many steps; the gateway's own list of writes is compared instead.
ATTEMPTS = "budgets.fct_enforcement_actions"
# A pass run again after a key was blocked reads of the block, which a clean one does an hour later.
READ_OF_ACTS = (
    *("core.dim_source_identities", "trust.fct_source_freshness"),
    "trust.fct_source_checks",  # of what was read, and two runs read twice
)


def named(phase: str) -> list[str]:
    return [f"{name}:{n}" for name, numbers in POINTS[phase].items() for n in numbers]


def chains() -> list[tuple[str, ...]]:
    """Two chains of kills, together one of each phase, in the order in which a pass comes by."""
    chosen = random.Random(SEED)
    return [
        tuple(chosen.choice(named(phase)) for phase in phases)
        for phases in (("read", "load", "publish"), ("build", "act"))
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a chain of the sample, or one a point."""
    if "kills" not in metafunc.fixturenames:
        return
    if metafunc.config.getoption("--crash-points") == "all":
        found = [(point,) for phase in POINTS for point in named(phase)]
    else:
        found = chains()
    metafunc.parametrize("kills", found, ids=lambda kills: " then ".join(kills))


@dataclass(frozen=True)
class Outcome:
    """All that a pass leaves behind for others."""

    marts: dict[str, list[str]]
    messages: list[str]
    writes: list[Any]

    @classmethod
    def of(cls, platform: Platform) -> "Outcome":
        """What stands in this home and at its vendors now."""
        return cls(
            marts=canonical(platform.home / "marts.duckdb", without=[ATTEMPTS]),
            messages=sorted({each["headers"]["webhook-id"] for each in platform.inbox()}),
            writes=platform.gateway_writes(),
        )


def act_again(platform: Platform) -> None:
    """Delivers and reconciles what was left, once the leases of killed processes are over."""
    done = subprocess.run(
        [sys.executable, "-c", OUTBOUND],
        cwd=platform.outside,
        env=platform.environment(LEASES_OVER, PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def run_twice_at_once(platform: Platform) -> None:
    """Two runs that begin together, as cron and a person may start them; both get through."""
    one, two = (platform.start("run", at=LATER) for _ in range(2))
    for process in (one, two):
        code, output = platform.finish(process)
        assert code == 0, output


@pytest.fixture(scope="session")
def clean_pass(_live: Platform, history: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: the second pass when nobody kills it, what it came by and what it leaves behind."""

    def make(folder: Path) -> None:
        _live.put_back(history)
        with _live.vendors():
            run_away(_live)
            _live.run(at=LATER, METERHOUSE_CHECKPOINTS_TO=str(folder / "checkpoints.txt"))
            act_again(_live)
            found = Outcome.of(_live)
        (folder / "outcome.json").write_text(json.dumps(vars(found)), encoding="utf-8")

    return made_once(tmp_path_factory, "clean", make=make)


@pytest.fixture(scope="session")
def clean(clean_pass: Path) -> Outcome:
    """What the clean pass leaves behind."""
    return Outcome(**json.loads((clean_pass / "outcome.json").read_text(encoding="utf-8")))


@pytest.mark.crash
def test_a_clean_pass_comes_by_the_listed_checkpoints_and_no_other(clean_pass: Path) -> None:
    passed = passings(clean_pass / "checkpoints.txt")
    listed = {name: numbers for phase in POINTS.values() for name, numbers in phase.items()}
    assert listed.keys() == passed.keys() >= written_in(["orchestration"])
    for name, numbers in listed.items():
        step = max((later - earlier for earlier, later in pairwise(numbers)), default=1)
        assert numbers[-1] <= passed[name] < numbers[-1] + step, name


@pytest.mark.crash
def test_a_killed_pass_run_again_leaves_what_a_clean_one_leaves(
    kills: tuple[str, ...], clean: Outcome, platform: Platform
) -> None:
    with platform.vendors():
        run_away(platform)
        for point in kills:
            platform.crash(point, at=LATER)
        has_acted = bool(platform.gateway_writes())
        if len(kills) > 1 and kills[0] in named("read"):
            shutil.rmtree(platform.home / "dlt")
        if len(kills) > 1 and kills[0] in named("build"):
            run_twice_at_once(platform)
        else:
            platform.run(at=LATER)
        act_again(platform)
        found = Outcome.of(platform)

    expected = dict(clean.marts)
    if has_acted or set(kills) & set(named("act")):
        for mart in READ_OF_ACTS:
            del expected[mart], found.marts[mart]
    assert differences(found.marts, expected) == []
    assert found.messages == clean.messages
    assert found.writes == clean.writes
    assert len(found.messages) == 6  # the history's, three changes of state, two blocks
    assert [each["changes"]["blocked"] for each in found.writes] == [True, True]
