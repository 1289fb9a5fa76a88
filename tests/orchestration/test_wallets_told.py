"""What an alert of a wallet says besides its levels: when it has recovered, again, and not now."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from budget_readings import reading
from ops_stores import body, endpoint, opened_store, rows
from sqlalchemy import Engine
from wallet_marts import Marts
from wallet_words import at

from orchestration.governance.endpoints import sync_endpoints
from orchestration.governance.evaluate import evaluate
from orchestration.governance.wallet_alerts import wallet_alerts
from orchestration.governance.wallet_facts import read_wallets
from orchestration.governance.wallet_keeping import keep_ledger
from orchestration.ops.tables import outbox, transition

LOW = {"feature": None, "unit": "currency", "info": "100", "warning": None, "critical": "20"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    with opened_store(tmp_path) as engine:
        sync_endpoints(engine, [endpoint()])
        yield engine


def holding(folder: Path, **said: Any) -> Marts:
    """A wallet of 200 dollars with an alert at 100 and at 20."""
    marts = Marts(folder)
    marts.wallet(alerts_json=json.dumps([LOW | said]))
    marts.grant("g", "200")
    return marts


def judge(store: Engine, marts: Marts, snapshot_id: int, as_of: str) -> list[tuple[Any, str]]:
    """The balance and the new level of what changed."""
    marts.publish(snapshot_id, as_of)
    keep_ledger(store, marts.con, read_wallets(marts.con))
    now = reading(snapshot_id, keys=(), as_of=at(as_of))
    found = evaluate(store, reading=now, others=wallet_alerts(store, read_wallets(marts.con)))
    return [(each.value, each.to_level) for each in found.transitions]


def test_a_balance_that_trembles_at_its_threshold_is_told_once(
    store: Engine, tmp_path: Path
) -> None:
    """Info at 100 with a tenth of it back ends above 110."""
    marts = holding(tmp_path, hysteresis="0.1")
    assert judge(store, marts, 1, "2026-10-01") == []
    marts.use("100", "2026-10-02T09:00")
    assert judge(store, marts, 2, "2026-10-03") == [(100, "info")]
    marts.grant("g3", "5", on="2026-10-03")  # 105 left
    assert judge(store, marts, 3, "2026-10-04") == []
    marts.use("6", "2026-10-04T09:00")  # 99
    assert judge(store, marts, 4, "2026-10-05") == []
    marts.grant("g5", "11", on="2026-10-05")  # 110
    assert judge(store, marts, 5, "2026-10-06") == []
    marts.grant("g6", "0.01", on="2026-10-06")
    assert judge(store, marts, 6, "2026-10-07") == [(Decimal("110.01"), "ok")]
    assert len(rows(store, transition)) == 2


def test_a_balance_that_stays_low_is_told_again_once_when_it_is_due(
    store: Engine, tmp_path: Path
) -> None:
    marts = holding(tmp_path, renotify_after="24h")
    judge(store, marts, 1, "2026-10-01")
    marts.use("150", "2026-10-02T09:00")
    reminders = []
    for snapshot, as_of in enumerate(
        ("2026-10-03", "2026-10-03T23:59", "2026-10-04", "2026-10-04T12:00"), start=2
    ):
        judge(store, marts, snapshot, as_of)
        sent = sorted(rows(store, outbox), key=lambda row: row["ordinal"])
        reminders.append([body(row)["data"].get("reminder") for row in sent])
    assert reminders == [[None], [None], [None, 1], [None, 1]]
    assert {row["event_type"] for row in rows(store, outbox)} == {"wallet.threshold_reached"}
    assert len(rows(store, transition)) == 1


def test_a_paused_alert_of_a_wallet_tells_nothing_until_it_is_resumed(
    store: Engine, tmp_path: Path
) -> None:
    marts = holding(tmp_path)
    judge(store, marts, 1, "2026-10-01")
    paused = json.dumps([LOW | {"paused": True, "renotify_after": "1h"}])
    marts.con.execute("update wallets.dim_wallets set alerts_json = ?", [paused])
    marts.use("190", "2026-10-02T09:00")
    assert judge(store, marts, 2, "2026-10-03") == []
    assert rows(store, outbox) == []
    marts.con.execute("update wallets.dim_wallets set alerts_json = ?", [json.dumps([LOW])])
    assert judge(store, marts, 3, "2026-10-04") == [(10, "critical")]


@pytest.mark.parametrize(
    ("to", "channel", "told"),
    [
        ([], None, ["finops", "sales"]),
        (["sales"], None, ["sales"]),
        ("owner", "sales", ["sales"]),
        ("owner", None, []),
    ],
)
def test_who_is_told_of_a_low_balance_is_what_its_alert_names(
    store: Engine, tmp_path: Path, to: str | list[str], channel: str | None, told: list[str]
) -> None:
    sync_endpoints(store, [endpoint("finops"), endpoint("sales")])
    marts = holding(tmp_path, to=to)
    marts.con.execute("insert into core.dim_entity_owners values ('acme', 'former', false)")
    marts.con.execute("insert into core.dim_entity_owners values ('acme', ?, true)", [channel])
    judge(store, marts, 1, "2026-10-01")
    marts.use("100", "2026-10-02T09:00")
    assert judge(store, marts, 2, "2026-10-03") == [(100, "info")]
    assert sorted(row["endpoint_id"] for row in rows(store, outbox)) == told
