"""An evaluation end to end on a real store: transitions, messages and wants, all or nothing."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
from budget_readings import (
    AS_OF,
    DECEMBER,
    KEY,
    OTHER_KEY,
    budget,
    december,
    key,
    reading,
)
from ops_stores import body, endpoint, opened_store, rows, steps, store_url, wants
from sqlalchemy import Engine, insert

from orchestration.governance.budgets import read_budgets
from orchestration.governance.endpoints import sync_endpoints
from orchestration.governance.evaluate import evaluate
from orchestration.ops.evaluator import SnapshotBehind, newest_snapshot
from orchestration.ops.store import open_store, writing
from orchestration.ops.tables import (
    alert_state,
    desired_limit,
    facts_snapshot,
    outbox,
    period_close,
    transition,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    with opened_store(tmp_path) as engine:
        sync_endpoints(engine, [endpoint()])
        evaluate(engine, reading=reading(1, budget("10")))
        yield engine


def test_a_breach_is_one_transition_one_message_and_one_wanted_block(store: Engine) -> None:
    done = evaluate(store, reading=reading(2, budget("1000")))
    assert [(t.from_level, t.to_level) for t in done.transitions] == [("ok", "critical")]
    assert [(w.key_ref, w.want) for w in done.wants] == [(KEY, "block")]
    (message,) = rows(store, outbox)
    sent = body(message)
    assert sent["type"] == "budget.threshold_reached"
    assert sent["timestamp"] == "2026-11-23T12:00:00.000000Z"
    data = sent["data"]
    assert data["transition"]["crossed"] == ["info", "warning", "critical"]
    assert data["transition"]["id"] == done.transitions[0].transition_id == message["subject_id"]
    assert data["use"] == {
        "currency": "USD",
        "used": "1000",
        "priced": "1000",
        "estimated": "0",
        "amount": "1000",
        "share": "1.0000",
    }
    assert data["drivers"] == [{"model": "gpt-5", "used": "12.50"}]
    assert data["binding_budget"]["headroom"] == "0"
    assert data["snapshot"] == {"id": 2, "as_of": "2026-11-23T12:00:00.000000Z"}
    assert (data["data"]["lag_seconds"], data["data"]["is_complete"]) == (90, True)
    assert KEY not in message["body"].decode()
    assert "." not in message["id"] and message["id"].startswith("msg_")


def test_the_same_snapshot_or_an_older_one_changes_nothing(store: Engine) -> None:
    evaluate(store, reading=reading(8, budget("1000")))
    before = [rows(store, table) for table in (transition, outbox, desired_limit, alert_state)]
    assert evaluate(store, reading=reading(8, budget("1000"))).is_ignored
    assert evaluate(store, reading=reading(7, budget("5"))).is_ignored
    after = [rows(store, table) for table in (transition, outbox, desired_limit, alert_state)]
    assert after == before


def test_a_later_snapshot_of_a_home_that_counts_anew_is_refused_with_what_to_do(
    store: Engine,
) -> None:
    evaluate(store, reading=reading(900, budget("10")))
    assert newest_snapshot(store) == 900
    later = reading(1, budget("1000"), as_of=AS_OF + timedelta(hours=1))
    with pytest.raises(
        SnapshotBehind, match=r"snapshot 1 is of 2026-11-23 13:00 UTC.*meterhouse run"
    ):
        evaluate(store, reading=later)
    assert wants(store) == []
    # As the next pass is numbered.
    evaluate(store, reading=replace(later, snapshot_id=901))
    assert wants(store) == [(KEY, "block", 1)]


def test_an_unchanged_state_in_a_new_snapshot_records_nothing(store: Engine) -> None:
    evaluate(store, reading=reading(2, budget("1000")))
    evaluate(store, reading=reading(3, budget("1100")))
    assert len(rows(store, transition)) == len(rows(store, outbox)) == 1
    assert wants(store) == [(KEY, "block", 1)]
    (want,) = rows(store, desired_limit)
    assert json.loads(want["reason_json"])[0]["used"] == "1100"


def test_recovery_opens_and_a_second_breach_is_a_new_transition(store: Engine) -> None:
    for number, used in enumerate(["1000", "300", "1000"], start=2):
        evaluate(store, reading=reading(number, budget(used)))
    assert steps(store) == [(1, "ok", "critical"), (2, "critical", "ok"), (3, "ok", "critical")]
    assert wants(store) == [(KEY, "block", 3)]
    types = [body(row)["type"] for row in sorted(rows(store, outbox), key=lambda r: r["ordinal"])]
    assert types == [
        "budget.threshold_reached",
        "budget.threshold_recovered",
        "budget.threshold_reached",
    ]


def test_a_new_period_recovers_the_old_one_and_opens(store: Engine) -> None:
    evaluate(store, reading=reading(2, budget("1000")))
    over = [budget("1000", is_current=False), december("0")]
    done = evaluate(store, reading=reading(3, *over, as_of=DECEMBER))
    assert [(t.from_level, t.to_level) for t in done.transitions] == [("critical", "ok")]
    assert wants(store) == [(KEY, "open", 2)]
    last = max(rows(store, outbox), key=lambda row: row["ordinal"])
    assert body(last)["data"]["period"]["start_at"] == "2026-11-01T00:00:00.000000Z"
    assert body(last)["data"]["transition"]["cause"] == "period_roll"


def test_late_usage_tells_and_does_not_act(store: Engine) -> None:
    over = [budget("10", is_current=False), december("0")]
    evaluate(store, reading=reading(2, *over, as_of=DECEMBER))
    late = [budget("1000", is_current=False), december("0")]
    done = evaluate(store, reading=reading(3, *late, as_of=DECEMBER))
    assert [(t.to_level, t.late) for t in done.transitions] == [("critical", True)]
    assert wants(store) == []


def test_a_closed_month_emits_nothing(store: Engine) -> None:
    with writing(store) as connection:
        connection.execute(
            insert(period_close).values(
                period="2026-11",
                snapshot_id=1,
                closed_at=DECEMBER,
                by="ada",
                totals_json="{}",
                totals_sha256="",
            )
        )
    late = [budget("1000", is_current=False), december("0")]
    assert evaluate(store, reading=reading(2, *late, as_of=DECEMBER)).transitions == ()


def test_first_findings_are_one_digest_and_limits_follow_them(tmp_path: Path) -> None:
    with opened_store(tmp_path) as engine:
        sync_endpoints(engine, [endpoint(), endpoint("search-only", entities=("team-search",))])
        many = [
            budget("900", budget_id=f"b{n:03}", entity_key=f"agent-{n}", action=None)
            for n in range(100)
        ]
        done = evaluate(engine, reading=reading(1, budget("1000"), *many))
        assert len(done.transitions) == 101 and all(t.baseline for t in done.transitions)
        (message,) = rows(engine, outbox)
        data = body(message)["data"]
        assert (data["count"], data["baseline"], message["subject_kind"]) == (101, True, "digest")
        assert data["baselines"][0]["budget"] == "coder"
        assert len(message["body"]) < 20_000
        assert wants(engine) == [(KEY, "block", 1)]


def test_without_an_endpoint_the_transition_is_kept_with_the_reason(tmp_path: Path) -> None:
    with opened_store(tmp_path) as engine:
        evaluate(engine, reading=reading(1, budget("10")))
        evaluate(engine, reading=reading(2, budget("1000")))
        (found,) = rows(engine, transition)
        assert "no endpoint hears budget.threshold_reached" in found["skipped_reason"]


def test_no_amount_is_a_data_error_and_moves_nothing(store: Engine) -> None:
    evaluate(store, reading=reading(2, budget("1000")))
    for number, used in ((3, None), (4, "NaN")):
        done = evaluate(store, reading=reading(number, budget(used)))
        assert (done.transitions, len(done.data_errors)) == ((), 1)
    assert wants(store) == [(KEY, "block", 1)]


def test_held_data_set_no_new_block_and_lift_none(store: Engine) -> None:
    rows_of = (budget("1000", held_reason="source litellm-main is stale"),)
    done = evaluate(store, reading=reading(2, *rows_of))
    assert (done.held, wants(store)) == (("coder",), [])
    assert {body(row)["type"] for row in rows(store, outbox)} == {
        "budget.threshold_reached",
        "limit.held",
    }
    evaluate(store, reading=reading(3, budget("1000")))
    assert wants(store) == [(KEY, "block", 1)]
    evaluate(store, reading=reading(4, budget("10", held_reason="stale")))
    assert wants(store) == [(KEY, "block", 1)]
    (want,) = rows(store, desired_limit)
    assert want["held_reason"] == "stale"
    assert [body(row)["type"] for row in rows(store, outbox)].count("limit.held") == 1


def test_a_held_budget_holds_no_other(store: Engine) -> None:
    other = budget("1000", budget_id="triage", entity_key="agent-triage")
    held = budget("1000", held_reason="price pending review")
    both = (key(), key(OTHER_KEY, alias="agent-triage-key", of="triage"))
    evaluate(store, reading=reading(2, held, other, keys=both))
    assert wants(store) == [(OTHER_KEY, "block", 1)]


def test_two_budgets_of_one_key_open_it_only_together(store: Engine) -> None:
    team = budget("2000", budget_id="team", entity_key="team-platform")
    keys = (key(), key(of="team"))
    evaluate(store, reading=reading(2, budget("1000"), team, keys=keys))
    low = replace(team, used=Decimal(1))
    evaluate(store, reading=reading(3, budget("1000"), low, keys=keys))
    assert wants(store) == [(KEY, "block", 1)]
    evaluate(store, reading=reading(4, budget("1"), low, keys=keys))
    assert wants(store) == [(KEY, "open", 2)]


def test_a_blocked_key_without_recent_use_stays_blocked_while_the_budget_is_critical(
    store: Engine,
) -> None:
    evaluate(store, reading=reading(2, budget("1000")))
    evaluate(store, reading=reading(3, budget("1001"), keys=()))
    assert wants(store) == [(KEY, "block", 1)]
    (want,) = rows(store, desired_limit)
    assert [why["used"] for why in json.loads(want["reason_json"])] == ["1001"]
    evaluate(store, reading=reading(4, budget("10"), keys=()))
    assert wants(store) == [(KEY, "open", 2)]


def test_an_observing_budget_tells_and_does_not_act(store: Engine) -> None:
    done = evaluate(store, reading=reading(2, budget("1000", mode="observe")))
    assert (len(done.transitions), wants(store)) == (1, [])


def test_two_rows_for_one_budget_and_period_are_refused_whole(store: Engine) -> None:
    with pytest.raises(ValueError, match="two rows"):
        evaluate(store, reading=reading(2, budget("1"), budget("1000")))
    assert [row["snapshot_id"] for row in rows(store, facts_snapshot)] == [1]


def test_racing_evaluators_record_each_transition_once(store: Engine, tmp_path: Path) -> None:
    start = threading.Barrier(4)
    ignored: list[bool] = []

    def run() -> None:
        engine = open_store(store_url(tmp_path))
        start.wait()
        for number in range(2, 8):
            used = "1000" if number % 2 == 0 else "10"
            ignored.append(evaluate(engine, reading=reading(number, budget(used))).is_ignored)
        engine.dispose()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = steps(store)
    assert len(ignored) == 24
    assert [step[0] for step in found] == list(range(1, len(found) + 1))
    assert all(one[2] == two[1] for one, two in pairwise(found))
    assert len(rows(store, outbox)) == len(found)


def test_the_reading_comes_from_the_published_marts() -> None:
    con = duckdb.connect()
    con.execute("create schema core; create schema budgets")
    con.execute(
        "create table core.published_snapshot as select 4::bigint as snapshot_id, "
        "timestamp '2026-11-23 12:00:00' as as_of, true as checks_ok, "
        "null::varchar as held_reason"
    )
    columns = {
        "amount": "1000::decimal(38,15)",
        "used": "1000.000000000000001::decimal(38,15)",
        "is_current": "true",
        "fidelity": "'mixed'",
        "data_lag_ms": "90500",
        "is_complete": "true",
        "period_start_at": "timestamp '2026-11-01'",
        "period_end_at": "timestamp '2026-12-01'",
        "as_of": "timestamp '2026-11-23 12:00:00'",
        "first_usage_at": "null::timestamp",
    }
    names = budget("1").__dataclass_fields__
    selected = ", ".join(f"{columns.get(name, 'null')} as {name}" for name in names)
    con.execute(f"create table budgets.fct_budget_status as select {selected}")
    con.execute(
        "create table budgets.fct_budget_keys as select 'coder' as budget_id, 'litellm' as "
        "gateway, 'litellm-main' as source_instance, 'aa' as raw_key_hash, 'k' as "
        "raw_key_alias, 0.5::double as own_usage_ratio"
    )
    con.execute(
        "create table budgets.fct_budget_limits as select 'coder' as budget_id, "
        "timestamp '2026-11-01' as period_start_at, null::bigint as requests_per_minute, "
        "6::decimal(38,15) as headroom, 0::decimal(38,15) as moved_use, null::varchar as moved_by "
        "union all select 'unmeasured', timestamp '2026-11-01', null, null, 0, null"
    )
    found = read_budgets(con)
    con.close()
    assert (found.snapshot_id, found.as_of) == (4, AS_OF)
    assert found.budgets[0].used == Decimal("1000.000000000000001")
    assert found.budgets[0].period_end_at == DECEMBER
    assert found.keys[0].source_instance == "litellm-main"
    november = found.budgets[0].period_start_at
    assert found.limits["coder", november].headroom == 6
    # A headroom that is not known brings no limit forward.
    assert found.limits["unmeasured", november].headroom == 0


def test_reading_before_anything_was_published_says_so() -> None:
    con = duckdb.connect()
    con.execute("create schema core")
    con.execute(
        "create table core.published_snapshot (snapshot_id bigint, as_of timestamp, "
        "checks_ok boolean, held_reason varchar)"
    )
    with pytest.raises(LookupError, match="nothing was published"):
        read_budgets(con)
    con.close()


def test_a_level_that_lasts_is_told_again_and_is_no_transition(store: Engine) -> None:
    asked = {"renotify_minutes": 60}
    told = []
    for snapshot, minutes in enumerate((0, 59, 60, 90, 185, 190), start=2):
        now = AS_OF + timedelta(minutes=minutes)
        evaluate(store, reading=reading(snapshot, budget("850", **asked), as_of=now))
        told.append([body(row)["data"].get("reminder") for row in rows(store, outbox)])
    # After an hour the first; nothing ran at two hours, so at 3:05 the third, and once.
    assert told == [[None], [None], [None, 1], [None, 1], [None, 1, 3], [None, 1, 3]]
    assert steps(store) == [(1, "ok", "warning")]
    assert {row["event_type"] for row in rows(store, outbox)} == {"budget.threshold_reached"}
    # Each says what is left of the budget that binds: 150 of 1,000.
    bound = [body(row)["data"]["binding_budget"]["headroom"] for row in rows(store, outbox)]
    assert bound == ["150", "150", "150"]


def test_a_budget_of_tokens_says_so(store: Engine) -> None:
    tokens = budget("900", budget_id="t", measure="tokens", unit="tokens")
    evaluate(store, reading=reading(2, budget("10"), tokens))
    evaluate(store, reading=reading(3, budget("1000"), tokens))
    sent = sorted(rows(store, outbox), key=lambda row: row["ordinal"])
    first, breach = [body(row)["data"] for row in sent]
    assert first["baselines"][0]["use"]["unit"] == "tokens"
    assert "currency" not in first["baselines"][0]["use"]
    # The tokens left are fewer than the dollars, and bind no budget of dollars.
    assert breach["binding_budget"]["id"] == "coder"
    assert {row["unit"] for row in rows(store, transition)} == {"usd", "tokens"}


def test_an_alert_goes_to_those_it_names_and_the_message_does_not_list_them(store: Engine) -> None:
    sync_endpoints(store, [endpoint(), replace(endpoint(), id="owners")])
    evaluate(store, reading=reading(2, budget("500", recipients="|owners|")))
    assert [row["endpoint_id"] for row in rows(store, outbox)] == ["owners"]
    assert "recipients" not in body(rows(store, outbox)[0])["data"]
    # An owner without a channel: recorded, and told to nobody.
    evaluate(store, reading=reading(3, budget("800", recipients="||")))
    assert len(rows(store, outbox)) == 1
    last = max(rows(store, transition), key=lambda row: row["seq"])
    assert last["skipped_reason"] == "no endpoint hears budget.threshold_reached of this entity"
