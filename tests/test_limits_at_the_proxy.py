"""From published marts to calls that are refused: real evaluation, messages and proxy, no pass.

The proxy is the sandbox's; the marts are filled by hand, so that every number here is one of ours.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import requests
from budget_readings import AS_OF, DECEMBER, NOVEMBER, budget, december, key
from contract_marts import publish
from ops_stores import endpoint, opened_store
from sqlalchemy import Engine

from orchestration.enforcement.litellm import LiteLLMGateway
from orchestration.enforcement.reconcile import Rules, reconcile
from orchestration.governance.budgets import BudgetReading, KeyOfBudget, LimitReading, read_budgets
from orchestration.governance.endpoints import sync_endpoints
from orchestration.governance.evaluate import Evaluation, evaluate
from orchestration.governance.webhooks import dispatch
from orchestration.ops.people import arm
from sandbox.company import KEYS, Key
from sandbox.server import Sandbox

HOUR = timedelta(hours=1)
CODER, TRIAGE, SALES = (
    next(each for each in KEYS if each.alias == alias)
    for alias in ("agent-coder-key", "agent-triage-key", "sales-prod")
)


def of(proxy_key: Key, budget_id: str) -> KeyOfBudget:
    """A key of the proxy that spends on a budget."""
    return key(proxy_key.hashed, alias=proxy_key.alias, of=budget_id)


@dataclass
class Place:
    """A store, a proxy and what was published last."""

    engine: Engine
    sandbox: Sandbox
    client: LiteLLMGateway
    folder: Path
    keys: tuple[KeyOfBudget, ...] = (of(CODER, "coder"), of(TRIAGE, "triage"))
    snapshot: int = 0

    def publish(
        self,
        *budgets: BudgetReading,
        limits: tuple[LimitReading, ...] = (),
        as_of: datetime = AS_OF,
    ) -> Evaluation:
        """The next snapshot, evaluated as it is read from its file."""
        self.snapshot += 1
        path = self.folder / f"marts-{self.snapshot}.duckdb"
        snapshot = {"snapshot_id": self.snapshot, "as_of": as_of, "checks_ok": True}
        publish(
            path,
            {
                "core.published_snapshot": [_naive(snapshot)],
                "budgets.fct_budget_status": [_naive(vars(each)) for each in budgets],
                "budgets.fct_budget_keys": [_naive(vars(each)) for each in self.keys],
                "budgets.fct_budget_limits": [_naive(vars(each)) for each in limits],
            },
        )
        with duckdb.connect(str(path), read_only=True) as connection:
            return evaluate(self.engine, reading=read_budgets(connection))

    def run(self, after: timedelta = timedelta(0)) -> list[tuple[str | None, str, str]]:
        """One reconciliation, and its messages sent: key, step and result of each action."""
        done = reconcile(
            self.engine,
            gateways={"litellm-main": self.client},
            now=lambda: AS_OF + after,
            by="test",
            rules=Rules(),
        )
        dispatch(
            self.engine,
            now=lambda: AS_OF + after,
            environ=self.sandbox.environment(),
            limit=1_000,
            worker="test",
            jitter=_Steady(),
        )
        return [(action.key_alias, action.step, action.result) for action in done]

    def ask(self, method: str, path: str, *, raw_key: str = "", **facts: Any) -> Any:
        """An answer of the proxy, to its admin or to who has this key."""
        headers = {"Authorization": f"Bearer {raw_key or self.sandbox.master_key}"}
        url = self.sandbox.litellm_url + path
        return requests.request(method, url, headers=headers, timeout=10, **facts)

    def call(self, proxy_key: Key) -> int:
        """The status of a call to a model with this key."""
        said = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}
        return self.ask("POST", "/chat/completions", raw_key=proxy_key.raw, json=said).status_code

    def ours(self) -> list[tuple[str, bool]]:
        """What we changed at the proxy: the key and whether it was blocked by it."""
        return [
            (each["target"], each["changes"]["blocked"])
            for each in self.ask("GET", "/_world/actions").json()
            if each["changed_by"] == "meterhouse"
        ]

    def told(self) -> list[dict[str, Any]]:
        """Every message that arrived, oldest first."""
        inbox = self.ask("GET", "/webhooks/finops").json()
        return [json.loads(each["body"]) for each in inbox]


class _Steady:
    """No jitter."""

    def uniform(self, low: float, high: float) -> float:
        return low


def _naive(row: dict[str, Any]) -> dict[str, Any]:
    """As marts keep it: UTC without a zone."""
    return {
        name: value.replace(tzinfo=None) if isinstance(value, datetime) else value
        for name, value in row.items()
    }


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    end = datetime(2026, 11, 23, 18, tzinfo=UTC)
    hook = endpoint(url_env="WEBHOOK_FINOPS_URL", secret_env="WEBHOOK_FINOPS_SECRET")
    with (
        Sandbox(home=tmp_path / "vendors", as_of=end, events=50, days=1) as sandbox,
        opened_store(tmp_path) as engine,
    ):
        sync_endpoints(engine, [hook])
        client = LiteLLMGateway(
            sandbox.litellm_url, admin_key=sandbox.master_key, changed_by="meterhouse"
        )
        place = Place(engine, sandbox, client, tmp_path)
        place.publish(budget("10"), budget("10", budget_id="triage"))
        yield place
        client.close()


@pytest.fixture
def armed(place: Place) -> Place:
    arm(place.engine, "litellm-main", by="ada", now=AS_OF)
    return place


def test_a_breach_is_told_and_the_next_call_is_refused(armed: Place) -> None:
    assert armed.call(CODER) == 200
    armed.publish(budget("1000"), budget("10", budget_id="triage"))
    assert armed.run() == [("agent-coder-key", "block", "verified")]
    assert (armed.call(CODER), armed.call(TRIAGE)) == (401, 200)
    assert [each["type"] for each in armed.told()] == ["budget.threshold_reached", "limit.applied"]


@pytest.mark.parametrize("how", ["recovery", "period roll", "raised budget", "deleted budget"])
def test_what_ends_a_breach_opens_what_we_blocked_and_nothing_else(armed: Place, how: str) -> None:
    """The sales team's key was blocked by a person; its use counts towards the same budget."""
    armed.keys = (of(CODER, "coder"), of(SALES, "coder"))
    armed.ask("POST", "/key/block", json={"key": SALES.hashed})
    armed.publish(budget("1000"))
    armed.run()
    assert (armed.call(CODER), armed.call(SALES)) == (401, 401)
    if how == "recovery":
        armed.publish(budget("300"))
    elif how == "period roll":
        armed.publish(budget("1000", is_current=False), december("0"), as_of=DECEMBER)
    elif how == "raised budget":
        raised = {"amount": Decimal(2000), "critical_threshold": Decimal(2000)}
        armed.publish(budget("1000", budget_version="v2", **raised))
    else:
        armed.publish()
    assert armed.run() == [("agent-coder-key", "release", "verified")]
    assert (armed.call(CODER), armed.call(SALES)) == (200, 401)
    assert armed.ours() == [(CODER.hashed, True), (CODER.hashed, False)]
    metadata = armed.ask("GET", "/key/info", params={"key": CODER.hashed}).json()["info"]
    assert metadata["metadata"] == {}
    assert armed.run(HOUR) == []


