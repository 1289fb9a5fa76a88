"""The rows of Databricks' system tables: the demo company's calls through it, and their bill."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.catalogue import HAIKU, PER_MILLION, Rates
from sandbox.company import UNKNOWN_MODEL
from sandbox.databricks_columns import (
    BILLING,
    COLUMNS,
    ENDPOINT,
    ENTITIES,
    GATEWAY,
    PRICES,
    SPEND,
)
from sandbox.vendor import Call, Grounds, litellm_calls, own_calls

Row = dict[str, Any]
Rows = dict[str, list[Row]]

ACCOUNT = "11112222-3333-4444-5555-666677778888"
WORKSPACE = "1234567890123456"
_SKU = "ENTERPRISE_ANTHROPIC_MODEL_SERVING"

_EXTERNAL: dict[str, tuple[str, Rates | None]] = {
    "claude-haiku-4-5": ("anthropic", HAIKU),
    "gpt-5-mini": ("openai", Rates(Decimal("0.25"), Decimal("2"), Decimal("0.025"))),
    # A custom provider: its calls are seen, its money is not.
    UNKNOWN_MODEL: ("custom", None),
}
_HOSTED = {"databricks-claude-haiku-4-5": "claude-haiku-4-5", "gpt-oss-20b": "GPT OSS 20B"}
_HOUR = timedelta(hours=1)


def rows_of_the_world(grounds: Grounds) -> Rows:
    """Every table's rows up to the end of the world."""
    # The tables lag: what happened since the last hour that is over is not in them yet.
    told_until = (grounds.as_of - timedelta(minutes=15)).replace(minute=0, second=0, microsecond=0)
    calls = [
        call
        for call in own_calls(
            grounds, name="databricks", a_day=28, models=[*_EXTERNAL, *_HOSTED], reasons=True
        )
        if call.at < told_until
    ]
    rows: Rows = {name: [] for name in COLUMNS}
    for call in calls:
        # About one call in five takes the classic route; some of those are told by both tables.
        is_classic = call.dice < 0.2
        if not is_classic or call.dice < 0.04:
            rows[GATEWAY] += _invocations(call, canary=grounds.canary)
        if is_classic:
            rows[ENDPOINT].append(_request(call))
    rows[ENDPOINT] += _requests_of_the_proxy(grounds, until=told_until)
    rows[SPEND] = list(_spend(rows[GATEWAY], as_of=grounds.as_of))
    if not calls:
        return rows
    rows[ENTITIES] = _entities(grounds)
    rows[BILLING] = list(_billing(rows[GATEWAY], as_of=grounds.as_of))
    rows[PRICES] = [_price()]
    return rows


def _invocations(call: Call, *, canary: str) -> list[Row]:
    """A call's invocations: one, or a refused one and the fallback that served it."""
    is_external = call.model in _EXTERNAL
    written = 256 if call.model == "claude-haiku-4-5" and call.number % 5 == 0 else 0
    total_input = call.input_tokens + call.cache_read_tokens + written
    total_output = call.output_tokens + call.reasoning_tokens
    tags = {"team": call.team_id, "feature": call.feature}
    tags |= {"customer": call.customer} if call.customer else {}
    tags |= {"agent": call.agent_id} if call.agent_id else {}
    served: Row = {
        "account_id": ACCOUNT, "workspace_id": WORKSPACE,
        "request_id": f"rq-{call.number:06}", "invocation_id": f"inv-{call.number:06}",
        "event_time": _text(call.at), "requester": call.user_email, "requester_type": "USER",
        "endpoint_id": "ep-1", "endpoint_name": "acme-gw", "endpoint_tags": {"env": "prod"},
        "service_type": "MODEL_SERVICE", "service_name": "main.ai.assist",
        "destination_type": "EXTERNAL_FOUNDATION_MODEL" if is_external
        else "PAY_PER_TOKEN_FOUNDATION_MODEL",
        "destination_name": f"main.default.{_EXTERNAL[call.model][0]}_key" if is_external
        else f"system.ai.{call.model}",
        "destination_model": call.model if is_external else _HOSTED[call.model],
        "api_type": "anthropic/v1/messages" if is_external and "claude" in call.model
        else "mlflow/v1/chat/completions",
        "url": f"/ai-gateway/mlflow/v1/chat/completions?prompt={canary}",
        "user_agent": "openai-python/2.1", "status_code": 200, "latency_ms": call.latency_ms,
        "time_to_first_byte_ms": call.latency_ms // 4, "input_tokens": total_input,
        "output_tokens": total_output, "total_tokens": total_input + total_output,
        "token_details": {
            "cache_read_input_tokens": call.cache_read_tokens,
            "cache_creation_input_tokens": written,
            "output_reasoning_tokens": call.reasoning_tokens or None,
        },
        "request_tags": tags, "routing_information": f"first choice for {canary}",
        "invocation_metadata": {"prompt": canary}, "guardrail_findings": {"reason": canary},
    }  # fmt: skip
    unserved = {
        "input_tokens": None, "output_tokens": None, "total_tokens": None, "token_details": None,
    }  # fmt: skip
    if call.dice > 0.985:
        nowhere = {"destination_type": None, "destination_name": None, "destination_model": None}
        return [served | unserved | nowhere | {"api_type": "unmanaged", "status_code": 404}]
    if call.is_error:
        refused = served | unserved | {"status_code": 429}
        fallen_back = served | {"invocation_id": f"inv-{call.number:06}b"}
        return [refused, fallen_back] if call.number % 2 else [refused]
    return [served]


