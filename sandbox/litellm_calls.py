"""Calls made since the world was built: the chat endpoint, and the burst of a runaway agent."""

import math
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.catalogue import Model, cost_of_call, model_of_group
from sandbox.company import agent_by_id
from sandbox.litellm_keys import Keyring
from sandbox.proxy_http import (
    JsonObject,
    answering,
    bad_request,
    bearer,
    json_body,
    json_response,
)
from sandbox.spend_logs import SpendLog
from sandbox.spend_rows import spend_row
from sandbox.world import milliseconds

NOW_HEADER = "x-sandbox-now"
_RUNAWAY_GROUP = "claude-sonnet"
_ANSWER = "This is a simulated answer."
_ANSWER_TOKENS = 6
_NAMESPACE = uuid.UUID("6f1d8a4e-3b0c-4d5e-9a7f-5b2c8e1d0a34")


class Calls:
    """What adds rows to the spend log while the sandbox runs."""

    def __init__(self, *, log: SpendLog, keyring: Keyring, as_of: datetime) -> None:
        self._log = log
        self._keyring = keyring
        self._as_of = as_of

    def routes(self) -> list[Route]:
        """The chat endpoint under both of its paths."""
        chat = answering(self._chat)
        return [
            Route("/chat/completions", chat, methods=["POST"]),
            Route("/v1/chat/completions", chat, methods=["POST"]),
        ]

    def add_rows(self, rows: list[JsonObject]) -> list[JsonObject]:
        """Put rows into the log and count their spend; what was there already is left out."""
        added = self._log.add(rows)
        self._keyring.count_in(added)
        return added

    def run_away(
        self, agent_id: str, *, start: datetime, minutes: int, usd: Decimal
    ) -> list[JsonObject]:
        """Let an agent spend at least `usd` within `minutes`; the rows this call added."""
        calls = list(_burst(agent_id, start=start, minutes=minutes, usd=usd))
        return self.add_rows([spend_row(call, canary="") for call in calls])

    async def _chat(self, request: Request) -> Response:
        raw_key, body = bearer(request), await json_body(request)
        key = self._keyring.admit(raw_key, customer=body.get("user"))
        group = str(body.get("model", ""))
        model = model_of_group(group)
        if model is None:
            raise bad_request(
                f"/chat/completions: Invalid model name passed in model={group}. "
                "Call `/v1/models` to view available models for your key.",
                param="model",
            )
        now = _now(request, default=self._as_of)
        name = f"{key['token']}:{milliseconds(now)}:{len(self._log.added())}"
        # Only its length is used: what was asked is neither answered to nor kept.
        prompt_tokens = max(1, len(orjson.dumps(body.get("messages", []))) // 4)
        metadata = body.get("metadata")
        tags = metadata.get("tags", []) if isinstance(metadata, dict) else []
        call = _call(
            name,
            model=model,
            start_ms=milliseconds(now),
            key_alias=key["key_alias"],
            team_id=key["team_id"],
            prompt_tokens=prompt_tokens,
            completion_tokens=_ANSWER_TOKENS,
        )
        call["customer"] = body.get("user")
        row = spend_row(call, canary="")
        row["request_tags"] = [*map(str, tags), *row["request_tags"]]
        self.add_rows([row])
        usage = {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": _ANSWER_TOKENS,
            "total_tokens": prompt_tokens + _ANSWER_TOKENS,
        }
        message = {"role": "assistant", "content": _ANSWER}
        return json_response(
            {
                "id": row["request_id"],
                "object": "chat.completion",
                "created": milliseconds(now) // 1000,
                "model": group,
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": usage,
            },
            headers={
                "x-litellm-call-id": row["litellm_call_id"],
                "x-litellm-response-cost": repr(row["spend"]),
            },
        )


def _burst(
    agent_id: str, *, start: datetime, minutes: int, usd: Decimal
) -> Iterator[dict[str, Any]]:
    """The calls of one runaway: long uncached prompts, until the money is spent."""
    agent = agent_by_id(agent_id)
    model = model_of_group(_RUNAWAY_GROUP)
    if model is None:
        raise AssertionError(f"the catalogue lacks {_RUNAWAY_GROUP}")
    sizes: list[int] = []
    spent = Decimal(0)
    while spent < usd:
        sizes.append(110_000 + len(sizes) * 7_919 % 70_000)
        spent += cost_of_call(model, input_tokens=sizes[-1], output_tokens=6_000)
    span_ms = minutes * 60_000
    for number, prompt_tokens in enumerate(sizes):
        call = _call(
            f"runaway:{agent_id}:{start.isoformat()}:{minutes}:{usd}:{number}",
            model=model,
            start_ms=milliseconds(start) + math.floor(span_ms * number / len(sizes)),
            key_alias=agent.key_alias,
            team_id=agent.team_id,
            prompt_tokens=prompt_tokens,
            completion_tokens=6_000,
        )
        yield {**call, "agent_id": agent_id, "feature": "agents"}


def _call(
    name: str,
    *,
    model: Model,
    start_ms: int,
    key_alias: str,
    team_id: str,
    prompt_tokens: int,
    completion_tokens: int,
) -> dict[str, Any]:
    """One uncached call in the columns of the world's table; its ids follow from its name."""
    cost = cost_of_call(model, input_tokens=prompt_tokens, output_tokens=completion_tokens)
    output = cost - cost_of_call(model, input_tokens=prompt_tokens, output_tokens=0)
    return {
        "start_ms": start_ms,
        "duration_ms": 900,
        "ttft_ms": None,
        "call_id": str(uuid.uuid5(_NAMESPACE, name)),
        "request_id": f"chatcmpl-{uuid.uuid5(_NAMESPACE, name + ':response')}",
        "call_type": "acompletion",
        "model": model.name,
        "model_group": model.group,
        "provider": model.provider,
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "cache_read_tokens": 0,
        "cache_write_5m_tokens": 0,
        "cache_write_1h_tokens": 0,
        "reasoning_tokens": 0,
        "spend_usd": cost,
        "list_usd": cost if model.rates else None,
        "input_usd": cost - output,
        "cache_read_usd": Decimal(0),
        "cache_write_usd": Decimal(0),
        "output_usd": output,
        "reasoning_usd": Decimal(0),
        "status": "success",
        "cache_hit": "None",
        "key_alias": key_alias,
        "team_id": team_id,
        "user_email": None,
        "customer": None,
        "agent_id": None,
        "feature": None,
        "app": None,
        "session_id": str(uuid.uuid5(_NAMESPACE, name + ":session")),
        "retries": 0,
        "is_fallback": False,
        "error_code": None,
        "trace": None,
    }


def _now(request: Request, *, default: datetime) -> datetime:
    text = request.headers.get(NOW_HEADER)
    if text is None:
        return default
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise bad_request(f"{NOW_HEADER} is not a time: {text}", param=NOW_HEADER) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
