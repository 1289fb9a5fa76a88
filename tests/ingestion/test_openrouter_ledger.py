"""One ledger an account: hours in the place of days, totals beside days; single generations."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from openrouter_account import (
    CHECKOUT,
    OPENROUTER,
    RESEARCH,
    Account,
    day,
    fixture,
    hour,
    key,
    load_account,
    running,
)
from raw_loads import NOW, cursor_of, loaded, refusal, rows_of, tied
from scripted_server import ScriptedServer

ACTIVITY, ANALYTICS = "raw_openrouter.activity", "raw_openrouter.analytics"
GENERATIONS = "raw_openrouter.generations"
USAGE = ["activity", "analytics"]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither between requests nor between tries."""
    monkeypatch.setattr("ingestion.http.BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr("ingestion.openrouter_api.PACE_SECONDS", 0)


@pytest.fixture
def account() -> Account:
    """Two keys, used on the same days."""
    rows = [hour("2026-11-22T09:00:00.000Z"), hour("2026-11-23T06:00:00.000Z")]
    return Account(
        keys=[key(CHECKOUT, name="checkout-prod"), key(RESEARCH, external_user="cust-12")],
        activity={CHECKOUT: [day("2026-11-22")], RESEARCH: [day("2026-11-22", requests=2)]},
        hours={CHECKOUT: rows, RESEARCH: rows, None: rows},
    )


@pytest.fixture
def server(account: Account) -> Iterator[ScriptedServer]:
    """The account's API."""
    with running(account) as started:
        yield started


def emptied(home: Path, table: str) -> list[str]:
    """Windows that read as nothing."""
    read = f"select window_key from {table}__reads where window_key is not null"
    return [name for (name,) in rows_of(home, f"{read} and rows_read_count = 0 order by all")]


def hours(home: Path, columns: str) -> list[tuple]:
    at = "strftime(hour at time zone 'UTC', '%d %H')"
    return rows_of(home, f"select {at}, {columns} from {ANALYTICS} order by all")


def test_beside_the_days_the_hours_of_the_account_are_totals_of_no_key(
    server: ScriptedServer, tmp_path: Path
) -> None:
    load_account(tmp_path, server.url, only=USAGE)
    # Of the completed days alone: today is in no activity yet.
    assert hours(tmp_path, "api_key_hash, tokens_prompt, request_count") == [
        ("22 09", None, 100, 1)
    ]
    [asked] = [asked.json() for asked in server.asked if asked.path.endswith("/analytics/query")]
    assert "filters" not in asked
    assert asked["time_range"] == {"start": "2026-10-24T00:00:00Z", "end": "2026-11-23T00:00:00Z"}
    assert (asked["granularity"], asked["dimensions"]) == ("hour", ["model", "provider"])


def test_as_the_ledger_the_hours_of_each_key_are_read_up_to_the_last_whole_one(
    account: Account, server: ScriptedServer, tmp_path: Path
) -> None:
    account.hours[CHECKOUT] = [
        hour("2026-11-20T09:00:00.000Z", date__hour=None, created_at__hour="2026-11-20T09:00:00Z"),
        hour("2026-11-23T07:00:00.000Z", total_usage="0.0000004", byok_usage=0.5),
        # At eight sharp the hour that begins is not over; the API may bring it all the same.
        hour("2026-11-23T08:00:00.000Z"),
    ]
    account.hours[RESEARCH] = []
    load_account(tmp_path, server.url, ledger="analytics", only=USAGE)
    assert hours(tmp_path, "api_key_name, total_usage, byok_usage") == [
        ("20 09", "checkout-prod", Decimal("0.001"), None),
        ("23 07", "checkout-prod", Decimal("0.0000004"), Decimal("0.5")),
    ]
    asked = [asked for asked in server.asked if asked.path.endswith("/analytics/query")]
    assert [each.json()["filters"][0]["value"] for each in asked] == [CHECKOUT, RESEARCH]
    assert asked[0].json()["time_range"]["end"] == "2026-11-23T08:00:00Z"
    assert not [each for each in server.asked if each.path.endswith("/activity")]
    # An hour later the hour is over; the days before the overlap are not asked for again.
    load_account(tmp_path, server.url, ledger="analytics", only=USAGE, now=NOW + timedelta(hours=1))
    last = server.asked[-1].json()["time_range"]
    assert last == {"start": "2026-11-20T00:00:00Z", "end": "2026-11-23T09:00:00Z"}
    assert [at for at, _ in hours(tmp_path, "tokens_prompt")] == [
        "20 09", "23 07", "23 07", "23 08"
    ]  # fmt: skip


def test_a_range_with_more_rows_than_an_answer_holds_is_halved(
    account: Account, server: ScriptedServer, tmp_path: Path
) -> None:
    account.most_hours = 2
    account.hours[CHECKOUT] = [hour(f"2026-11-22T{n:02}:00:00.000Z") for n in range(9)]
    load_account(tmp_path, server.url, ledger="analytics", only=USAGE)
    found = [at for at, name in hours(tmp_path, "api_key_hash") if name == CHECKOUT]
    assert found == [f"22 {n:02}" for n in range(9)]


def test_hours_of_a_key_that_was_not_resolved_are_not_taken_for_its_own(
    account: Account, server: ScriptedServer, tmp_path: Path
) -> None:
    account.rewrite["/analytics/query"] = {
        "data": {
            "data": account.hours[None],
            "metadata": {"row_count": 2, "truncated": False},
            "warnings": ["api_key_id: 1 value could not be resolved"],
        }
    }
    with pytest.raises(PipelineStepFailed) as failed:
        load_account(tmp_path, server.url, ledger="analytics", only=USAGE)
    assert "could not resolve the key it was asked for" in refusal(failed)


def test_an_hour_that_does_not_fit_is_set_aside(
    account: Account, server: ScriptedServer, tmp_path: Path
) -> None:
    account.hours[None] = [
        hour("2026-11-22T09:00:00.000Z", tokens_prompt="many"),
        hour("2026-11-22T10:00:00.000Z", total_usage="NaN"),
        hour("2026-11-22 yesterday"),
        hour("2026-11-22T11:00:00.000Z"),
    ]
    load_account(tmp_path, server.url, only=USAGE)
    assert loaded(tmp_path, "column_name, reason", table=f"{ANALYTICS}__rejected") == [
        ("hour", "not_a_time_with_zone"),
        ("tokens_prompt", "not_an_integer"),
        ("total_usage", "not_an_amount"),
    ]
    assert tied(tmp_path, table=ANALYTICS) == (4, 1, 3)


def test_another_ledger_states_all_within_reach_and_takes_back_what_the_first_had(
    account: Account, server: ScriptedServer, tmp_path: Path
) -> None:
    account.activity[CHECKOUT] += [day("2026-10-22"), day("2026-11-19")]
    # Read three days ago, when October 22 was in reach.
    load_account(tmp_path, server.url, only=USAGE, now=NOW - timedelta(days=3))
    load_account(tmp_path, server.url, only=USAGE, ledger="analytics")
    # October 22 lies out of the hours' reach: it stays a day.
    assert emptied(tmp_path, ACTIVITY) == [f"2026-11-19 {CHECKOUT}"]
    assert [at for at, name in hours(tmp_path, "api_key_hash") if name == CHECKOUT] == [
        "22 09", "23 06"
    ]  # fmt: skip
    before = tied(tmp_path, table=ACTIVITY), tied(tmp_path, table=ANALYTICS)
    load_account(tmp_path, server.url, only=USAGE, ledger="analytics")
    assert (tied(tmp_path, table=ACTIVITY), tied(tmp_path, table=ANALYTICS)) == before
    # And back again: days are read as if never before.
    load_account(tmp_path, server.url, only=USAGE)
    assert emptied(tmp_path, ANALYTICS) == [
        f"2026-11-22 {RESEARCH}", f"2026-11-22 {CHECKOUT}",
        f"2026-11-23 {RESEARCH}", f"2026-11-23 {CHECKOUT}",
    ]  # fmt: skip
    assert len(rows_of(tmp_path, f"select 1 from {ACTIVITY} where day(date) = 19")) == 2
    assert cursor_of(tmp_path, "openrouter", OPENROUTER)["cursors"] == {
        "activity": "2026-11-22", "totals": "2026-11-22"
    }  # fmt: skip


def test_a_generation_is_looked_up_until_it_is_found_and_then_no_more(
    account: Account, server: ScriptedServer, tmp_path: Path
) -> None:
    ids = ["gen-syn-byok", "gen-syn-embed"]
    records = {each["data"]["id"]: each["data"] for each in fixture("generation.json")}
    account.generations = {"gen-syn-byok": records["gen-syn-byok"]}

    def run(*, deep_reread: bool = False) -> list[str]:
        """What was asked for, by ids."""
        server.asked.clear()
        load_account(
            tmp_path, server.url, generation_ids=ids, only=["generations"], deep_reread=deep_reread
        )
        return [asked.query["id"] for asked in server.asked]

    assert run() == ids
    assert loaded(tmp_path, "id", table=GENERATIONS) == ["gen-syn-byok"]
    account.generations = records
    assert run() == ["gen-syn-embed"]
    assert run() == []
    assert run(deep_reread=True) == ids
    assert loaded(tmp_path, "id", table=GENERATIONS) == ids
    told = "select latency, attempts, upstream_inference_cost from raw_openrouter.generations"
    assert rows_of(tmp_path, f"{told} where id = 'gen-syn-byok'") == [(640, 1, Decimal("0.0022"))]
    # Addresses and programs of callers are in no column.
    assert not rows_of(
        tmp_path,
        """select 1 from information_schema.columns
        where column_name in ('http_referer', 'origin', 'user_agent')""",
    )
