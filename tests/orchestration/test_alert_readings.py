"""Alerts besides budgets: what the marts read becomes states, transitions and messages."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from budget_readings import AS_OF, budget, reading
from ops_stores import endpoint, opened_store, rows
from sqlalchemy import Engine

from orchestration.governance.endpoints import sync_endpoints
from orchestration.governance.evaluate import evaluate
from orchestration.governance.readings import KINDS, read_alerts
from orchestration.governance.sources import SourceReading, unwatched_sources
from orchestration.ops.tables import outbox, transition

ROW = """
    select '{id}' as alert_id, 'v1' as alert_version, '{kind}' as kind,
        'agent-coder' as entity_key, 'Coder' as entity_name, 'acme / agent-coder' as entity_path,
        'owner' as tree, timestamp '{start}' as period_start_at,
        timestamp '{end}' as period_end_at, {value}::decimal(38, 6) as value,
        null::decimal(38, 6) as info_threshold, 8::decimal(38, 6) as warning_threshold,
        20::decimal(38, 6) as critical_threshold, '{facts}' as facts_json,
        '[{{"model":"gpt-5","key":"agent-coder-key","used":"240"}}]' as top_drivers_json,
        {hysteresis}::decimal(38, 15) as hysteresis_ratio,
        {renotify_minutes}::bigint as renotify_minutes, '{on_no_data}' as on_no_data,
        false as is_paused, null::varchar as recipients
