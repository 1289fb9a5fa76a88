"""Spend logs are read page by page, whole or not at all, and twice without a trace."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from raw_loads import (
    FIXTURES,
    LITELLM,
    NOW,
    cursor_of,
    load_spend_logs,
    loaded,
    refusal,
    rows_of,
    tied,
)
from spend_log_server import API_KEY, Canned, SpendLogServer, call, spend_log_server

PAGES = FIXTURES / "litellm"
HOUR = timedelta(hours=1)
IDS = "request_id"


@pytest.fixture
def log() -> Iterator[SpendLogServer]:
    """A proxy with an empty spend log."""
    with spend_log_server([]) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A warehouse nothing was loaded into."""
    return tmp_path / "home"


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with one call, shared by runs that must leave it as it is."""
    home = tmp_path_factory.mktemp("untouched")
    with spend_log_server([call(1)]) as log:
        load_spend_logs(home, log.url)
    return home


def fixture_rows(name: str) -> list[Any]:
    return list(json.loads((PAGES / name).read_text(encoding="utf-8"))["data"])


def ids(*numbers: int) -> list[str]:
    return sorted(f"call-{number}" for number in numbers)


def state_of(home: Path) -> dict[str, Any]:
    return cursor_of(home, "litellm", LITELLM)


def refused(home: Path, log: SpendLogServer, **facts: Any) -> str:
    """Why the run failed; the warehouse holds what it held, the cursor stands where it stood."""
    before = state_of(home), loaded(home, f"{IDS}, row_hash"), tied(home)
    with pytest.raises(PipelineStepFailed) as failed:
        load_spend_logs(home, log.url, **facts)
    assert API_KEY not in str(failed.value)
    assert (state_of(home), loaded(home, f"{IDS}, row_hash"), tied(home)) == before
    return refusal(failed)


# Pages


def test_an_empty_log_makes_tables_and_moves_the_cursor(log: SpendLogServer, home: Path) -> None:
    empty = (PAGES / "spend_logs_v2_empty.json").read_text(encoding="utf-8")
    log.rewrite = lambda page: empty
    load_spend_logs(home, log.url)
    assert tied(home) == (0, 0, 0)
    # A minute before now at the latest, at second 59.
    assert state_of(home)["cursor"] == "2026-11-23T07:58:59+00:00"


def test_one_page_is_read_as_the_proxy_told_it(log: SpendLogServer, home: Path) -> None:
    log.rows = fixture_rows("spend_logs_v2_page1.json")
    load_spend_logs(home, log.url)
    assert tied(home) == (8, 8, 0)
    assert sum(loaded(home, "spend")) == Decimal("0.01617705")
    assert {query["sort_order"] for query in log.queries} == {"asc"}
    assert {query["page_size"] for query in log.queries} == {"1000"}


def test_two_pages_are_read_to_the_last_row(log: SpendLogServer, home: Path) -> None:
    log.rows = [call(number) for number in range(1_001)]
    load_spend_logs(home, log.url)
    assert loaded(home, IDS) == ids(*range(1_001))
    assert Counter(query["page"] for query in log.queries)["2"] == 1


def test_rows_inserted_while_paging_are_neither_lost_nor_doubled(
    log: SpendLogServer, home: Path
) -> None:
    log.rows = [call(n, at=f"2026-11-23T07:10:{n // 100:02}Z") for n in range(1_500)]
    inserted = {2_001: "07:05:00", 2_002: "07:10:05", 2_003: "07:20:00"}

    def insert(page: dict[str, Any]) -> None:
        if page["total"] == 1_500 and page["page"] == 1:
            log.rows += [call(n, at=f"2026-11-23T{at}Z") for n, at in inserted.items()]

    log.after_page = insert
    load_spend_logs(home, log.url)
    # Two of the new rows stand on the page already read, and push its last two rows to page 2.
    assert [id for id, count in Counter(loaded(home, IDS)).items() if count > 1] == ids(998, 999)
    assert set(loaded(home, IDS)) == set(ids(*range(1_500), 2_003))
    load_spend_logs(home, log.url)
    assert set(loaded(home, IDS)) == set(ids(*range(1_500), *inserted))
    assert len(set(loaded(home, f"{IDS}, row_hash"))) == 1_503


def test_rows_on_the_edge_of_a_window_are_found(log: SpendLogServer, home: Path) -> None:
    edges = ("06:59:58.999", "06:59:59.000", "06:59:59.500", "06:59:59.999", "07:00:00.000")
    log.rows = [call(n, at=f"2026-11-23T{at}+00:00") for n, at in enumerate(edges)]
    load_spend_logs(home, log.url)
    assert set(loaded(home, IDS)) == set(ids(*range(5)))


def test_rows_younger_than_a_minute_are_left_for_the_next_run(
    log: SpendLogServer, home: Path
) -> None:
    log.rows = [call(1, at="2026-11-23T07:58:59Z"), call(2, at="2026-11-23T07:59:00Z")]
    load_spend_logs(home, log.url)
    assert loaded(home, IDS) == ids(1)
    load_spend_logs(home, log.url, now=NOW + timedelta(minutes=1))
    assert set(loaded(home, IDS)) == set(ids(1, 2))


def test_a_window_over_the_cap_is_halved_until_it_is_whole(log: SpendLogServer, home: Path) -> None:
    log.cap = 100
    log.rows = [call(n, at=f"2026-11-23T07:{n // 10:02}:{n % 10:02}.500Z") for n in range(450)]
    load_spend_logs(home, log.url)
    assert loaded(home, IDS) == ids(*range(450))


def test_more_calls_in_a_second_than_the_cap_fail_the_run(
    log: SpendLogServer, untouched: Path
) -> None:
    log.cap = 3
    log.rows = [call(number) for number in range(5)]
    assert refused(untouched, log).startswith("litellm: more than 3 calls in one second")


# Answers that are none


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "a body that is not JSON"),
        ("<html>502 Bad Gateway</html>", "a body that is not JSON"),
        ('{"data": [{"request_id": "a", "spe', "a body that is not JSON"),
        ('{"error": {"message": "db down"}}', "without a list of rows"),
        ("[]", "without a list of rows"),
        ("null", "without a list of rows"),
        ('{"data": {}, "total": 0, "page": 1}', "without a list of rows"),
        ('{"data": [], "page": 1}', "did not answer page 1"),
        ('{"data": [], "total": 0, "page": 3}', "did not answer page 1"),
        ('{"data": [], "total": 7, "page": 1}', "holds 0 rows, 0 of 7 were read before"),
    ],
)
def test_a_page_that_is_none_fails_the_run(
    log: SpendLogServer, untouched: Path, body: str, said: str
) -> None:
    # Good windows come first: what was read of them is not loaded either.
    log.rows = [call(1), call(2, at="2026-11-23T06:00:00Z")]
    log.rewrite = lambda page: body if page["data"] == [log.rows[0]] else page
    assert said in refused(untouched, log)


def test_a_run_after_failed_ones_reads_what_they_missed(log: SpendLogServer, home: Path) -> None:
    log.rows = [call(1), call(2, at="2026-11-23T06:00:00Z")]
    for body in ("<html>", "[]"):
        log.rewrite = lambda page, body=body: body if page["data"] else page
        with pytest.raises(PipelineStepFailed):
            load_spend_logs(home, log.url)
    log.rewrite = None
    load_spend_logs(home, log.url)
    assert loaded(home, IDS) == ids(1, 2)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"page": 1}, "did not answer page 2"),
        ({"data": [call(number) for number in range(1_000)]}, "repeats the page before it"),
        ({"data": []}, "holds 0 rows, 1000 of 1001 were read before"),
    ],
    ids=["number repeated", "rows repeated", "short"],
)
def test_a_second_page_that_is_none_fails_the_run(
    log: SpendLogServer, untouched: Path, changes: dict[str, Any], said: str
) -> None:
    log.rows = [call(number) for number in range(1_001)]
    log.rewrite = lambda page: {**page, **changes} if page["page"] == 2 else page
    assert said in refused(untouched, log)


def test_a_refused_key_costs_one_call(log: SpendLogServer, untouched: Path) -> None:
    assert (
        refused(untouched, log, api_key="sk-revoked") == "GET 127.0.0.1/spend/logs/v2 answered 401"
    )
    assert len(log.queries) == 1


def test_a_proxy_that_is_busy_for_a_while_is_read_whole(log: SpendLogServer, home: Path) -> None:
    log.rows = [call(1)]
    log.canned = [Canned(429, headers={"Retry-After": "0"}), Canned(429), Canned(503)]
    load_spend_logs(home, log.url)
    assert loaded(home, IDS) == ids(1)


# Values that do not fit


def test_what_does_not_fit_is_set_aside_with_its_reason_and_the_rest_loads(
    log: SpendLogServer, home: Path
) -> None:
    text = (PAGES / "spend_logs_v2_malformed.json").read_text(encoding="utf-8")
    log.rows = [call(number) for number in range(16)]
    log.rewrite = lambda page: text if page["data"] else page
    load_spend_logs(home, log.url)
    assert loaded(home, "litellm_call_id") == ["good-1", "good-2", "surrogate-tag"]
    rejected = loaded(
        home,
        "cast(split_part(source_locator, ' row ', 2) as integer), column_name, reason",
        table="raw_litellm.spend_logs__rejected",
    )
    assert rejected == [
        (2, "prompt_tokens", "not_an_integer"),
        (3, "prompt_tokens", "not_an_integer"),
        (4, "spend", "not_an_amount"),
        (5, "spend", "not_an_amount"),
        (6, "completion_tokens", "not_an_integer"),
        (7, "spend", "not_an_amount"),
        (8, "prompt_tokens", "negative"),
        (9, "total_tokens", "out_of_range"),
        (10, "completion_tokens", "out_of_range"),
        (11, "request_id", "missing"),
        (12, "start_time", "not_a_time_with_zone"),
        (13, None, "not_an_object"),
        (14, "spend", "out_of_range"),
    ]
    assert tied(home) == (16, 3, 13)
    load_spend_logs(home, log.url)
    assert tied(home) == (16, 3, 13)
    log.rewrite = None
    log.rows = [call(99)]
    load_spend_logs(home, log.url)
    assert "call-99" in loaded(home, IDS)
    assert tied(home) == (17, 4, 13)
    columns = rows_of(home, "select column_name from information_schema.columns")
    assert not [name for (name,) in columns if "__v_" in name]


def test_an_overlong_text_is_dropped_and_the_call_still_counts(
    log: SpendLogServer, home: Path
) -> None:
    log.rows = [call(1, end_user="x" * 8_193), call(2, end_user="northwind")]
    load_spend_logs(home, log.url)
    assert loaded(home, f"{IDS}, end_user") == [("call-1", None), ("call-2", "northwind")]


def test_a_column_gone_from_the_log_fails_the_run(log: SpendLogServer, untouched: Path) -> None:
    log.rows = [call(number) for number in range(10)]
    for row in log.rows:
        del row["prompt_tokens"]
    assert refused(untouched, log) == "spend_logs: no record has prompt_tokens any more"


# Read again


def test_an_unchanged_log_appends_nothing(log: SpendLogServer, home: Path) -> None:
    log.rows = [*fixture_rows("spend_logs_v2_page1.json"), call(1)]
    for _ in range(3):
        load_spend_logs(home, log.url)
    assert tied(home) == (9, 9, 0)


def test_a_restated_call_is_appended_beside_its_old_version(
    log: SpendLogServer, home: Path
) -> None:
    log.rows = fixture_rows("spend_logs_v2_page1.json")
    load_spend_logs(home, log.url)
    log.rows = fixture_rows("spend_logs_v2_restated.json")
    load_spend_logs(home, log.url)
    call_id = "71948e83-6767-4de8-a8a3-111c178db035"
    versions = [
        spend
        for _, found, spend in loaded(home, "_dlt_load_id, litellm_call_id, spend")
        if found == call_id
    ]
    assert versions == [Decimal("0.00001335"), Decimal("0.0000267")]


def test_a_late_row_is_found_within_the_overlap_and_a_later_one_by_the_deep_read(
    log: SpendLogServer, home: Path
) -> None:
    load_spend_logs(home, log.url)
    log.rows = [call(1, at="2026-11-23T06:30:00Z"), call(2, at="2026-11-22T01:00:00Z")]
    load_spend_logs(home, log.url, now=NOW + timedelta(minutes=5))
    assert loaded(home, IDS) == ids(1)
    load_spend_logs(home, log.url, now=NOW + timedelta(minutes=10), deep_reread=True)
    assert set(loaded(home, IDS)) == set(ids(1, 2))


def test_the_cursor_never_goes_back(log: SpendLogServer, home: Path) -> None:
    load_spend_logs(home, log.url)
    log.rows = [call(1, at="2026-11-23T07:30:00Z")]
    load_spend_logs(home, log.url, now=NOW - 5 * HOUR)
    assert state_of(home)["cursor"] == "2026-11-23T07:58:59+00:00"
    load_spend_logs(home, log.url, now=NOW + HOUR)
    assert loaded(home, IDS) == ids(1)


def test_rows_that_vanish_at_the_proxy_stay(log: SpendLogServer, home: Path) -> None:
    log.rows = [call(1)]
    load_spend_logs(home, log.url)
    log.rows = []
    load_spend_logs(home, log.url, now=NOW + HOUR)
    assert loaded(home, IDS) == ids(1)
