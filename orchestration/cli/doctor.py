"""`meterhouse doctor`: what is set up, what is missing, what needs a person."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any

import click
import duckdb
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection

from ingestion.config_loader import Config, ConfigError
from ingestion.source_config import SourceConfig
from ingestion.systems import SYSTEMS, missing_variables
from orchestration import settings
from orchestration.cli.accept import change_of
from orchestration.cli.endpoints import endpoint_states
from orchestration.cli.reviews import price_reviews
from orchestration.cli.suggestions import identity_suggestions
from orchestration.declared import declared_config, read_config
from orchestration.enforcement.credentials import refused_gateways
from orchestration.enforcement.gateway import GatewayUnavailable
from orchestration.enforcement.portkey import PortkeyGateway
from orchestration.ops import commands
from orchestration.ops.identities import accepted_identities
from orchestration.ops.people import price_approvals
from orchestration.ops.store import open_store, reading
from orchestration.warehouse import published_marts

_SHOWN_SUGGESTIONS = 10
_READINGS = """
    select source_instance, last_read_at, last_usage_at, rows_rejected_count
    from trust.fct_source_freshness
"""
_RED_CHECKS = """
    select source_instance, string_agg(check_name, ', ' order by check_name)
    from trust.fct_source_checks
    where is_red
    group by source_instance
