"""Agentforce's usage is read to the last row of each query, whatever its objects are called."""

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from agentforce_server import (
    AGENTFORCE,
    CALLS,
    DAYS,
    EVENTS,
    NOW,
    SECRET,
    SSOT,
    TRANSACTIONS,
    Org,
    act,
    asked_directly,
    load_agentforce,
    org_server,
    recorded,
    status,
    table_of,
)
from dlt.pipeline.exceptions import PipelineStepFailed
from raw_loads import FIXTURES, cursor_of, loaded, refusal, rows_of, tied
from scripted_server import Answer, Asked

from ingestion.http import SourceError
from sandbox.agentforce_wallet import Table

RAW = "raw_agentforce.enriched_usage"
HOUR = timedelta(hours=1)
OTHERS = ("generative_ai_usage", "daily_consumption", "entitlement_transactions")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.http.BACKOFF_SECONDS", 0.001)


@pytest.fixture
def org() -> Iterator[Org]:
    """An org with what was recorded of the vendor."""
    with org_server(recorded()) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A warehouse nothing was loaded into."""
    return tmp_path / "home"


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with the recorded acts, shared by runs that must leave it as it is."""
    home = tmp_path_factory.mktemp("untouched")
    with org_server(recorded()) as org:
        load_agentforce(home, org.url, without=OTHERS)
    return home


def state_of(home: Path) -> dict[str, Any]:
    return cursor_of(home, "agentforce", AGENTFORCE)


def refused(home: Path, org: Org, **facts: Any) -> str:
    """Why the run failed; the warehouse holds what it held, the cursor stands where it stood."""

    def standing() -> Any:
        states = rows_of(home, "select version_hash from raw_agentforce._dlt_pipeline_state")
        return states, tied(home, table=RAW)

    before = standing()
    with pytest.raises(PipelineStepFailed) as failed:
        load_agentforce(home, org.url, without=OTHERS, **facts)
    assert SECRET not in str(failed.value) and "core-token" not in str(failed.value)
    assert standing() == before
    return refusal(failed)


# Pages


def test_an_org_without_usage_makes_tables_and_moves_the_cursor(org: Org, home: Path) -> None:
    org.tables = {name: Table(t.entity_type, t.columns, []) for name, t in org.tables.items()}
    load_agentforce(home, org.url)
    for resource in ("enriched_usage", *OTHERS):
        assert tied(home, table=f"raw_agentforce.{resource}") == (0, 0, 0)
    assert state_of(home)["cursors"]["enriched_usage"] == "2026-10-06T02:00:00+00:00"


def test_a_query_is_read_chunk_by_chunk_until_its_count_of_rows(org: Org, home: Path) -> None:
    load_agentforce(home, org.url)
    assert loaded(home, "id, units_consumed", table=RAW) == [
        ("tue-0001", Decimal(20)),
        ("tue-0002", Decimal(40)),
        ("tue-0003", Decimal(30)),
        ("tue-0004", Decimal(1)),
        ("tue-0005", Decimal(16)),
    ]
    pages = [asked for asked in org.script.asked if asked.path.endswith("/rows")]
    assert [page.query["offset"] for page in pages] == ["3"]
    # The id of a query is a text of the vendor's: it is encoded.
    assert "/query-sql/q%2F" in pages[0].path
    listed = [asked for asked in org.script.asked if asked.path == f"{SSOT}/metadata"]
    assert [asked.query["entityType"] for asked in listed] == ["DataLakeObject", "DataModelObject"]
    tokens = loaded(
        home,
        "id, prompt_tokens, completion_tokens, total_tokens, user_id",
        table="raw_agentforce.generative_ai_usage",
    )
    assert tokens == [
        ("genu-0001", 4_210, 183, 4_393, "005000000000001AAA"),
        ("genu-0002", 2_100, 40, 2_140, None),
    ]
    assert tied(home, table="raw_agentforce.daily_consumption") == (2, 2, 0)
    assert tied(home, table="raw_agentforce.entitlement_transactions") == (2, 2, 0)


