"""B4: a million records from a paged JSON source on loopback into raw.

Against the same pages fetched and dropped, and against dlt's own way with dictionaries. Run as a
module it is one side in a process of its own: `serve`, or `ours`, `fetched`, `dicts` with the
server's address and a home.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import dlt
import duckdb
import orjson
import requests

from bench.measure import ROOT, Figure, in_fresh_process, middle, peak_megabytes
from ingestion.litellm import litellm_source
from ingestion.litellm_http import PAGE_ROWS
from ingestion.pipeline import pipeline_for, run_source, warehouse_path

ROWS = 1_000_000
ROUNDS = 3
EXPECTED_RATIO = 4.0
EXPECTED_TIMES_DICTS = 5.0
# A day of the log holds so many rows; the last day, which is read by the hour, holds none.
_DAY_ROWS = 5 * PAGE_ROWS
_DICT_ROWS = 50_000
_NOW = datetime(2026, 11, 23, 0, 5, tzinfo=UTC)


def measure(home: Path, *, rows: int, rounds: int) -> list[Figure]:
    """Rows a second of each side; dlt's dictionaries over a part of the pages."""
    days = max(1, rows // _DAY_ROWS)
    rows = days * _DAY_ROWS
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.b04_paged_http", "serve"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )
    sides: dict[str, list[dict[str, Any]]] = {"ours": [], "fetched": [], "dicts": []}
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        for number in range(rounds):
            for side, taken in sides.items():
                run = home / f"{side}{number}"
                arguments = ["-m", "bench.b04_paged_http", side, url, str(run), str(days)]
                taken.append(in_fresh_process(arguments, environ={}))
    finally:
        server.communicate("")
    if {each["rows"] for each in sides["ours"]} != {rows}:
        raise RuntimeError(f"B4 loaded other than {rows} rows")
    ours = middle([each["seconds"] for each in sides["ours"]])
    fetched = middle([each["seconds"] for each in sides["fetched"]])
    dict_rate = middle([each["rows"] / each["seconds"] for each in sides["dicts"]])
    peak = max(each["peak_mb"] for each in sides["ours"])
    return [
        Figure(
            id="B4",
            what=f"{rows:,} spend log rows, pages of {PAGE_ROWS:,} over HTTP, to raw",
            reference="the same pages fetched and dropped",
            unit="s",
            measured=ours,
            reference_measured=fetched,
            ratio=ours / fetched,
            expected=EXPECTED_RATIO,
            is_upper_bound=True,
            rows=rows,
            peak_mb=peak,
            note="Fetching alone neither decodes nor keeps a row.",
        ),
        Figure(
            id="B4 dict",
            what="the same rows a second",
            reference=f"dlt's dictionaries, appended, {_DICT_ROWS:,} rows",
            unit="rows/s",
            measured=rows / ours,
            reference_measured=dict_rate,
            ratio=rows / ours / dict_rate,
            expected=EXPECTED_TIMES_DICTS,
            is_upper_bound=False,
            rows=rows,
            peak_mb=peak,
            note="dlt gets the decoded rows as they are, nested tables off; we check each value.",
        ),
    ]


def _row(number: int) -> dict[str, Any]:
    return {
        "request_id": f"chatcmpl-{number:032d}", "litellm_call_id": f"call-{number:032d}",
        "call_type": "acompletion", "api_key": "a" * 64, "spend": 0.0123 + number / 1e6,
        "total_tokens": 1300 + number, "prompt_tokens": 1000 + number, "completion_tokens": 300,
        "startTime": "2026-11-20T07:09:29.018+00:00", "endTime": "2026-11-20T07:09:31.018+00:00",
        "completionStartTime": "2026-11-20T07:09:30.018+00:00", "model": "openai/gpt-4o-mini",
        "model_id": "m" * 32, "model_group": "gpt-4o-mini", "custom_llm_provider": "openai",
        "api_base": "", "user": f"user-{number % 50}@acme.example", "cache_hit": "None",
        "metadata": {
            "user_api_key_alias": "search-prod", "litellm_call_id": f"call-{number:032d}",
            "attempted_retries": 0, "spend_logs_metadata": {"feature": "chat"},
            "cost_breakdown": {"original_cost": 0.0123, "service_tier": None},
            "usage_object": {
                "prompt_tokens": 1000 + number, "completion_tokens": 300,
                "prompt_tokens_details": {"cached_tokens": 512, "audio_tokens": None},
                "completion_tokens_details": {"reasoning_tokens": 100},
            },
        },
        "request_tags": ["feature=chat", "app=web", "User-Agent: sdk"], "team_id": "team-search",
        "end_user": "northwind", "status": "success", "session_id": "s" * 36,
        "organization_id": None, "agent_id": None, "request_duration_ms": 2000,
        "mcp_namespaced_tool_name": None, "requester_ip_address": "10.0.0.7", "cache_key": "k" * 64,
    }  # fmt: skip


def _serve() -> None:
    """Pages of one made-up log, each written once: serving costs next to nothing."""
    pages = {
        number: orjson.dumps(
            {
                "data": [_row(number * PAGE_ROWS + n) for n in range(PAGE_ROWS)],
                "total": _DAY_ROWS,
                "page": number,
                "total_is_capped": False,
            }
        )
        for number in range(1, _DAY_ROWS // PAGE_ROWS + 1)
    }
    empty = orjson.dumps({"data": [], "total": 0, "page": 1, "total_is_capped": False})

    class Log(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            query = dict(parse_qsl(self.path.partition("?")[2]))
            first, last = (
                datetime.fromisoformat(query[name]) for name in ("start_date", "end_date")
            )
            is_day = last - first > timedelta(hours=20)
            body = pages[int(query["page"])] if is_day else empty
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Log)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.shutdown()


def _ours(url: str, home: Path, days: int) -> int:
    source = litellm_source(
        base_url=url,
        api_key="bench",
        instance="bench",
        now=_NOW,
        # The log begins with the first whole day, and the last day and its hours are empty.
        history=timedelta(days=days + 1),
    )
    logs = source.with_resources("spend_logs", "spend_logs__rejected", "spend_logs__reads")
    run_source(pipeline_for("litellm", instance="bench", home=home), logs)
    with duckdb.connect(str(warehouse_path(home)), read_only=True) as connection:
        row = connection.execute("select count(*) from raw_litellm.spend_logs").fetchone()
    return int(row[0]) if row else 0


def _pages(url: str, days: int) -> Iterator[bytes]:
    with requests.Session() as session:
        for day in range(days):
            for page in range(1, _DAY_ROWS // PAGE_ROWS + 1):
                start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)
                params = {
                    "start_date": f"{start:%Y-%m-%d %H:%M:%S}",
                    "end_date": f"{start + timedelta(days=1):%Y-%m-%d %H:%M:%S}",
                    "page": page,
                }
                yield session.get(f"{url}/spend/logs/v2", params=params, timeout=60).content


def _dicts(url: str, home: Path, days: int) -> int:
    needed = max(1, min(days, _DICT_ROWS // _DAY_ROWS))

    @dlt.resource(name="spend_logs", write_disposition="append", max_table_nesting=0)
    def rows() -> Iterator[Any]:
        for page in _pages(url, needed):
            yield orjson.loads(page)["data"]

    pipeline_for("litellm", instance="dicts", home=home).run(rows())
    return needed * _DAY_ROWS


if __name__ == "__main__":
    side, *given = sys.argv[1:]
    if side == "serve":
        _serve()
    else:
        address, folder, count = given[0], Path(given[1]), int(given[2])
        began = time.perf_counter()
        if side == "fetched":
            loaded = sum(PAGE_ROWS for _ in _pages(address, count))
        else:
            loaded = (_ours if side == "ours" else _dicts)(address, folder, count)
        seconds = time.perf_counter() - began
        answer = {"seconds": seconds, "rows": loaded, "peak_mb": peak_megabytes()}
        sys.stdout.write(json.dumps(answer) + "\n")
