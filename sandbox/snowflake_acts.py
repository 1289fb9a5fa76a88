"""An act of the demo company as a row of one of Snowflake's usage views, credits exact."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import orjson

from sandbox.company import TEAMS, email_of
from sandbox.vendor import Call, Grounds, JsonObject

OPEN_FOR = timedelta(hours=2)
MODELS = ("claude-sonnet-4-5", "claude-haiku-4-5", "openai-gpt-4.1")
EMBEDDER = "snowflake-arctic-embed-l-v2.0"
_ANALYST_MODEL = "openai-gpt-5-mini"
# AI credits a million tokens: input, cache read, output.
_RATES = {
    "claude-sonnet-4-5": ("1.5", "0.15", "7.5"),
    "claude-haiku-4-5": ("0.5", "0.05", "2.5"),
    "openai-gpt-4.1": ("1", "0.25", "4"),
    _ANALYST_MODEL: ("0.125", "0.0125", "1"),
    EMBEDDER: ("0.05", "0.05", "0"),
}
_KINDS = ("input", "cache_read_input", "output")
# Snowflake bills to nine digits.
_NINE_DIGITS = Decimal("1e-9")
MEMBERS = tuple(sorted(name for team in TEAMS for name in team.members))
IDS = {email_of(name): 100 + number for number, name in enumerate(MEMBERS)}


def function(call: Call, grounds: Grounds) -> list[JsonObject]:
    """An hour of a query: completion, embedding or pages; the youngest are still open."""
    start = call.at.replace(minute=0, second=0, microsecond=0)
    kind = call.number % 7
    name, model = "AI_COMPLETE", call.model
    counts = {"input": call.input_tokens + call.cache_read_tokens, "output": call.output_tokens}
    if kind == 5:
        name, model, counts = "AI_EMBED", EMBEDDER, {"input": counts["input"]}
    metrics = [
        {"key": {"metric": key, "unit": "tokens"}, "value": value} for key, value in counts.items()
    ]
    spent = _spent(model, counts)
    if kind == 6:
        name, model, spent = "AI_PARSE_DOCUMENT", "", Decimal("0.0033") * (1 + call.number % 20)
        metrics = [{"key": {"metric": "pages", "unit": "pages"}, "value": 1 + call.number % 20}]
    tag: Any = {"team": call.team_id, "feature": call.feature}
    if call.customer:
        tag["customer_id"] = call.customer
    # Whoever writes a query may write anything into its tag.
    text = f"adhoc {grounds.canary}" if call.number % 11 == 0 else orjson.dumps(tag).decode()
    return [
        {
            "START_TIME": start, "END_TIME": start + timedelta(hours=1), "FUNCTION_NAME": name,
            "MODEL_NAME": model, "QUERY_ID": f"01b9{call.number:06d}", "WAREHOUSE_ID": 7,
            "ROLE_NAMES": ["ANALYST"], "QUERY_TAG": text, "USER_ID": str(IDS[call.user_email]),
            "METRICS": metrics, "CREDITS": spent,
            "IS_COMPLETED": start < grounds.as_of - OPEN_FOR,
        }
    ]  # fmt: skip


def grow(row: JsonObject) -> None:
    """The rest of an hour that was open: as much again."""
    row["CREDITS"] *= 2
    row["METRICS"] = [{**m, "value": 2 * m["value"]} for m in row["METRICS"]]
    row["IS_COMPLETED"] = True


def agent(call: Call, grounds: Grounds) -> list[JsonObject]:
    """A request, every third with Analyst's model as well, every fourth with a child of its own."""
    request_id = f"agt-{call.number}"
    used = {"cortex_agents": {call.model: _counts(call)}}
    if call.number % 3 == 0:
        used["cortex_analyst"] = {_ANALYST_MODEL: {"input": 900, "output": 60}}
    rows = [_request(call, grounds, request_id, used)]
    if call.number % 4 == 0:
        child = _request(
            call, grounds, f"{request_id}-child",
            {"cortex_agents": {call.model: {"input": 300, "output": 40}}},
        )  # fmt: skip
        rows.append({**child, "PARENT_REQUEST_ID": request_id})
    return rows


def cowork(call: Call, grounds: Grounds) -> list[JsonObject]:
    row = _request(
        call, grounds, f"cow-{call.number}", {"cortex_agents": {call.model: _counts(call)}}
    )
    row["METADATA"]["interaction_interface"] = "snowflake_cowork"
    return [{**row, "SNOWFLAKE_INTELLIGENCE_NAME": "ACME"}]


def _request(call: Call, grounds: Grounds, request_id: str, used: JsonObject) -> JsonObject:
    spent = {
        service: {model: _spent_by_kind(model, counts) for model, counts in models.items()}
        for service, models in used.items()
    }
    started = f"{call.at:%Y-%m-%d %H:%M:%S}.000 +0000"
    return {
        "START_TIME": call.at, "END_TIME": call.at + timedelta(milliseconds=call.latency_ms),
        **_who(call), "REQUEST_ID": request_id, "AGENT_DATABASE_NAME": "ACME",
        "AGENT_SCHEMA_NAME": "AGENTS", "AGENT_NAME": (call.agent_id or "assistant").upper(),
        "TOKENS": sum(sum(c.values()) for models in used.values() for c in models.values()),
        "TOKEN_CREDITS": _total(spent),
        "TOKENS_GRANULAR": [{request_id: {"start_time": started, **used}}],
        "CREDITS_GRANULAR": [{request_id: {"start_time": started, **_floats(spent)}}],
        "METADATA": {"interaction_interface": "sql_function", "role_name": "ANALYST",
                     "sql_query_credits": 0.0075, "thread_title": grounds.canary},
    }  # fmt: skip


