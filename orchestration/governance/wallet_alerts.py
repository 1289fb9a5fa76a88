"""Low balances as subjects of the alert state machine: of a wallet, and of a feature that draws."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, Inexact, localcontext
from typing import Any

from sqlalchemy import Connection, Engine

from ingestion.config_budgets import length_of
from orchestration.governance.alerts import Thresholds
from orchestration.governance.bodies import money
from orchestration.governance.subjects import Subject
from orchestration.governance.wallet_book import BEGINNING
from orchestration.governance.wallet_facts import WalletFacts, WalletRow
from orchestration.governance.wallets import EXACT
from orchestration.ops.store import reading
from orchestration.ops.wallet_keeper import Balance, drawing_members, newest_balances

# A balance has no period: its alert is of all time.
_END = datetime(9999, 12, 31, tzinfo=UTC)
_A_WEEK = timedelta(days=7)
_MOST_DRIVERS = 3


def wallet_alerts(engine: Engine, facts: WalletFacts) -> dict[str, list[Subject]]:
    """The alerts of wallets by their kind; nothing where balances are of another snapshot.

    A wallet that is not valid yet, or no longer, has none.
    """
    with localcontext(EXACT), reading(engine) as connection:
        snapshot_id, balances = newest_balances(connection)
        if facts.wallets and snapshot_id != facts.snapshot_id:
            return {}
        return {
            "wallet": [
                _subject(row, alert, facts, balances, connection)
                for row in facts.wallets
                if row.holds_at(facts.as_of)
                for alert in json.loads(row.alerts_json)
            ]
        }


def available(
    row: WalletRow, feature: str | None, facts: WalletFacts, balances: Mapping[str, Balance]
) -> Decimal:
    """What a wallet holds; for a feature what it can draw, here and in the wallets it goes on to.

    Further wallets that only some sources or applications may draw on do not count.
    """
    if feature is None:
        return balances[row.wallet_id].ongoing
    further = (
        each
        for each in facts.wallets
        if each.wallet_id != row.wallet_id
        and (each.tree, each.measure) == (row.tree, row.measure)
        and each.entity_key in row.lineage()
        and (each.is_shared or each.entity_key == row.entity_key)
        and not each.is_limited_to_sources
        and each.holds_at(facts.as_of)
    )
    return sum(
        (
            balances[each.wallet_id].ongoing
            for each in (row, *further)
            if not each.features or feature in each.features
        ),
        Decimal(0),
    )


def _subject(
    row: WalletRow,
    alert: Mapping[str, Any],
    facts: WalletFacts,
    balances: Mapping[str, Balance],
    connection: Connection,
) -> Subject:
    feature = alert["feature"]
    value = available(row, feature, facts, balances)
    levels = {name: _currency(alert, name, row) for name in ("info", "warning", "critical")}
    stated = {name: alert[name] for name in levels}
    is_low = any(level is not None and value <= level for level in levels.values())
    name = f"{row.wallet_id}:{feature}" if feature else row.wallet_id
    balance = balances[row.wallet_id]
    renotify_after = alert.get("renotify_after")
    return Subject(
        alert_id=f"wallet:{name}",
        version=row.wallet_version,
        value=value,
        limit_value=None,
        unit="usd",
        thresholds=Thresholds(**levels, condition="below"),
        period_start_at=BEGINNING,
        period_end_at=_END,
        context={
            "wallet": {
                "id": row.wallet_id,
                "name": row.wallet_name,
                "version": row.wallet_version,
                "measure": row.measure,
                "feature": feature,
            },
            "entity": {
                "key": row.entity_key,
                "name": row.entity_name,
                "path": row.entity_path,
                "tree": row.tree,
                "lineage": list(row.lineage()),
            },
            "balance": {
                "currency": "USD",
                "available": money(value),
                "available_credits": _credits(value, row),
                "ongoing": money(balance.ongoing),
                "settled": money(balance.settled),
                "debt": money(balance.debt),
            },
            "condition": "below",
            "thresholds": {name: money(level) for name, level in levels.items()},
            "stated_thresholds": {"unit": alert["unit"], **stated},
            "drivers": _drivers(row, feature, facts, connection) if is_low else [],
        },
        declaration={"wallet": row.wallet_id, "entity": row.entity_key, "alert": dict(alert)},
        # What marts of an earlier version do not say yet.
        hysteresis_ratio=Decimal(alert.get("hysteresis", "0")),
        renotify_after=None if renotify_after is None else length_of(renotify_after),
        is_paused=alert.get("paused", False),
        recipients=_recipients(alert.get("to") or (), row),
    )


def _recipients(said: str | Sequence[str], row: WalletRow) -> tuple[str, ...] | None:
    """The endpoints named; an owner without a channel is nobody, and no name is all."""
    if said == "owner":
        return (row.owner_channel,) if row.owner_channel else ()
    return tuple(said) or None


def _drivers(
    row: WalletRow, feature: str | None, facts: WalletFacts, connection: Connection
) -> list[dict[str, Any]]:
    """The largest use of the last week; of a whole wallet without nodes that a nearer one paid."""
    members = drawing_members(connection, row.wallet_id, since=facts.as_of - _A_WEEK)
    sums: dict[tuple[str | None, ...], Decimal] = {}
    for each in facts.drivers:
        is_of_it = each.member_key in members if feature is None else each.feature_key == feature
        if each.wallet_id == row.wallet_id and is_of_it:
            key = (each.member_key, each.model_id, each.raw_key_alias)
            sums[key] = sums.get(key, Decimal(0)) + each.drawable_usd
    largest = sorted(sums.items(), key=lambda item: (-item[1], str(item[0])))
    return [
        {"entity": member, "model": model, "key": alias, "used": money(used)}
        for (member, model, alias), used in largest[:_MOST_DRIVERS]
    ]


def _currency(alert: Mapping[str, Any], name: str, row: WalletRow) -> Decimal | None:
    if alert[name] is None:
        return None
    level = Decimal(alert[name])
    if alert["unit"] == "currency":
        return level
    assert row.usd_per_credit is not None
    return level * row.usd_per_credit


def _credits(amount: Decimal, row: WalletRow) -> str | None:
    if row.usd_per_credit is None:
        return None
    # Credits are a display, to four places; no amount is ever made from them.
    with localcontext(EXACT) as context:
        context.traps[Inexact] = False
        return money((amount / row.usd_per_credit).quantize(Decimal("0.0001")))
