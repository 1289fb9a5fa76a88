"""What Portkey's gateway logged of the demo company: one row an attempt, costs in cents.

Among the calls are attempts that failed before another target answered, hits of the gateway's
cache and calls to a model of the company's own that Portkey has no price for: both cost 0 with
tokens, and an export cannot tell one from the other.
"""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.catalogue import cost_of_call, model_of_group
from sandbox.company import KEYS, TEAMS
from sandbox.vendor import Call, Grounds, own_calls

JsonObject = dict[str, Any]
ORGANISATION = "aaaaaaaa-2222-4333-8444-555555555555"
WORKSPACE = "ws-main"
A_DAY = 24
LATE = "portkey_row"
_SPACE = uuid.UUID("99999999-2222-4333-8444-555555555555")
_PROVIDERS = {
    "gpt-4o-mini": "openai",
    "gpt-5-mini": "openai",
    "claude-sonnet-4-5-20250929": "anthropic",
    "text-embedding-3-small": "openai",
}
_PATHS = {
    "anthropic": "https://api.anthropic.com/v1/messages",
    "openai": "https://api.openai.com/v1/chat/completions",
}
_UNTIL_FALLBACK = timedelta(milliseconds=1_830)


class Logs:
    """Every row, oldest first; rows that came late are kept in the state."""

    def __init__(self, grounds: Grounds) -> None:
        self._grounds = grounds
        self._made = [
            row
            for call in own_calls(grounds, name="portkey", a_day=A_DAY, models=tuple(_PROVIDERS))
            for row in _attempts(call)
        ]

    def rows(self) -> list[JsonObject]:
        """All rows that there are now."""
        late = self._grounds.state.all(LATE).values()
        return sorted([*self._made, *late], key=lambda row: (row["created_at"], row["id"]))

    def between(self, first: datetime, last: datetime) -> list[JsonObject]:
        """The rows of a time range, bounds included."""
        low, high = time_text(first), time_text(last)
        return [row for row in self.rows() if low <= row["created_at"] <= high]

    def add(self, at: datetime, fields: JsonObject) -> JsonObject:
        """A row that reaches the log late, at that time; the same one again changes nothing."""
        if at > self._grounds.as_of:
            raise ValueError("nothing happens after the end of the world")
        made = _row(
            number=f"late {time_text(at)}",
            at=at,
            model="gpt-4o-mini",
            given=1_200,
            told=340,
            cents=Decimal("0.0384"),
        )
        row = {**made, **fields}
        self._grounds.state.put(LATE, id=row["id"], body=row)
        return row

    def api_keys(self) -> list[JsonObject]:
        """The API keys of the workspace; limits are in dollars."""
        if self._grounds.is_replay:
            return []
        teams = {team.team_id for team in TEAMS}
        return [
            _key(number, alias=key.alias, team=key.team_id, note=self._grounds.canary)
            for number, key in enumerate(key for key in KEYS if key.team_id in teams)
        ]

    def counts(self) -> dict[str, int | str]:
        """Attempts, tokens and what they cost, to tie a warehouse out with."""
        rows = self.rows()
        cents = sum((Decimal(repr(row["cost"])) for row in rows), Decimal(0))
        return {
            "events": len(rows),
            "failed_events": sum(not row["is_success"] for row in rows),
            "unclaimed_events": sum(
                row["is_success"] and not row["cost"] and row["total_units"] > 0 for row in rows
            ),
            "input_tokens": sum(row["req_units"] for row in rows),
            "output_tokens": sum(row["res_units"] for row in rows),
            "cost_usd": str(cents * Decimal("0.01")),
            "keys": len(self.api_keys()),
        }


