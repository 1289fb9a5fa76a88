"""Prices that wait for a person, as the published marts know them."""

from dataclasses import dataclass
from decimal import Decimal

import duckdb

from orchestration import settings
from orchestration.warehouse import published_marts

_REVIEWS = """
    select item_id, subject, meter, service_tier, old_usd_per_unit, new_usd_per_unit, reason,
        is_used, kind
    from trust.fct_price_reviews
    where status = 'waiting'
    order by is_used desc, subject, meter
"""


@dataclass(frozen=True)
class Review:
    """A held rate (USD per unit) or a refused file, for which meter and rates are None."""

    item_id: str
    subject: str
    meter: str | None
    service_tier: str | None
    old_rate: Decimal | None
    new_rate: Decimal | None
    reason: str
    is_used: bool
    kind: str


def price_reviews() -> list[Review]:
    """What waits, used models first; nothing before the first pass."""
    if not settings.marts_path().exists():
        return []
    with published_marts(settings.marts_path()) as connection:
        try:
            rows = connection.execute(_REVIEWS).fetchall()
        except duckdb.CatalogException:
            return []  # published by a version that did not have the mart
    return [Review(*row) for row in rows]
