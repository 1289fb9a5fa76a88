"""Many messages, many dispatchers, endpoints that want rest: on SQLite and on a real Postgres."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from gateway_server import FakeReceiver, receiver_server
from ops_stores import ENVIRON, endpoint, rows
from sqlalchemy import Engine, delete, update

from orchestration.governance.endpoints import sync_endpoints
from orchestration.governance.webhooks import Dispatched, dispatch
from orchestration.ops.lease import holder_name
from orchestration.ops.outbox import enqueue
from orchestration.ops.store import open_store, writing
from orchestration.ops.tables import METADATA, delivery_attempt, outbox

NOW = datetime(2026, 11, 23, 12, 5, tzinfo=UTC)


@pytest.fixture
def engine(ops_url: str) -> Iterator[Engine]:
    engine = open_store(ops_url)
    sync_endpoints(engine, [endpoint()])
    yield engine
    engine.dispose()


@pytest.fixture
def receiver() -> Iterator[FakeReceiver]:
    with receiver_server() as receiver:
        yield receiver


def wait_for(engine: Engine, count: int, *, to: str = "finops") -> None:
    with writing(engine) as connection:
        for number in range(count):
            enqueue(
                connection,
                subject_kind="ping",
                subject_id=str(number),
                event_type="test.ping",
                endpoint_ids=[to],
                body=b'{"number":%d}' % number,
                created_at=NOW,
            )


def run(engine: Engine, receiver: FakeReceiver, **changes: Any) -> Dispatched:
    given: dict[str, Any] = {
        "now": lambda: NOW,
        "environ": {**ENVIRON, "HOOK_URL": receiver.url},
        "limit": 1000,
        "worker": "w1",
        "jitter": random.Random(7),
    }
    return dispatch(engine, **given | changes)


def ids(receiver: FakeReceiver) -> list[str]:
    return [headers["webhook-id"] for headers, _ in receiver.deliveries]


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_what_is_append_only_refuses_change_in_the_database(
    engine: Engine, receiver: FakeReceiver
) -> None:
    wait_for(engine, 1)
    run(engine, receiver)
    for change in (delete(delivery_attempt), update(delivery_attempt).values(status_code=500)):
        with pytest.raises(Exception, match="append-only"), writing(engine) as connection:
            connection.execute(change)


def test_three_dispatchers_at_once_send_each_message_once(
    ops_url: str, engine: Engine, receiver: FakeReceiver
) -> None:
    wait_for(engine, 250)
    start = threading.Barrier(3)
    found: list[Dispatched] = []

    def work(number: int) -> None:
        own = open_store(ops_url)
        start.wait()
        found.append(run(own, receiver, worker=f"w{number}"))
        own.dispose()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids(receiver)) == len(set(ids(receiver))) == 250
    assert sum(each.count("delivered") for each in found) == 250
    assert [row["n"] for row in rows(engine, delivery_attempt)] == [1] * 250
    assert {row["status"] for row in rows(engine, outbox)} == {"delivered"}


def test_a_message_of_a_killed_dispatcher_goes_out_at_once_and_another_ones_after_its_lease(
    engine: Engine, receiver: FakeReceiver
) -> None:
    wait_for(engine, 2)
    alive, dead = holder_name(), f"{holder_name().rpartition('#')[0]}#{_gone()}"
    with writing(engine) as connection:
        for number, holder in enumerate((alive, dead), start=1):
            connection.execute(
                update(outbox)
                .where(outbox.c.ordinal == number)
                .values(lease_by=holder, lease_until=NOW + timedelta(minutes=5))
            )
    assert run(engine, receiver).count("delivered") == 1
    assert [body for _, body in receiver.deliveries] == [b'{"number":1}']
    later = NOW + timedelta(minutes=5)
    assert run(engine, receiver, now=lambda: later).count("delivered") == 1


def test_the_oldest_message_goes_first_and_the_limit_is_kept(
    engine: Engine, receiver: FakeReceiver
) -> None:
    wait_for(engine, 5)
    assert len(run(engine, receiver, limit=3).attempts) == 3
    assert len(run(engine, receiver, limit=3).attempts) == 2
    assert [body for _, body in receiver.deliveries] == [b'{"number":%d}' % n for n in range(5)]


def test_a_receiver_that_is_overloaded_gets_no_more_in_this_run(
    engine: Engine, receiver: FakeReceiver
) -> None:
    wait_for(engine, 120)
    receiver.answers = [(429, {"Retry-After": "7"})]
    done = run(engine, receiver)
    assert done.count("pending") == 1
    assert len(receiver.deliveries) <= 8  # what was on its way together
    assert {row["lease_by"] for row in rows(engine, outbox)} == {None}
    assert run(engine, receiver, limit=10**6).count("delivered") == 120 - len(done.attempts)


def test_an_endpoint_that_does_not_answer_is_left_alone_after_three_attempts(
    engine: Engine, receiver: FakeReceiver
) -> None:
    sync_endpoints(
        engine, [endpoint(), endpoint("silent", url="http://127.0.0.1:1/", url_env=None)]
    )
    wait_for(engine, 10, to="silent")
    wait_for(engine, 10)
    done = run(engine, receiver)
    tries = [each.endpoint_id for each in done.attempts]
    assert (tries.count("silent"), tries.count("finops")) == (3, 10)
    assert {row["attempts"] for row in rows(engine, outbox) if row["endpoint_id"] == "silent"} == {
        0,
        1,
    }


def _gone() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


DISPATCH = """
import random, sys
from datetime import datetime
from orchestration.governance.webhooks import dispatch
from orchestration.ops.lease import holder_name
from orchestration.ops.store import open_store
url, at = sys.argv[1:]
now = datetime.fromisoformat(at)
dispatch(
    open_store(url), now=lambda: now, environ=__import__("os").environ, limit=1000,
    worker=holder_name(), jitter=random.Random(7),
)
"""


@pytest.mark.parametrize(
    ("point", "twice"), [("dispatch.leased:20", 3), ("dispatch.sent:3", 8), ("dispatch.acked:3", 0)]
)
def test_a_kill_in_a_backlog_repeats_only_what_was_on_its_way_and_loses_nothing(
    ops_url: str, engine: Engine, receiver: FakeReceiver, point: str, twice: int
) -> None:
    wait_for(engine, 120)
    killed = subprocess.run(
        [sys.executable, "-c", DISPATCH, ops_url, NOW.isoformat()],
        cwd=Path(__file__).parents[2],
        env={
            **os.environ,
            **ENVIRON,
            "HOOK_URL": receiver.url,
            "METERHOUSE_CRASH_AT": point,
        },
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    run(engine, receiver)
    assert len(set(ids(receiver))) == 120
    assert 0 <= len(ids(receiver)) - 120 <= twice
    assert {len(found) for found in receiver.bodies().values()} == {1}
    assert {row["status"] for row in rows(engine, outbox)} == {"delivered"}
