"""An account is read by key and day, whole or not at all, and again without a trace."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from openrouter_account import (
    CHECKOUT,
    DISABLED,
    MANAGEMENT_KEY,
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
from scripted_server import Answer, ScriptedServer

RAW = "raw_openrouter"
ACTIVITY, ANALYTICS, KEYS = f"{RAW}.activity", f"{RAW}.analytics", f"{RAW}.keys"
LOADS = (
    f"select count(*), (select max(version) from {RAW}._dlt_pipeline_state) from {RAW}._dlt_loads"
)
CANARY = "what somebody asked"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither between requests nor between tries."""
    monkeypatch.setattr("ingestion.http.BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr("ingestion.openrouter_api.PACE_SECONDS", 0)


@pytest.fixture
def account() -> Account:
    """One key and nothing used."""
    return Account(keys=[key(CHECKOUT, name="checkout-prod")])


@pytest.fixture
def server(account: Account) -> Iterator[ScriptedServer]:
    """The account's API."""
    with running(account) as started:
        yield started


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A warehouse nothing was loaded into."""
    return tmp_path / "home"


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with one day, shared by runs that must leave it as it is."""
    home = tmp_path_factory.mktemp("untouched")
    account = Account(keys=[key(CHECKOUT)], activity={CHECKOUT: [day("2026-11-20")]})
    with running(account) as started:
        load_account(home, started.url)
    return home


def state_of(home: Path) -> dict[str, Any]:
    return cursor_of(home, "openrouter", OPENROUTER)


def refused(home: Path, server: ScriptedServer, **facts: Any) -> str:
    """Why the run failed; nothing of it was loaded, and the cursor stands where it stood."""
    before = rows_of(home, LOADS)
    with pytest.raises(PipelineStepFailed) as failed:
        load_account(home, server.url, **facts)
    assert MANAGEMENT_KEY not in str(failed.value)
    # The state lies in the warehouse and commits with the rows.
    assert rows_of(home, LOADS) == before
    return refusal(failed)


def paths(server: ScriptedServer) -> Counter[str]:
    return Counter(asked.path.removeprefix("/api/v1") for asked in server.asked)


def dates(home: Path) -> list[str]:
    days = f"select cast(date at time zone 'UTC' as date) as day from {ACTIVITY} order by day"
    return [str(day) for (day,) in rows_of(home, days)]


# Pages and windows


def test_an_unused_account_makes_tables_and_moves_the_cursor(
    account: Account, server: ScriptedServer, home: Path
) -> None:
    account.keys = []
    account.rewrite["/activity"] = fixture("activity_empty.json")
    load_account(home, server.url)
    for table in (ACTIVITY, ANALYTICS, KEYS, f"{RAW}.generations"):
        assert tied(home, table=table) == (0, 0, 0)
    assert state_of(home)["cursors"] == {"activity": "2026-11-22", "totals": "2026-11-22"}


def test_the_days_of_a_key_are_read_as_the_account_told_them(
    account: Account, server: ScriptedServer, home: Path
) -> None:
    account.activity[CHECKOUT] = fixture("activity_one_page.json")["data"]
    load_account(home, server.url, only=["activity"])
    assert tied(home, table=ACTIVITY) == (4, 4, 0)
    # 1.2345 + 0.031 + 0.0004 in credits, 0.62 to the provider itself.
    assert sum(loaded(home, "usage", table=ACTIVITY)) == Decimal("1.2659")
    assert sum(loaded(home, "byok_usage_inference", table=ACTIVITY)) == Decimal("0.62")
    told = "api_key_hash, api_key_name, window_key"
    assert Counter(loaded(home, told, table=ACTIVITY)) == {
        (CHECKOUT, "checkout-prod", f"2026-11-20 {CHECKOUT}"): 3,
        (CHECKOUT, "checkout-prod", f"2026-11-19 {CHECKOUT}"): 1,
    }
    [asked] = [asked for asked in server.asked if asked.path == "/api/v1/activity"]
    assert asked.query == {"api_key_hash": CHECKOUT, "group_by": "workspace"}


def test_two_pages_of_keys_are_read_to_the_last(
    account: Account, server: ScriptedServer, home: Path
) -> None:
    untold = key("untold")
    del untold["limit"]
    account.keys = [
        *fixture("keys_page1.json")["data"],
        *fixture("keys_page2.json")["data"],
        untold,
    ]
    account.page_keys = 2
    load_account(home, server.url, only=["keys"])
    told = "hash, disabled, is_unlimited, spend_limit, limit_remaining"
    assert loaded(home, told, table=KEYS) == [
        (RESEARCH, False, True, None, None),
        (DISABLED, True, False, Decimal("0.01"), 0),
        (CHECKOUT, False, False, 100, Decimal("74.5")),
        # A limit that is not told is not said to be none.
        ("untold", False, None, None, None),
    ]
    listing = [asked.query for asked in server.asked if asked.path == "/api/v1/keys"]
    assert [asked["offset"] for asked in listing] == ["0", "2", "4"]
    assert {asked["include_disabled"] for asked in listing} == {"true"}
    # The label shows a part of the secret.
    assert not rows_of(home, "select 1 from information_schema.columns where column_name = 'label'")


def test_a_key_made_while_paging_is_neither_lost_nor_doubles_another(
    account: Account, server: ScriptedServer, home: Path
) -> None:
    account.keys = [key(f"{n:064}") for n in range(4)]
    account.page_keys = 2

    def made(asked: Any) -> None:
        if asked.path.endswith("/keys") and asked.query["offset"] == "0" and len(account.keys) == 4:
            account.keys.insert(0, key("new"))

    account.after = made
    load_account(home, server.url, only=["keys"])
    assert loaded(home, "hash", table=KEYS) == [f"{n:064}" for n in range(4)]
    load_account(home, server.url, only=["keys"])
    assert Counter(loaded(home, "hash", table=KEYS)) == {
        "new": 1, **{f"{n:064}": 2 for n in range(4)}
    }  # fmt: skip


# Read again


def test_an_unchanged_account_appends_nothing(
    account: Account, server: ScriptedServer, home: Path
) -> None:
    rows = fixture("activity_one_page.json")["data"]
    account.activity[CHECKOUT] = rows
    account.hours[None] = [hour("2026-11-20T09:00:00.000Z")]
    account.generations["gen-1"] = fixture("generation.json")[0]["data"]
    for _ in range(5):
        load_account(home, server.url, generation_ids=["gen-1"])
        # In another order it is the same day.
        account.activity[CHECKOUT] = account.activity[CHECKOUT][::-1]
    assert tied(home, table=ACTIVITY) == (4, 4, 0)
    assert tied(home, table=ANALYTICS) == (1, 1, 0)
    assert tied(home, table=KEYS) == (1, 1, 0)
    assert tied(home, table=f"{RAW}.generations") == (1, 1, 0)
    assert tied(home, table=f"{RAW}.credits") == (1, 1, 0)
    assert paths(server)["/generation"] == 1


def test_a_restated_day_is_appended_whole_beside_its_old_reading(
    account: Account, server: ScriptedServer, home: Path
) -> None:
    for name in ("activity_one_page.json", "activity_restated.json"):
        account.activity[CHECKOUT] = fixture(name)["data"]
        load_account(home, server.url, only=["activity"])
    # 3 + 1 rows, then the 2 that are left of the day that changed.
    assert Counter(dates(home)) == {"2026-11-20": 5, "2026-11-19": 1}
    assert tied(home, table=ACTIVITY) == (6, 6, 0)


def test_a_late_day_is_found_within_the_overlap_and_an_older_one_by_the_deep_read(
    account: Account, server: ScriptedServer, home: Path
) -> None:
    account.activity[CHECKOUT] = [day("2026-11-15")]
    load_account(home, server.url, only=["activity"])
    account.activity[CHECKOUT] += [day("2026-11-19"), day("2026-11-20"), day("2026-10-24")]
    load_account(home, server.url, only=["activity"])
    assert dates(home) == ["2026-11-15", "2026-11-20"]
    load_account(home, server.url, only=["activity"], deep_reread=True)
    # The 30th completed day is October 24.
    assert dates(home) == ["2026-10-24", "2026-11-15", "2026-11-19", "2026-11-20"]


def test_after_an_outage_days_are_read_from_the_last_one_on(
    account: Account, server: ScriptedServer, home: Path
) -> None:
    account.activity[CHECKOUT] = [day("2026-11-10")]
    load_account(home, server.url, only=["activity"], now=NOW - 8 * DAY)
    account.activity[CHECKOUT] += [day(f"2026-11-{n}") for n in (11, 12, 13, 19)]
    # Read up to the 14th, so again from the 12th on.
    load_account(home, server.url, only=["activity"])
    assert dates(home) == ["2026-11-10", "2026-11-12", "2026-11-13", "2026-11-19"]
    load_account(home, server.url, only=["activity"], now=NOW - 8 * DAY)
    assert state_of(home)["cursors"]["activity"] == "2026-11-22"


def test_what_the_listing_no_longer_reaches_is_not_taken_back(
    account: Account, server: ScriptedServer, home: Path
) -> None:
    account.activity[CHECKOUT] = [day("2026-10-24"), day("2026-11-10"), day("2026-11-21")]
    load_account(home, server.url, only=["activity"])
    # The vendor's clock is a day ahead: its oldest day is gone; one in the middle was restated.
    account.activity[CHECKOUT] = [day("2026-10-30"), day("2026-11-21")]
    load_account(home, server.url, only=["activity"], deep_reread=True)
    emptied = rows_of(
        home,
        f"""select window_key from {ACTIVITY}__reads
        where window_key is not null and rows_read_count = 0""",
    )
    assert emptied == [(f"2026-11-10 {CHECKOUT}",)]


def test_a_deleted_key_keeps_its_past_and_a_new_one_is_read_as_far_back_as_there_is(
    account: Account, server: ScriptedServer, home: Path
) -> None:
    account.activity = {CHECKOUT: [day("2026-11-22")], RESEARCH: [day("2026-11-01")]}
    load_account(home, server.url, only=["activity"])
    account.keys = [key(RESEARCH)]
    load_account(home, server.url, only=["activity"])
    assert dates(home) == ["2026-11-01", "2026-11-22"]
    read = f"select window_key from {ACTIVITY}__reads where window_key is not null order by all"
    assert rows_of(home, read) == [(f"2026-11-01 {RESEARCH}",), (f"2026-11-22 {CHECKOUT}",)]


def test_credits_are_kept_once_a_day_as_last_read(
    account: Account, server: ScriptedServer, home: Path
) -> None:
    load_account(home, server.url, only=["credits"])
    account.credits = {"total_credits": 100.5, "total_usage": "26.000000000000001"}
    load_account(home, server.url, only=["credits"], now=NOW + timedelta(hours=1))
    assert loaded(home, "window_key, total_usage", table=f"{RAW}.credits") == [
        ("2026-11-23", Decimal("25.75")),
        ("2026-11-23", Decimal("26.000000000000001")),
    ]


# Values that do not fit


def test_what_does_not_fit_is_set_aside_with_its_reason_and_the_rest_loads(
    account: Account, server: ScriptedServer, home: Path
) -> None:
    account.activity[CHECKOUT] = fixture("activity_malformed.json")["data"]
    load_account(home, server.url, only=["activity"])
    assert Counter(loaded(home, "column_name, reason", table=f"{ACTIVITY}__rejected")) == {
        ("usage", "not_an_amount"): 2,
        ("prompt_tokens", "not_an_integer"): 1,
        ("completion_tokens", "negative"): 1,
        ("prompt_tokens", "out_of_range"): 1,
        ("date", "missing"): 1,
        ("date", "not_a_time_with_zone"): 1,
        ("model_permaslug", "missing"): 1,
        (None, "not_an_object"): 1,
        ("byok_usage_inference", "missing"): 1,
        ("cached_tokens", "not_an_integer"): 1,
    }
    assert tied(home, table=ACTIVITY) == (13, 2, 11)
    # A field that nobody declared is counted and not kept.
    assert rows_of(home, f"select sum(unknown_fields_count) from {ACTIVITY}__reads") == [(1,)]
    columns = rows_of(home, "select column_name from information_schema.columns")
    assert not [name for (name,) in columns if "__v_" in name or name == "prompt"]
    assert not [path for path in home.rglob("*") if path.is_file() and CANARY in _text(path)]


def test_a_column_gone_from_the_listing_fails_the_run(
    account: Account, server: ScriptedServer, untouched: Path
) -> None:
    account.activity[CHECKOUT] = [day("2026-11-21", endpoint_id=str(n)) for n in range(10)]
    for row in account.activity[CHECKOUT]:
        del row["byok_usage_inference"]
    said = refused(untouched, server, only=["activity"])
    assert said == "activity: no record has byok_usage_inference any more"


# Answers that are none


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/activity", "<html>502 Bad Gateway</html>", "a body that is not JSON"),
        ("/activity", '{"data": [{"date": "2026-11-20", "mod', "a body that is not JSON"),
        ("/activity", {"error": {"code": 500}}, "with an error or with no object"),
        ("/activity", {"data": {}}, "/activity answered 200 without a list of rows"),
        ("/keys", {"data": None}, "/keys answered 200 without a list of rows"),
        ("/keys", {"data": [{"hash": "a"}]}, "/keys repeats the page before offset 1"),
        ("/credits", {"data": []}, "/credits answered 200 without credits"),
        ("/analytics/query", {"data": []}, "without rows and their count"),
        (
            "/analytics/query",
            {"data": {"data": [], "metadata": {"row_count": 3, "truncated": False}}},
            "holds 0 rows of 3",
        ),
        (
            "/analytics/query",
            {"data": {"data": [], "metadata": {"row_count": 0, "truncated": True}}},
            "more rows than it returns in an hour",
        ),
    ],
)
def test_an_answer_that_is_none_fails_the_run(
    account: Account, server: ScriptedServer, untouched: Path, path: str, body: Any, said: str
) -> None:
    account.activity[CHECKOUT] = [day("2026-11-21")]
    account.rewrite[path] = body
    only = {"/credits": "credits", "/analytics/query": "analytics"}.get(path, "activity")
    assert said in refused(untouched, server, only=[only])