def test_only_known_columns_of_one_object_are_asked_for(org: Org, home: Path) -> None:
    calls = org.tables[CALLS]
    rows = [{**row, "UserContext__c": "canary-in-context"} for row in calls.rows]
    org.tables[CALLS] = Table(calls.entity_type, (*calls.columns, "UserContext__c"), rows)
    org.hold(act(1, "2026-10-05T09:00:00.000Z", featuredevelopername__c="F"))
    load_agentforce(home, org.url)
    assert org.queries
    assert not [sql for sql in org.queries if "UserContext" in sql or " join " in sql.lower()]
    assert not [
        path
        for path in home.rglob("*")
        if path.is_file() and b"canary-in-context" in path.read_bytes()
    ]


def test_a_query_that_runs_is_asked_for_until_it_has_its_rows(org: Org, home: Path) -> None:
    def running(asked: Asked, body: Any) -> Any:
        if asked.method == "POST" and "status" in body:
            return {**body, "data": [], "status": status(body["status"]["queryId"], "Running", 0)}
        return body

    org.rewrite = running
    load_agentforce(home, org.url, without=OTHERS)
    assert tied(home, table=RAW) == (5, 5, 0)
    assert {asked.query["waitTimeMs"] for asked in org.script.asked if "waitTimeMs" in asked.query}


def test_rows_that_come_while_paging_are_neither_lost_nor_doubled(org: Org, home: Path) -> None:
    org.hold(*(act(n, f"2026-10-05T09:0{n}:00.000Z") for n in range(7)))

    def insert(asked: Asked, body: Any) -> Any:
        if asked.path.endswith("/rows") and len(org.tables[EVENTS].rows) == 7:
            org.hold(act(90, "2026-10-05T08:00:00.000Z"), *org.tables[EVENTS].rows)
        return body

    org.rewrite = insert
    load_agentforce(home, org.url, without=OTHERS)
    assert loaded(home, "id", table=RAW) == [f"act-{n}" for n in range(7)]
    load_agentforce(home, org.url, without=OTHERS, now=NOW + HOUR)
    assert loaded(home, "id", table=RAW) == [*(f"act-{n}" for n in range(7)), "act-90"]


def test_the_older_api_gives_the_same_rows(org: Org, home: Path) -> None:
    org.tables[EVENTS].rows[0]["eventtime__c"] = "2026-10-05 09:00:11.000 UTC"
    load_agentforce(home, org.url, query_api="legacy", without=OTHERS)
    assert [id for id, _ in loaded(home, "id, event_time", table=RAW)] == [
        f"tue-000{n}" for n in range(1, 6)
    ]
    paths = {asked.path.partition("@")[0] for asked in org.script.asked}
    assert {"/services/a360/token", "/api/v1/metadata/", "/api/v2/query"} <= paths


# Names


def test_objects_and_columns_are_found_under_each_of_their_names(org: Org, home: Path) -> None:
    def renamed(name: str, wrap: Any) -> Table:
        table = org.tables.pop(name)
        new = {column: wrap(column.removesuffix("__c")) for column in table.columns}
        rows = [{new[column]: value for column, value in row.items()} for row in table.rows]
        return Table(table.entity_type, tuple(new.values()), rows)

    org.tables |= {
        "tenantenrichedusageevent": renamed(
            EVENTS, lambda name: "eventime__c" if name == "eventtime" else f"{name.upper()}__c"
        ),
        "std__AiAgentGenerativeAiUsageDmo__dlm": renamed(CALLS, lambda name: f"std__{name}__c"),
        "ssot__TenantDailyEntitlementConsumption__dlm": renamed(
            DAYS, lambda name: f"ssot__{name}__c"
        ),
    }
    load_agentforce(home, org.url)
    assert tied(home, table=RAW) == (5, 5, 0)
    assert tied(home, table="raw_agentforce.generative_ai_usage") == (2, 2, 0)
    assert tied(home, table="raw_agentforce.daily_consumption") == (2, 2, 0)


def test_a_missing_object_or_column_is_named(org: Org, untouched: Path) -> None:
    table = org.tables.pop(EVENTS)
    assert refused(untouched, org) == (
        "agentforce: the data space has no TenantEnrichedUsageEvent: add it there, or leave out "
        "enriched_usage (without:)"
    )
    kept = tuple(column for column in table.columns if column != "unitsconsumed__c")
    org.tables[EVENTS] = Table("DataLakeObject", kept, [])
    assert refused(untouched, org) == f"agentforce: {EVENTS} has no column unitsconsumed"


