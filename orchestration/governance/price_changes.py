"""Price changes that matter to own usage, told once a day as one digest: `price.changed`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
from sqlalchemy import Connection, Engine, select

from orchestration.governance.bodies import MAX_BYTES, envelope, iso, money
from orchestration.governance.endpoints import hearing_endpoints, subscribed
from orchestration.ops.outbox import enqueue
from orchestration.ops.store import writing
from orchestration.ops.tables import outbox

_EVENT_TYPE = "price.changed"
_SUBJECT_KIND = "price"
# The usage that impacts are of; changes known for longer are not news, were they never told.
_WINDOW = timedelta(days=30)
METERS = (
    *("input", "output", "reasoning", "cache_read"),
    *("cache_write_5m", "cache_write_30m", "cache_write_1h", "cache_write_12h"),
)
_FIELDS = (
    *("provider", "model_name", "direction", "valid_from_at", "observed_at", "known_at"),
    *("requests_count", "incomparable_requests_count"),
    *("old_list_cost_usd", "new_list_cost_usd", "impact_usd", "top_entities_json"),
)
_RATES = tuple(f"{side}_{meter}_usd_per_unit" for meter in METERS for side in ("old", "new"))
_CHANGES = f"""
    select {", ".join((*_FIELDS, *_RATES))}
    from trust.fct_price_changes
    where impact_usd <> 0 or incomparable_requests_count > 0
    order by abs(impact_usd) desc, price_key, known_at
"""


@dataclass(frozen=True, kw_only=True)
class PriceChange:
    """One change of a list price of a model in use, worth `impact_usd` over the last 30 days."""

    provider: str
    model_name: str
    direction: str
    valid_from_at: datetime
    observed_at: datetime
    known_at: datetime
    requests_count: int
    incomparable_requests_count: int
    old_list_cost_usd: Decimal
    new_list_cost_usd: Decimal
    impact_usd: Decimal
    top_entities_json: str  # whom it moves most: entity, impact
    rates: Mapping[str, tuple[Decimal | None, Decimal | None]]  # old and new of meters that changed


def read_price_changes(con: duckdb.DuckDBPyConnection) -> list[PriceChange]:
    """The changes that cost or save something, or may: most impact first."""
    return [_change(row) for row in con.execute(_CHANGES).fetchall()]


def announce_price_changes(
    engine: Engine, changes: Sequence[PriceChange], *, as_of: datetime
) -> int:
    """How many messages now wait: a digest a day at most, of changes that no digest was about.

    It is about the whole installation: endpoints that hear of a part of it alone get none.
    """
    day = f"{as_of.astimezone(UTC):%Y-%m-%d}"
    with writing(engine) as connection:
        last_day, known_until = _last_digest(connection)
        if last_day is not None and last_day >= day:
            return 0
        since = max(as_of - _WINDOW, known_until or as_of - _WINDOW)
        news = [each for each in changes if each.known_at > since]
        if not news:
            return 0
        targets = subscribed(hearing_endpoints(connection), event_type=_EVENT_TYPE, entities=())
        return enqueue(
            connection,
            subject_kind=_SUBJECT_KIND,
            subject_id=day,
            event_type=_EVENT_TYPE,
            endpoint_ids=[target.id for target in targets],
            body=_digest(news, day=day, as_of=as_of),
            created_at=as_of,
        )


def _last_digest(connection: Connection) -> tuple[str | None, datetime | None]:
    """The day of the newest digest, and up to when what was known is told."""
    row = connection.execute(
        select(outbox.c.subject_id, outbox.c.body)
        .where(outbox.c.subject_kind == _SUBJECT_KIND)
        .order_by(outbox.c.subject_id.desc())
        .limit(1)
    ).first()
    if row is None:
        return None, None
    return row.subject_id, datetime.fromisoformat(json.loads(row.body)["data"]["known_until"])


def _digest(changes: Sequence[PriceChange], *, day: str, as_of: datetime) -> bytes:
    """The changes in the order given, as many as fit; totals and counts are of all of them."""
    listed = [_entry(each) for each in changes]
    for count in range(len(listed), -1, -1):
        body = envelope(
            _EVENT_TYPE,
            timestamp=as_of,
            data={
                "day": day,
                "count": len(listed),
                "listed_count": count,
                "changes": listed[:count],
                "impact": money(sum((each.impact_usd for each in changes), Decimal(0))),
                "currency": "USD",
                "window_days": _WINDOW.days,
                "known_until": iso(max(each.known_at for each in changes)),
            },
        )
        if len(body) < MAX_BYTES:
            return body
    raise ValueError("an empty digest cannot exceed the limit")


def _entry(change: PriceChange) -> dict[str, object]:
    return {
        "provider": change.provider,
        "model": change.model_name,
        "direction": change.direction,
        "valid_from_at": iso(change.valid_from_at),
        "observed_at": iso(change.observed_at),
        "rates_per_token": {
            meter: {"old": money(old), "new": money(new)}
            for meter, (old, new) in change.rates.items()
        },
        "requests": change.requests_count,
        "incomparable_requests": change.incomparable_requests_count,
        "old_list_cost": money(change.old_list_cost_usd),
        "new_list_cost": money(change.new_list_cost_usd),
        "impact": money(change.impact_usd),
        "entities": [
            {"entity": each["entity"], "impact": money(Decimal(each["impact"]))}
            for each in json.loads(change.top_entities_json)
        ],
    }


def _change(row: Sequence[Any]) -> PriceChange:
    values = dict(zip((*_FIELDS, *_RATES), row, strict=True))
    pairs = {
        meter: (values.pop(f"old_{meter}_usd_per_unit"), values.pop(f"new_{meter}_usd_per_unit"))
        for meter in METERS
    }
    for name in ("valid_from_at", "observed_at", "known_at"):
        values[name] = values[name].replace(tzinfo=UTC)  # marts hold naive UTC
    return PriceChange(
        **values, rates={meter: pair for meter, pair in pairs.items() if pair[0] != pair[1]}
    )