def time_text(moment: datetime) -> str:
    """A time as Portkey writes it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _attempts(call: Call) -> Iterator[JsonObject]:
    """The rows of one call: one, or one for each target that was tried."""
    model = call.model
    given = call.input_tokens + call.cache_read_tokens
    told = 0 if model.startswith("text-embedding") else call.output_tokens
    facts: JsonObject = {"number": str(call.number), "call": call, "model": model, "at": call.at}
    if call.is_error:
        yield _row(**facts, given=0, told=0, cents=Decimal(0), status=500)
        return
    priced = model_of_group(model)
    if priced is None:
        raise KeyError(f"no rates for {model!r} in the sandbox")
    cents = Decimal(100) * cost_of_call(
        priced,
        input_tokens=call.input_tokens,
        output_tokens=told,
        cache_read_tokens=call.cache_read_tokens,
    )
    if call.dice < 0.05:
        yield _row(**facts, given=0, told=0, cents=Decimal(0), status=429, mode="fallback")
        facts |= {"number": f"{call.number} again", "at": call.at + _UNTIL_FALLBACK}
        yield _row(**facts, given=given, told=told, cents=cents, mode="fallback")
    elif call.dice < 0.10:
        yield _row(**facts, given=given, told=told, cents=Decimal(0), latency_ms=12)
    elif call.dice < 0.12:
        facts |= {"model": None}
        yield _row(**facts, given=given, told=told, cents=Decimal(0))
    else:
        yield _row(**facts, given=given, told=told, cents=cents)


def _row(
    *,
    number: str,
    at: datetime,
    model: str | None,
    given: int,
    told: int,
    cents: Decimal,
    call: Call | None = None,
    status: int = 200,
    mode: str = "single",
    latency_ms: int | None = None,
) -> JsonObject:
    provider = _PROVIDERS[model] if model else "self-hosted"
    url = _PATHS.get(provider, "https://llm.acme.example/v1/chat/completions")
    if model and model.startswith("text-embedding"):
        url = "https://api.openai.com/v1/embeddings"
    # A trace groups the attempts of a call: the log's own id is another one each time.
    trace = str(call.number) if call else number
    return {
        "id": str(uuid.uuid5(_SPACE, number)),
        "trace_id": f"trace-{uuid.uuid5(_SPACE, f'trace {trace}')}",
        "created_at": time_text(at),
        "is_success": status < 400,
        "ai_org": provider,
        "ai_model": model,
        "req_units": given,
        "res_units": told,
        "total_units": given + told,
        "request_url": url,
        "cost": float(cents),
        "cost_currency": "USD",
        "response_time": latency_ms or (call.latency_ms if call else 1_830),
        "response_status_code": status,
        "mode": mode,
        "config": "pc-assistants-1",
        "prompt_slug": None,
        "metadata": _metadata(call) if call else {},
    }


def _metadata(call: Call) -> JsonObject:
    told = {
        "_user": call.user_email,
        "team": call.team_id,
        "application": "assistants",
        "feature": call.feature,
        "customer": call.customer,
        "agent": call.agent_id,
    }
    return {name: value for name, value in told.items() if value is not None}


def _key(number: int, *, alias: str, team: str, note: str) -> JsonObject:
    """One key; every fifth one has used its limit up, every third has none."""
    limits: JsonObject = {
        "type": "cost",
        "credit_limit": 50 * (number + 1),
        "alert_threshold": 40 * (number + 1),
        "periodic_reset": "monthly",
    }
    return {
        "id": str(uuid.uuid5(_SPACE, f"key {alias}")),
        "key": "Xk*******S4",
        "name": alias,
        "description": note,
        "type": "workspace-service",
        "organisation_id": ORGANISATION,
        "workspace_id": WORKSPACE,
        "user_id": None,
        "status": "exhausted" if number % 5 == 4 else "active",
        "created_at": "2026-08-24T10:30:00Z",
        "last_updated_at": "2026-09-01T08:00:00Z",
        "creation_mode": "api",
        "rate_limits": [{"type": "requests", "unit": "rpm", "value": 100}],
        "usage_limits": None if number % 3 == 2 else limits,
        "reset_usage": 0,
        "scopes": ["completions.write"],
        "defaults": {"metadata": {"team": team}, "config_id": "pc-assistants-1"},
        "alert_emails": ["finops@acme.example"],
        "expires_at": None,
        "object": "api-key",
    }