"""


@dataclass(frozen=True)
class Finding:
    """One line of the report; `needs_a_person` makes the command fail."""

    subject: str
    state: str
    advice: str
    needs_a_person: bool


@click.command()
def doctor() -> None:
    """What is set up, what is missing, what needs a person; exit code 1 if anything does."""
    findings = [
        *_config_findings(),
        *_snapshot_findings(),
        *_source_findings(declared_config(), os.environ),
        *_price_findings(),
        *_identity_findings(),
        *_endpoint_findings(),
        *_gateway_findings(declared_config()),
        *_plan_findings(declared_config(), os.environ),
    ]
    table = Table(title="What the doctor sees", title_justify="left", title_style="bold")
    for column in ("subject", "state", "what to do"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        style = "red" if finding.needs_a_person else ""
        table.add_row(finding.subject, finding.state, finding.advice, style=style)
    Console(file=sys.stdout).print(table)
    sys.exit(1 if any(finding.needs_a_person for finding in findings) else 0)


def _config_findings() -> Iterator[Finding]:
    try:
        read_config()
    except ConfigError as error:
        for problem in error.problems:
            yield Finding("config/", "refused", str(problem), needs_a_person=True)
        return
    yield Finding("config/", "ok", "", needs_a_person=False)


def _snapshot_findings() -> Iterator[Finding]:
    """How old what is published is: passes that stopped publish nothing, and say nothing."""
    from orchestration.automation import SNAPSHOT_OVERDUE_AFTER  # loads Dagster: only where asked

    if not settings.marts_path().exists():
        return
    with published_marts(settings.marts_path()) as connection:
        found = connection.execute("select max(as_of) from core.published_snapshot").fetchone()
    if not found or found[0] is None:
        return
    is_overdue = settings.now() - found[0].replace(tzinfo=UTC) > SNAPSHOT_OVERDUE_AFTER
    advice = "nothing newer is published: see the last passes and their checks"
    yield Finding(
        "published marts",
        f"as of {found[0]:%Y-%m-%d %H:%M} UTC",
        advice if is_overdue else "",
        needs_a_person=is_overdue,
    )


def _source_findings(config: Config | None, environ: Mapping[str, str]) -> Iterator[Finding]:
    readings = _readings()
    for source in config.sources if config else ():
        yield _source_finding(source, environ, readings.get(source.id))


def _source_finding(
    source: SourceConfig, environ: Mapping[str, str], reading: Mapping[str, Any] | None
) -> Finding:
    """The state of one source: the first thing that keeps it from being read, else its reading."""
    if not source.enabled:
        return Finding(source.id, "switched off", "enabled: false", needs_a_person=False)
    if SYSTEMS[source.system].source is None:
        return _pushed(source, environ, reading)
    missing = missing_variables(source, environ)
    if missing:
        return Finding(
            source.id, "not scheduled", f"set {', '.join(missing)}", needs_a_person=False
        )
    if reading is None:
        return Finding(source.id, "ready, never read", "meterhouse run", needs_a_person=False)
    read_at, rejected = f"{reading['last_read_at']:%Y-%m-%d %H:%M} UTC", reading["rejected"]
    # Against now: the marts say what was stale as they were published.
    age = settings.now(environ) - reading["last_read_at"].replace(tzinfo=UTC)
    if age > timedelta(hours=source.stale_after_hours):
        advice = f"last read {read_at}: see the last run of its load"
        return Finding(source.id, "stale", advice, needs_a_person=True)
    distrusted = _distrusted(source, reading)
    if distrusted is not None:
        return distrusted
    advice = f"{rejected} records rejected: see trust.fct_rejected_rows" if rejected else ""
    return Finding(source.id, f"read {read_at}", advice, needs_a_person=False)


def _distrusted(source: SourceConfig, reading: Mapping[str, Any] | None) -> Finding | None:
    """That checks of what a source gave are red, if they are."""
    if reading is None or not reading["red_checks"]:
        return None
    advice = f"{reading['red_checks']}: see trust.fct_source_checks"
    return Finding(source.id, "checks are red", advice, needs_a_person=True)


def _pushed(
    source: SourceConfig, environ: Mapping[str, str], reading: Mapping[str, Any] | None
) -> Finding:
    """A source that pushes: whether anything can come in, and when something last did."""
    names = [name for name in (source.push_token_env, source.push_secret_env) if name]
    if not any(environ.get(name) for name in names):
        advice = f"to accept pushes set {' or '.join(names) or 'push_token_env'}"
        return Finding(source.id, "pushes are refused", advice, needs_a_person=False)
    last = reading["last_usage_at"] if reading else None
    state = f"last event {last:%Y-%m-%d %H:%M} UTC" if last else "nothing pushed yet"
    return _distrusted(source, reading) or Finding(source.id, state, "", needs_a_person=False)


def _price_findings() -> Iterator[Finding]:
    """What the guards over the price catalogue hold back; models that nobody uses in one line."""
    reviews = price_reviews()
    if reviews:
        accepted = _decided(price_approvals)
        reviews = [each for each in reviews if each.item_id not in accepted]
    for review in reviews:
        if review.is_used:
            state = "price file refused" if review.kind == "file" else "price held back"
            advice = (
                f"{change_of(review)}; {review.reason}. The last good one stays in force;"
                f" to let it in: meterhouse accept price {review.item_id}"
            )
            yield Finding(review.subject, state, advice, needs_a_person=True)
    unused = [each for each in reviews if not each.is_used]
    if unused:
        names = ", ".join(f"{each.subject} ({each.item_id})" for each in unused[:3])
        advice = f"no usage has them: {names}{' …' if len(unused) > 3 else ''}"
        advice += "; to let one in: meterhouse accept price <id>"
        state = f"{len(unused)} held back"
        yield Finding("prices of unused models", state, advice, needs_a_person=False)


def _endpoint_findings() -> Iterator[Finding]:
    """Webhook endpoints that hear nothing, messages given up, commands nobody acknowledged."""
    engine = open_store(settings.ops_url(os.environ))
    try:
        states = list(endpoint_states(engine))
        with reading(engine) as connection:
            overdue = commands.overdue(connection, now=settings.now(os.environ))
    finally:
        engine.dispose()
    for name, state, waiting, _, dead in states:
        advice = f"{waiting} messages wait; meterhouse ops ping {name}"
        if state.startswith("disabled"):
            advice += f", then meterhouse ops enable {name}"
            yield Finding(f"webhook {name}", state, advice, needs_a_person=True)
        elif state.startswith("failing"):
            yield Finding(f"webhook {name}", state, advice, needs_a_person=False)
        if dead:
            advice = "meterhouse ops replay --since <day>, when it hears again"
            yield Finding(f"webhook {name}", f"{dead} dead letters", advice, needs_a_person=True)
    for request in overdue:
        state = f"{request.verb} not acknowledged by {request.deadline_at:%Y-%m-%d %H:%M} UTC"
        advice = f"meterhouse ops replay --id {request.message_id}"
        yield Finding(request.gateway, state, advice, needs_a_person=True)


def _gateway_findings(config: Config | None) -> Iterator[Finding]:
    """Gateways that refuse our credential while limits are to be set there."""
    names = [each.id for each in config.gateways] if config else []
    engine = open_store(settings.ops_url(os.environ))
    try:
        with reading(engine) as connection:
            refused = refused_gateways(connection, names, now=settings.now(os.environ))
    finally:
        engine.dispose()
    for name, answer in refused.items():
        advice = "no limit is set there: see admin_key_env in config/enforcement.yaml"
        state = f"refuses our credential ({answer})"
        yield Finding(f"gateway {name}", state, advice, needs_a_person=True)


def _plan_findings(config: Config | None, environ: Mapping[str, str]) -> Iterator[Finding]:
    """What a Portkey workspace's plan allows, by asking it: caps, rates, or alerts alone."""
    for each in config.gateways if config else ():
        base_url, admin_key = (
            environ.get(n or "") for n in (each.base_url_env, each.admin_key_env)
        )
        if each.system != "portkey" or not (base_url and admin_key):
            continue
        client = PortkeyGateway(base_url, admin_key=admin_key)
        try:
            state, advice = client.plan_allows()
        except GatewayUnavailable as error:
            state, advice = "gives no clear answer", str(error)
        finally:
            client.close()
        yield Finding(f"gateway {each.id}", state, advice, needs_a_person=False)


