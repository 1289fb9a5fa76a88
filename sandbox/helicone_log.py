"""What Helicone logged of the demo company: one row a request, costs in USD.

Rows of the first third of the world are as the older logger wrote them: OpenAI's prompt_tokens hold
the cache reads that stand beside them; later rows count disjointly. Some requests are there twice,
as ClickHouse shows them before it merges: only the one with the newest updated_at counts.
"""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.catalogue import cost_of_call, model_of_group
from sandbox.company import UNKNOWN_MODEL
from sandbox.vendor import Call, Grounds, own_calls

JsonObject = dict[str, Any]
A_DAY = 30
ADDED = "helicone_row"
_SPACE = uuid.UUID("018f3c2a-2222-4333-8444-555555555555")
_NO_CACHE = "00000000-0000-0000-0000-000000000000"
_MERGED_LATE = timedelta(minutes=2)
# Model, its group in the catalogue, its provider and where it is called.
_MODELS = {
    "gpt-4.1": ("gpt-4.1", "OPENAI", "https://api.openai.com/v1/chat/completions"),
    "gpt-5-mini": ("gpt-5-mini", "OPENAI", "https://api.openai.com/v1/chat/completions"),
    "claude-haiku-4-5-20251001": (
        "claude-haiku", "ANTHROPIC", "https://api.anthropic.com/v1/messages",
    ),
}  # fmt: skip
_CUSTOM = "https://llm.acme.example/v1/chat/completions"


class Log:
    """Every version of every row; rows that came late or changed are kept in the state."""

    def __init__(self, grounds: Grounds) -> None:
        self._grounds = grounds
        old_until = grounds.as_of - timedelta(days=grounds.days) * 2 / 3
        calls = own_calls(grounds, name="helicone", a_day=A_DAY, models=tuple(_MODELS))
        self._made = [row for call in calls for row in _versions(call, is_old=call.at < old_until)]

    def rows(self) -> list[JsonObject]:
        """All versions that are visible now, oldest request first; added ones replace theirs."""
        added = self._grounds.state.all(ADDED)
        kept = [row for row in self._made if row["request_id"] not in added]
        return sorted([*kept, *added.values()], key=lambda row: row["request_created_at"])

    def put(self, id: str, *, minutes: int, fields: JsonObject) -> JsonObject | None:
        """Changes a request, or adds one `minutes` before the end of the world; None if unknown."""
        at = self._grounds.as_of - timedelta(minutes=minutes)
        known = [row for row in self.rows() if row["request_id"] == id]
        if not known and minutes <= 0:
            return None
        row = max(known, key=lambda row: row["updated_at"]) if known else _late(id, at)
        row = row | fields | {"updated_at": time_text(self._grounds.as_of)}
        self._grounds.state.put(ADDED, id=id, body=row)
        return row

    def counts(self) -> dict[str, int | str]:
        """Requests, tokens and what they cost, each request once, as last changed."""
        newest: dict[str, JsonObject] = {}
        for row in sorted(self.rows(), key=lambda row: row["updated_at"]):
            newest[row["request_id"]] = row
        rows = list(newest.values())
        return {
            "events": len(rows),
            "versions": len(self.rows()),
            "failed_events": sum(row["response_status"] >= 400 for row in rows),
            "cache_hits": sum(row["cache_reference_id"] != _NO_CACHE for row in rows),
            "prompt_tokens": sum(row["prompt_tokens"] for row in rows),
            "completion_tokens": sum(row["completion_tokens"] for row in rows),
            "cache_read_tokens": sum(row["prompt_cache_read_tokens"] for row in rows),
            "cost_usd": str(sum((Decimal(repr(row["cost"])) for row in rows), Decimal(0))),
        }


