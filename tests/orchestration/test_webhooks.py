"""Deliveries to a real receiver: signed, scheduled, given up, repeated under one id."""

import json
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from budget_readings import AS_OF, budget, reading
from gateway_server import FakeReceiver, receiver_server
from ops_stores import ENVIRON, PREVIOUS_SECRET, SECRET, endpoint, opened_store, rows, store_url
from sqlalchemy import Engine
from standardwebhooks import Webhook

from orchestration.governance import signing
from orchestration.governance.endpoints import enable_endpoint, sync_endpoints
from orchestration.governance.evaluate import evaluate
from orchestration.governance.webhooks import Dispatched, dispatch
from orchestration.ops.people import replay
from orchestration.ops.store import open_store
from orchestration.ops.tables import delivery_attempt, outbox
from orchestration.ops.tables import endpoint as endpoint_table

NOW = datetime(2026, 11, 23, 12, 5, tzinfo=UTC)


@dataclass
class Post:
    engine: Engine
    receiver: FakeReceiver
    folder: Path
    snapshot: int = 1

    def breach(self) -> None:
        for used in ("10", "1000"):
            evaluate(self.engine, reading=reading(self.snapshot, budget(used)))
            self.snapshot += 1

    def dispatch(self, at: datetime = NOW, **changes: Any) -> Dispatched:
        return dispatch(
            changes.get("engine", self.engine),
            now=lambda: at,
            environ={**ENVIRON, "HOOK_URL": self.receiver.url} | changes.get("environ", {}),
            limit=100,
            worker=changes.get("worker", "w1"),
            jitter=random.Random(7),
        )

    def message(self) -> dict[str, Any]:
        return rows(self.engine, outbox)[0]


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    with opened_store(tmp_path) as engine, receiver_server() as receiver:
        sync_endpoints(engine, [endpoint()])
        yield Post(engine, receiver, tmp_path)


def test_the_known_answer_of_the_specification() -> None:
    folder = Path(__file__).parent.parent / "fixtures" / "standard_webhooks"
    known = json.loads((folder / "signed_delivery.json").read_text(encoding="utf-8"))
    sent = known["headers"]
    made = signing.headers(
        [known["secret_current"], known["secret_previous"]],
        message_id=sent["webhook-id"],
        attempted_at=datetime.fromtimestamp(int(sent["webhook-timestamp"]), UTC),
        body=known["body"].encode(),
    )
    assert made == {name: sent[name] for name in made}


def test_the_public_library_accepts_a_delivery_and_refuses_a_changed_byte(post: Post) -> None:
    post.breach()
    # The library refuses timestamps that are far from the wall clock.
    assert post.dispatch(datetime.now(UTC)).count("delivered") == 1
    ((headers, body),) = post.receiver.deliveries
    assert Webhook(SECRET).verify(body, headers)["type"] == "budget.threshold_reached"
    assert body == post.message()["body"]
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(SECRET).verify(body.replace(b"1000", b"1001"), headers)


def test_a_second_dispatch_sends_nothing(post: Post) -> None:
    post.breach()
    post.dispatch()
    assert post.dispatch(NOW + timedelta(days=9)).attempts == []
    assert len(post.receiver.deliveries) == 1


def test_while_rotating_both_receivers_verify_and_the_old_secret_expires(post: Post) -> None:
    now = datetime.now(UTC)  # as above
    rotating = endpoint(
        secret_env_previous="HOOK_SECRET_OLD", previous_expires_at=now + timedelta(hours=1)
    )
    sync_endpoints(post.engine, [rotating])
    post.receiver.answers = [500]
    post.breach()
    post.dispatch(now)
    post.dispatch(now + timedelta(hours=2))
    (first, body), (second, _) = post.receiver.deliveries
    for secret in (SECRET, PREVIOUS_SECRET):
        Webhook(secret).verify(body, first)
    assert len(first["webhook-signature"].split()) == 2
    assert len(second["webhook-signature"].split()) == 1


