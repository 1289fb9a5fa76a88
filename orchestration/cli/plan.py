"""`meterhouse plan`: what the configuration as it is written would change, before it counts."""

import sys
from operator import attrgetter

import click
from rich.console import Console
from rich.table import Column, Table

from ingestion.config_loader import ConfigError
from orchestration import settings
from orchestration.declared import read_config
from orchestration.ops.store import open_store
from orchestration.trial import Outcome, try_config
from orchestration.warehouse import building_marts

_MOST_ROWS = 20


@click.command()
def plan() -> None:
    """What config/ would change at the next pass: dollars, alerts, keys, wallets. Writes nothing.

    Worked out on a copy, with the data that are loaded already. Exits 2 where config/ is refused.
    """
    try:
        config = read_config()
    except ConfigError as error:
        click.echo(f"config/ is refused:\n{error}", err=True)
        sys.exit(2)
    home = settings.home()
    if not building_marts(home).exists():
        raise click.ClickException("nothing has been built yet: run a pass first")
    engine = open_store(settings.ops_url())
    try:
        outcome = try_config(engine, home, config=config, now=settings.now())
    except RuntimeError as error:
        raise click.ClickException(
            f"the copy could not be built; run a pass first\n{error}"
        ) from error
    finally:
        engine.dispose()
    _show(outcome)


def _show(outcome: Outcome) -> None:
    console = Console(file=sys.stdout)
    done = outcome.evaluation
    changes = (outcome.differences, outcome.balances, outcome.held, outcome.refused_entries)
    if not any((*changes, done.transitions, done.wants, done.asked)):
        click.echo("Nothing would change.")
        return
    if outcome.differences:
        table = Table("month", "entity", "model", "difference USD", title="Cost")
        for each in outcome.differences[:_MOST_ROWS]:
            amount = f"{each.effective_cost_usd:+,.6f}"
            table.add_row(each.period, each.entity_key, each.model_id or "-", amount)
        if len(outcome.differences) > _MOST_ROWS:
            table.add_row("", f"and {len(outcome.differences) - _MOST_ROWS} more", "", "")
        console.print(table)
    if done.transitions:
        table = Table(
            Column("alert", overflow="fold"), "from", "to", "value", "unit", title="Alerts"
        )
        for move in done.transitions:
            value = "-" if move.value is None else f"{move.value:,.2f}"
            name = move.alert_id.partition(":")[2]
            table.add_row(name, move.from_level, move.to_level, value, move.unit)
        console.print(table)
    if done.wants:
        table = Table("gateway", "key", "limit", "budgets", title="Keys (a dry run unless armed)")
        for want in done.wants:
            key = want.key_alias or f"{want.key_ref[:12]}…"
            table.add_row(want.gateway, key, want.want, ", ".join(want.budget_ids))
        console.print(table)
    _show_waiting(console, outcome)
    _show_wallets(console, outcome)
    click.echo("Nothing was written; the next pass does it.")


def _show_waiting(console: Console, outcome: Outcome) -> None:
    if outcome.held:
        table = Table("budget", "keys", "why", title="Limits that would wait for trusted data")
        for each in outcome.held:
            keys = ", ".join(sorted(set(each.key_aliases))[:_MOST_ROWS])
            table.add_row(each.standing.row.budget_id, keys, each.reason)
        console.print(table)
    if outcome.evaluation.asked:
        table = Table("gateway", "keys", "why", title="Limits that would wait for a person's yes")
        for one in outcome.evaluation.asked:
            named = {str(why["key_alias"]) for want in one.wants for why in want.reasons}
            table.add_row(one.gateway, ", ".join(sorted(named)[:_MOST_ROWS]), one.why)
        console.print(table)


def _show_wallets(console: Console, outcome: Outcome) -> None:
    if outcome.balances:
        table = Table("wallet", "balance USD", "then", "debt USD", "then", title="Wallets")
        for before, after in outcome.balances:
            known = after or before
            assert known is not None
            amounts = [
                "-" if each is None else f"{amount(each):,.2f}"
                for amount in (attrgetter("ongoing"), attrgetter("debt"))
                for each in (before, after)
            ]
            table.add_row(known.wallet_id, *amounts)
        console.print(table)
    for why in outcome.refused_entries:
        click.echo(f"wallet entries: {why}")
