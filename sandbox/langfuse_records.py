"""The observations of a Langfuse project: a share of the proxy's calls, as its callback told them.

LiteLLM's callback tells the input without what was read from a cache, but with what was written to
it: writes are counted twice. A call of an agent stands under an AGENT that repeats its usage.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sandbox.company import hash_key, key_by_alias
from sandbox.state import State
from sandbox.vendor import Grounds, JsonObject, litellm_calls
from sandbox.world import milliseconds

PROJECT_ID = "prj_acme_agents"
_ONE_IN = 40
_ADDED = "langfuse_observation"
_FLUSHED_AFTER_MS = 2_000
_ADDED_DEFAULTS: JsonObject = {
    "traceId": None, "endTime": None, "projectId": PROJECT_ID, "parentObservationId": None,
    "type": "GENERATION", "name": "added", "level": "DEFAULT", "statusMessage": None,
    "environment": "production", "userId": None, "sessionId": None, "completionStartTime": None,
    "metadata": {}, "providedModelName": None, "internalModelId": None, "modelParameters": {},
    "usageDetails": {}, "costDetails": {}, "totalCost": None, "traceName": None, "tags": [],
}  # fmt: skip


class Observations:
    """What the project holds: the world's observations, and those added or restated since."""

    def __init__(self, grounds: Grounds) -> None:
        self._state: State = grounds.state
        self._world = {
            record["id"]: record
            for call in litellm_calls(grounds, one_in=_ONE_IN)
            if call["start_ms"] + call["duration_ms"] + _FLUSHED_AFTER_MS
            <= milliseconds(grounds.as_of)
            for record in _observations(call, canary=grounds.canary)
        }

    def add(self, record: JsonObject) -> None:
        """Puts an observation in, or in the place of one with its id."""
        before = self._world.get(record["id"], _ADDED_DEFAULTS)
        self._state.put(_ADDED, id=record["id"], body={**before, **record})

    def newest_first(self) -> list[JsonObject]:
        """All of them by start time, trace and id, descending."""
        held = {**self._world, **self._state.all(_ADDED)}
        return sorted(held.values(), key=place_of, reverse=True)

    def counts(self) -> dict[str, int | str]:
        """Observations, and the disjoint tokens and cost of those that nothing below repeats."""
        held = self.newest_first()
        parents = {record["parentObservationId"] for record in held if record["usageDetails"]}
        leaves = [record for record in held if record["id"] not in parents]
        tokens: Counter[str] = Counter()
        for record in leaves:
            tokens.update(_disjoint(record["usageDetails"]))
        cost = sum((Decimal(repr(each["totalCost"] or 0)) for each in leaves), Decimal(0))
        return {
            "observations": len(held),
            "repeating": len(held) - len(leaves),
            "failures": sum(record["level"] == "ERROR" for record in held),
            **{f"{name}_tokens": tokens[name] for name in _DISJOINT},
            "total_cost_usd": str(cost),
        }


def place_of(record: JsonObject) -> tuple[str, str, str]:
    """Where an observation stands in the order of pages."""
    return record["startTime"], record["traceId"] or "", record["id"]


_DISJOINT = ("input", "cache_read", "cache_write", "output")


def _disjoint(usage: dict[str, int]) -> dict[str, int]:
    read = usage.get("cache_read_input_tokens", 0)
    written = usage.get("cache_creation_input_tokens", 0)
    return {
        "input": usage.get("input", 0) - written,
        "cache_read": read,
        "cache_write": written,
        "output": usage.get("output", 0),
    }


def _observations(call: JsonObject, *, canary: str) -> Iterator[JsonObject]:
    call_id = call["call_id"]
    trace_id = call_id.replace("-", "")
    start, end = call["start_ms"], call["start_ms"] + call["duration_ms"]
    is_error = call["status"] == "failure"
    agent_id = call["agent_id"]
    parent_id = _span_id(f"{call_id}:agent") if agent_id else None
    usage = {} if is_error else _usage(call)
    cost = None if call["list_usd"] is None and not is_error else float(call["spend_usd"])
    flushed = _iso(end + _FLUSHED_AFTER_MS)
    tags = [f"team:{call['team_id']}", "User-Agent:acme-sdk"]
    if call["feature"]:
        tags.append(f"feature:{call['feature']}")
    told: JsonObject = {
        "id": _span_id(call_id),
        "traceId": trace_id,
        "startTime": _iso(start),
        "endTime": _iso(end),
        "projectId": PROJECT_ID,
        "parentObservationId": parent_id,
        "type": "GENERATION",
        "isRootObservation": parent_id is None,
        "name": f"litellm-{call['call_type']}",
        "level": "ERROR" if is_error else "DEFAULT",
        "statusMessage": f"the provider refused the call. {canary}".strip() if is_error else None,
        "version": None,
        "environment": "production",
        "bookmarked": False,
        "public": False,
        "userId": call["user_email"],
        "sessionId": call["session_id"],
        "completionStartTime": None if call["ttft_ms"] is None else _iso(start + call["ttft_ms"]),
        "createdAt": flushed,
        "updatedAt": flushed,
        "metadata": _metadata(call, canary=canary),
        "providedModelName": call["model"],
        "internalModelId": None,
        "modelParameters": {"temperature": "0.2", "stop": canary},
        "usageDetails": usage,
        "costDetails": {} if is_error or cost is None else {"total": cost},
        "totalCost": cost,
        "usagePricingTierName": None,
        "latency": call["duration_ms"] / 1000,
        "timeToFirstToken": None if call["ttft_ms"] is None else call["ttft_ms"] / 1000,
        "modelId": None,
        "inputPrice": None,
        "outputPrice": None,
        "totalPrice": None,
        "traceName": f"{call['app']}-request",
        "tags": tags,
        "release": "2026.11.1",
        "input": f'[{{"role":"user","content":"{canary}"}}]',
        "output": f'{{"role":"assistant","content":"{canary}"}}',
    }
    yield told
    if parent_id:
        yield {
            **told,
            "id": parent_id,
            "parentObservationId": None,
            "isRootObservation": True,
            "type": "AGENT",
            "name": agent_id,
            "completionStartTime": None,
            "timeToFirstToken": None,
        }


def _usage(call: JsonObject) -> dict[str, int]:
    read = call["cache_read_tokens"]
    written = call["cache_write_5m_tokens"] + call["cache_write_1h_tokens"]
    usage = {
        "input": call["prompt_tokens"] - read,
        "output": call["completion_tokens"],
        "total": call["prompt_tokens"] + call["completion_tokens"],
    }
    if written:
        usage["cache_creation_input_tokens"] = written
    if read:
        usage["cache_read_input_tokens"] = read
    return usage


def _metadata(call: JsonObject, *, canary: str) -> JsonObject:
    metadata: JsonObject = {
        "litellm_call_id": call["call_id"],
        "response_id": call["request_id"],
        "user_api_key_alias": call["key_alias"],
        "user_api_key_hash": hash_key(key_by_alias(call["key_alias"]).raw),
        "user_api_key_team_id": call["team_id"],
        "requester_metadata": f"what was asked: {canary} ".ljust(400, "."),
    }
    if call["customer"]:
        metadata["user_api_key_end_user_id"] = call["customer"]
    return metadata


def _span_id(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def _iso(ms: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