def _spend(invocations: list[Row], *, as_of: datetime) -> Iterator[Row]:
    """The dollars of external models by hour, provider, model and tags, seven minutes after."""
    spent: dict[tuple[datetime, str, tuple[tuple[str, str], ...]], Decimal] = defaultdict(Decimal)
    for row in invocations:
        rates = _EXTERNAL.get(row["destination_model"] or "", ("", None))[1]
        is_external = row["destination_type"] == "EXTERNAL_FOUNDATION_MODEL"
        if not is_external or rates is None or row["input_tokens"] is None:
            continue
        hour = datetime.fromisoformat(row["event_time"]).replace(minute=0, second=0, microsecond=0)
        tags = tuple(sorted(row["request_tags"].items()))
        spent[hour, row["destination_model"], tags] += cost_of(row, rates)
    for (hour, model, tags), usd in spent.items():
        if hour + _HOUR + timedelta(minutes=7) <= as_of:
            name = f"{hour.isoformat()} {model} {tags}"
            yield {
                "record_id": f"spend-{_hash(name)}",
                "account_id": ACCOUNT, "workspace_id": WORKSPACE, "usage_date": hour.date(),
                "usage_start_time": _text(hour), "usage_end_time": _text(hour + _HOUR),
                "usage_unit": "USD", "usage_quantity": str(usd),
                "usage_metadata": {"provider": _EXTERNAL[model][0], "model": model},
                # The map's order is nobody's promise.
                "custom_tags": {"request_tags": dict(reversed(tags))},
            }  # fmt: skip


def cost_of(row: Row, rates: Rates) -> Decimal:
    """What the provider asks for an invocation, in dollars."""
    details = row["token_details"]
    read = details["cache_read_input_tokens"] or 0
    written = details["cache_creation_input_tokens"] or 0
    plain = row["input_tokens"] - read - written
    millionths = (
        rates.input * plain
        + rates.cache_read * read
        + rates.cache_write_5m * written
        + rates.output * row["output_tokens"]
    )
    return millionths * PER_MILLION


def _request(call: Call) -> Row:
    entity = "se-2" if call.model in _EXTERNAL else "se-1"
    return _endpoint_row(
        number=f"rq-{call.number:06}", client_request_id=None, at=call.at, entity=entity,
        requester=call.user_email, status=429 if call.is_error else 200,
        tokens=(call.input_tokens + call.cache_read_tokens,
                call.output_tokens + call.reasoning_tokens),
        context={"team": call.team_id, "project": call.feature}
        | ({"end_user": call.customer} if call.customer else {}),
    )  # fmt: skip


def _requests_of_the_proxy(grounds: Grounds, *, until: datetime) -> Iterator[Row]:
    """Calls that the LiteLLM proxy sent on to a serving endpoint, under its own call id."""
    for row in litellm_calls(grounds, one_in=100):
        at = datetime.fromtimestamp(row["start_ms"] / 1000, tz=UTC)
        if row["model"] == "gpt-5-mini" and row["status"] == "success" and at < until:
            yield _endpoint_row(
                number=f"lt-{row['call_id']}", client_request_id=row["call_id"], at=at,
                entity="se-2", requester="sp-litellm", status=200,
                tokens=(row["prompt_tokens"], row["completion_tokens"]), context={},
            )  # fmt: skip


