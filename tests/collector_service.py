"""A running collector: in this process for what it answers, in one of its own for what kills it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
import uvicorn

from ingestion.collector.app import SPOOL_BYTES, Collector
from ingestion.collector.auth import senders_of
from ingestion.collector.drain import collector_source
from ingestion.collector.pepper import pepper
from ingestion.collector.sources import CollectorSource, OtelSource
from ingestion.litellm import LiteLLMSource
from ingestion.pipeline import pipeline_for, run_source
from ingestion.source_config import SourceConfig

ROOT = Path(__file__).resolve().parent.parent
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
APP_TOKEN, OTHER_TOKEN, OTEL_TOKEN, LITELLM_TOKEN = (
    "tok-app",
    "tok-other",
    "tok-otel",
    "tok-litellm",
)
SECRET = "whsec_" + "c2lnbmVkLWJ5LXRoZS1zaWduZXItMDEyMzQ1"
SOURCES: Sequence[SourceConfig] = (
    CollectorSource(
        id="app", system="collector", evidence_layer="observability",
        push_token_env="APP_TOKEN", push_secret_env="APP_SECRET",
    ),
    CollectorSource(
        id="other", system="collector", evidence_layer="saas", push_token_env="OTHER_TOKEN"
    ),
    OtelSource(
        id="tracer", system="otel", evidence_layer="observability", push_token_env="OTEL_TOKEN"
    ),
    OtelSource(
        id="apart", system="otel", evidence_layer="gateway", push_token_env="APART_TOKEN",
        token_convention="disjoint",
    ),
    LiteLLMSource(
        id="litellm-main", system="litellm", evidence_layer="gateway",
        base_url_env="X_URL", api_key_env="X_KEY", push_token_env="LITELLM_TOKEN",
    ),
)  # fmt: skip
ENVIRON = {
    "APP_TOKEN": APP_TOKEN,
    "APP_SECRET": SECRET,
    "OTHER_TOKEN": OTHER_TOKEN,
    "OTEL_TOKEN": OTEL_TOKEN,
    "APART_TOKEN": "tok-apart",
    "LITELLM_TOKEN": LITELLM_TOKEN,
}


@dataclass
class Service:
    """A collector that runs, and the time it believes it is."""

    url: str
    home: Path
    now: datetime = NOW

    def post(
        self, path: str, body: Any, *, token: str | None = APP_TOKEN, **headers: str
    ) -> requests.Response:
        """The answer to a body, sent as JSON unless it is bytes."""
        sent = {"content-type": "application/json"}
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        given = {"data": body} if isinstance(body, bytes) else {"json": body}
        return requests.post(self.url + path, headers=sent, timeout=30, **given)


@contextmanager
def collector(home: Path, *, spool_bytes: int = SPOOL_BYTES) -> Iterator[Service]:
    """A collector over this home, on a port of its own, as long as the block runs."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        service = Service(f"http://127.0.0.1:{listening.getsockname()[1]}", home)
        made = Collector(
            home,
            senders=senders_of(SOURCES, ENVIRON),
            pepper=pepper(home, {"METERHOUSE_PEPPER": "pepper of the tests"}),
            clock=lambda: service.now,
            spool_bytes=spool_bytes,
        )
        server = uvicorn.Server(uvicorn.Config(made.app(), log_level="critical", loop="asyncio"))
        # The socket listens already: a request made before the loop runs waits for it.
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield service
        finally:
            server.should_exit = True
            thread.join()


def drain(home: Path, *, minutes: int = 0) -> None:
    """Loads what was pushed and dropped into the warehouse of this home."""
    source = collector_source(
        home=home,
        sources=SOURCES,
        now=NOW + timedelta(minutes=minutes),
        environ={"METERHOUSE_PEPPER": "pepper of the tests"},
    )
    run_source(pipeline_for("collector", instance=None, home=home), source)


def event(event_id: str | None = None, **properties: Any) -> dict[str, Any]:
    """An `ai.usage` event of 1,000 tokens in, 200 out."""
    made = {
        "event_name": "ai.usage",
        "external_customer_id": "northwind",
        "timestamp": "2026-11-24T10:00:00Z",
        "properties": {
            "provider": "openai", "model": "gpt-4o-mini", "operation": "chat",
            "input_tokens": 1_000, "output_tokens": 200, **properties,
        },
    }  # fmt: skip
    return made | ({"event_id": event_id} if event_id else {})


@contextmanager
def process(home: Path, config: Path, **environ: str) -> Iterator[tuple[str, subprocess.Popen]]:
    """`meterhouse collector` in a process of its own; its address, and the process."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", "from orchestration.cli import main; main()"]
    started = subprocess.Popen(
        [*command, "collector", "--port", str(port)],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "METERHOUSE_HOME": str(home),
            "METERHOUSE_CONFIG": str(config),
            **environ,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        while started.poll() is None:
            with contextlib.suppress(requests.ConnectionError):
                requests.get(f"{url}/healthz", timeout=5)
                break
        yield url, started
    finally:
        if started.poll() is None:
            started.send_signal(signal.SIGKILL)
        started.wait()
        if started.stdout:
            started.stdout.close()
