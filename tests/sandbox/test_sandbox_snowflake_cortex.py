"""Snowflake's own connector reads the simulated account, and the account adds up."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
import requests
import snowflake.connector
from cryptography.hazmat.primitives import serialization
from snowflake.connector.errors import DatabaseError

from sandbox.server import Sandbox
from sandbox.snowflake_account import new_private_key

USAGE = "SNOWFLAKE.ACCOUNT_USAGE."
VIEWS = {
    "cortex_ai_functions_usage_history": "CREDITS",
    "cortex_agent_usage_history": "TOKEN_CREDITS",
    "snowflake_cowork_usage_history": "TOKEN_CREDITS",
    "ai_gateway_usage_history": "CREDITS",
    "snowflake_coco_usage_history": "TOKEN_CREDITS",
    "cortex_ai_guardrails_usage_history": "TOKEN_CREDITS",
    "cortex_analyst_usage_history": "CREDITS",
}


@contextmanager
def signed_in(
    sandbox: Sandbox, *, key: str | None = None, role: str = "METERHOUSE_READER"
) -> Iterator[Any]:
    """A cursor of a session with the account's key pair, or another."""
    pem = key or sandbox.environment()["SNOWFLAKE_MAIN_PRIVATE_KEY"]
    private = serialization.load_pem_private_key(pem.encode(), password=None)
    host, _, port = sandbox.litellm_url.removeprefix("http://").partition(":")
    with (
        snowflake.connector.connect(
            account="acme-prod", user="METERHOUSE", role=role, warehouse="METERHOUSE_WH",
            authenticator="SNOWFLAKE_JWT", private_key=private, protocol="http", host=host,
            port=int(port), login_timeout=5, platform_detection_timeout_seconds=0.0,
        ) as connection,
        connection.cursor() as cursor,
    ):  # fmt: skip
        yield cursor


def counts(sandbox: Sandbox) -> dict[str, Any]:
    return requests.get(sandbox.control_url, timeout=10).json()["snowflakecortex"]


def one(cursor: Any, query: str) -> Any:
    return cursor.execute(query).fetchone()[0]


def added_up(cursor: Any, query: str) -> tuple[int, Decimal]:
    """How many amounts, and their exact sum: the stand-in's own sum() is a float."""
    amounts = [amount for (amount,) in cursor.execute(query)]
    return len(amounts), sum(amounts, Decimal(0))


def test_the_views_tie_out_with_the_counts(sandbox: Sandbox) -> None:
    counted = counts(sandbox)
    total = Decimal(0)
    with signed_in(sandbox) as cursor:
        for view, credits in VIEWS.items():
            rows, spent = added_up(cursor, f"select {credits} from {USAGE}{view.upper()}")
            assert rows == counted[f"{view}_rows"] > 0, view
            assert spent == Decimal(counted[f"{view}_credits"]), view
            total += spent
        search = f"{USAGE}CORTEX_SEARCH_DAILY_USAGE_HISTORY where CONSUMPTION_TYPE = 'SERVING'"
        total += added_up(cursor, f"select CREDITS from {search}")[1]
        assert total == Decimal(counted["credits"])
        rest = f"{USAGE}CORTEX_REST_API_USAGE_HISTORY"
        assert one(cursor, f"select sum(TOKENS) from {rest}") == counted["rest_tokens"]


def test_metering_is_the_sum_of_each_day_and_service(sandbox: Sandbox) -> None:
    with signed_in(sandbox) as cursor:
        metering = f"{USAGE}METERING_DAILY_HISTORY where SERVICE_TYPE = 'AI_FUNCTIONS'"
        _, metered = added_up(cursor, f"select CREDITS_BILLED from {metering}")
    assert metered == Decimal(counts(sandbox)["cortex_ai_functions_usage_history_credits"])


def test_what_is_a_variant_can_be_looked_into(sandbox: Sandbox) -> None:
    with signed_in(sandbox) as cursor:
        cursor.execute(
            f"select TOKENS, TOKENS_GRANULAR:input::number + TOKENS_GRANULAR:output::number"
            f" from {USAGE}CORTEX_REST_API_USAGE_HISTORY"
            " where TOKENS > 0 and TOKENS_GRANULAR:cache_read_input is null limit 1"
        )
        tokens, summed = cursor.fetchone()
    assert tokens == summed > 0


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"key": new_private_key()}, "JWT token is invalid"),
        ({"role": "ACCOUNTADMIN"}, "Role 'ACCOUNTADMIN' specified in the connect string"),
    ],
    ids=["key", "role"],
)
def test_who_is_not_the_user_is_refused_in_snowflakes_words(
    sandbox: Sandbox, facts: dict[str, str], said: str
) -> None:
    with pytest.raises(DatabaseError, match=said), signed_in(sandbox, **facts):
        pass


def test_a_query_without_a_session_is_refused(sandbox: Sandbox) -> None:
    url = f"{sandbox.litellm_url}/queries/v1/query-request"
    answer = requests.post(url, json={"sqlText": "select 1"}, timeout=10)
    assert answer.status_code == 401


def test_late_rows_and_closed_hours_come_in_and_stay(sandbox: Sandbox) -> None:
    before = counts(sandbox)
    world = f"{sandbox.control_url}/snowflake_cortex"
    added = requests.post(f"{world}/late", json={"hours_ago": 30}, timeout=10).json()
    assert added == {"added": 1, "request_id": "req-late-0"}
    closed = requests.post(f"{world}/complete", timeout=10).json()["completed"]
    after = counts(sandbox)
    assert after["rest_tokens"] == before["rest_tokens"] + 1_500
    with signed_in(sandbox) as cursor:
        functions = f"{USAGE}CORTEX_AI_FUNCTIONS_USAGE_HISTORY"
        assert one(cursor, f"select count(*) from {functions} where not IS_COMPLETED") == 0
        _, spent = added_up(cursor, f"select CREDITS from {functions}")
        rest = f"{USAGE}CORTEX_REST_API_USAGE_HISTORY"
        assert one(cursor, f"select count(*) from {rest} where REQUEST_ID = 'req-late-0'") == 1
    name = "cortex_ai_functions_usage_history_credits"
    assert spent == Decimal(after[name])
    assert (Decimal(after[name]) > Decimal(before[name])) == (closed > 0)
