"""SAP's months as standard events: the changes of a total sum to its newest reading, always.

The expected values are worked out by hand from the recorded readings and from rows made up here.
"""

import json
from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sap_joule_server import PULLS, Account, account_server, load_sap_joule, recorded
from staged_warehouse import Event, buckets, build, events_of

from ingestion.declared_tables import declare_tables
from ingestion.sap_joule_records import Meter

USAGE = "staging.stg_sap_joule__monthly_usage"
SEATS = Meter(service="das-application", measure="users", unit="seats", aggregation="max")
DAY = timedelta(days=1)


def october(pull: str) -> list[dict[str, Any]]:
    """A recorded reading, with measures of other kinds besides."""
    rows = recorded(pull)
    joule = rows[0]
    return [
        *rows,
        # A peak that came in two rows is its highest, a quantity in two rows their sum.
        {**joule, "measureId": "users", "usage": 10},
        {**joule, "measureId": "users", "usage": 12},
        {**joule, "serviceId": "das-service", "plan": "designer", "usage": 1.5},
        {**joule, "serviceId": "das-service", "plan": "designer", "usage": 2.25},
        {**joule, "serviceId": "joule-studio", "measureId": "steps", "usage": 7},
        {**joule, "serviceId": "hana", "serviceName": "HANA", "measureId": "hours",
         "metricName": "Hours", "usage": 99},
    ]  # fmt: skip


def told(home: Path) -> dict[str, Event]:
    return {event["source_record_id"]: event for event in events_of(home, USAGE)}


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Event]]]:
    """A warehouse staged after the first of eight loads, and its events after each of them."""
    home = tmp_path_factory.mktemp("home")
    seen: list[dict[str, Event]] = []
    claims = {"meters": (SEATS,), "claimed": ("das-service",)}
    with account_server() as account:
        for number, (now, pull) in enumerate(PULLS):
            account.usage["202610"] = october(pull)
            account.costs["202610"] = costs(is_billed=number == 3)
            load_sap_joule(home, account, now=now, **claims)
            if number == 0:
                declare_tables(home)
                # Views: they show every later load as it comes.
                build(home, select=["path:models/staging/sap_joule"])
            seen.append(told(home))
        last = PULLS[-1][0]
        for days, rows in enumerate(_later(account), start=1):
            account.usage["202610"] = rows
            load_sap_joule(home, account, now=last + days * DAY, **claims)
            seen.append(told(home))
    return home, seen


def _later(account: Account) -> list[list[dict[str, Any]]]:
    """AI units cannot be read; they vanish and tokens fall; they come back; nothing is new."""
    rows = account.usage["202610"]
    fallen = [
        {**row, "usage": 2_600_000} if row["measureId"] == "input_tokens" else row for row in rows
    ]
    gone = [
        row for row in fallen
        if (row["serviceId"], row["measureId"]) != ("das-application", "ai_units")
    ]  # fmt: skip
    broken = [{**rows[0], "usage": "1,200"}, *rows[1:]]
    return [broken, gone, fallen, fallen]


def costs(*, is_billed: bool) -> list[dict[str, Any]]:
    """A cost in euro, which is no claim, and one in dollars of a claimed service."""
    name = "billed" if is_billed else "estimated"
    [euro] = recorded(f"monthlySubaccountsCost_202610_{name}")
    return [
        euro,
        {**euro, "serviceId": "das-service", "measureId": "ai_units", "currency": "USD",
         "application": None},
    ]  # fmt: skip


@pytest.fixture(scope="module")
def home(steps: tuple[Path, list[dict[str, Event]]]) -> Path:
    return steps[0]


@pytest.fixture(scope="module")
def events(steps: tuple[Path, list[dict[str, Event]]]) -> list[Event]:
    """The events after the last load, in the order they were seen."""
    return sorted(steps[1][-1].values(), key=lambda event: (event["loaded_at"], event["load_id"]))


def changes(events: list[Event], unit: str, service: str, measure: str = "") -> list[Decimal]:
    return [
        event["quantity"]
        for event in events
        if (event["unit"], event["raw_application"]) == (unit, service)
        and measure in json.loads(event["tags"])["measure"]
    ]


def test_a_total_becomes_the_changes_between_its_readings(events: list[Event]) -> None:
    assert changes(events, "ai_units", "das-application") == [
        Decimal(120), Decimal("14.5"), Decimal("270.5"), Decimal(-3),
        # Vanished with all of its 402, and back.
        Decimal(-402), Decimal(402),
    ]  # fmt: skip
    assert changes(events, "requests", "das-application") == [
        Decimal(41_200), Decimal(4_910), Decimal(93_690), Decimal(-800),
    ]  # fmt: skip
    assert changes(events, "capacity_units", "ai-core", "genai_token") == [
        Decimal("3.71"), Decimal("0.31"), Decimal("8.18"), Decimal("-0.3"),
    ]  # fmt: skip
    # 0.42 on both of the first days: the second brought nothing.
    assert changes(events, "capacity_units", "ai-core", "grounding") == [
        Decimal("0.42"), Decimal("0.88"),
    ]  # fmt: skip


