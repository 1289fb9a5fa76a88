"""Snowflake's views are read whole, once each, in windows, and twice without a trace."""

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from raw_loads import cursor_of, loaded, refusal, rows_of, tied
from snowflake_server import INSTANCE, KEY, NOW, Account, fixture, load, snowflake_server

from ingestion.snowflake_cortex import CONTRACTS
from ingestion.snowflake_views import OVERLAPPING, SUMMED, VIEWS
from sandbox.snowflake_account import new_private_key
from sandbox.snowflake_columns import COLUMNS

HOUR = timedelta(hours=1)
RAW = "raw_snowflake_cortex."
REST, FUNCTIONS = "CORTEX_REST_API_USAGE_HISTORY", "CORTEX_AI_FUNCTIONS_USAGE_HISTORY"
QUERIES = "/queries/v1/query-request"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.http.BACKOFF_SECONDS", 0.001)


@pytest.fixture
def account() -> Iterator[Account]:
    """An account with the views of an account that was never used."""
    with snowflake_server(fixture("empty")) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A warehouse nothing was loaded into."""
    return tmp_path / "home"


def rest(number: int, *, at: str) -> dict[str, Any]:
    """A REST call of 15 tokens."""
    return {
        "START_TIME": f"{at}.000 +0000",
        "REQUEST_ID": f"req-{number}",
        "TOKENS": 15,
        "TOKENS_GRANULAR": {"input": 10, "output": 5},
    }


def state_of(home: Path) -> dict[str, Any]:
    return cursor_of(home, "snowflake_cortex", INSTANCE)


def ids(home: Path) -> list[str]:
    return loaded(home, "request_id", table=RAW + "rest_api")


def refused(home: Path, account: Account, **facts: Any) -> str:
    """Why the run failed; the cursor stands where it stood."""
    before = state_of(home)
    with pytest.raises(PipelineStepFailed) as failed:
        load(home, account.url, **facts)
    assert KEY not in str(failed.value)
    assert state_of(home) == before
    return refusal(failed)


# The views


def test_no_view_that_repeats_another_can_be_read() -> None:
    assert not {name for view in VIEWS for name in view.names} & OVERLAPPING
    assert len({view.choices for view in SUMMED}) == len(SUMMED) == 11


def test_every_view_is_read_once_beside_those_that_repeat_it(home: Path) -> None:
    views = fixture("one_page")
    for name, rows in fixture("two_pages").items():
        views[name] = views.get(name, []) + rows
    with snowflake_server(views) as account:
        load(home, account.url)
    read = {c.resource: tied(home, table=RAW + c.resource)[1] for c in CONTRACTS}
    assert read == {
        "ai_functions": 4,
        # Four requests, of which one was served by two models.
        "agent": 5,
        "cowork": 1,
        "rest_api": 8,
        # Two calls, of which one was served by two models.
        "ai_gateway": 3,
        # Two requests, in the view of all interfaces; those of one interface are not read too.
        "code": 2,
        "guardrails": 2,
        "analyst": 1,
        "fine_tuning": 1,
        "provisioned_throughput": 1,
        "search_daily": 2,
        "metering_daily": 4,
        "rate_sheet_daily": 1,
        "users": 2,
    }
    # 0.405 + 0.0675 + 0.025 + 0.04, without what CORTEX_AISQL repeats.
    [spent] = loaded(home, "sum(credits)", table=RAW + "ai_functions")
    assert spent == Decimal("0.5375")
    [agents] = loaded(home, "sum(credits)", table=RAW + "agent")
    assert agents == Decimal("0.28")


def test_code_is_read_by_interface_where_the_view_of_all_is_missing(home: Path) -> None:
    views = {**fixture("empty"), **fixture("two_pages")}
    del views["SNOWFLAKE_COCO_USAGE_HISTORY"]
    with snowflake_server(views) as account:
        load(home, account.url, only=["code"])
    assert loaded(home, "request_id, credits", table=RAW + "code") == [
        ("coco-1", Decimal("0.01")),
        ("coco-2", Decimal("0.02")),
    ]


def test_missing_views_are_told_and_the_rest_is_read(
    account: Account, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="ingestion.snowflake_reader")
    load(home, account.url)
    assert {c.resource: tied(home, table=RAW + c.resource) for c in CONTRACTS} == {
        c.resource: (0, 0, 0) for c in CONTRACTS
    }
    told = {record.getMessage().split(": ")[1] for record in caplog.records}
    # Neither of the two that are there; each of the others, users among them.
    assert told == {view.resource for view in VIEWS} - {"rest_api", "metering_daily"}
    assert state_of(home)["cursors"]["rest_api"] == "2026-11-20T13:30:00+00:00"


def test_a_role_that_sees_nothing_fails_by_what_it_lacks(home: Path) -> None:
    with snowflake_server({REST: []}) as account:
        said = refused(home, account, only=["metering_daily"])
    assert said.endswith("the role lacks the database role SNOWFLAKE.USAGE_VIEWER")


# Windows


def test_rows_are_fetched_page_by_page(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.snowflake_session.FETCH_ROWS", 2)
    with snowflake_server({**fixture("empty"), REST: fixture("two_pages")[REST]}) as account:
        load(home, account.url, only=["rest_api"])
    assert ids(home) == ["page-1", "page-2", "page-3", "page-4", "page-5"]
    places = loaded(home, "source_locator", table=RAW + "rest_api")
    assert places[-1] == "rest_api 2026-11-20T09 row 5"


def test_an_unchanged_account_appends_nothing(home: Path) -> None:
    with snowflake_server(fixture("one_page")) as account:
        for run in range(5):
            at = NOW + run * HOUR
            load(home, account.url, now=at, only=["agent"], deep_reread=run == 4)
    assert tied(home, table=RAW + "agent") == (2, 2, 0)


def test_an_hour_that_grew_is_appended_whole_and_the_other_hours_are_not(home: Path) -> None:
    with snowflake_server(fixture("one_page")) as account:
        load(home, account.url, only=["ai_functions"])
        account.show(**fixture("restated"))
        load(home, account.url, now=NOW + HOUR, only=["ai_functions"])
    grown = loaded(home, "query_id, started_at, credits", table=RAW + "ai_functions")
    assert [credits for id, at, credits in grown if id == "01b-aaaa-1"] == [
        Decimal("0.405"),
        Decimal("0.54"),
        Decimal("0.0675"),
    ]
    # Three rows of ten o'clock twice, one of eleven.
    assert tied(home, table=RAW + "ai_functions") == (7, 7, 0)


def test_a_late_row_is_found_within_the_overlap_and_a_later_one_by_the_deep_read(
    account: Account, home: Path
) -> None:
    account.show(**{REST: [rest(1, at="2026-11-20 12:00:00")]})
    load(home, account.url, only=["rest_api"])
    late = [
        rest(2, at="2026-11-20 12:00:00"),
        rest(3, at="2026-11-19 14:00:00"),
        rest(4, at="2026-11-18 14:00:00"),
        rest(5, at="2026-11-20 14:20:00"),
    ]
    account.show(**{REST: [*account.rows[REST], *late]})
    load(home, account.url, now=NOW + HOUR, only=["rest_api"])
    # The hour of the first call is there twice: a second call came into it.
    assert ids(home) == ["req-1", "req-1", "req-2", "req-3", "req-5"]
    load(home, account.url, now=NOW + HOUR, only=["rest_api"], deep_reread=True)
    assert ids(home) == ["req-1", "req-1", "req-2", "req-3", "req-4", "req-5"]


def test_rows_that_vanish_stay_and_the_cursor_never_goes_back(account: Account, home: Path) -> None:
    account.show(**{REST: [rest(1, at="2026-11-20 12:00:00")]})
    load(home, account.url, only=["rest_api"])
    account.show(**{REST: []})
    load(home, account.url, now=NOW - 5 * HOUR, only=["rest_api"])
    assert ids(home) == ["req-1"]
    assert state_of(home)["cursors"]["rest_api"] == "2026-11-20T13:30:00+00:00"


def test_what_is_older_than_the_deep_read_is_read_by_the_day(account: Account, home: Path) -> None:
    account.show(
        **{
            REST: [
                rest(1, at="2026-10-01 23:59:59"),
                rest(2, at="2026-10-01 00:00:00"),
                rest(3, at="2026-11-13 05:00:00"),
                # Later than the run, and beyond a year.
                rest(4, at="2026-11-20 13:30:00"),
                rest(5, at="2025-11-19 23:00:00"),
            ]
        }
    )
    load(home, account.url, only=["rest_api"])
    windows = loaded(home, "window_key", table=RAW + "rest_api__reads")
    assert windows == ["2026-10-01", "2026-11-13T05"]
    # A digest is kept for what is read again.
    assert state_of(home)["digests"]["rest_api"].keys() == {"2026-11-13T05"}


# Answers that are none


def test_another_key_is_refused_at_once(account: Account, home: Path) -> None:
    said = refused(home, account, private_key=new_private_key())
    assert said.startswith("snowflake_cortex: sign-in of METERHOUSE with role METERHOUSE_READER")
    assert "RSA_PUBLIC_KEY" in said


def test_a_role_the_user_lacks_is_refused(account: Account, home: Path) -> None:
    assert "role ACCOUNTADMIN was refused" in refused(home, account, role="ACCOUNTADMIN")


def test_a_key_that_is_none_is_told_without_showing_it(account: Account, home: Path) -> None:
    said = refused(home, account, private_key="-----BEGIN SECRET-----")
    assert said == "snowflake_cortex: the private key is no PEM, or its passphrase is another"


def test_an_account_that_is_busy_for_a_while_is_read_whole(account: Account, home: Path) -> None:
    account.show(**{REST: [rest(1, at="2026-11-20 12:00:00")]})
    account.faults.script(
        QUERIES,
        answers=[
            {"status": 429, "headers": {"Retry-After": "0"}},
            {"status": 503},
            {"body": "<html>maintenance</html>"},
            {"truncate_bytes": 40},
        ],
    )
    load(home, account.url, only=["rest_api"])
    assert ids(home) == ["req-1"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"body": "<html>gone</html>"}, "reading INFORMATION_SCHEMA.COLUMNS failed"),
        ({"body": {"error": "db down"}}, "reading INFORMATION_SCHEMA.COLUMNS failed"),
        (
            {
                "body": {
                    "success": True,
                    "data": {
                        "queryResultFormat": "json",
                        "queryId": "q",
                        "total": 3,
                        "returned": 3,
                        "rowset": [["ACCOUNT_USAGE", "USERS", "NAME"]],
                        "rowtype": [
                            {
                                **dict.fromkeys(("length", "precision", "scale")),
                                "name": name,
                                "type": "text",
                                "nullable": True,
                            }
                            for name in "abc"
                        ],
                        "parameters": [],
                    },
                }
            },
            "reading INFORMATION_SCHEMA.COLUMNS failed",
        ),
    ],
    ids=["html", "error", "short"],
)
def test_an_answer_that_is_none_fails_the_run(
    account: Account,
    home: Path,
    answer: dict[str, Any],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingestion.snowflake_session.NETWORK_SECONDS", 1)
    account.faults.script(QUERIES, answers=[answer] * 200_000)
    assert said in refused(home, account, only=["rest_api"])


# Values that do not fit


def test_what_does_not_fit_is_set_aside_with_its_reason(home: Path) -> None:
    with snowflake_server({**fixture("empty"), **fixture("malformed")}) as account:
        load(home, account.url, only=["rest_api", "ai_functions", "agent"])
    assert loaded(home, "request_id, tokens, input_tokens", table=RAW + "rest_api") == [
        ("a-good", 15, 10),
        # What is not split, or split into an unknown kind, counts nowhere and is missed.
        ("e-unsplit", 100, 0),
        ("f-odd-kind", 30, 10),
    ]
    reasons = "column_name, reason"
    assert loaded(home, reasons, table=RAW + "rest_api__rejected") == [
        ("input_tokens", "negative"),
        ("request_id", "missing"),
        ("tokens", "missing"),
        ("tokens", "out_of_range"),
    ]
    assert tied(home, table=RAW + "rest_api") == (7, 3, 4)
    kept = loaded(home, "query_id, credits, misplaced_tokens", table=RAW + "ai_functions")
    assert kept == [
        ("a-good", Decimal("0.1"), 0),
        ("e-no-metrics", Decimal("0.1"), None),
        ("f-refund", Decimal("-0.2"), 0),
        ("g-other-kind", Decimal("0.1"), 40),
    ]
    assert loaded(home, reasons, table=RAW + "ai_functions__rejected") == [
        ("credits", "missing"),
        ("input_tokens", "not_an_integer"),
        ("input_tokens", "not_an_integer"),
    ]
    parts = loaded(home, "request_id, model_name, credits", table=RAW + "agent")
    assert parts == [
        ("a-good", "m", Decimal("0.1")),
        # What no model accounts for is a part of its own; rounding is not.
        ("c-unaccounted", "m", Decimal("0.1")),
        ("c-unaccounted", None, Decimal("0.2")),
        ("d-rounded", "m", Decimal("0.1000004")),
    ]
    assert tied(home, table=RAW + "agent") == (5, 4, 1)


def test_a_column_gone_fails_the_run(
    home: Path, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"ACCOUNT_USAGE.{FUNCTIONS}"
    monkeypatch.setitem(COLUMNS, name, {k: v for k, v in COLUMNS[name].items() if k != "CREDITS"})
    account.show(**{FUNCTIONS: []})
    assert refused(home, account, only=["ai_functions"]) == (
        f"snowflake_cortex: {name} has no CREDITS"
    )


def test_a_column_gone_from_a_view_of_unsure_columns_is_told(
    home: Path,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    gateway = "ACCOUNT_USAGE.AI_GATEWAY_USAGE_HISTORY"
    columns = {k: v for k, v in COLUMNS[gateway].items() if k != "START_TIME"}
    monkeypatch.setitem(COLUMNS, gateway, columns)
    account.show(AI_GATEWAY_USAGE_HISTORY=fixture("one_page")["AI_GATEWAY_USAGE_HISTORY"])
    load(home, account.url, only=["ai_gateway"])
    assert f"{gateway} has no START_TIME: it is not read" in caplog.text
    assert tied(home, table=RAW + "ai_gateway") == (0, 0, 0)


def test_content_and_unknown_columns_reach_no_byte(
    home: Path, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = "CANARY-5d1f-prompt"
    name = f"ACCOUNT_USAGE.{REST}"
    monkeypatch.setitem(COLUMNS, name, {**COLUMNS[name], "PROMPT": "text"})
    views = json.loads(json.dumps(fixture("one_page")))
    for row in views[REST]:
        row["PROMPT"] = canary
    for row in views[FUNCTIONS]:
        row["QUERY_TAG"] = f"{canary} written by hand"
    for row in views["CORTEX_AGENT_USAGE_HISTORY"]:
        row["METADATA"]["thread_title"] = canary
    account.show(**views)
    load(home, account.url)
    unknown = rows_of(home, f"select sum(unknown_fields_count) from {RAW}rest_api__reads")
    assert unknown == [(3,)]
    for path in home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert canary.encode() not in content, path
            assert KEY.splitlines()[1].encode() not in content, path