# Answers that are none


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "a body that is not JSON"),
        ("<html>503</html>", "a body that is not JSON"),
        ('{"data": [["tue-00', "a body that is not JSON"),
        ([{"errorCode": "INTERNAL"}], "holds no list of data"),
        ({"data": []}, "without its status"),
        ({"data": [], "status": {"queryId": "q"}}, "neither finished nor running"),
        ({"data": [], "status": status("q", "Failed", 0)}, "neither finished nor running"),
        ({"data": [], "status": {**status("q", "Finished", 0), "rowCount": None}}, "its count of"),
        ({"data": [["x"], ["y"]], "status": status("q", "Finished", 1)}, "gave 2 rows of 1"),
        ({"data": [], "metadata": [{}, {}], "status": {}}, "other columns"),
    ],
)
def test_an_answer_that_is_none_is_refused(org: Org, body: Any, said: str) -> None:
    org.rewrite = lambda asked, good: body if asked.path.endswith("/query-sql") else good
    with pytest.raises(SourceError, match=said):
        asked_directly(org)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (lambda org: [], "ended after 3 of 7 rows"),
        (lambda org: org.results["q/1"][:3], "row 3 repeats the one before it"),
        (lambda org: [["x"]] * 5, "gave 8 rows of 7"),
    ],
    ids=["short", "repeated", "too long"],
)
def test_a_second_chunk_that_is_none_is_refused(org: Org, rows: Any, said: str) -> None:
    org.hold(*(act(n, f"2026-10-05T09:0{n}:00.000Z") for n in range(7)))
    org.rewrite = lambda asked, body: {"data": rows(org)} if asked.path.endswith("/rows") else body
    with pytest.raises(SourceError, match=said):
        asked_directly(org)


def test_a_refused_answer_fails_the_run_and_loads_nothing(org: Org, untouched: Path) -> None:
    # The second day's query: what was read before it is not loaded either.
    org.rewrite = lambda asked, good: (
        "<html>" if asked.method == "POST" and len(org.queries) == 2 else good
    )
    assert "a body that is not JSON" in refused(untouched, org, now=NOW + HOUR)


