"""A Helicone over given rows: one query, by time, with an error inside a 200; one key only."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from raw_loads import FIXTURES
from scripted_server import Answer, Asked, ScriptedServer, scripted_server

from ingestion.helicone import helicone_source
from ingestion.pipeline import pipeline_for, run_source

HELICONE = "helicone-main"
API_KEY = "sk-helicone-canary-77ab"
PAGES = FIXTURES / "helicone"
READ_AT = datetime.fromisoformat("2026-11-20T12:00:30+00:00")


@dataclass
class HeliconeServer:
    """What it holds and how it behaves; `script` tells what it was asked."""

    rows: list[Any] = field(default_factory=list)
    ignores_filter: bool = False
    # Rows that come in after the next query.
    late: list[Any] = field(default_factory=list)
    script: ScriptedServer = field(default_factory=lambda: ScriptedServer(answer=Answer))

    @property
    def url(self) -> str:
        """Its base address."""
        return self.script.url

    def slices(self) -> list[tuple[str, str, int]]:
        """The time ranges and offsets that were asked for."""
        bodies = [asked.json() for asked in self.script.asked]
        return [(*_bounds(body["filter"]), body["offset"]) for body in bodies]

    def answer(self, asked: Asked) -> Answer:
        """The answer to one query."""
        if asked.headers.get("authorization") != f"Bearer {API_KEY}":
            return Answer({"error": "Unauthorized"}, status=401)
        body = asked.json()
        assert asked.path == "/v1/request/query-clickhouse"
        assert body["includeInputs"] is False
        if not 0 <= body["limit"] <= 1_000:
            return Answer({"data": None, "error": "invalid limit"})
        first, end = _bounds(body["filter"])
        found = [row for row in self.rows if self.ignores_filter or first <= _at(row) < end]
        page = sorted(found, key=_at)[body["offset"] :][: body["limit"]]
        self.rows, self.late = self.rows + self.late, []
        return Answer(json.dumps({"data": page, "error": None}))


def _bounds(filter: dict[str, Any]) -> tuple[str, str]:
    assert filter["operator"] == "and"
    first = filter["left"]["request_response_rmt"]["request_created_at"]["gte"]
    end = filter["right"]["request_response_rmt"]["request_created_at"]["lt"]
    return first, end


def _at(row: Any) -> str:
    """The time of a row; what has none, or one that is misfiled, stands in its fixture's hour."""
    if isinstance(row, dict) and row["request_id"] != "other-day":
        try:
            at = datetime.fromisoformat(row["request_created_at"])
        except ValueError:
            return "2026-11-20T10:00:00.000Z"
        return at.replace(tzinfo=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return "2026-11-20T10:00:00.000Z"


def rows_of_page(name: str) -> list[Any]:
    """The rows of a fixture."""
    return list(json.loads((PAGES / name).read_text(encoding="utf-8"))["data"])


def request(id: str, at: str = "2026-11-20T11:00:00.000Z", **fields: Any) -> dict[str, Any]:
    """A row of 900 tokens in and 180 out for 0.000648 USD, without properties."""
    row = rows_of_page("query_clickhouse_page1.json")[0]
    plain = {"prompt_cache_read_tokens": 0, "properties": {}, "request_properties": {}}
    return row | plain | {"request_id": id, "request_created_at": at, "cost": 0.000648} | fields


@contextmanager
def helicone_server(rows: list[Any] | None = None) -> Iterator[HeliconeServer]:
    """A running Helicone."""
    server = HeliconeServer(rows=rows or [])
    with scripted_server(server.answer) as script:
        server.script = script
        yield server


def load_helicone(
    home: Path,
    url: str,
    *,
    now: datetime = READ_AT,
    deep_reread: bool = False,
    history: timedelta = timedelta(hours=10),
    api_key: str = API_KEY,
) -> None:
    """One run of the Helicone source."""
    source = helicone_source(
        base_url=url,
        api_key=api_key,
        instance=HELICONE,
        now=now,
        deep_reread=deep_reread,
        history=history,
    )
    run_source(pipeline_for("helicone", instance=HELICONE, home=home), source)