def _endpoint_row(
    *, number: str, client_request_id: str | None, at: datetime, entity: str, requester: str,
    status: int, tokens: tuple[int, int], context: dict[str, str],
) -> Row:  # fmt: skip
    counts = tokens if status == 200 else (None, None)
    return {
        "account_id": ACCOUNT, "workspace_id": WORKSPACE, "client_request_id": client_request_id,
        "databricks_request_id": number, "requester": requester, "status_code": status,
        "request_time": _text(at), "input_token_count": counts[0], "output_token_count": counts[1],
        "input_character_count": counts[0] and counts[0] * 4,
        "output_character_count": counts[1] and counts[1] * 4, "usage_context": context,
        "request_streaming": False, "served_entity_id": entity,
    }  # fmt: skip


def _entities(grounds: Grounds) -> list[Row]:
    """What the two classic endpoints serve; the second changed its model on the way."""
    begins = grounds.as_of - timedelta(days=grounds.days + 30)
    changed = grounds.as_of - timedelta(days=grounds.days) / 2
    served = (
        ("se-1", "acme-hosted", "system.ai.databricks-claude-haiku-4-5", None, 1, begins),
        ("se-2", "acme-external", "gpt-5", "openai", 1, begins),
        ("se-2", "acme-external", "gpt-5-mini", "openai", 2, changed),
    )
    return [
        {
            "served_entity_id": id, "account_id": ACCOUNT, "workspace_id": WORKSPACE,
            "created_by": "admin@acme.example", "endpoint_name": endpoint,
            "endpoint_id": f"e-{id}", "served_entity_name": name.removeprefix("system.ai."),
            "entity_type": "EXTERNAL_MODEL" if provider else "FOUNDATION_MODEL",
            "entity_name": name, "entity_version": "1", "endpoint_config_version": version,
            "task": "llm/v1/chat", "change_time": _text(at),
            "external_model_config": {"provider": provider} if provider else None,
        }
        for id, endpoint, name, provider, version, at in served
    ]  # fmt: skip


def _billing(invocations: list[Row], *, as_of: datetime) -> Iterator[Row]:
    """DBU of hosted models by day; every fourth day is corrected three days later."""
    by_day: dict[Any, int] = defaultdict(int)
    for row in invocations:
        if row["destination_type"] == "PAY_PER_TOKEN_FOUNDATION_MODEL" and row["total_tokens"]:
            by_day[datetime.fromisoformat(row["event_time"]).date()] += row["total_tokens"]
    for day, tokens in by_day.items():
        billed = Decimal(tokens) * Decimal("0.00002")
        told = [("ORIGINAL", billed, 0)]
        if day.toordinal() % 4 == 0:
            told += [("RETRACTION", -billed, 3), ("RESTATEMENT", billed * Decimal("0.95"), 3)]
        for kind, quantity, days in told:
            ingested = day + timedelta(days=days)
            if day < as_of.date() and ingested <= as_of.date():
                yield _billed(day, kind, quantity, ingested, "MODEL_SERVING")
        if day < as_of.date():
            # Most of a real bill is no AI at all, and is not asked for.
            yield _billed(day, "ORIGINAL", Decimal(40), day, "JOBS")


def _billed(day: Any, kind: str, quantity: Decimal, ingested: Any, product: str) -> Row:
    return {
        "record_id": f"bill-{_hash(f'{day} {kind} {product}')}", "account_id": ACCOUNT,
        "workspace_id": WORKSPACE, "cloud": "AWS",
        "sku_name": _SKU if product == "MODEL_SERVING" else "ENTERPRISE_JOBS_COMPUTE",
        "usage_start_time": f"{day}T00:00:00Z", "usage_end_time": f"{day}T01:00:00Z",
        "usage_date": day, "custom_tags": {"env": "prod"}, "usage_unit": "DBU",
        "usage_quantity": str(quantity),
        "usage_metadata": {"endpoint_name": "acme-gw", "endpoint_id": "ep-1"},
        "identity_metadata": {"run_as": "sp-assist"}, "record_type": kind,
        "ingestion_date": ingested, "billing_origin_product": product,
        "product_features": {"serving_type": "FOUNDATION_MODEL"}, "usage_type": "TOKEN",
    }  # fmt: skip


def _price() -> Row:
    return {
        "price_start_time": "2026-01-01T00:00:00Z", "price_end_time": None, "account_id": ACCOUNT,
        "sku_name": _SKU, "cloud": "AWS", "currency_code": "USD", "usage_unit": "DBU",
        "pricing": {
            "default": "0.07", "promotional": {"default": None},
            "effective_list": {"default": "0.07"},
        },
    }  # fmt: skip


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]