def test_a_person_who_opens_a_key_at_the_proxy_is_respected_for_four_hours(armed: Place) -> None:
    armed.publish(budget("1000"))
    armed.run()
    armed.ask("POST", "/key/unblock", json={"key": CODER.hashed})
    assert armed.run() == [("agent-coder-key", "override", "recorded")]
    for hours in range(1, 4):
        armed.publish(budget("1050"))
        assert armed.run(hours * HOUR) == []
    assert armed.call(CODER) == 200 and armed.ours() == [(CODER.hashed, True)]
    assert armed.run(4 * HOUR) == [("agent-coder-key", "block", "verified")]
    assert armed.call(CODER) == 401 and armed.ours() == [(CODER.hashed, True)] * 2


def test_stale_data_hold_the_budgets_that_depend_on_them_and_no_other(armed: Place) -> None:
    stale = {"is_complete": False, "held_reason": "source bedrock-main is stale"}
    armed.publish(budget("1000", **stale), budget("1000", budget_id="triage"))
    assert armed.run() == [("agent-triage-key", "block", "verified")]
    assert (armed.call(CODER), armed.call(TRIAGE)) == (200, 401)
    (held,) = [each["data"] for each in armed.told() if each["type"] == "limit.held"]
    assert held["budget"]["id"] == "coder"
    # What stands already stays while its budget's data are not trusted.
    armed.publish(budget("1000", **stale), budget("10", budget_id="triage", **stale))
    assert armed.run(HOUR) == []
    assert armed.call(TRIAGE) == 401
    armed.publish(budget("1000"), budget("10", budget_id="triage"))
    assert sorted(armed.run(2 * HOUR)) == [
        ("agent-coder-key", "block", "verified"),
        ("agent-triage-key", "release", "verified"),
    ]
    assert (armed.call(CODER), armed.call(TRIAGE)) == (401, 200)


