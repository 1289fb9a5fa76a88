"""`meterhouse ops`: what only a person decides about limits and messages."""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, select

from orchestration import settings
from orchestration.cli.endpoints import enable, endpoints, ping
from orchestration.ops import people, reconciler
from orchestration.ops.store import open_store, reading
from orchestration.ops.tables import enforcement_action


@click.group()
def ops() -> None:
    """Limits and messages: look at the plan, arm, override, ping, send again."""


@ops.command()
@click.option("--all", "show_all", is_flag=True, help="Also keys that ought to be open.")
def plan(show_all: bool) -> None:
    """What ought to stand at each gateway, what we did, and the last finding."""
    with _store() as engine, reading(engine) as connection:
        armed = people.armed_gateways(connection)
        table = _table(
            "Gateway limits", "gateway", "armed", "key", "want", "done", "budget", "last finding"
        )
        rows = 0
        for name in reconciler.gateways_with_limits(connection):
            for limit in reconciler.limits_of(connection, name):
                if limit.desired.want == "open" and not show_all:
                    continue
                rows += 1
                applied = limit.applied
                table.add_row(
                    name,
                    "yes" if name in armed else "dry run",
                    limit.key_alias or limit.key_ref[:12],
                    limit.desired.want + (" (held)" if limit.desired.held_reason else ""),
                    f"{applied.verb} {applied.phase}" if applied else "-",
                    ", ".join(reason["budget_id"] for reason in limit.reasons),
                    _last_finding(connection, limit),
                )
        if rows:
            Console().print(table)
        else:
            click.echo("No budget asks for a limit.")


@ops.command()
@click.argument("gateway")
@click.option("--by", default=None, help="Who arms it (default: the user of this machine).")
def arm(gateway: str, by: str | None) -> None:
    """Let the reconciler write to GATEWAY, for example litellm-main."""
    with _store() as engine:
        changed = people.arm(engine, gateway, by=_who(by), now=_now())
        with reading(engine) as connection:
            known = reconciler.gateways_with_limits(connection)
    click.echo(f"{gateway} is armed." if changed else f"{gateway} was armed already.")
    if gateway not in known:
        click.echo(f"No budget asks for a limit at {gateway} yet (known: {known or 'none'}).")


@ops.command()
@click.argument("gateway")
@click.option("--by", default=None, help="Who disarms it.")
def disarm(gateway: str, by: str | None) -> None:
    """Back to dry run at GATEWAY. What is blocked stays blocked until it is armed again."""
    with _store() as engine:
        changed = people.disarm(engine, gateway, by=_who(by), now=_now())
    click.echo(f"{gateway} is disarmed." if changed else f"{gateway} was not armed.")


@ops.command()
@click.argument("approval_id")
@click.option("--plan-sha", default="", help="The digest of the plan that is approved.")
@click.option("--hours", default=24, show_default=True, type=click.IntRange(1, 24 * 14))
@click.option("--by", default=None, help="Who approves.")
def approve(approval_id: str, plan_sha: str, hours: int, by: str | None) -> None:
    """Say yes to a held plan."""
    now = _now()
    with _store() as engine:
        added = people.approve(
            engine,
            approval_id,
            kind="plan",
            plan_sha=plan_sha,
            by=_who(by),
            now=now,
            expires_at=now + timedelta(hours=hours),
        )
    click.echo(f"{approval_id} approved." if added else f"{approval_id} was approved before.")


@ops.command()
@click.argument("key")
@click.option("--hours", default=4, show_default=True, type=click.IntRange(1, 24 * 14))
@click.option("--reason", default="override at the command line")
@click.option("--by", default=None, help="Who overrides.")
def override(key: str, hours: int, reason: str, by: str | None) -> None:
    """Keep KEY (its alias, id or start of id) open for some hours; a block of ours is lifted."""
    now = _now()
    with _store() as engine:
        with reading(engine) as connection:
            found = people.find_key(connection, key)
        if not found:
            raise click.ClickException(f"no limit is known for a key {key!r}")
        if len(found) > 1:
            names = ", ".join(f"{gateway} {ref[:12]}" for gateway, ref, _ in found)
            raise click.ClickException(f"{key!r} names {len(found)} keys: {names}")
        gateway, key_ref, alias = found[0]
        until = now + timedelta(hours=hours)
        people.set_override(
            engine, gateway=gateway, key_ref=key_ref, until=until, by=_who(by), reason=reason
        )
    click.echo(f"{alias or key_ref[:12]} at {gateway} stays open until {until:%Y-%m-%d %H:%M} UTC.")


@ops.command()
@click.option("--id", "message_id", default=None, help="One message.")
@click.option(
    "--since",
    default=None,
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]),
    help="All written since then (UTC).",
)
def replay(message_id: str | None, since: datetime | None) -> None:
    """Send finished messages again, with the same id and the same bytes."""
    if (message_id is None) == (since is None):
        raise click.UsageError("give either --id or --since")
    with _store() as engine:
        count = people.replay(
            engine,
            message_id=message_id,
            since=since.replace(tzinfo=UTC) if since else None,
        )
    click.echo(f"{count} message(s) wait to be sent again.")


for command in (endpoints, ping, enable):
    ops.add_command(command)


@contextmanager
def _store() -> Iterator[Engine]:
    engine = open_store(settings.ops_url(os.environ))
    try:
        yield engine
    finally:
        engine.dispose()


def _now() -> datetime:
    return settings.now(os.environ)


def _who(by: str | None) -> str:
    return by or getpass.getuser()


def _last_finding(connection: Any, limit: reconciler.Limit) -> str:
    row = connection.execute(
        select(enforcement_action)
        .where(
            enforcement_action.c.gateway == limit.gateway,
            enforcement_action.c.key_ref == limit.key_ref,
        )
        .order_by(enforcement_action.c.seq.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return limit.desired.held_reason or "not looked at yet"
    return f"{row.verb} {row.result}{' (dry run)' if row.dry_run else ''}: {row.why}"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title)
    for column in columns:
        table.add_column(column)
    return table