def test_changes_sum_to_the_newest_reading(home: Path, events: list[Event]) -> None:
    names = ("raw_team", "raw_application", "model_served", "unit")
    sums: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for event in events:
        key = tuple(event[name] for name in names)
        tokens = event["total_tokens"] + (event["total_mismatch_tokens"] or 0)
        sums[key] += tokens if event["unit"] is None else event["quantity"]
    totals: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for row in events_of(home, "staging.stg_sap_joule__totals"):
        if row["unit"] != "other":
            team = None if row["subaccount_id"] == "DEFAULT_SA" else row["subaccount_id"]
            model = row["application"] if row["service_id"] == "ai-core" else None
            unit = None if row["unit"].endswith("_tokens") else row["unit"]
            totals[team, row["service_id"], model, unit] += row["quantity"]
    assert sums == totals
    assert sums["33333333-3333-4333-8333-333333333333", "das-application", None, "ai_units"] == 402


def test_a_change_once_seen_is_never_another_one(
    steps: tuple[Path, list[dict[str, Event]]],
) -> None:
    _, seen = steps
    for before, after in pairwise(seen):
        assert before.items() <= after.items()
    # A total that could not be read stands as it stood; the last load brought nothing new.
    assert seen[4] == seen[3]
    assert seen[-1] == seen[-2]
    assert [len(step) for step in seen] == [9, 14, 20, 23, 23, 25, 26, 26]
    keys = [event["usage_key"] for event in seen[-1].values()]
    assert len(set(keys)) == len(keys)


def test_a_change_is_dated_when_it_was_seen_but_within_its_month(events: list[Event]) -> None:
    at = [str(event["occurred_at"]) for event in events if event["unit"] == "requests"]
    assert at == [
        "2026-10-10 06:00:00", "2026-10-11 06:00:00", "2026-10-31 23:59:59", "2026-10-31 23:59:59",
    ]  # fmt: skip
    periods = {(event["period_start_at"], event["period_end_at"]) for event in events}
    assert periods == {(datetime(2026, 10, 1), datetime(2026, 11, 1))}  # noqa: DTZ001


def test_tokens_are_informational_and_a_fall_is_a_mismatch(events: list[Event]) -> None:
    tokens = [event for event in events if event["token_convention"]]
    assert {event["token_convention"] for event in tokens} == {"unsplit"}
    assert [buckets(event) for event in tokens if event["input_tokens"]] == [
        {"input": 812_000}, {"input": 72_000}, {"input": 1_726_000},
    ]  # fmt: skip
    assert [event["output_tokens"] for event in tokens if event["output_tokens"]] == [
        61_000, 5_500, 134_500,
    ]  # fmt: skip
    # 2,610,000 to 2,600,000.
    assert [e["total_mismatch_tokens"] for e in tokens if e["total_mismatch_tokens"]] == [-10_000]
    assert {event["model_served"] for event in tokens} == {"demo-model-a"}
    assert {event["is_informational"] for event in tokens} == {True}
    assert {event["is_informational"] for event in events if event["unit"] == "requests"} == {True}


def test_peaks_take_the_highest_and_unknown_measures_are_unmapped(events: list[Event]) -> None:
    assert changes(events, "seats", "das-application") == [Decimal(12)]
    assert changes(events, "ai_units", "das-service") == [Decimal("3.75")]
    assert changes(events, "unmapped", "joule-studio") == [Decimal(7)]
    assert not [event for event in events if event["raw_application"] == "hana"]


def test_what_no_meter_knows_stands_in_the_totals(home: Path) -> None:
    totals = events_of(home, "staging.stg_sap_joule__totals")
    units = {row["service_id"]: (row["unit"], row["is_unmapped"]) for row in totals}
    assert units["joule-studio"] == ("unmapped", True)
    assert units["hana"] == ("other", False)


def test_who_is_the_subaccount_unless_it_stands_for_none(events: list[Event]) -> None:
    owners = {(event["raw_workspace"], event["raw_team"]) for event in events}
    assert owners == {
        ("22222222-2222-4222-8222-222222222222", "33333333-3333-4333-8333-333333333333"),
        ("22222222-2222-4222-8222-222222222222", None),
    }
    names = ("source", "evidence_layer", "fidelity", "usage_origin", "provider")
    assert {tuple(event[name] for name in names) for event in events} == {
        ("sap_joule", "saas", "aggregate", "snapshot_delta", "sap")
    }


def test_claimed_costs_are_money_without_a_quantity(home: Path, events: list[Event]) -> None:
    claims = sorted(
        events_of(home, "staging.stg_sap_joule__monthly_cost"), key=lambda event: event["load_id"]
    )
    told = [
        (event["reported_cost_usd"], event["reported_cost_basis"], event["quantity"])
        for event in claims
    ]
    # 12.00 estimated, billed at 11.40; euro are no claim.
    assert told == [
        (Decimal(12), "estimated", None),
        (Decimal("-0.6"), "billed", None),
    ]
    # Its units carry no money besides.
    of_service = [event for event in events if event["raw_application"] == "das-service"]
    assert {event["is_informational"] for event in of_service} == {True}


def test_costs_keep_their_currency(home: Path) -> None:
    listed = events_of(home, "staging.stg_sap_joule__costs")
    names = ("currency_code", "cost_amount", "reported_cost_usd", "reported_cost_basis")
    assert {row["service_id"]: tuple(row[name] for name in names) for row in listed} == {
        "ai-core": ("EUR", Decimal("11.4"), None, "billed"),
        "das-service": ("USD", Decimal("11.4"), Decimal("11.4"), "billed"),
    }
