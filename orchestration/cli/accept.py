"""`meterhouse accept`: what waits for a person's yes."""

import getpass
import os
from datetime import UTC, datetime
from decimal import Decimal

import click

from orchestration import settings
from orchestration.cli.reviews import Review, price_reviews
from orchestration.cli.suggestions import identity_suggestions
from orchestration.ops import people
from orchestration.ops.identities import accept_identity, undo_identity
from orchestration.ops.store import open_store

_FOR_EVER = datetime(9999, 12, 31, tzinfo=UTC)


@click.group()
def accept() -> None:
    """Say yes to what waits for a person."""


@accept.command()
@click.argument("item_id")
@click.option("--by", default=None, help="Who accepts (default: the user of this machine).")
def price(item_id: str, by: str | None) -> None:
    """Let the held price change or refused price file ITEM_ID in (`meterhouse doctor` lists them).

    A rate counts from when it was first seen; it is used from the next pass on.
    """
    found = [each for each in price_reviews() if each.item_id == item_id]
    if not found:
        raise click.ClickException(f"nothing waits under {item_id!r}; see `meterhouse doctor`")
    [review] = found
    engine = open_store(settings.ops_url(os.environ))
    try:
        added = people.approve(
            engine,
            item_id,
            kind="price",
            plan_sha="",
            by=by or getpass.getuser(),
            now=settings.now(os.environ),
            expires_at=_FOR_EVER,
        )
    finally:
        engine.dispose()
    said = "accepted" if added else "was accepted before"
    click.echo(f"{review.subject} {change_of(review)} {said}; the next `meterhouse run` uses it.")


@accept.command()
@click.argument("suggestion_ids", metavar="ITEM_ID...", nargs=-1, required=True)
@click.option("--undo", is_flag=True, help="Take back what was accepted under ITEM_ID.")
@click.option("--by", default=None, help="Who decides (default: the user of this machine).")
def identity(suggestion_ids: tuple[str, ...], undo: bool, by: str | None) -> None:
    """Book an unknown identifier on the node it looks like (`meterhouse doctor` lists them).

    From the next pass on, in open months also in the past; closed months get corrections. A rule
    for the same value in config/identities.yaml goes first.
    """
    suggested = {each.suggestion_id: each for each in identity_suggestions()}
    unknown = [each for each in suggestion_ids if each not in suggested]
    if unknown and not undo:
        raise click.ClickException(f"nothing waits under {unknown[0]!r}; see `meterhouse doctor`")
    who, now = by or getpass.getuser(), settings.now(os.environ)
    engine = open_store(settings.ops_url(os.environ))
    try:
        for suggestion_id in suggestion_ids:
            if undo:
                if not undo_identity(engine, suggestion_id, by=who, now=now):
                    raise click.ClickException(f"nothing is accepted under {suggestion_id!r}")
                click.echo(f"{suggestion_id} taken back; the next `meterhouse run` restates.")
                continue
            place = suggested[suggestion_id].placement
            added = accept_identity(engine, suggestion_id, place, by=who, now=now)
            said = "accepted" if added else "was accepted before"
            click.echo(
                f"{place.source_instance} {place.field} {place.field_value} is"
                f" {place.target_key}: {said}; the next `meterhouse run` books it there."
            )
    finally:
        engine.dispose()


def change_of(review: Review) -> str:
    """The step in words: per million of small units, so that people recognise the price."""
    if review.new_rate is None:
        return f"({review.reason})"
    old = "no price" if review.old_rate is None else per_million(review.old_rate)
    return f"{review.meter}, {review.service_tier}: {old} -> {per_million(review.new_rate)}"


def per_million(rate: Decimal) -> str:
    """A rate in USD per million units, exact."""
    return f"{(rate * 1_000_000).normalize():f} per million"