"""
FACTS = {"burn_rate": '{"spent_usd":"240"}', "freshness": '{"source":"litellm-main"}'}
ALWAYS = ("1970-01-01", "9999-12-31")

SOURCES = [
    SourceReading(
        source_instance=name, source=None, last_read_at=AS_OF, last_usage_at=None, is_stale=True
    )
    for name in ("litellm-main", "bills")
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    with opened_store(tmp_path) as engine:
        sync_endpoints(engine, [endpoint()])
        yield engine


def seen(
    engine: Engine,
    snapshot: int,
    *alerts: tuple[str, str, str, tuple[str, str]],
    minutes: int = 0,
    **options: str,
) -> tuple[str, ...]:
    with duckdb.connect() as marts:
        marts.execute("create schema budgets")
        marts.execute("create table budgets.fct_alert_readings as " + _select(alerts, **options))
        others = read_alerts(marts)
    assert set(others) == set(KINDS)
    is_watched = any(kind == "freshness" for _, kind, _, _ in alerts)
    assert [each.source_instance for each in unwatched_sources(SOURCES, others)] == (
        ["bills"] if is_watched else ["litellm-main", "bills"]
    )
    now = reading(snapshot, budget("1"), as_of=AS_OF + timedelta(minutes=minutes))
    return evaluate(engine, reading=now, others=others).data_errors


def _select(alerts: tuple[tuple[str, str, str, tuple[str, str]], ...], **options: str) -> str:
    def row(*, kind: str, **more: str) -> str:
        said = {"on_no_data": "hold", "hysteresis": "0", "renotify_minutes": "null"} | options
        return ROW.format(kind=kind, facts=FACTS.get(kind, "{}"), **said, **more)

    if not alerts:
        none = row(id="x", kind="anomaly", value="0", start=ALWAYS[0], end=ALWAYS[1])
        return f"select * from ({none}) as none_of_them where false"
    return " union all ".join(
        row(id=name, kind=kind, value=value, start=period[0], end=period[1])
        for name, kind, value, period in alerts
    )


def told(engine: Engine) -> list[tuple[str, str, str]]:
    sent = [json.loads(row["body"]) for row in rows(engine, outbox)]
    return sorted(
        (each["type"], each["data"]["alert_id"], each["data"]["transition"]["to"])
        for each in sent
        if "transition" in each["data"]
    )


def test_a_runaway_is_told_with_what_moved_and_when_it_is_over(store: Engine) -> None:
    seen(store, 1, ("runaway", "burn_rate", "1", ALWAYS))
    seen(store, 2, ("runaway", "burn_rate", "20", ALWAYS))
    [message] = rows(store, outbox)
    sent = json.loads(message["body"])
    assert sent["type"] == "spend.burn_rate_exceeded"
    assert sent["data"]["transition"]["crossed"] == ["warning", "critical"]
    assert sent["data"]["reading"] == {"spent_usd": "240", "unit": "times_usual", "value": "20"}
    assert sent["data"]["drivers"] == [{"model": "gpt-5", "key": "agent-coder-key", "used": "240"}]
    assert sent["data"]["entity"]["lineage"] == ["acme", "agent-coder"]
    seen(store, 3, ("runaway", "burn_rate", "7.999999", ALWAYS))
    assert told(store) == [
        ("spend.burn_rate_exceeded", "burn_rate:runaway", "critical"),
        ("spend.burn_rate_exceeded", "burn_rate:runaway", "ok"),
    ]


def test_too_little_to_tell_is_no_reading_and_an_alert_that_is_gone_ends(store: Engine) -> None:
    # Nothing to tell is no evaluation: the first one that is may still be a baseline.
    assert seen(store, 1, ("share", "unpriced_share", "null", ALWAYS)) == ()
    seen(store, 2, ("share", "unpriced_share", "9", ALWAYS))
    [digest] = rows(store, outbox)
    assert json.loads(digest["body"])["data"]["baselines"][0]["trust"] == "share"
    assert seen(store, 3, ("share", "unpriced_share", "null", ALWAYS)) == ()
    assert told(store) == []
    seen(store, 4)
    assert told(store) == [("trust.threshold_recovered", "trust:share", "ok")]
    assert {row["unit"] for row in rows(store, transition)} == {"share"}


def test_a_loss_is_reached_and_recovered_and_told_by_its_alert_alone(store: Engine) -> None:
    month = ("2026-11-01", "2026-12-01")
    for snapshot, value in enumerate(("0", "12.5", "-1"), start=1):
        seen(store, snapshot, ("loss", "negative_margin", value, month))
    assert told(store) == [
        ("margin.threshold_reached", "margin:loss", "warning"),
        ("margin.threshold_recovered", "margin:loss", "ok"),
    ]


def test_no_data_may_stand_for_nothing_or_be_told_once(store: Engine) -> None:
    share = ("share", "unpriced_share", "9", ALWAYS)
    none = ("share", "unpriced_share", "null", ALWAYS)
    seen(store, 1, share)
    for snapshot in (2, 3):
        seen(store, snapshot, none, on_no_data="notify")
    sent = [json.loads(row["body"]) for row in sorted(rows(store, outbox), key=_ordinal)]
    assert [each["type"] for each in sent] == ["trust.threshold_reached", "trust.no_data"]
    assert (sent[1]["data"]["level"], sent[1]["data"]["last_value"]) == ("warning", "9")
    assert sent[1]["data"]["entity"]["key"] == "agent-coder"
    seen(store, 4, none, on_no_data="zero")
    assert told(store) == [("trust.threshold_recovered", "trust:share", "ok")]


def test_a_stale_source_and_a_dearer_price_are_alerts_with_levels(store: Engine) -> None:
    for snapshot, value in enumerate(("1", "9", "21", "0"), start=1):
        seen(
            store,
            snapshot,
            ("old:litellm-main", "freshness", value, ALWAYS),
            ("dearer", "price_change", value, ALWAYS),
        )
    assert told(store) == [
        ("price.changed", "price_change:dearer", "critical"),
        ("price.changed", "price_change:dearer", "ok"),
        ("price.changed", "price_change:dearer", "warning"),
        ("source.failed", "freshness:old:litellm-main", "critical"),
        ("source.failed", "freshness:old:litellm-main", "warning"),
        ("source.recovered", "freshness:old:litellm-main", "ok"),
    ]
    assert {row["unit"] for row in rows(store, transition)} == {"usd", "times_allowed"}


def test_a_rate_that_trembles_at_its_threshold_is_told_once(store: Engine) -> None:
    # A warning at 8 with 5 % of it back ends below 7.6.
    seen(store, 1, ("runaway", "burn_rate", "1", ALWAYS), hysteresis="0.05")
    for snapshot, value in enumerate(("8", "7.9", "8.1", "7.6", "8"), start=2):
        seen(store, snapshot, ("runaway", "burn_rate", value, ALWAYS), hysteresis="0.05")
    assert [each[2] for each in told(store)] == ["warning"]
    seen(store, 7, ("runaway", "burn_rate", "7.599999", ALWAYS), hysteresis="0.05")
    assert [each[2] for each in told(store)] == ["ok", "warning"]


def test_a_rate_that_stays_high_is_told_again_once_when_it_is_due(store: Engine) -> None:
    seen(store, 1, ("runaway", "burn_rate", "1", ALWAYS))
    reminders = []
    for snapshot, minutes in enumerate((0, 59, 60, 75), start=2):
        high = ("runaway", "burn_rate", "9", ALWAYS)
        seen(store, snapshot, high, minutes=minutes, renotify_minutes="60")
        sent = [json.loads(row["body"]) for row in sorted(rows(store, outbox), key=_ordinal)]
        reminders.append([each["data"].get("reminder") for each in sent])
    assert reminders == [[None], [None], [None, 1], [None, 1]]
    assert len(rows(store, transition)) == 1


def _ordinal(row: dict) -> int:
    return row["ordinal"]


def test_an_unusual_day_is_over_with_the_day_that_tells_it(store: Engine) -> None:
    today = ("2026-11-23", "2026-11-24")
    seen(store, 1, ("day", "anomaly", "1", today))
    seen(store, 2, ("day", "anomaly", "9", today))
    assert told(store) == [("spend.anomaly_detected", "anomaly:day", "warning")]
