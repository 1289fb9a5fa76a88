"""`meterhouse collector`: the service that usage is pushed to."""

import os
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click
import uvicorn

from ingestion.collector.app import SPOOL_BYTES, Collector
from ingestion.collector.auth import NoSecret, senders_of
from ingestion.collector.limits import MB
from ingestion.collector.pepper import pepper
from ingestion.collector.sources import push_sources
from ingestion.config_loader import Config
from orchestration import settings
from orchestration.declared import declared_config


@contextmanager
def running_collector(home: Path, config: Config, environ: Mapping[str, str]) -> Iterator[str]:
    """A collector in a thread of this process, on a free port of loopback; its address."""
    senders = senders_of(push_sources(config.sources), environ)
    service = Collector(
        home, senders=senders, pepper=pepper(home), clock=settings.now, spool_bytes=SPOOL_BYTES
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        options = uvicorn.Config(
            service.app(), log_config=None, log_level="warning", access_log=False
        )
        server = uvicorn.Server(options)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Beyond loopback: behind TLS.")
@click.option("--port", default=4318, show_default=True)
@click.option("--spool-mb", default=SPOOL_BYTES // MB, show_default=True, help="503 beyond.")
def collector(host: str, port: int, spool_mb: int) -> None:
    """Take usage that is pushed: /v1/events, /litellm, /v1/traces (docs/collector.md)."""
    config = declared_config()
    try:
        senders = senders_of(push_sources(config.sources if config else ()), os.environ)
    except NoSecret as error:
        click.echo(f"Not started: {error}", err=True)
        sys.exit(2)
    home = settings.home()
    service = Collector(
        home,
        senders=senders,
        pepper=pepper(home),
        clock=settings.now,
        spool_bytes=spool_mb * MB,
    )
    for sender in senders:
        click.echo(f"{sender.instance} may push as {sender.system}")
    click.echo(f"Collector: http://{host}:{port}  (Ctrl-C ends it)")
    uvicorn.run(
        service.app(), host=host, port=port, access_log=False, log_level="warning",
        server_header=False, timeout_graceful_shutdown=10,
    )  # fmt: skip
