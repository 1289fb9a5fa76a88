"""The proxy's own database gives the rows its HTTP endpoint gives, and never any content."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from postgres_server import postgres_server
from raw_loads import FIXTURES, LITELLM, load_spend_logs, loaded, refusal, rows_of, tied
from spend_log_server import spend_log_server

from ingestion.litellm import litellm_source
from ingestion.pipeline import pipeline_for, run_source

CANARY = "canary-0b7e-what-somebody-asked"
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
JSON_COLUMNS = {"messages", "response", "proxy_server_request", "metadata", "request_tags"}
TIMES = {"startTime", "endTime", "completionStartTime", "created_at", "updated_at"}
NUMBERS = {"total_tokens", "prompt_tokens", "completion_tokens", "request_duration_ms"}
PICKED = (
    "request_id, litellm_call_id, status, cache_hit, start_time, end_time, model, model_group, "
    "prompt_tokens, completion_tokens, cached_tokens, cache_creation_5m_tokens, "
    "cache_creation_1h_tokens, reasoning_tokens, spend, original_cost, api_key, "
    "user_api_key_alias, team_id, end_user, tags"
)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The proxy's database with its recorded rows, a key, a team and two users in it."""
    page = json.loads((FIXTURES / "litellm/spendlogs_table_rows.json").read_text(encoding="utf-8"))
    with postgres_server() as url:
        with psycopg2.connect(url) as connection, connection.cursor() as cursor:
            columns = ", ".join(f'"{name}" {_type(name)}' for name in page[0])
            cursor.execute(f'create table "LiteLLM_SpendLogs" ({columns})')
            for row in page:
                _insert(cursor, row)
            cursor.execute(
                """
                create table "LiteLLM_VerificationToken" (
                    token text, key_alias text, team_id text, user_id text, blocked boolean,
                    max_budget float8, budget_duration text, expires timestamp(3), metadata jsonb);
                insert into "LiteLLM_VerificationToken" values
                    ('hash-1', 'checkout-key', 'team-syn-1', null, null, 25.5, '30d', null, '{}');
                create table "LiteLLM_TeamTable" (team_id text, team_alias text, blocked boolean);
                insert into "LiteLLM_TeamTable" values ('team-syn-1', 'Checkout', true);
                create table "LiteLLM_UserTable" (user_id text, user_email text, user_role text);
                insert into "LiteLLM_UserTable" values
                    ('user-1', 'Ada@acme.example', 'internal_user'), (null, 'x', 'y');
                create role reader login;
                grant select on all tables in schema public to reader;
                revoke select on "LiteLLM_TeamTable" from reader;
                create role stranger login
                """
            )
        connection.close()
        yield url


def _type(name: str) -> str:
    if name in JSON_COLUMNS:
        return "jsonb"
    if name in TIMES:
        return "timestamp(3)"
    return "integer" if name in NUMBERS else "float8" if name == "spend" else "text"


def _insert(cursor: Any, row: dict[str, Any]) -> None:
    values = {
        name: json.dumps(value) if name in JSON_COLUMNS else value for name, value in row.items()
    }
    values["messages"] = values["response"] = json.dumps({"content": CANARY})
    values["proxy_server_request"] = json.dumps({"body": CANARY})
    values["metadata"] = json.dumps({**row["metadata"], "error_information": CANARY})
    columns = ", ".join(f'"{name}"' for name in values)
    marks = ", ".join(["%s"] * len(values))
    cursor.execute(
        f'insert into "LiteLLM_SpendLogs" ({columns}) values ({marks})', list(values.values())
    )


def load(home: Path, url: str, *, now: datetime = NOW) -> None:
    source = litellm_source(
        base_url=None,
        api_key=None,
        database_url=url,
        instance=LITELLM,
        now=now,
        history=timedelta(days=4),
    )
    run_source(pipeline_for("litellm", instance=LITELLM, home=home), source)


def as_role(url: str, role: str) -> str:
    return url.replace("//meterhouse@", f"//{role}@")


def test_the_database_gives_what_the_http_endpoint_gives(database: str, tmp_path: Path) -> None:
    load(tmp_path / "database", as_role(database, "reader"))
    page = json.loads((FIXTURES / "litellm/spend_logs_v2_page1.json").read_text(encoding="utf-8"))
    with spend_log_server(page["data"]) as log:
        load_spend_logs(tmp_path / "http", log.url)
    found, expected = (loaded(tmp_path / way, PICKED) for way in ("database", "http"))
    assert tied(tmp_path / "database") == (8, 8, 0)
    assert found == expected


def test_content_stays_in_the_database(database: str, tmp_path: Path) -> None:
    load(tmp_path, as_role(database, "reader"))
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    assert [path for path in written if CANARY.encode() in path.read_bytes()] == []


def test_reading_again_adds_nothing(database: str, tmp_path: Path) -> None:
    for _ in range(3):
        load(tmp_path, as_role(database, "reader"))
    assert tied(tmp_path) == (8, 8, 0)
    assert len(loaded(tmp_path, "token", table="raw_litellm.keys")) == 1


def test_keys_and_users_are_listed_and_a_table_that_is_not_shown_is_empty(
    database: str, tmp_path: Path
) -> None:
    load(tmp_path, as_role(database, "reader"))
    [key] = loaded(
        tmp_path,
        "token, key_alias, team_id, blocked, max_budget::varchar, budget_duration",
        table="raw_litellm.keys",
    )
    assert key == ("hash-1", "checkout-key", "team-syn-1", None, "25.500000000000000", "30d")
    assert loaded(tmp_path, "user_id", table="raw_litellm.users") == ["user-1"]
    assert rows_of(tmp_path, "select column_name, reason from raw_litellm.users__rejected") == [
        ("user_id", "missing")
    ]
    assert loaded(tmp_path, "team_id", table="raw_litellm.teams") == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda url: as_role(url, "stranger"), 'the role cannot read "LiteLLM_SpendLogs"'),
        (lambda url: as_role(url, "nobody-s3cret"), "reading its database failed"),
        (lambda url: url.rpartition(":")[0] + ":9/postgres", "reading its database failed"),
    ],
    ids=["no grant", "no role", "no server"],
)
def test_a_refusal_is_told_without_address_or_name(
    database: str, tmp_path: Path, change: Any, words: str
) -> None:
    with pytest.raises(PipelineStepFailed) as failed:
        load(tmp_path, change(database))
    assert words in refusal(failed)
    assert "127.0.0.1" not in refusal(failed) and "s3cret" not in refusal(failed)