def test_a_dry_run_sends_nothing_but_gets_and_plans_what_armed_does(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, str]] = []
    request = requests.Session.request

    def watched(self: requests.Session, method: str, url: str, **facts: Any) -> Any:
        sent.append((method, url.partition("?")[0]))
        return request(self, method, url, **facts)

    place.publish(budget("1000"), budget("1000", budget_id="triage"))
    with monkeypatch.context() as patch:
        patch.setattr(requests.Session, "request", watched)
        planned = sorted(place.run())
        assert sorted(place.run()) == planned
    assert planned == [
        ("agent-coder-key", "block", "planned"),
        ("agent-triage-key", "block", "planned"),
    ]
    assert sent == [("GET", f"{place.sandbox.litellm_url}/key/info")] * 4
    assert place.ours() == [] and place.call(CODER) == 200
    arm(place.engine, "litellm-main", by="ada", now=AS_OF)
    assert [each[:2] for each in sorted(place.run())] == [each[:2] for each in planned]
    assert sorted(place.ours()) == sorted([(CODER.hashed, True), (TRIAGE.hashed, True)])


def test_forty_keys_that_run_away_are_blocked_at_once_and_a_price_blocks_none(
    armed: Place,
) -> None:
    """Ten agents stand over their budgets by a price alone: 100 used, ten times over.

    A tenth of the 50 known keys is 5: ten by a price wait for one yes, forty by usage for none.
    """
    names = [f"agent-{number:02}" for number in range(50)]
    ran_away, repriced = names[:40], names[40:]
    made = [Key(f"{name}-key", "team-data") for name in names]
    for each in made:
        wanted = {"key_alias": each.alias, "team_id": each.team_id}
        assert armed.ask("POST", "/key/generate", json=wanted).status_code == 200
    armed.keys = tuple(of(each, name) for each, name in zip(made, names, strict=True))
    armed.publish(*(budget("100", budget_id=name) for name in names))
    moved = (
        LimitReading(name, NOVEMBER, moved_use=Decimal(900), moved_by="price") for name in repriced
    )
    done = armed.publish(
        *(budget("1000", budget_id=name, entity_key=name) for name in names), limits=tuple(moved)
    )
    assert len(done.approvals) == 1
    assert sorted(each for each in armed.run() if each[1] == "block") == [
        (f"{name}-key", "block", "verified") for name in ran_away
    ]
    assert sorted(armed.ours()) == sorted((each.hashed, True) for each in made[:40])
    assert {armed.call(each) for each in made[:40]} == {401}
    assert {armed.call(each) for each in made[40:]} == {200}
    (asked,) = [each["data"] for each in armed.told() if each["type"] == "limit.held"]
    assert (asked["approval"], asked["keys_count"]) == (done.approvals[0], 10)
