"""Two processes evaluate, two reconcile: on SQLite and on a real Postgres, at a real gateway."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from budget_readings import AS_OF, KEY
from gateway_server import FakeGateway, gateway_server
from ops_stores import body, endpoint, rows, steps
from racing import Pair, evaluated, reconciled, two_processes
from sqlalchemy import Engine

from orchestration.governance.endpoints import sync_endpoints
from orchestration.ops.people import arm
from orchestration.ops.store import open_store
from orchestration.ops.tables import applied_limit, desired_limit, enforcement_action, outbox

KEYS = tuple(sorted(f"{number:064x}" for number in range(10)))
LEASE_OVER = timedelta(minutes=6)


@pytest.fixture
def engine(ops_url: str) -> Iterator[Engine]:
    engine = open_store(ops_url)
    sync_endpoints(engine, [endpoint()])
    arm(engine, "litellm-main", by="ada", now=AS_OF)
    yield engine
    engine.dispose()


@pytest.fixture
def pair(ops_url: str, engine: Engine) -> Iterator[Pair]:
    with two_processes(ops_url) as pair:
        yield pair


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with gateway_server({name: {} for name in (*KEYS, KEY)}) as gateway:
        yield gateway


def told(engine: Engine) -> list[str]:
    return sorted(row["event_type"] for row in rows(engine, outbox))


def test_of_two_that_evaluate_a_snapshot_one_does(engine: Engine, pair: Pair) -> None:
    for snapshot in range(1, 8):
        used = "1000" if snapshot % 2 == 0 else "10"
        assert sorted(pair.race(evaluated, snapshot, used, (KEY,))) == [False, True]
    assert steps(engine) == [
        (1, "ok", "critical"),
        (2, "critical", "ok"),
        (3, "ok", "critical"),
        (4, "critical", "ok"),
        (5, "ok", "critical"),
        (6, "critical", "ok"),
    ]
    sent = [body(row)["data"]["transition"]["seq"] for row in rows(engine, outbox)]
    assert sorted(sent) == [1, 2, 3, 4, 5, 6]
    (want,) = rows(engine, desired_limit)
    assert (want["want"], want["generation"]) == ("open", 6)


def test_of_two_that_reconcile_each_key_is_set_once(
    engine: Engine, pair: Pair, gateway: FakeGateway
) -> None:
    pair.race(evaluated, 1, "10", KEYS)
    for snapshot, used, step in ((2, "1000", "block"), (3, "10", "release")):
        pair.race(evaluated, snapshot, used, KEYS)
        one, other = pair.race(reconciled, gateway.url)
        assert one + other == [(step, "verified")] * 10
    assert sorted(gateway.writes) == [(name, is_set) for name in KEYS for is_set in (False, True)]
    assert gateway.count("POST") == 20
    assert {row["phase"] for row in rows(engine, applied_limit)} == {"verified"}
    assert told(engine) == [
        *["budget.threshold_reached", "budget.threshold_recovered"],
        *["limit.applied"] * 10,
        *["limit.released"] * 10,
    ]


def test_while_one_reconciles_the_other_leaves_it_the_gateway(
    engine: Engine, pair: Pair, gateway: FakeGateway
) -> None:
    """The second begins and ends while the first reads."""
    evaluated_once(pair)
    found: list[list[tuple[str, str]]] = []
    gateway.meanwhile["/key/info"] = lambda: found.append(
        pair.other.submit(reconciled, gateway.url).result()
    )
    assert pair.one.submit(reconciled, gateway.url).result() == [("block", "verified")]
    assert found == [[]]
    assert gateway.writes == [(KEY, True)] and gateway.count("POST") == 1


@pytest.mark.parametrize("path", ["/key/info", "/key/update"])
def test_whoever_lost_its_turn_writes_and_tells_nothing_more(
    engine: Engine, pair: Pair, gateway: FakeGateway, path: str
) -> None:
    """The first hangs in a call until its turn is over and the second has done the work."""
    evaluated_once(pair)
    found: list[list[tuple[str, str]]] = []
    gateway.meanwhile[path] = lambda: found.append(
        pair.other.submit(reconciled, gateway.url, LEASE_OVER).result()
    )
    assert pair.one.submit(reconciled, gateway.url).result() == []
    assert found == [[("block", "verified")]]
    assert gateway.writes == [(KEY, True)]
    # What hung in the write itself could not be called back: it says the same once more.
    assert gateway.count("POST") == (1 if path == "/key/info" else 2)
    assert told(engine) == ["budget.threshold_reached", "limit.applied"]
    (stands,) = rows(engine, applied_limit)
    assert (stands["phase"], stands["generation"]) == ("verified", 1)
    results = [row["result"] for row in rows(engine, enforcement_action)]
    assert results.count("verified") == 1
    assert pair.one.submit(reconciled, gateway.url, 2 * LEASE_OVER).result() == []


def evaluated_once(pair: Pair) -> None:
    """A budget that was kept and is broken."""
    for snapshot, used in ((1, "10"), (2, "1000")):
        pair.one.submit(evaluated, snapshot, used, (KEY,)).result()
