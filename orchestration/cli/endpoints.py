"""`meterhouse ops endpoints | ping | enable`: who is told, and whether it arrives."""

import os
import random
import uuid
from collections.abc import Iterator

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, func, select

from orchestration import settings
from orchestration.governance.bodies import iso, single_body
from orchestration.governance.endpoints import enable_endpoint
from orchestration.governance.webhooks import dispatch
from orchestration.ops.lease import holder_name
from orchestration.ops.outbox import enqueue, message_id
from orchestration.ops.store import open_store, reading, writing
from orchestration.ops.tables import endpoint, outbox

_PING = "test.ping"


@click.command()
def endpoints() -> None:
    """Every webhook endpoint, whether it hears, and what waits for it."""
    engine = open_store(settings.ops_url(os.environ))
    table = Table(title="Webhook endpoints", title_justify="left")
    for column in ("endpoint", "state", "waiting", "delivered", "dead letters"):
        table.add_column(column, overflow="fold")
    try:
        for row in endpoint_states(engine):
            table.add_row(*map(str, row))
    finally:
        engine.dispose()
    Console().print(table)


def endpoint_states(engine: Engine) -> Iterator[tuple[str, str, int, int, int]]:
    """Each endpoint with its state and how many messages are pending, delivered and dead."""
    with reading(engine) as connection:
        counts = {
            (row.endpoint_id, row.status): row.messages
            for row in connection.execute(
                select(
                    outbox.c.endpoint_id, outbox.c.status, func.count().label("messages")
                ).group_by(outbox.c.endpoint_id, outbox.c.status)
            )
        }
        known = connection.execute(select(endpoint).order_by(endpoint.c.id)).all()
    for row in known:
        state = "hears"
        if row.failing_since:
            state = f"failing since {row.failing_since:%Y-%m-%d %H:%M} UTC"
        if row.disabled_reason:
            state = f"disabled: {row.disabled_reason}"
        if not row.enabled:
            state = "switched off in config/webhooks.yaml"
        found = [counts.get((row.id, status), 0) for status in ("pending", "delivered", "dead")]
        yield row.id, state, *found


@click.command()
@click.argument("endpoint_id")
def enable(endpoint_id: str) -> None:
    """Let an endpoint hear again that was disabled for failing; what waited for it goes out."""
    engine = open_store(settings.ops_url(os.environ))
    try:
        if not enable_endpoint(engine, endpoint_id):
            raise click.ClickException(f"no endpoint is called {endpoint_id}")
    finally:
        engine.dispose()
    click.echo(f"{endpoint_id} hears again.")


@click.command()
@click.argument("endpoint_id")
def ping(endpoint_id: str) -> None:
    """Send a test.ping to ENDPOINT_ID now and say what came back; exit code 1 if it failed."""
    engine = open_store(settings.ops_url(os.environ))
    try:
        _ping(engine, endpoint_id)
    finally:
        engine.dispose()


def _ping(engine: Engine, endpoint_id: str) -> None:
    now, subject = settings.now(os.environ), str(uuid.uuid4())
    with writing(engine) as connection:
        if connection.scalar(select(endpoint.c.id).where(endpoint.c.id == endpoint_id)) is None:
            raise click.ClickException(f"no endpoint is called {endpoint_id}")
        enqueue(
            connection,
            subject_kind="ping",
            subject_id=subject,
            event_type=_PING,
            endpoint_ids=[endpoint_id],
            body=single_body(_PING, timestamp=now, data={"sent_at": iso(now)}),
            created_at=now,
        )
    done = dispatch(
        engine,
        now=lambda: settings.now(os.environ),
        environ=os.environ,
        limit=100,
        worker=holder_name(),
        jitter=random.Random(),
        only=endpoint_id,
    )
    identity = message_id("ping", subject, endpoint_id)
    made = next((each for each in done.attempts if each.message_id == identity), None)
    if made is None:
        why = done.not_ready.get(endpoint_id, "it is disabled, busy or has a backlog")
        raise click.ClickException(f"{identity} waits: {why}")
    if made.status != "delivered":
        raise click.ClickException(f"{identity}: {made.status_code or made.error_class}")
    click.echo(f"{identity}: {made.status_code}")