def test_a_list_of_keys_without_an_end_fails_the_run(
    account: Account, server: ScriptedServer, untouched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestion.openrouter_api.MAX_PAGES", 5)
    account.keys = [key(f"{n:064}") for n in range(9)]
    account.page_keys = 1
    assert (
        refused(untouched, server, only=["activity"])
        == "openrouter: /keys has no end after 5 pages"
    )


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "openrouter: the management key is refused (401)"),
        (403, "openrouter: a management key is needed, an inference key reads no usage (403)"),
    ],
)
def test_a_refused_key_costs_one_call(
    server: ScriptedServer, untouched: Path, status: int, said: str
) -> None:
    server.canned = [Answer({"error": {"code": status}}, status=status)]
    assert refused(untouched, server, only=["activity"]) == said
    assert len(server.asked) == 1


def test_an_account_that_is_busy_for_a_while_is_read_whole(
    account: Account, server: ScriptedServer, home: Path
) -> None:
    account.activity[CHECKOUT] = [day("2026-11-21")]
    server.canned = [Answer(status=429, headers={"Retry-After": "0"}), Answer(status=503)]
    load_account(home, server.url, only=["activity"])
    assert dates(home) == ["2026-11-21"]


def _text(path: Path) -> str:
    return path.read_bytes().decode("latin-1")
