"""The ledger in the ops store: what a snapshot changes, what a closed month never lets change."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from budget_readings import reading
from ops_stores import endpoint, rows
from sqlalchemy import Engine, insert
from wallet_marts import Marts
from wallet_words import at

from orchestration.governance.endpoints import sync_endpoints
from orchestration.governance.evaluate import Evaluation, evaluate
from orchestration.governance.formats import slack_body
from orchestration.governance.wallet_alerts import wallet_alerts
from orchestration.governance.wallet_facts import read_wallets
from orchestration.governance.wallet_keeping import Kept, keep_ledger
from orchestration.ops.store import open_store, writing
from orchestration.ops.tables import (
    METADATA,
    outbox,
    period_close,
    wallet_checkpoint,
    wallet_entry,
    wallet_posting,
)


@pytest.fixture
def store(ops_url: str) -> Iterator[Engine]:
    engine = open_store(ops_url)
    yield engine
    engine.dispose()


@pytest.fixture
def marts(tmp_path: Path) -> Marts:
    made = Marts(tmp_path)
    made.wallet()
    made.grant("g1", "100", priority=1, expires_at="2026-10-10T00:30")
    made.grant("g2", "500")
    return made


def keep(store: Engine, marts: Marts, snapshot_id: int, as_of: str) -> Kept:
    marts.publish(snapshot_id, as_of)
    return keep_ledger(store, marts.con, read_wallets(marts.con))


def close(store: Engine, period: str) -> None:
    facts: dict[str, Any] = {"snapshot_id": 1, "closed_at": at("2026-11-06"), "by": "ada"}
    with writing(store) as connection:
        totals = {"totals_json": "{}", "totals_sha256": ""}
        connection.execute(insert(period_close).values(period=period, **facts, **totals))


def balance(kept: Kept) -> tuple[Decimal, Decimal, Decimal]:
    [found] = kept.balances
    return found.settled, found.ongoing, found.debt


def book(store: Engine) -> list[tuple[Any, ...]]:
    found = [row for row in rows(store, wallet_posting) if not row["is_removed"]]
    found.sort(key=lambda row: (row["at"], row["posting_id"]))
    return [
        (f"{row['at']:%m-%dT%H:%M}", row["kind"], row["lot_id"], f"{row['part']:f}".rstrip("0"))
        for row in found
        if row["kind"] != "grant"
    ]


def test_the_store_is_the_one_that_the_code_uses(store: Engine) -> None:
    with store.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_an_hour_is_one_line_but_where_a_grant_ends_inside(store: Engine, marts: Marts) -> None:
    marts.use("30", "2026-10-05T09:00")
    marts.use("10", "2026-10-05T09:15")
    marts.use("8", "2026-10-10T00:15")
    marts.use("9", "2026-10-10T00:30")
    kept = keep(store, marts, 1, "2026-11-02")
    assert book(store) == [
        ("10-05T09:00", "use", "g1", "40."),
        ("10-10T00:15", "use", "g1", "8."),
        ("10-10T00:30", "expiry", "g1", "52."),
        ("10-10T00:30", "use", "g2", "9."),
    ]
    assert balance(kept) == (0, 491, 0)


def test_a_snapshot_changes_only_what_it_changes(store: Engine, marts: Marts) -> None:
    marts.use("30", "2026-10-05T09:00")
    marts.use("2", "2026-10-06T09:00")
    assert keep(store, marts, 1, "2026-11-02").changed_postings == 5  # grants, uses, expiry
    assert keep(store, marts, 1, "2026-11-02").changed_postings == 0
    assert keep(store, marts, 2, "2026-11-02T01:00").changed_postings == 0
    marts.con.execute("delete from wallets.fct_wallet_usage where drawable_usd = 2")
    marts.use("7", "2026-11-02T00:00")
    # The use that is gone, the larger expiry, the new use.
    assert keep(store, marts, 3, "2026-11-02T02:00").changed_postings == 3
    assert {row["revision"] for row in rows(store, wallet_posting)} == {1, 2}
    assert balance(keep(store, marts, 4, "2026-11-02T03:00")) == (0, 493, 0)


def test_an_older_snapshot_is_ignored(store: Engine, marts: Marts) -> None:
    keep(store, marts, 8, "2026-11-02")
    assert keep(store, marts, 7, "2026-11-01").is_ignored


def test_many_may_keep_the_ledger_at_once(store: Engine, marts: Marts) -> None:
    """Of one snapshot, just after a month closed: each of them would sum what it leaves."""
    marts.use("30", "2026-10-05T09:00")
    keep(store, marts, 1, "2026-11-02")
    close(store, "2026-10")
    marts.use("5", "2026-10-06T09:00")
    marts.publish(2, "2026-11-08")
    facts = read_wallets(marts.con)
    with ThreadPoolExecutor(4) as pool:
        kept = pool.map(lambda con: keep_ledger(store, con, facts),
                        [marts.con.cursor() for _ in range(4)])  # fmt: skip
    done = list(kept)
    assert sorted(each.changed_postings for each in done) == [0, 0, 0, 1]
    assert {balance(each) for each in done} == {(500, 495, 0)}
    assert [row["period"] for row in rows(store, wallet_checkpoint)] == ["2026-10"]


def test_a_closed_month_keeps_its_draws_and_later_ones_are_dated(
    store: Engine, marts: Marts
) -> None:
    marts.use("30", "2026-10-05T09:00", member="a")
    marts.use("45", "2026-10-05T09:00", member="b")
    keep(store, marts, 1, "2026-11-02")
    before = [row for row in book(store) if row[0] < "11"]
    close(store, "2026-10")
    marts.use("5", "2026-10-06T09:00", member="b")
    marts.con.execute(
        "update wallets.fct_wallet_usage set drawable_usd = 24 where member_key = 'a'"
    )
    marts.use("10", "2026-11-03T09:00", member="b")
    kept = keep(store, marts, 2, "2026-11-08")
    october = [row for row in book(store) if row[0] < "11"]
    assert october == before
    assert book(store)[len(before) :] == [
        ("11-01T00:00", "adjustment", "credit|correction|2026-10|2026-11-01T00:00|w|a|w", "-6."),
        ("11-01T00:00", "use", "g2", "5."),
        ("11-03T09:00", "use", "g2", "10."),
    ]
    # 600 granted, 75 drawn and 25 expired in October; then 6 back, 5 and 10 drawn.
    assert balance(kept) == (500, 491, 0)
    assert keep(store, marts, 3, "2026-11-09").changed_postings == 0
    close(store, "2026-11")
    marts.use("2", "2026-12-01T09:00", member="b")
    marts.use("1", "2026-10-07T09:00", member="a")
    kept = keep(store, marts, 4, "2026-12-02")
    assert [row["period"] for row in rows(store, wallet_checkpoint)] == ["2026-10", "2026-11"]
    assert book(store)[-2:] == [
        ("12-01T00:00", "use", "g2", "1."),
        ("12-01T09:00", "use", "g2", "2."),
    ]
    assert balance(kept) == (491, 488, 0)


def test_a_closed_month_of_two_chains_is_corrected_chain_by_chain(
    store: Engine, tmp_path: Path
) -> None:
    (tmp_path / "two").mkdir()
    marts = Marts(tmp_path / "two")
    for name, amount in (("team", "40"), ("chat", "100"), ("search", "100")):
        marts.wallet(name)
        marts.grant(name, amount, wallet_id=name)
    marts.use("60", "2026-10-05T09:00", chain=("team", "chat"))
    marts.use("30", "2026-10-06T09:00", chain=("team", "search"))
    keep(store, marts, 1, "2026-11-02")
    close(store, "2026-10")
    marts.use("15.5", "2026-10-07T09:00", chain=("team", "search"))
    kept = keep(store, marts, 2, "2026-11-08")
    # 20 of chat's for chat; 30 and the 15.5 that came late of search's.
    assert {each.wallet_id: each.ongoing for each in kept.balances} == {
        "chat": 80,
        "search": Decimal("54.5"),
        "team": 0,
    }


def test_an_entry_counts_as_it_was_recorded_first(store: Engine, marts: Marts) -> None:
    assert keep(store, marts, 1, "2026-11-02").refused == ()
    marts.con.execute("update wallets.dim_wallet_entries set amount_usd = 5 where entry_id = 'g2'")
    marts.con.execute("delete from wallets.dim_wallet_entries where entry_id = 'g1'")
    kept = keep(store, marts, 2, "2026-11-02")
    assert kept.refused == (
        "g2 was recorded otherwise and counts as it was recorded",
        "g1 is no longer declared and still counts",
    )
    assert [row["amount"] for row in rows(store, wallet_entry)] == [100, 500]
    assert balance(kept) == (0, 500, 0)


LOW = {"feature": None, "unit": "credits", "info": "300", "warning": "200", "critical": "100"}
CHAT = {"feature": "chat", "unit": "currency", "info": None, "warning": "700", "critical": "10"}


def judged(store: Engine, marts: Marts, snapshot_id: int, as_of: str) -> Evaluation:
    keep(store, marts, snapshot_id, as_of)
    now = reading(snapshot_id, keys=(), as_of=at(as_of))
    return evaluate(store, reading=now, others=wallet_alerts(store, read_wallets(marts.con)))


def test_a_low_balance_is_told_and_so_is_its_recovery(store: Engine, tmp_path: Path) -> None:
    sync_endpoints(store, [endpoint(), endpoint("elsewhere", entities=("team-b",))])
    (tmp_path / "low").mkdir()
    marts = Marts(tmp_path / "low")
    marts.wallet(usd_per_credit="0.5", alerts_json=json.dumps([LOW]))
    marts.grant("g", "200")
    assert judged(store, marts, 1, "2026-10-01").transitions == ()
    marts.use("100", "2026-10-02T09:00")  # 100 dollars are the 200 credits of the warning
    [fell] = judged(store, marts, 2, "2026-10-03").transitions
    assert (fell.alert_id, fell.event_type) == ("wallet:w", "wallet.threshold_reached")
    assert (fell.to_level, fell.crossed) == ("warning", ("info", "warning"))
    marts.grant("more", "60", on="2026-10-04")
    [rose] = judged(store, marts, 3, "2026-10-05").transitions
    assert (rose.event_type, rose.to_level) == ("wallet.threshold_recovered", "ok")
    [first, _] = sorted(rows(store, outbox), key=lambda row: row["ordinal"])
    told = json.loads(first["body"])
    assert told["data"]["balance"] == {
        "currency": "USD",
        "available": "100",
        "available_credits": "200",
        "ongoing": "100",
        "settled": "0",
        "debt": "0",
    }
    assert told["data"]["thresholds"] == {"info": "150", "warning": "100", "critical": "50"}
    stated = {"unit": "credits", "info": "300", "warning": "200", "critical": "100"}
    assert told["data"]["stated_thresholds"] == stated
    assert judged(store, marts, 4, "2026-10-06").transitions == ()


def test_a_feature_draws_on_its_own_wallet_and_on_what_lies_above(
    store: Engine, tmp_path: Path
) -> None:
    (tmp_path / "chat").mkdir()
    marts = Marts(tmp_path / "chat")
    team = {"entity_key": "team-a", "entity_path": "acme / team-a"}
    marts.wallet("above")
    marts.wallet("other", measure="charged")
    marts.wallet("apps", is_limited_to_sources=True)
    marts.wallet("team", alerts_json=json.dumps([CHAT]), **team)
    marts.put("dim_wallet_features", wallet_id="team", feature_key="chat")
    for wallet_id, amount in (("team", "150"), ("above", "551"), ("other", "9"), ("apps", "9")):
        marts.grant(f"g-{wallet_id}", amount, wallet_id=wallet_id)
    assert judged(store, marts, 1, "2026-10-01").transitions == ()
    marts.use("1", "2026-10-02T09:00", chain=("team", "above"))
    [fell] = judged(store, marts, 2, "2026-10-03").transitions
    assert (fell.alert_id, fell.value, fell.to_level) == ("wallet:team:chat", 700, "warning")


def test_a_low_balance_is_told_with_who_drew_it_with_which_model_and_key(
    store: Engine, tmp_path: Path
) -> None:
    """Of the whole wallet without a node that its own wallet paid for; of a feature its own use."""
    sync_endpoints(store, [endpoint()])
    (tmp_path / "told").mkdir()
    marts = Marts(tmp_path / "told")
    marts.wallet(alerts_json=json.dumps([LOW | {"unit": "currency"}, CHAT]))
    marts.wallet("own")
    marts.grant("g", "1000")
    marts.grant("o", "900", wallet_id="own")
    assert judged(store, marts, 1, "2026-10-01").transitions == ()
    marts.use("800", "2026-10-02T09:00", member="team-a")
    marts.use("50", "2026-10-02T09:00", member="team-b")
    marts.use("900", "2026-10-02T09:00", member="team-c", chain=("own", "w"))
    for member, feature, model, key, used in (
        ("team-a", "chat", "m1", "k1", "600"),
        ("team-a", "search", "m1", "k1", "150"),
        ("team-a", None, None, None, "50"),
        ("team-b", "chat", "m2", "k2", "50"),
        ("team-c", "chat", "m1", "k3", "900"),
    ):
        marts.put(
            "fct_wallet_drivers", wallet_id="w", member_key=member, feature_key=feature,
            model_id=model, raw_key_alias=key, drawable_usd=used,
        )  # fmt: skip
    assert len(judged(store, marts, 2, "2026-10-03").transitions) == 2
    messages = [row["body"] for row in rows(store, outbox)]
    shown = [json.loads(slack_body(body))["text"].splitlines()[:4] for body in messages]
    assert ["*wallet.threshold_reached* acme", "ok → warning", "150 USD left",
            "• team-a, k1, m1: 750"] in shown  # fmt: skip
    told = [json.loads(body)["data"] for body in messages]
    drivers = {each["wallet"]["feature"]: each["drivers"] for each in told}
    assert drivers[None] == [
        {"entity": "team-a", "model": "m1", "key": "k1", "used": "750"},
        {"entity": "team-a", "model": None, "key": None, "used": "50"},
        {"entity": "team-b", "model": "m2", "key": "k2", "used": "50"},
    ]
    assert [(each["entity"], each["used"]) for each in drivers["chat"]] == [
        ("team-c", "900"), ("team-a", "600"), ("team-b", "50"),
    ]  # fmt: skip


def test_a_wallet_alerts_and_counts_for_a_feature_only_while_it_is_valid(
    store: Engine, tmp_path: Path
) -> None:
    (tmp_path / "valid").mkdir()
    marts = Marts(tmp_path / "valid")
    low = json.dumps([LOW | {"unit": "currency"}])
    marts.wallet("later", alerts_json=low, valid_from_at="2026-10-05")
    marts.wallet("earlier", valid_to_at="2026-10-02")
    marts.wallet("w", alerts_json=json.dumps([CHAT | {"warning": None}]))
    marts.grant("g", "900", wallet_id="earlier")
    assert {each.alert_id for each in judged(store, marts, 1, "2026-10-01").transitions} == set()
    # What w can draw on ended with the other wallet; the third one begins with nothing.
    [ended] = judged(store, marts, 2, "2026-10-02").transitions
    assert (ended.alert_id, ended.value) == ("wallet:w:chat", 0)
    [begun] = judged(store, marts, 3, "2026-10-05").transitions
    assert (begun.alert_id, begun.value) == ("wallet:later", 0)


def test_alerts_of_wallets_stay_where_the_balances_are_of_another_snapshot(
    store: Engine, tmp_path: Path
) -> None:
    (tmp_path / "stay").mkdir()
    marts = Marts(tmp_path / "stay")
    marts.wallet(usd_per_credit="1", alerts_json=json.dumps([LOW]))
    [found] = judged(store, marts, 1, "2026-10-01").transitions
    assert (found.baseline, found.to_level) == (True, "critical")
    marts.publish(2, "2026-10-02")
    assert wallet_alerts(store, read_wallets(marts.con)) == {}
    marts.con.execute("delete from wallets.dim_wallets")
    [gone] = judged(store, marts, 3, "2026-10-03").transitions
    assert (gone.event_type, gone.to_level) == ("wallet.threshold_recovered", "ok")