def rest(call: Call, grounds: Grounds) -> list[JsonObject]:
    counts = {} if call.is_error else _counts(call)
    return [
        {
            "START_TIME": call.at, "END_TIME": call.at + timedelta(milliseconds=call.latency_ms),
            "REQUEST_ID": f"req-{call.number}", "MODEL_NAME": call.model,
            "TOKENS": sum(counts.values()), "TOKENS_GRANULAR": counts,
            "USER_ID": str(IDS[call.user_email]),
            "INFERENCE_REGION": "AWS_GLOBAL" if call.number % 2 else "AWS_US_WEST_2",
        }
    ]  # fmt: skip


def gateway(call: Call, grounds: Grounds) -> list[JsonObject]:
    """A call through the gateway, every fifth answered by two models."""
    models = {call.model: _counts(call, has_cache=False)}
    if call.number % 5 == 0:
        models[_ANALYST_MODEL] = {"input": 100, "output": 20}
    spent = {model: _spent(model, counts) for model, counts in models.items()}
    return [
        {
            "START_TIME": call.at, "REQUEST_ID": f"gw-{call.number}", "GATEWAY_NAME": "SNOWFLAKE",
            "GATEWAY_ID": "1001", "USER_ID": str(IDS[call.user_email]),
            "SERVICE_TYPE": "AI_INFERENCE",
            "OPERATION_DETAILS": {
                model: {f"{kind}_tokens": tokens for kind, tokens in counts.items()}
                for model, counts in models.items()
            },
            "CREDITS": _total(spent), "CREDITS_GRANULAR": _floats(spent),
            "METADATA": {"request": grounds.canary},
        }
    ]  # fmt: skip


def coco(call: Call, grounds: Grounds) -> list[JsonObject]:
    interface = "CLI" if call.number % 2 else "SNOWSIGHT"
    return [{**_flat(call, f"coco-{call.number}", grounds), "INTERFACE": interface}]


def guardrail(call: Call, grounds: Grounds) -> list[JsonObject]:
    """Two scans of one request: two rows of one id."""
    return [
        {
            **_flat(call, f"scan-{call.number}", grounds), "AGENTIC_SOURCE": "CORTEX_AGENT",
            "GUARDRAILS_SIGNAL": False,
            "GUARDRAIL_RESULTS": [{"tool_use_id": f"use-{n}", "text": grounds.canary}],
        }
        for n in (1, 2)
    ]  # fmt: skip


def _flat(call: Call, request_id: str, grounds: Grounds) -> JsonObject:
    """A request whose models stand at the top of the granular object."""
    counts = _counts(call)
    spent = _spent_by_kind(call.model, counts)
    return {
        "USAGE_TIME": call.at, **_who(call), "REQUEST_ID": request_id,
        "TOKEN_CREDITS": sum(spent.values()), "TOKENS": sum(counts.values()),
        "TOKENS_GRANULAR": {call.model: counts}, "CREDITS_GRANULAR": _floats({call.model: spent}),
        "METADATA": {"role_name": "ANALYST", "note": grounds.canary},
    }  # fmt: skip


def analyst(call: Call, grounds: Grounds) -> list[JsonObject]:
    start = call.at.replace(minute=0, second=0, microsecond=0)
    return [
        {
            "START_TIME": start, "END_TIME": start + timedelta(hours=1), "REQUEST_COUNT": 1,
            "CREDITS": Decimal("0.067"), "USERNAME": _name(call),
        }
    ]  # fmt: skip


def _counts(call: Call, *, has_cache: bool = True) -> dict[str, int]:
    """Disjoint tokens of an act by their kind."""
    cached = call.cache_read_tokens
    if not has_cache or not cached:
        return {"input": call.input_tokens + cached, "output": call.output_tokens}
    return {
        "input": call.input_tokens, "cache_read_input": cached, "output": call.output_tokens,
    }  # fmt: skip


def _spent_by_kind(model: str, counts: Mapping[str, int]) -> dict[str, Decimal]:
    rates = dict(zip(_KINDS, _RATES[model], strict=True))
    return {
        kind: (Decimal(rates[kind]) * tokens / 1_000_000).quantize(_NINE_DIGITS)
        for kind, tokens in counts.items()
    }


def _spent(model: str, counts: Mapping[str, int]) -> Decimal:
    return sum(_spent_by_kind(model, counts).values(), Decimal(0))


def _total(spent: Any) -> Decimal:
    """The sum of all amounts in an object, however deep they stand."""
    if isinstance(spent, Decimal):
        return spent
    return sum((_total(item) for item in spent.values()), Decimal(0))


def _floats(spent: Any) -> Any:
    """Amounts as VARIANT holds them."""
    if isinstance(spent, Decimal):
        return float(spent)
    return {key: _floats(item) for key, item in spent.items()}


def _who(call: Call) -> JsonObject:
    tag = {"level": "USER", "tag_database": "GOV", "tag_schema": "TAGS", "tag_name": "TEAM"}
    return {
        "USER_ID": IDS[call.user_email], "USER_NAME": _name(call),
        "USER_TAGS": [{**tag, "tag_value": call.team_id}],
    }  # fmt: skip


def _name(call: Call) -> str:
    return call.user_email.partition("@")[0].upper()
