"""An OpenRouter account that a test fills by hand, over real HTTP, and loads of it."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from raw_loads import FIXTURES, NOW
from scripted_server import Answer, Asked, ScriptedServer, scripted_server

from ingestion.openrouter import openrouter_source
from ingestion.pipeline import pipeline_for, run_source

MANAGEMENT_KEY = "sk-or-v1-management"
OPENROUTER = "openrouter-main"
CHECKOUT = "f1e2d3c4b5a60718293a4b5c6d7e8f90112233445566778899aabbccddeeff00"
RESEARCH = "0" * 64
DISABLED = "ab" * 32
WORKSPACE = "6b0d4a52-1111-4222-8333-944444444444"


def fixture(name: str) -> Any:
    """A recorded answer, decoded."""
    return json.loads((FIXTURES / "openrouter" / name).read_text(encoding="utf-8"))


def key(hash: str, **facts: Any) -> dict[str, Any]:
    """A key as it is listed, unlimited unless told."""
    return fixture("keys_page1.json")["data"][1] | {"hash": hash, **facts}


def day(date: str, **facts: Any) -> dict[str, Any]:
    """A row of activity: 100 tokens in, 10 out, for 0.001."""
    return {
        "date": date,
        "model": "openai/gpt-4.1",
        "model_permaslug": "openai/gpt-4.1-2025-04-14",
        "endpoint_id": "550e8400-e29b-41d4-a716-446655440000",
        "provider_name": "OpenAI",
        "usage": 0.001,
        "byok_usage_inference": 0,
        "requests": 1,
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "reasoning_tokens": 0,
        "cached_tokens": 0,
        "workspace_id": WORKSPACE,
        **facts,
    }


def hour(at: str, **facts: Any) -> dict[str, Any]:
    """A row of analytics: 100 tokens in, 10 out, for 0.001; counts are text."""
    return {
        "date__hour": at,
        "model": "openai/gpt-4.1-2025-04-14",
        "provider": "OpenAI",
        "total_usage": 0.001,
        "credits_usage": 0.001,
        "byok_usage": None,
        "request_count": "1",
        "tokens_prompt": "100",
        "tokens_completion": "10",
        "reasoning_tokens": "0",
        **facts,
    }


@dataclass
class Account:
    """What the account answers; `rewrite` puts a body in the place of a path's answer."""

    keys: list[Any] = field(default_factory=list)
    activity: dict[str, list[Any]] = field(default_factory=dict)
    hours: dict[str | None, list[Any]] = field(default_factory=dict)
    generations: dict[str, Any] = field(default_factory=dict)
    credits: dict[str, Any] = field(
        default_factory=lambda: {"total_credits": 100.5, "total_usage": 25.75}
    )
    page_keys: int = 100
    most_hours: int = 10_000
    rewrite: dict[str, Any] = field(default_factory=dict)
    after: Callable[[Asked], None] = lambda asked: None

    def answer(self, asked: Asked) -> Answer:
        """One answer of the management API."""
        path = asked.path.removeprefix("/api/v1")
        if asked.headers.get("authorization") != f"Bearer {MANAGEMENT_KEY}":
            return Answer({"error": {"code": 401, "message": "User not found."}}, status=401)
        if path in self.rewrite:
            return Answer(self.rewrite[path])
        given = self._given(path, asked)
        self.after(asked)
        return given

    def _given(self, path: str, asked: Asked) -> Answer:
        offset = int(asked.query.get("offset", 0))
        if path == "/workspaces":
            return Answer({"data": [{"id": WORKSPACE}][offset:], "total_count": 1})
        if path == "/keys":
            return Answer({"data": self.keys[offset : offset + self.page_keys]})
        if path == "/activity":
            return Answer({"data": self.activity.get(asked.query["api_key_hash"], [])})
        if path == "/credits":
            return Answer({"data": self.credits})
        if path == "/generation":
            found = self.generations.get(asked.query["id"])
            status = 200 if found else 404
            return Answer({"data": found} if found else {"error": {"code": 404}}, status=status)
        filters = asked.json().get("filters", [{"value": None}])
        span = asked.json()["time_range"]
        rows = [
            row
            for row in self.hours.get(filters[0]["value"], [])
            # The end is taken in, as it may be.
            if span["start"][:19] <= _hour(row)[:19] <= span["end"][:19]
        ]
        shown = rows[: self.most_hours]
        metadata = {"row_count": len(shown), "truncated": len(rows) > len(shown)}
        return Answer({"data": {"data": shown, "metadata": metadata}})


def _hour(row: dict[str, Any]) -> str:
    return str(row.get("date__hour") or row["created_at__hour"])


@contextmanager
def running(account: Account) -> Iterator[ScriptedServer]:
    """The account's API; `url` is its base address, with a path."""
    with scripted_server(account.answer) as server:
        server.url += "/api/v1"
        yield server


def load_account(
    home: Path,
    url: str,
    *,
    now: datetime = NOW,
    deep_reread: bool = False,
    ledger: str = "activity",
    generation_ids: Sequence[str] = (),
    management_key: str = MANAGEMENT_KEY,
    only: Sequence[str] = (),
    instance: str = OPENROUTER,
) -> None:
    """One run of the source, or of some of its resources: that is quicker."""
    source = openrouter_source(
        ledger=ledger,
        generation_ids=generation_ids,
        base_url=url,
        management_key=management_key,
        instance=instance,
        now=now,
        deep_reread=deep_reread,
    )
    if only:
        source = source.with_resources(
            *(f"{name}{part}" for name in only for part in ("", "__rejected", "__reads"))
        )
    run_source(pipeline_for("openrouter", instance=instance, home=home), source)