def _identity_findings() -> Iterator[Finding]:
    """Identifiers that look like a known node, the dearest first; beyond ten only counted."""
    suggestions = identity_suggestions()
    if suggestions:
        accepted = _decided(accepted_identities)
        suggestions = [each for each in suggestions if each.suggestion_id not in accepted]
    for each in suggestions[:_SHOWN_SUGGESTIONS]:
        place = each.placement
        advice = f"looks like {place.target_key} ({each.reason})"
        if each.request_count:
            advice += f"; ${each.unattributed_cost_usd:,.2f} are unattributed"
        advice += f"; if so: meterhouse accept identity {each.suggestion_id}"
        subject = f"{place.source_instance} {place.field}"
        yield Finding(subject, f"unknown: {place.field_value}", advice, needs_a_person=False)
    more = len(suggestions) - _SHOWN_SUGGESTIONS
    if more > 0:
        advice = "see trust.fct_identity_suggestions"
        yield Finding("identifiers", f"{more} more look known", advice, needs_a_person=False)


def _decided(read: Callable[[Connection], frozenset[str]]) -> frozenset[str]:
    """What people decided already and the marts do not know yet."""
    engine = open_store(settings.ops_url(os.environ))
    try:
        with reading(engine) as connection:
            return read(connection)
    finally:
        engine.dispose()


def _readings() -> dict[str, dict[str, Any]]:
    if not settings.marts_path().exists():
        return {}
    with published_marts(settings.marts_path()) as connection:
        rows = connection.execute(_READINGS).fetchall()
        try:
            red = dict(connection.execute(_RED_CHECKS).fetchall())
        except duckdb.CatalogException:
            red = {}  # published by an earlier version, which did not check
    names = ("last_read_at", "last_usage_at", "rejected")
    return {
        instance: dict(zip(names, row, strict=True), red_checks=red.get(instance))
        for instance, *row in rows
    }
