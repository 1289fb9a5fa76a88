"""What is told and how: pings, Slack's format, links, sources that fail; small and without keys."""

import json
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from budget_readings import AS_OF, budget, reading
from click.testing import CliRunner
from gateway_server import FakeReceiver, receiver_server
from ops_stores import ENVIRON, endpoint, opened_store, rows, store_url
from sqlalchemy import Engine, update
from standardwebhooks import Webhook

from ingestion.config_outward import EventType
from orchestration.cli import main
from orchestration.governance.endpoints import sync_endpoints
from orchestration.governance.evaluate import evaluate
from orchestration.governance.formats import MARTS, slack_body, with_link
from orchestration.governance.overdue import announce_overdue_snapshot
from orchestration.governance.sources import SourceReading, announce_sources
from orchestration.governance.webhooks import dispatch
from orchestration.ops.store import writing
from orchestration.ops.tables import endpoint as endpoint_table
from orchestration.ops.tables import outbox

ROOT = Path(__file__).parents[2]
PAGE = "https://meterhouse.house/assets/{mart}"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with opened_store(tmp_path) as engine:
        yield engine


@pytest.fixture
def receiver() -> Iterator[FakeReceiver]:
    with receiver_server() as receiver:
        yield receiver


def deliver(engine: Engine, receiver: FakeReceiver) -> list[tuple[dict[str, str], bytes]]:
    done = dispatch(
        engine,
        now=lambda: AS_OF,
        environ={**ENVIRON, "HOOK_URL": receiver.url},
        limit=100,
        worker="w1",
        jitter=random.Random(7),
    )
    assert {each.status for each in done.attempts} <= {"delivered"}
    return receiver.deliveries


def breach(engine: Engine) -> None:
    for snapshot, used in enumerate(("10", "1000"), start=1):
        evaluate(engine, reading=reading(snapshot, budget(used)))


def test_a_slack_endpoint_gets_text_and_needs_no_secret(
    engine: Engine, receiver: FakeReceiver
) -> None:
    sync_endpoints(engine, [endpoint(format="slack", secret_env=None, page_url=PAGE)])
    breach(engine)
    ((headers, body),) = deliver(engine, receiver)
    assert "webhook-signature" not in headers
    text = json.loads(body)["text"].splitlines()
    assert text[:4] == [
        "*budget.threshold_reached* Coder",
        "ok → critical",
        "1000 of 1000 USD",
        "• gpt-5: 12.50",
    ]
    assert text[-1] == (
        "<https://meterhouse.house/assets/budgets/fct_budget_status|What explains it>"
    )


def test_the_outbox_keeps_the_message_itself_whatever_the_format(
    engine: Engine, receiver: FakeReceiver
) -> None:
    sync_endpoints(engine, [endpoint(), endpoint("chat", format="slack")])
    breach(engine)
    bodies = {row["endpoint_id"]: row["body"] for row in rows(engine, outbox)}
    assert bodies["chat"] == bodies["finops"]
    sent = {body for _, body in deliver(engine, receiver)}
    assert sent == {bodies["finops"], slack_body(bodies["chat"])}


def test_slack_sees_no_markup_of_names(engine: Engine) -> None:
    message = {
        "type": "budget.threshold_reached",
        "data": {"entity": {"name": "<!channel> & <https://evil.example|x>"}, "note": "a\nb"},
    }
    text = json.loads(slack_body(json.dumps(message).encode()))["text"]
    assert text == (
        "*budget.threshold_reached* &lt;!channel&gt; &amp; &lt;https://evil.example|x&gt;"
        "\nnote: a b"
    )


def test_every_event_has_a_table_that_explains_it() -> None:
    assert {event.partition(".")[0] for event in get_args(EventType)} - {"*"} == set(MARTS)


def test_a_link_leads_to_a_table_that_exists() -> None:
    marts = ROOT / "dbt_project" / "models" / "marts"
    for mart in set(MARTS.values()):
        assert (marts / f"{mart}.sql").exists(), mart
    body = b'{"type":"price.changed","timestamp":"t","data":{"b":1}}'
    assert with_link(body, page_url=None) == body
    assert json.loads(with_link(body, page_url=PAGE))["data"] == {
        "b": 1,
        "link": "https://meterhouse.house/assets/trust/fct_price_changes",
    }


def source(name: str, *, is_stale: bool) -> SourceReading:
    return SourceReading(
        source_instance=name,
        source="litellm",
        last_read_at=AS_OF - timedelta(hours=7),
        last_usage_at=None,
        is_stale=is_stale,
    )


def test_a_source_that_fails_is_told_once_and_again_after_it_recovered(engine: Engine) -> None:
    sync_endpoints(engine, [endpoint(), endpoint("part", entities=("team-search",))])

    def told(*, is_stale: bool) -> int:
        sources = [source("litellm-main", is_stale=is_stale), source("litellm", is_stale=False)]
        return announce_sources(engine, sources, as_of=AS_OF)

    assert told(is_stale=False) == 0  # never failed: nothing has recovered
    assert [told(is_stale=stale) for stale in (True, True, False, False, True)] == [1, 0, 1, 0, 1]
    messages = sorted(rows(engine, outbox), key=lambda row: row["ordinal"])
    assert [row["event_type"] for row in messages] == [
        "source.failed",
        "source.recovered",
        "source.failed",
    ]
    assert {row["endpoint_id"] for row in messages} == {"finops"}
    assert json.loads(messages[0]["body"])["data"] == {
        "source": "litellm-main",
        "system": "litellm",
        "last_read_at": "2026-11-23T05:00:00.000000Z",
        "last_usage_at": None,
        "lag_seconds": 25_200,
        "as_of": "2026-11-23T12:00:00.000000Z",
    }


