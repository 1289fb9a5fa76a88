"""Limits of a system without a key API: asked for, confirmed, taken back; a person told if not."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from budget_readings import AS_OF, KEY, budget, reading
from ops_stores import ENVIRON, SECRET, endpoint, opened_store, rows
from scripted_server import Answer, Asked, ScriptedServer, scripted_server
from sqlalchemy import Engine

from ingestion.config_loader import load_config
from orchestration.assets.gateways import declared_gateways
from orchestration.enforcement.command import CommandGateway, announce_overdue
from orchestration.enforcement.gateway import Gateway
from orchestration.enforcement.reconcile import reconcile
from orchestration.enforcement.rules import Rules
from orchestration.governance import signing
from orchestration.governance.endpoints import EndpointConfig, sync_endpoints
from orchestration.governance.evaluate import evaluate
from orchestration.governance.webhooks import dispatch
from orchestration.ops.people import arm
from orchestration.ops.tables import applied_limit, command_request, enforcement_action, outbox

ENTITIES = "entities:\n  - {id: acme, type: organisation}\n"
SOURCES = """sources:
  - id: litellm-main
    system: litellm
    evidence_layer: gateway
    base_url_env: A
    api_key_env: B
"""
WEBHOOKS = """endpoints:
  - id: deny-policy
    kind: command
    url_env: ACTOR_URL
    verify_url_env: ACTOR_URL
    secret_env: HOOK_SECRET
    allow_insecure: true
    acknowledge_within_minutes: 30
