"""The LiteLLM proxy over HTTP: bounds, pages, caps and errors of the spend log; keys and chat."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

from sandbox.company import key_by_alias
from sandbox.server import Sandbox

Ask = Callable[..., requests.Response]
ALL_DAYS = {"start_date": "2026-11-13", "end_date": "2026-11-24"}
SALES = key_by_alias("sales-prod")
CODER = key_by_alias("agent-coder-key")
HELLO = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}


def rows_of(ask: Ask, **query: Any) -> list[dict[str, Any]]:
    answer = ask("GET", "/spend/logs/v2", params={"page_size": 1000, **query})
    assert answer.status_code == 200
    return answer.json()["data"]


def chat(
    ask: Ask, *, key: str, now: str = "2026-11-23T18:00:00Z", **body: Any
) -> requests.Response:
    headers = {"x-sandbox-now": now}
    return ask("POST", "/v1/chat/completions", key=key, json={**HELLO, **body}, headers=headers)


def test_pages_are_numbered_from_one_and_newest_first_by_default(ask: Ask) -> None:
    answer = ask("GET", "/spend/logs/v2", params=ALL_DAYS).json()

    starts = [row["startTime"] for row in answer["data"]]
    assert set(answer) == {"data", "total", "page", "page_size", "total_pages", "total_is_capped"}
    assert (answer["page"], answer["page_size"], len(starts)) == (1, 50, 50)
    assert answer["total_pages"] == -(-answer["total"] // 50)
    assert starts == sorted(starts, reverse=True)


def test_ascending_pages_hold_every_row_once(ask: Ask) -> None:
    ids: list[str] = []
    for page in range(1, 20):
        data = rows_of(ask, **ALL_DAYS, sort_order="asc", page=page, page_size=300)
        ids += [row["request_id"] for row in data]
        if len(data) < 300:
            break

    total = ask("GET", "/spend/logs/v2", params=ALL_DAYS).json()["total"]
    assert len(ids) == len(set(ids)) == total


def test_both_bounds_are_inclusive_at_one_second(ask: Ask) -> None:
    rows = [
        {"request_id": f"bound-{ms}", "startTime": f"2026-12-01T10:00:{ms}+00:00"}
        for ms in ("09.999", "10.000", "11.000", "11.001")
    ]
    ask("POST", "/_world/rows", json={"rows": rows})

    found = rows_of(ask, start_date="2026-12-01 10:00:10", end_date="2026-12-01 10:00:11")

    assert [row["request_id"] for row in found] == ["bound-11.000", "bound-10.000"]


def test_a_bare_end_date_is_the_first_second_of_that_day(ask: Ask) -> None:
    found = rows_of(ask, start_date="2026-11-20", end_date="2026-11-20")

    assert found == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"start_date": "2026-11-20"}, "Start date and end date are required"),
        (
            {"start_date": "20/11/2026", "end_date": "2026-11-20"},
            "Invalid date format: 20/11/2026. Expected: 'YYYY-MM-DD' or 'YYYY-MM-DD HH:MM:SS'",
        ),
        (
            {**ALL_DAYS, "sort_order": "up"},
            "Invalid sort_order: up. Must be one of: asc, desc",
        ),
        (
            {**ALL_DAYS, "cache_hit_filter": "yes"},
            "Invalid cache_hit_filter: yes. Must be one of: hit, miss",
        ),
    ],
)
def test_a_wrong_question_is_a_400(ask: Ask, query: dict[str, str], message: str) -> None:
    answer = ask("GET", "/spend/logs/v2", params=query)

    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == message


@pytest.mark.parametrize("query", [{"page": "0"}, {"page_size": "1001"}, {"page_size": "x"}])
def test_a_page_out_of_bounds_is_refused_by_the_framework(ask: Ask, query: dict[str, str]) -> None:
    answer = ask("GET", "/spend/logs/v2", params={**ALL_DAYS, **query})

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", next(iter(query))]


def test_the_total_is_capped_but_pages_go_on(ask: Ask, sandbox: Sandbox) -> None:
    rows = [
        {"request_id": f"many-{number}", "startTime": "2026-12-05T10:00:00+00:00"}
        for number in range(10_001)
    ]
    ask("POST", "/_world/rows", json={"rows": rows})
    window = {"start_date": "2026-12-05 00:00:00", "end_date": "2026-12-05 23:59:59"}

    page = ask("GET", "/spend/logs/v2", params={**window, "page": 11, "page_size": 1000}).json()

    assert (page["total"], page["total_is_capped"], page["total_pages"]) == (10_000, True, 10)
    assert len(page["data"]) == 1


def test_exactly_the_cap_is_not_capped(ask: Ask) -> None:
    rows = [
        {"request_id": f"edge-{number}", "startTime": "2026-12-06T10:00:00+00:00"}
        for number in range(10_000)
    ]
    ask("POST", "/_world/rows", json={"rows": rows})
    window = {"start_date": "2026-12-06 00:00:00", "end_date": "2026-12-06 23:59:59"}

    page = ask("GET", "/spend/logs/v2", params=window).json()

    assert (page["total"], page["total_is_capped"]) == (10_000, False)


def test_filters_and_other_orders_are_exact(ask: Ask) -> None:
    sales = rows_of(ask, **ALL_DAYS, team_id="team-sales", sort_by="spend")
    hits = rows_of(ask, **ALL_DAYS, cache_hit_filter="hit")
    aliased = rows_of(ask, **ALL_DAYS, key_alias="sales-prod")

    assert {row["team_id"] for row in sales} == {"team-sales"}
    assert [row["spend"] for row in sales] == sorted((r["spend"] for r in sales), reverse=True)
    assert {row["cache_hit"] for row in hits} == {"True"}
    assert {row["api_key"] for row in aliased} == {SALES.hashed}


def test_the_log_needs_a_key_the_proxy_knows(ask: Ask, sandbox: Sandbox) -> None:
    nobody = ask("GET", "/spend/logs/v2", key="", params=ALL_DAYS)
    stranger = ask("GET", "/spend/logs/v2", key="sk-stranger-1234", params=ALL_DAYS)
    viewer = ask("GET", "/spend/logs/v2", key=sandbox.viewer_key, params=ALL_DAYS)

    assert nobody.status_code == 401
    assert nobody.json()["error"]["message"] == "Authentication Error, No api key passed in."
    assert stranger.status_code == 401
    assert stranger.json()["error"]["type"] == "token_not_found_in_db"
    assert viewer.status_code == 200


def test_a_plain_key_sees_its_own_rows_only(ask: Ask) -> None:
    answer = ask("GET", "/spend/logs/v2", key=SALES.raw, params={**ALL_DAYS, "page_size": 1000})

    assert {row["api_key"] for row in answer.json()["data"]} == {SALES.hashed}


def test_a_blocked_key_is_refused_until_it_is_unblocked(ask: Ask) -> None:
    blocked = ask("POST", "/key/block", json={"key": SALES.hashed})
    refused = chat(ask, key=SALES.raw)
    ask("POST", "/key/block", json={"key": SALES.raw})
    ask("POST", "/key/unblock", json={"key": SALES.raw})
    allowed = chat(ask, key=SALES.raw)

    assert (blocked.status_code, blocked.json()["blocked"]) == (200, True)
    assert refused.status_code == 401
    assert refused.json() == {
        "error": {
            "message": "Authentication Error, Key is blocked. "
            "Update via `/key/unblock` if you're an admin.",
            "type": "auth_error",
            "param": "None",
            "code": "401",
        }
    }
    assert allowed.status_code == 200


def test_a_blocked_team_is_refused_in_its_own_words(ask: Ask) -> None:
    ask("POST", "/team/block", json={"team_id": "team-sales"})
    refused = chat(ask, key=SALES.raw)
    ask("POST", "/team/unblock", json={"team_id": "team-sales"})

    assert refused.status_code == 401
    assert refused.json()["error"]["message"] == (
        "Authentication Error, Team=team-sales is blocked. "
        "Update via `/team/unblock` if you're an admin."
    )
    assert chat(ask, key=SALES.raw).status_code == 200


def test_a_spent_budget_refuses_and_a_null_clears_it(ask: Ask) -> None:
    ask("POST", "/key/update", json={"key": SALES.hashed, "max_budget": 0})
    refused = chat(ask, key=SALES.raw)
    ask("POST", "/key/update", json={"key": SALES.hashed, "max_budget": None})

    error = refused.json()["error"]
    assert refused.status_code == 422
    assert error["type"] == "budget_exceeded"
    assert error["message"].startswith("Budget has been exceeded! Key=sales-prod (sk-...prod)")
    assert error["message"].endswith("Max budget: 0.0")
    assert chat(ask, key=SALES.raw).status_code == 200


def test_an_update_is_partial_and_replaces_metadata_whole(ask: Ask) -> None:
    def info() -> dict[str, Any]:
        return ask("GET", "/key/info", params={"key": SALES.hashed}).json()["info"]

    ask("POST", "/key/update", json={"key": SALES.hashed, "rpm_limit": 5, "metadata": {"a": 1}})
    ask("POST", "/key/update", json={"key": SALES.hashed, "metadata": {"b": 2}, "spend": 0})

    assert (info()["rpm_limit"], info()["metadata"]) == (5, {"b": 2})
    assert info()["spend"] > 0
    ask("POST", "/key/update", json={"key": SALES.hashed, "rpm_limit": None, "metadata": {}})
    assert (info()["rpm_limit"], info()["metadata"]) == (None, {})


@pytest.mark.parametrize(
    ("key", "status", "message"),
    [("0" * 64, 404, "Key not found."), ("not a key", 400, "Invalid key format.")],
)
def test_an_unknown_or_malformed_key_cannot_be_blocked(
    ask: Ask, key: str, status: int, message: str
) -> None:
    answer = ask("POST", "/key/block", json={"key": key})

    assert answer.status_code == status
    assert answer.json()["error"]["message"] == message


def test_only_the_admin_may_change_keys(ask: Ask, sandbox: Sandbox) -> None:
    for key in (sandbox.viewer_key, SALES.raw):
        answer = ask("POST", "/key/block", key=key, json={"key": CODER.hashed})
        assert answer.status_code == 401
        assert "Only proxy admin can be used" in answer.json()["error"]["message"]
    assert chat(ask, key=CODER.raw).status_code == 200


def test_keys_are_listed_in_pages_by_hash(ask: Ask) -> None:
    first = ask("GET", "/key/list").json()
    second = ask("GET", "/key/list", params={"page": 2}).json()
    sales = ask(
        "GET", "/key/list", params={"team_id": "team-sales", "return_full_object": "true"}
    ).json()

    assert (first["total_count"], first["total_pages"], len(first["keys"])) == (13, 2, 10)
    assert len(set(first["keys"] + second["keys"])) == 13
    assert [key["key_alias"] for key in sales["keys"]] == ["sales-prod", "agent-outreach-key"]


def test_a_team_is_told_with_its_keys_and_an_unknown_one_is_404(ask: Ask) -> None:
    team = ask("GET", "/team/info", params={"team_id": "team-sales"}).json()

    assert team["team_info"]["team_alias"] == "Sales"
    assert len(team["keys"]) == 2
    assert ask("GET", "/team/info", params={"team_id": "team-none"}).status_code == 404


def test_a_chat_is_answered_and_leaves_a_priced_row_without_its_content(ask: Ask) -> None:
    answer = chat(
        ask,
        key=CODER.raw,
        now="2026-12-02T09:00:00Z",
        user="northwind",
        metadata={"tags": ["feature=chat"]},
    )
    rows = rows_of(ask, start_date="2026-12-02 09:00:00", end_date="2026-12-02 09:00:00")

    # [{"role":"user","content":"hello"}] has 35 characters: 8 tokens; 8 x 0.15 + 6 x 0.6.
    assert answer.json()["usage"]["prompt_tokens"] == 8
    assert answer.headers["x-litellm-call-id"] == rows[0]["litellm_call_id"]
    assert (len(rows), rows[0]["spend"], rows[0]["end_user"]) == (1, 0.0000048, "northwind")
    assert rows[0]["request_tags"][0] == "feature=chat"
    assert rows[0]["api_key"] == CODER.hashed
    assert "hello" not in str(rows)


def test_a_model_the_proxy_does_not_serve_is_a_400(ask: Ask) -> None:
    answer = chat(ask, key=CODER.raw, model="no-such-model")

    assert answer.status_code == 400
    assert "Invalid model name" in answer.json()["error"]["message"]


def test_a_customer_is_refused_while_blocked_or_over_its_budget(ask: Ask) -> None:
    def change(verb: str, **changes: Any) -> int:
        return ask("POST", f"/customer/{verb}", json=changes).status_code

    def info(name: str) -> dict[str, Any]:
        return ask("GET", "/customer/info", params={"end_user_id": name}).json()

    assert change("update", user_id="globex", blocked=True) == 200
    assert info("globex")["blocked"] is True
    assert chat(ask, key=SALES.raw, user="globex").status_code == 400
    assert chat(ask, key=SALES.raw, user="initech").status_code == 200
    assert change("update", user_id="globex", blocked=False, max_budget=0) == 200
    assert info("globex")["litellm_budget_table"]["max_budget"] == 0
    assert chat(ask, key=SALES.raw, user="globex").json()["error"]["type"] == "budget_exceeded"
    assert change("update", user_id="globex", max_budget=None) == 200
    assert change("unblock", user_ids=["globex"]) == 400
    assert change("block", user_ids=["globex"]) == 500 and info("globex")["blocked"] is True
    assert change("update", user_id="globex", blocked=False) == 200
    assert chat(ask, key=SALES.raw, user="globex").status_code == 200
    assert change("update", user_id="nobody", blocked=True) == 404


def test_a_key_that_is_made_calls_from_then_on_and_its_alias_is_taken(ask: Ask) -> None:
    wanted = {"key_alias": "made-here", "team_id": "team-sales"}
    made = ask("POST", "/key/generate", json=wanted)
    key = made.json()["key"]

    assert (made.status_code, made.json()["team_id"]) == (200, "team-sales")
    assert chat(ask, key=key).status_code == 200
    shown = ask("GET", "/key/info", params={"key": key}).json()["info"]
    assert (shown["token"], shown["spend"] > 0) == (made.json()["token"], True)
    assert ask("POST", "/key/generate", json=wanted).status_code == 400
    assert ask("POST", "/key/generate", key=key, json=wanted).status_code == 401