def test_a_snapshot_that_is_overdue_is_told_once_and_that_one_came_again(engine: Engine) -> None:
    sync_endpoints(engine, [endpoint(), endpoint("part", entities=("team-search",))])

    def told(hours: int) -> int:
        now, after = AS_OF + timedelta(hours=hours), timedelta(hours=3)
        return announce_overdue_snapshot(engine, as_of=AS_OF, now=now, overdue_after=after)

    assert [told(hours) for hours in (0, 3, 4, 5, 0, 1, 4)] == [0, 0, 1, 0, 1, 0, 1]
    messages = sorted(rows(engine, outbox), key=lambda row: row["ordinal"])
    assert [row["event_type"] for row in messages] == [
        "snapshot.overdue",
        "snapshot.recovered",
        "snapshot.overdue",
    ]
    assert {row["endpoint_id"] for row in messages} == {"finops"}
    assert json.loads(messages[0]["body"])["data"] == {
        "as_of": "2026-11-23T12:00:00.000000Z",
        "age_seconds": 14_400,
    }


def test_every_message_is_small_and_holds_no_key_and_no_address(
    engine: Engine, receiver: FakeReceiver
) -> None:
    long = "x" * 200
    drivers = json.dumps([{"entity": long, "model": long, "key": long, "used": "1"}] * 60)
    row = budget("1000", entity_name=long, top_drivers_json=drivers)
    sync_endpoints(engine, [endpoint(page_url="https://h.example/" + "p" * 282)])
    evaluate(engine, reading=reading(1, budget("10")))
    evaluate(engine, reading=reading(2, row))
    announce_sources(engine, [source("s", is_stale=True)], as_of=AS_OF)
    for stored in rows(engine, outbox):
        assert len(stored["body"]) < 20_480
        for secret in ("a" * 64, receiver.url, "whsec_"):  # the key's id, the address, a secret
            assert secret.encode() not in stored["body"]


def run(engine: Engine, receiver: FakeReceiver, *arguments: str) -> tuple[int, str]:
    found = CliRunner().invoke(
        main,
        ["ops", *arguments],
        env={
            **ENVIRON,
            "COLUMNS": "200",
            "HOOK_URL": receiver.url,
            "METERHOUSE_OPS_URL": str(engine.url),
        },
    )
    return found.exit_code, found.output


def test_a_ping_says_what_came_back(engine: Engine, receiver: FakeReceiver) -> None:
    sync_endpoints(engine, [endpoint(events=("price.changed",))])
    code, said = run(engine, receiver, "ping", "finops")
    ((headers, body),) = receiver.deliveries
    assert (code, said) == (0, f"{headers['webhook-id']}: 204\n")
    assert Webhook(ENVIRON["HOOK_SECRET"]).verify(body, headers)["type"] == "test.ping"
    receiver.answers = [500]
    code, said = run(engine, receiver, "ping", "finops")
    assert (code, said.endswith(": 500\n")) == (1, True)
    assert run(engine, receiver, "ping", "nobody")[0] == 1


def test_endpoints_shows_what_is_wrong_and_enable_lets_one_hear_again(
    engine: Engine, receiver: FakeReceiver
) -> None:
    sync_endpoints(engine, [endpoint()])
    receiver.answers = [410]
    assert run(engine, receiver, "ping", "finops")[0] == 1
    assert "disabled: 410 from the receiver" in run(engine, receiver, "endpoints")[1]
    assert "it is disabled" in run(engine, receiver, "ping", "finops")[1]
    assert run(engine, receiver, "enable", "finops") == (0, "finops hears again.\n")
    assert run(engine, receiver, "ping", "finops")[0] == 0
    assert "hears" in run(engine, receiver, "endpoints")[1]
    assert run(engine, receiver, "enable", "nobody")[0] == 1


def test_messages_are_replayed_by_id_and_by_day_at_the_command_line(
    engine: Engine, receiver: FakeReceiver
) -> None:
    sync_endpoints(engine, [endpoint()])
    breach(engine)
    ((first, body),) = deliver(engine, receiver)
    asked: list[Any] = [["--id", first["webhook-id"]], ["--since", "2026-11-23"]]
    for arguments in asked:
        code, said = run(engine, receiver, "replay", *arguments)
        assert (code, said) == (0, "1 message(s) wait to be sent again.\n")
        deliver(engine, receiver)
    assert receiver.bodies() == {first["webhook-id"]: {body}}
    assert len(receiver.deliveries) == 3
    assert run(engine, receiver, "replay", "--since", "2026-11-24")[1].startswith("0 ")


def test_the_doctor_names_what_is_down_and_what_was_given_up(
    engine: Engine, receiver: FakeReceiver, tmp_path: Path
) -> None:
    sync_endpoints(engine, [endpoint()])
    breach(engine)
    with writing(engine) as connection:
        connection.execute(update(outbox).values(status="dead"))
        connection.execute(update(endpoint_table).values(disabled_reason="410"))
    found = CliRunner().invoke(
        main,
        ["doctor"],
        env={"METERHOUSE_OPS_URL": store_url(tmp_path), "METERHOUSE_HOME": str(tmp_path)},
    )
    assert found.exit_code == 1
    assert "disabled: 410" in found.output
    assert "1 dead letters" in found.output