def time_text(moment: datetime) -> str:
    """A time as Helicone writes it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _versions(call: Call, *, is_old: bool) -> Iterator[JsonObject]:
    """The row of a call, and for a few the version before it that is not merged away yet."""
    group, provider, url = _MODELS[call.model]
    row = _row(
        id=str(uuid.uuid5(_SPACE, str(call.number))),
        at=call.at,
        model=call.model,
        provider=provider,
        url=url,
        latency_ms=call.latency_ms,
    )
    properties = _properties(call)
    row |= {
        "request_user_id": call.user_email,
        "properties": properties,
        "request_properties": properties,
    }
    model = model_of_group(group)
    if model is None:
        raise KeyError(f"no rates for {group!r} in the sandbox")
    if call.is_error:
        yield row | {"response_status": 429}
        return
    is_inclusive = is_old and provider == "OPENAI"
    prompt = call.input_tokens + (call.cache_read_tokens if is_inclusive else 0)
    row |= {
        "prompt_tokens": prompt,
        "completion_tokens": call.output_tokens,
        "total_tokens": prompt + call.output_tokens,
        "prompt_cache_read_tokens": call.cache_read_tokens,
    }
    if call.dice < 0.06:
        # Hits are stored with their tokens or without: both were seen.
        counts = ("prompt_tokens", "completion_tokens", "total_tokens", "prompt_cache_read_tokens")
        row |= dict.fromkeys(counts, 0) if call.dice < 0.03 else {}
        yield row | {"cache_reference_id": str(uuid.uuid5(_SPACE, "hit")), "cache_enabled": True}
        return
    if call.dice < 0.09:
        yield row | {"provider": "CUSTOM", "request_model": UNKNOWN_MODEL, "target_url": _CUSTOM}
        return
    cost = cost_of_call(
        model,
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
        cache_read_tokens=call.cache_read_tokens,
    )
    final = row | {"cost": float(cost)}
    if call.dice > 0.97:
        # As first written: the provider's counts had not come in yet.
        yield row | {"completion_tokens": 0, "total_tokens": prompt}
        final |= {"updated_at": time_text(call.at + _MERGED_LATE)}
    yield final


def _late(id: str, at: datetime) -> JsonObject:
    """A request of 900 tokens in and 180 out that reaches the log late."""
    row = _row(
        id=id,
        at=at,
        model="gpt-4.1",
        provider="OPENAI",
        url=_MODELS["gpt-4.1"][2],
        latency_ms=2_100,
    )
    return row | {
        "prompt_tokens": 900,
        "completion_tokens": 180,
        "total_tokens": 1_080,
        "cost": 0.00324,
    }


def _row(
    *, id: str, at: datetime, model: str, provider: str, url: str, latency_ms: int
) -> JsonObject:
    """A row without user, properties, tokens and cost."""
    return {
        "response_id": f"r-{id[:8]}",
        "response_created_at": time_text(at + timedelta(milliseconds=latency_ms)),
        "response_status": 200,
        "request_id": id,
        "request_created_at": time_text(at),
        "request_user_id": "",
        "request_properties": {},
        "provider": provider,
        "delay_ms": latency_ms,
        "request_model": model,
        "ai_gateway_body_mapping": "",
        "time_to_first_token": 310,
        "total_tokens": 0,
        "completion_tokens": 0,
        "prompt_tokens": 0,
        "prompt_cache_read_tokens": 0,
        "prompt_cache_write_tokens": 0,
        "country_code": "DE",
        "scores": {},
        "properties": {},
        "asset_ids": [],
        "target_url": url,
        "cache_reference_id": _NO_CACHE,
        "request_referrer": "",
        "cache_enabled": False,
        "cost": 0,
        "prompt_id": "",
        "prompt_version": "",
        "updated_at": time_text(at + timedelta(seconds=3)),
        "storage_location": "clickhouse",
    }


def _properties(call: Call) -> dict[str, str]:
    told = {
        "Helicone-Session-Id": f"sess-{call.number // 4}",
        "team": call.team_id,
        "application": "helpdesk",
        "feature": call.feature,
        "customer": call.customer,
        "agent": call.agent_id,
    }
    return {name: value for name, value in told.items() if value is not None}
