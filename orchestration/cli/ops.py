"""`meterhouse ops`: what only a person decides about limits and messages."""

import getpass
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, select

from ingestion.config_budgets import length_of
from orchestration import settings
from orchestration.cli.endpoints import enable, endpoints, ping
from orchestration.ops import people, reconciler, undoing
from orchestration.ops.store import open_store, reading
from orchestration.ops.tables import enforcement_action


class Length(click.ParamType):
    """A length of time, as 30m, 4h or 2d; at most 14 days."""

    name = "length"

    def convert(self, value: Any, param: Any, ctx: Any) -> timedelta:
        """The length, or a refusal that says how to write one."""
        if isinstance(value, timedelta):
            return value
        if not re.fullmatch(r"[1-9][0-9]{0,4}[mhd]", value):
            self.fail(f"{value!r} is no length of time: write 30m, 4h or 2d", param, ctx)
        length = length_of(value)
        if length > timedelta(days=14):
            self.fail("at most 14d", param, ctx)
        return length


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
            "Gateway limits", "gateway", "armed", "key", "want", "done", "budget", "others' share",
            "last finding",
        )  # fmt: skip
        rows = 0
        for name in reconciler.gateways_with_limits(connection):
            for limit in reconciler.limits_of(connection, name, now=_now()):
                if limit.desired.want == "open" and not show_all:
                    continue
                rows += 1
                applied = limit.applied
                table.add_row(
                    name,
                    "yes" if name in armed else "dry run",
                    limit.key_alias or limit.key_ref[:12],
                    _want(limit),
                    f"{applied.verb} {applied.phase}" if applied else "-",
                    ", ".join(reason["budget_id"] for reason in limit.reasons),
                    _others_share(limit),
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
@click.option("--for", "length", default="24h", show_default=True, type=Length())
@click.option("--by", default=None, help="Who approves.")
def approve(approval_id: str, length: timedelta, by: str | None) -> None:
    """Say yes to the limits that wait for APPROVAL_ID, as `ops plan` and the message name it."""
    now = _now()
    with _store() as engine:
        with reading(engine) as connection:
            waiting = people.waiting_limits(connection, approval_id)
        if not waiting:
            raise click.ClickException(f"no limit waits for an approval {approval_id!r}")
        try:
            added = people.approve_limits(
                engine,
                approval_id,
                plan_sha=people.sha_of(waiting),
                by=_who(by),
                now=now,
                expires_at=now + length,
            )
        except people.PlanChanged:
            raise click.ClickException(f"{approval_id} changed meanwhile: see ops plan") from None
    click.echo(
        f"{approval_id} approved: {len(waiting)} limit(s) until {now + length:%Y-%m-%d %H:%M} UTC."
        if added
        else f"{approval_id} was approved before."
    )


@ops.command()
@click.argument("gateway")
@click.argument("key")
@click.option("--for", "length", default="4h", show_default=True, type=Length())
@click.option("--reason", default="override at the command line")
@click.option("--by", default=None, help="Who overrides.")
def override(gateway: str, key: str, length: timedelta, reason: str, by: str | None) -> None:
    """Keep KEY (its alias, id or start of id) of GATEWAY open for a time; our limit is lifted."""
    with _store() as engine:
        with reading(engine) as connection:
            found = [each for each in people.find_key(connection, key) if each[0] == gateway]
        if not found:
            raise click.ClickException(f"no limit is known for a key {key!r} of {gateway}")
        if len(found) > 1:
            names = ", ".join(ref[:12] for _, ref, _ in found)
            raise click.ClickException(f"{key!r} names {len(found)} keys: {names}")
        until, key_ref = _now() + length, found[0][1]
        people.set_override(
            engine, gateway=gateway, key_ref=key_ref, until=until, by=_who(by), reason=reason
        )
    _say_open(found[0], until)


@ops.command()
@click.argument("action", type=int)
@click.option("--for", "length", default="4h", show_default=True, type=Length())
@click.option("--by", default=None, help="Who undoes it.")
def undo(action: int, length: timedelta, by: str | None) -> None:
    """Undo the limit that ACTION set (its number in the log): put back, and not set for a time."""
    until, reason = _now() + length, f"undo of action {action}"
    with _store() as engine:
        try:
            found = undoing.undo(engine, action, until=until, by=_who(by), reason=reason)
        except undoing.CannotUndo as error:
            raise click.ClickException(str(error)) from None
    _say_open(found, until)


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


def _say_open(found: tuple[str, str, str | None], until: datetime) -> None:
    gateway, key_ref, alias = found
    click.echo(f"{alias or key_ref[:12]} at {gateway} stays open until {until:%Y-%m-%d %H:%M} UTC.")


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


def _want(limit: reconciler.Limit) -> str:
    if limit.approval_id is not None:
        return f"{limit.desired.want} (approve {limit.approval_id})"
    return limit.desired.want + (" (held)" if limit.desired.held_reason else "")


def _others_share(limit: reconciler.Limit) -> str:
    """How much of the key's use of the last 7 days is not the budgets' own: who else would stop."""
    shares = [reason.get("own_usage_ratio") for reason in limit.reasons]
    known = [float(share) for share in shares if share is not None]
    return f"{1 - max(known):.0%}" if known else "-"


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
    return f"#{row.seq} {row.verb} {row.result}{' (dry run)' if row.dry_run else ''}: {row.why}"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title)
    for column in columns:
        table.add_column(column)
    return table
