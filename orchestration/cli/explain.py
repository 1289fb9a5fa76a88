"""`meterhouse explain <usage_key>`: the arithmetic of a dollar, from the published marts."""

import json
import os
import sys
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import click

from orchestration import settings
from orchestration.cli.explained import Act, explained
from orchestration.warehouse import published_marts

_NOTHING = "nothing is published yet under {}: run `meterhouse run`"
_UNKNOWN = "no act has a key that begins with {!r}: keys are core.fct_usage.usage_key"
_SEVERAL = "{!r} is the beginning of several keys: give more of it"
_LINE_WIDTH = 28
_PASSES_A_PAGE = 200
# How a rule without dates stands in the marts.
_EVER = {"valid_from_at": datetime(1900, 1, 1), "valid_to_at": datetime(9999, 12, 31)}  # noqa: DTZ001


@click.command()
@click.argument("usage_key")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON; amounts are texts.")
def explain(usage_key: str, as_json: bool) -> None:
    """Who spent what, when, at which rates, and where every figure comes from.

    USAGE_KEY is the key of an act (core.fct_usage), or the beginning of one that no other shares.
    """
    path = settings.marts_path()
    if not path.exists():
        _refuse(_NOTHING.format(settings.home()))
    with published_marts(path) as connection:
        found = explained(connection, usage_key)
    if not found:
        _refuse(_UNKNOWN.format(usage_key))
    if len(found) > 1:
        _refuse(_SEVERAL.format(usage_key))
    act = found[0]
    run = _run_of_pass(act.provenance.get("pass_id"))
    act.provenance["dagster_run"] = run
    if as_json:
        click.echo(json.dumps(act.as_json(), default=_text, indent=2))
    else:
        click.echo("\n".join(_lines(act)).lstrip("\n"))


def _refuse(problem: str) -> None:
    click.echo(f"meterhouse explain: {problem}", err=True)
    sys.exit(2)


def _lines(act: Act) -> Iterator[str]:
    yield from _section("Act", act.identity)
    yield from _section("Model and price", act.price)
    if act.lines:
        yield ""
        yield "List cost"
        for line in act.lines:
            note = "; another rate stands in for one not stated" if line["is_fallback"] else ""
            note += "" if line["adds_up"] is not False else "; DOES NOT MULTIPLY OUT"
            rate = _text(line["rate_usd"])
            count = line["quantity"]
            shown = f"{count:,}" if isinstance(count, int) else _text(count)
            given = "" if count is None else f"{shown} x {rate} = "
            yield f"  {line['name']:<{_LINE_WIDTH}}{given}{_text(line['cost_usd'])}{note}"
        total = act.cost.get("list_cost_usd")
        yield f"  {'list_cost_usd':<{_LINE_WIDTH}}{_text(total)}"
    for name, rules in (("Negotiated rules", act.bought_by), ("Selling rules", act.sold_by)):
        if rules:
            yield ""
            yield name
            yield from (f"  {_rule(rule)}" for rule in rules)
    yield from _section("Cost", act.cost)
    yield from _section("No price", act.unpriced)
    for title, rows in (
        ("Shown by other sources as well, without cost", act.shadows),
        ("Restated, with the acts of its day, owner, customer, source and model", act.restated),
        ("Corrected after its month closed, with those of its month and place", act.corrected),
    ):
        if rows:
            yield ""
            yield title
            yield from (f"  {_flat(row)}" for row in rows)
    yield from _section("Where it comes from", act.provenance)


def _section(title: str, figures: dict[str, Any]) -> Iterator[str]:
    shown = {name: value for name, value in figures.items() if value is not None}
    if not shown:
        return
    yield ""
    yield title
    for name, value in shown.items():
        yield f"  {name:<{_LINE_WIDTH}}{_text(value)}"


def _rule(rule: dict[str, Any]) -> str:
    always = (_EVER.get(name) for name in rule)
    shown = zip(rule.items(), always, strict=True)
    return _flat({name: value for (name, value), ever in shown if value not in (None, False, ever)})


def _flat(row: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_text(value)}" for name, value in row.items() if value is not None)


def _text(value: Any) -> str:
    """Amounts with every digit that counts, times in UTC."""
    if isinstance(value, Decimal):
        plain = f"{value:f}"
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, date):
        return value.isoformat()
    if value is None:
        return "unknown"
    return str(value)


def _run_of_pass(pass_id: int | None) -> str | None:
    """The Dagster run that built a pass; None where the instance does not know (any more)."""
    folder = settings.home() / "dagster"
    if pass_id is None or not (folder / "dagster.yaml").exists():
        return None
    import dagster as dg

    os.environ["DAGSTER_HOME"] = str(folder)
    with dg.DagsterInstance.get() as instance:
        return next(_runs(instance, pass_id), None)


def _runs(instance: Any, pass_id: int) -> Iterator[str]:
    import dagster as dg

    from orchestration.assets.models import PASSES_KEY

    cursor = None
    while True:
        page = instance.fetch_materializations(
            dg.AssetKey(PASSES_KEY), limit=_PASSES_A_PAGE, cursor=cursor
        )
        for record in page.records:
            said = record.asset_materialization.metadata.get("pass_id")
            if said is not None and said.value == pass_id:
                yield record.run_id
        if not page.has_more:
            return
        cursor = page.cursor