def test_a_receiver_that_is_down_gets_the_same_bytes_ten_times_then_a_dead_letter(
    post: Post,
) -> None:
    post.receiver.answers = [503] * 20
    post.breach()
    at, waits = NOW, []
    for _ in range(10):
        (made,) = post.dispatch(at).attempts
        if made.next_at is not None:
            waits.append(made.next_at - at)
            assert post.dispatch(made.next_at - timedelta(milliseconds=1)).attempts == []
            at = made.next_at
    assert made.status == "dead"
    steps = [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
    assert len(waits) == 9
    for wait, step in zip(waits, steps, strict=True):
        assert step <= wait.total_seconds() <= step * 1.1
    assert [len(found) for found in post.receiver.bodies().values()] == [1]
    assert len(rows(post.engine, delivery_attempt)) == 10
    assert post.dispatch(at + timedelta(days=30)).attempts == []


@pytest.mark.parametrize("expect_body", [None, '"ok": true'])
def test_200_with_an_error_in_it_is_a_failure_where_the_endpoint_names_the_good_answer(
    post: Post, expect_body: str | None
) -> None:
    sync_endpoints(post.engine, [endpoint(expect_body=expect_body)])
    post.receiver.answers = [{"error": "no_such_channel"}, {"ok": True}]
    post.breach()
    (first,) = post.dispatch().attempts
    if expect_body is None:
        assert (first.status, first.error_class) == ("delivered", None)
        return
    assert (first.status, first.status_code) == ("pending", 200)
    assert first.error_class == "UnexpectedBody" and first.next_at is not None
    (second,) = post.dispatch(first.next_at).attempts
    assert (second.status, second.error_class) == ("delivered", None)
    assert [len(found) for found in post.receiver.bodies().values()] == [1]
    assert "no_such_channel" not in str(rows(post.engine, delivery_attempt))


def test_a_dead_letter_is_replayed_under_its_id(post: Post) -> None:
    post.receiver.answers = [400, 400, 400]
    post.breach()
    done = [post.dispatch(NOW + timedelta(hours=n)) for n in range(3)]
    assert [d.attempts[0].status for d in done] == ["pending", "pending", "dead"]
    assert "meterhouse ops replay --id msg_" in done[-1].alerts[0]
    identity = post.message()["id"]
    assert replay(post.engine, message_id=identity, since=None) == 1
    assert post.dispatch(NOW + timedelta(hours=4)).count("delivered") == 1
    assert replay(post.engine, message_id=None, since=AS_OF) == 1
    assert post.dispatch(NOW + timedelta(hours=5)).count("delivered") == 1
    assert set(post.receiver.bodies()) == {identity}
    assert [row["n"] for row in rows(post.engine, delivery_attempt)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("asked", "wait"),
    [
        *(("1", 5.0), ("7", 7.0), ("3600", 10.0), ("soon", None)),
        ("Mon, 23 Nov 2026 12:05:07 GMT", 7.0),
        ("Mon, 23 Nov 2026 07:05:08 -0500", 8.0),
        ("Mon, 23 Nov 2026 12:04:00 GMT", 5.0),
        ("Tue, 24 Nov 2026 12:05:00 GMT", 10.0),
    ],
)
def test_retry_after_is_heard_within_one_to_two_steps(
    post: Post, asked: str, wait: float | None
) -> None:
    post.receiver.answers = [(429, {"Retry-After": asked})]
    post.breach()
    (made,) = post.dispatch().attempts
    assert made.next_at is not None
    waited = (made.next_at - NOW).total_seconds()
    assert waited == wait if wait is not None else 5.0 <= waited <= 5.5


def test_gone_disables_the_endpoint_and_keeps_what_waits_for_it(post: Post) -> None:
    post.receiver.answers = [410]
    post.breach()
    post.breach()
    done = post.dispatch()
    assert [a.status for a in done.attempts] == ["dead"]
    assert any("is disabled" in alert for alert in done.alerts)
    assert post.dispatch(NOW + timedelta(days=1)).attempts == []
    sync_endpoints(post.engine, [endpoint()])
    assert post.dispatch(NOW + timedelta(days=1)).attempts == []
    assert enable_endpoint(post.engine, "finops")
    assert post.dispatch(NOW + timedelta(days=1)).count("delivered") == 2


def test_what_happens_while_an_endpoint_is_disabled_waits_for_it(post: Post) -> None:
    post.receiver.answers = [410]
    post.breach()
    post.dispatch()
    post.breach()  # recovery and second breach
    assert post.dispatch().attempts == []
    assert enable_endpoint(post.engine, "finops")
    done = post.dispatch(NOW + timedelta(days=1))
    assert [each.status for each in done.attempts] == ["delivered"] * 2
    told = [json.loads(body)["data"]["transition"]["seq"] for _, body in post.receiver.deliveries]
    assert told == [1, 2, 3]  # the first came back as 410: a dead letter
    assert replay(post.engine, message_id=done.attempts[0].message_id, since=None) == 1


def test_an_endpoint_switched_off_in_config_is_written_nothing(post: Post) -> None:
    sync_endpoints(post.engine, [endpoint(enabled=False)])
    post.breach()
    assert rows(post.engine, outbox) == []


def test_five_days_of_failure_disable_the_endpoint(post: Post) -> None:
    post.receiver.answers = [500] * 3
    post.breach()
    post.dispatch(NOW)
    post.dispatch(NOW + timedelta(hours=119))
    done = post.dispatch(NOW + timedelta(hours=120))
    assert any("failing since" in alert for alert in done.alerts)
    assert rows(post.engine, endpoint_table)[0]["disabled_reason"] is not None


def test_a_redirect_is_a_failure_and_is_not_followed(post: Post) -> None:
    with receiver_server() as elsewhere:
        post.receiver.answers = [(302, {"Location": elsewhere.url})]
        post.breach()
        (made,) = post.dispatch().attempts
        assert (made.status, made.status_code) == ("pending", 302)
        assert elsewhere.deliveries == []


def test_a_lost_response_is_repeated_with_the_same_id_and_bytes(post: Post) -> None:
    post.receiver.answers = ["drop"]
    post.breach()
    assert post.dispatch().attempts[0].error_class is not None
    assert post.dispatch(NOW + timedelta(minutes=1)).count("delivered") == 1
    assert len(post.receiver.deliveries) == 2
    assert [len(found) for found in post.receiver.bodies().values()] == [1]


def test_one_endpoint_that_fails_does_not_delay_another(post: Post) -> None:
    sync_endpoints(
        post.engine, [endpoint(), endpoint("broken", url="http://127.0.0.1:1/", url_env=None)]
    )
    post.breach()
    done = {a.endpoint_id: a.status for a in post.dispatch().attempts}
    assert done == {"finops": "delivered", "broken": "pending"}


def test_a_missing_secret_spends_no_try_and_is_named(post: Post) -> None:
    post.breach()
    done = post.dispatch(environ={"HOOK_SECRET": ""})
    assert done.attempts == []
    assert done.not_ready == {"finops": "no signing secret: set HOOK_SECRET"}
    assert post.dispatch().count("delivered") == 1


def test_http_and_loopback_need_leave(post: Post) -> None:
    sync_endpoints(post.engine, [replace(endpoint(), allow_insecure=False)])
    post.breach()
    (made,) = post.dispatch().attempts
    assert (made.error_class, made.status_code) == ("AddressRefused", None)
    assert post.receiver.deliveries == []


def test_subscriptions_by_event_and_by_subtree(post: Post) -> None:
    sync_endpoints(
        post.engine,
        [
            endpoint("up", events=("budget.threshold_reached",)),
            endpoint("platform", entities=("team-platform",), events=("budget.*",)),
            endpoint("search", entities=("team-search",)),
            endpoint("off", enabled=False),
        ],
    )
    post.breach()
    assert {a.endpoint_id for a in post.dispatch().attempts} == {"up", "platform"}


def test_racing_dispatchers_send_each_message_once(post: Post) -> None:
    for _ in range(3):
        post.breach()
    start = threading.Barrier(4)

    def run(number: int) -> None:
        engine = open_store(store_url(post.folder))
        start.wait()
        post.dispatch(engine=engine, worker=f"w{number}")
        engine.dispose()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sent = [headers["webhook-id"] for headers, _ in post.receiver.deliveries]
    assert len(sent) == len(set(sent)) == 5


def test_no_secret_and_no_address_is_stored(post: Post) -> None:
    post.breach()
    post.dispatch()
    stored = b"".join(path.read_bytes() for path in post.folder.iterdir() if path.is_file())
    for canary in (SECRET.removeprefix("whsec_"), post.receiver.url):
        assert canary.encode() not in stored