"""
ENFORCEMENT = "gateways:\n  - {id: litellm-main, system: command, endpoint: deny-policy}\n"


@dataclass
class Actor:
    """What acts: keeps the commands, and does what they ask unless it is slow."""

    is_slow: bool = False
    commands: list[dict[str, object]] = field(default_factory=list)
    in_force: int | None = None

    def answer(self, asked: Asked) -> Answer:
        if asked.method == "GET":
            return self._shown(asked)
        assert asked.headers["webhook-signature"] == _signature(asked, asked.body)
        command = json.loads(asked.body)
        self.commands.append(command)
        if not self.is_slow:
            self.act()
        return Answer(status=202)

    def act(self) -> None:
        last = self.commands[-1]
        is_block = last["type"] == "limit.requested"
        self.in_force = last["data"]["generation"] if is_block else None  # type: ignore[index]

    def _shown(self, asked: Asked) -> Answer:
        query = urlencode({"gateway": "litellm-main", "key": KEY})
        assert asked.headers["webhook-signature"] == _signature(asked, query.encode())
        return Answer({"blocked": self.in_force is not None, "generation": self.in_force})


@dataclass
class Road:
    engine: Engine
    actor: Actor
    server: ScriptedServer
    gateways: dict[str, Gateway]
    at: list[timedelta]
    snapshot: int = 0

    def use(self, used: str) -> None:
        self.snapshot += 1
        evaluate(self.engine, reading=reading(self.snapshot, budget(used)))

    def reconcile(self) -> list[tuple[str, str]]:
        done = reconcile(
            self.engine,
            gateways=self.gateways,
            now=lambda: AS_OF + self.at[0],
            by="test",
            rules=Rules(),
        )
        return [(each.step, each.result) for each in done]

    def dispatch(self) -> None:
        dispatch(
            self.engine,
            now=lambda: AS_OF + self.at[0],
            environ={**ENVIRON, "ACTOR_URL": f"{self.server.url}/act"},
            limit=10,
            worker="w1",
            jitter=random.Random(7),
            only="deny-policy",
        )

    def told(self) -> list[str]:
        return [
            row["event_type"]
            for row in sorted(rows(self.engine, outbox), key=lambda row: row["ordinal"])
            if row["event_type"].startswith("limit.")
        ]


@pytest.fixture
def road(tmp_path: Path) -> Iterator[Road]:
    folder = tmp_path / "config"
    folder.mkdir()
    files = {
        "entities": ENTITIES,
        "sources": SOURCES,
        "webhooks": WEBHOOKS,
        "enforcement": ENFORCEMENT,
    }
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    config, actor, at = load_config(folder), Actor(), [timedelta(0)]
    acting = EndpointConfig(
        id="deny-policy",
        url_env="ACTOR_URL",
        secret_env="HOOK_SECRET",
        events=(),
        allow_insecure=True,
    )
    with opened_store(tmp_path) as engine, scripted_server(actor.answer) as server:
        sync_endpoints(engine, [endpoint(), acting])
        gateways = declared_gateways(
            config,
            engine=engine,
            environ={**ENVIRON, "ACTOR_URL": f"{server.url}/act"},
            now=lambda: AS_OF + at[0],
        )
        yield Road(engine, actor, server, gateways, at)
        for gateway in gateways.values():
            assert isinstance(gateway, CommandGateway)
            gateway.verify.close()


def _signature(asked: Asked, signed: bytes) -> str:
    return signing.signature(
        SECRET,
        message_id=asked.headers["webhook-id"],
        timestamp=int(asked.headers["webhook-timestamp"]),
        body=signed,
    )


def test_a_limit_is_asked_for_confirmed_and_released(road: Road) -> None:
    arm(road.engine, "litellm-main", by="ada", now=AS_OF)
    road.use("10")
    road.use("1000")
    assert road.reconcile() == [("block", "pending_verify")]
    assert road.actor.commands == []  # it waits in the outbox, as every message
    road.dispatch()
    (asked,) = road.actor.commands
    assert asked["type"] == "limit.requested"
    data = asked["data"]
    assert isinstance(data, dict)
    assert (data["gateway"], data["key"], data["limit"]) == ("litellm-main", KEY, "block")
    assert (data["generation"], data["acknowledge_by"]) == (1, "2026-11-23T12:30:00.000000Z")
    assert road.reconcile() == [("adopt", "recorded")]
    assert rows(road.engine, applied_limit)[0]["phase"] == "verified"
    road.use("300")
    assert road.reconcile() == [("release", "pending_verify")]
    assert road.reconcile() == [("wait", "recorded")]
    assert road.reconcile() == []
    road.dispatch()
    assert road.reconcile() == [("settle", "recorded")]
    assert road.actor.in_force is None
    assert road.told() == [
        "limit.requested",
        "limit.applied",
        "limit.release_requested",
        "limit.released",
    ]
    assert all(row["acknowledged_at"] for row in rows(road.engine, command_request))


def test_a_dry_run_asks_for_nothing_and_only_looks(road: Road) -> None:
    road.use("10")
    road.use("1000")
    assert road.reconcile() == [("block", "planned")]
    road.dispatch()
    assert rows(road.engine, command_request) == []
    assert {each.method for each in road.server.asked} == {"GET"}


def test_without_an_acknowledgement_in_time_a_person_is_told_once(road: Road) -> None:
    arm(road.engine, "litellm-main", by="ada", now=AS_OF)
    road.actor.is_slow = True
    road.use("10")
    road.use("1000")
    road.reconcile()
    road.dispatch()
    road.at[0] = timedelta(minutes=29)
    assert announce_overdue(road.engine, now=AS_OF + road.at[0]) == ([], 0)
    for _ in range(3):
        road.at[0] += timedelta(minutes=1)
        road.reconcile()
        (alert,), _ = announce_overdue(road.engine, now=AS_OF + road.at[0])
        assert "meterhouse ops replay --id msg_" in alert
    assert road.told() == ["limit.requested", "limit.unacknowledged"]
    assert len(road.actor.commands) == 1
    writes = [row["result"] for row in rows(road.engine, enforcement_action)]
    assert writes == ["intent", "pending_verify", "recorded"]
    road.actor.act()  # late, and seen nevertheless
    assert road.reconcile() == [("adopt", "recorded")]
    assert announce_overdue(road.engine, now=AS_OF + road.at[0]) == ([], 0)


def test_what_was_asked_for_and_not_confirmed_is_taken_back(road: Road) -> None:
    arm(road.engine, "litellm-main", by="ada", now=AS_OF)
    road.use("10")
    road.use("1000")
    road.reconcile()
    road.use("300")
    road.reconcile()
    road.dispatch()
    assert [each["type"] for each in road.actor.commands] == [
        "limit.requested",
        "limit.release_requested",
    ]
    assert road.actor.in_force is None
    assert road.reconcile() == []


def test_what_a_person_lifted_is_respected(road: Road) -> None:
    arm(road.engine, "litellm-main", by="ada", now=AS_OF)
    road.use("10")
    road.use("1000")
    road.reconcile()
    road.dispatch()
    road.reconcile()
    road.actor.in_force = None
    assert road.reconcile() == [("override", "recorded")]
    assert road.reconcile() == []
    assert len(road.actor.commands) == 1


@pytest.mark.parametrize(
    ("status", "body", "result"),
    [
        (401, {}, "refused"),
        (404, {}, "recorded"),
        (500, {}, "unknown"),
        (200, "no JSON", "unknown"),
        (200, {"blocked": "yes", "generation": 1}, "unknown"),
        (200, {"blocked": True}, "recorded"),
    ],
)
def test_what_cannot_be_verified_is_not_asked_for(
    road: Road, status: int, body: object, result: str
) -> None:
    arm(road.engine, "litellm-main", by="ada", now=AS_OF)
    road.use("10")
    road.use("1000")
    road.server.canned = [Answer(body, status=status)]
    assert [found for _, found in road.reconcile()] == [result]
    assert rows(road.engine, command_request) == []