def test_a_query_that_never_ends_is_given_up(org: Org, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.agentforce_query.MAX_POLLS", 3)
    org.rewrite = lambda asked, body: (
        {"data": [], "status": status("q", "Running", 0)} if "/query-sql" in asked.path else body
    )
    with pytest.raises(SourceError, match="a query still ran after 3 polls"):
        asked_directly(org)


def test_a_batch_id_that_comes_again_is_refused(org: Org) -> None:
    org.rewrite = lambda asked, body: (
        {**body, "done": False, "nextBatchId": "q/1@0"} if "v2/query" in asked.path else body
    )
    with pytest.raises(SourceError, match="without a new batch id"):
        asked_directly(org, api="legacy")


def test_a_refused_client_or_token_fails_at_once_and_says_what_it_needs(
    org: Org, untouched: Path
) -> None:
    said = refused(untouched, org, client_secret="wrong")
    assert said.startswith("agentforce: /services/oauth2/token answered 400: check client id")
    assert "scopes api and cdp_query_api" in said
    assert len(org.script.asked) == 1
    org.script.canned = [
        Answer({"access_token": "core-token", "instance_url": org.url}),
        Answer([{"errorCode": "INVALID_SESSION_ID"}], status=401),
    ]
    assert "answered 401: the app needs the scopes" in refused(untouched, org)
    org.script.canned = [Answer({"access_token": "core-token", "instance_url": "ftp://x"})]
    assert "gave an address that is not http" in refused(untouched, org)


def test_a_busy_org_is_asked_again(org: Org) -> None:
    org.script.canned = [Answer(status=429, headers={"Retry-After": "0"}), Answer(status=503)]
    assert len(asked_directly(org)) == 5


# Values that do not fit


def test_what_does_not_fit_is_set_aside_with_its_reason(org: Org, home: Path) -> None:
    path = FIXTURES / "agentforce" / "query_sql_malformed.json"
    malformed = json.loads(path.read_text(encoding="utf-8"))
    calls = org.tables[CALLS]
    org.tables[CALLS] = Table(
        calls.entity_type, calls.columns, [{**calls.rows[0], **row} for row in malformed["calls"]]
    )
    org.hold(*(act(n, "2026-10-05T09:00:00.000Z", **row)
               for n, row in enumerate(malformed["events"])))  # fmt: skip
    org.rewrite = lambda asked, body: (
        {**body, "data": [*body["data"], ["too", "short"]],
         "status": {**body["status"], "rowCount": body["status"]["rowCount"] + 1}}
        if asked.method == "POST" and "status" in body and EVENTS in org.queries[-1]
        and body["data"] else body
    )  # fmt: skip
    org.chunk = 20
    load_agentforce(home, org.url)
    reasons = loaded(home, "column_name, reason", table=f"{RAW}__rejected")
    assert sorted(reasons, key=str) == [
        ("card", "missing"),
        ("event_time", "not_a_time_with_zone"),
        ("units_consumed", "missing"),
        ("units_consumed", "negative"),
        ("units_consumed", "not_an_amount"),
        (None, "not_an_object"),
    ]
    assert tied(home, table=RAW) == (7, 1, 6)
    # A count with a fraction is no count; a whole double is one.
    assert loaded(
        home, "column_name, reason", table="raw_agentforce.generative_ai_usage__rejected"
    ) == [
        ("completion_tokens", "not_an_integer"),
        ("prompt_tokens", "not_an_integer"),
    ]
    assert tied(home, table="raw_agentforce.generative_ai_usage") == (3, 1, 2)


# Read again


def test_an_unchanged_org_appends_nothing(org: Org, home: Path) -> None:
    for hours in range(5):
        load_agentforce(home, org.url, now=NOW + hours * HOUR)
    assert tied(home, table=RAW) == (5, 5, 0)
    assert tied(home, table="raw_agentforce.generative_ai_usage") == (2, 2, 0)
    assert tied(home, table="raw_agentforce.daily_consumption") == (2, 2, 0)
    assert tied(home, table="raw_agentforce.entitlement_transactions") == (2, 2, 0)


def test_a_late_act_is_found_in_the_overlap_and_a_later_one_by_the_deep_read(
    org: Org, home: Path
) -> None:
    load_agentforce(home, org.url, without=OTHERS)
    org.hold(
        *org.tables[EVENTS].rows,
        act(1, "2026-10-05T09:59:59.999Z"),
        act(2, "2026-09-10T00:00:00.000Z"),
    )
    load_agentforce(home, org.url, without=OTHERS, now=NOW + HOUR, days=40)
    # Of the day only the hour of the late act is appended again: its three rows and the act.
    assert tied(home, table=RAW) == (9, 9, 0)
    assert "act-2" not in loaded(home, "id", table=RAW)
    load_agentforce(home, org.url, without=OTHERS, now=NOW + 2 * HOUR, days=40, deep_reread=True)
    assert tied(home, table=RAW) == (10, 10, 0)
    assert "act-2" in loaded(home, "id", table=RAW)
    assert state_of(home)["cursors"] == {"enriched_usage": "2026-10-06T04:00:00+00:00"}


def test_a_total_that_grows_is_appended_as_a_new_reading_of_its_day(org: Org, home: Path) -> None:
    load_agentforce(home, org.url)
    org.tables[DAYS] = table_of("daily_consumption_pull2_restated")
    load_agentforce(home, org.url, now=NOW + HOUR)
    assert loaded(home, "units_consumed", table="raw_agentforce.daily_consumption") == [
        Decimal(1), Decimal(1), Decimal(100), Decimal(126),
    ]  # fmt: skip
    org.tables[DAYS] = Table("DataModelObject", org.tables[DAYS].columns, [])
    load_agentforce(home, org.url, now=NOW + 2 * HOUR)
    readings = loaded(
        home,
        "_dlt_load_id, window_key, rows_read_count",
        table="raw_agentforce.daily_consumption__reads",
    )
    assert [(day, rows) for _, day, rows in readings] == [
        ("2026-10-05", 2), ("2026-10-05", 2), ("2026-10-05", 0),
    ]  # fmt: skip


def test_transactions_without_an_id_are_told_apart_when_they_are_equal(
    org: Org, home: Path
) -> None:
    table = org.tables[TRANSACTIONS]
    table.rows.append(dict(table.rows[1]))
    load_agentforce(home, org.url)
    ids = loaded(home, "id", table="raw_agentforce.entitlement_transactions")
    assert len(ids) == len(set(ids)) == 3
