"""Identifiers that look like a known node, as the published marts know them."""

from dataclasses import dataclass
from decimal import Decimal

import duckdb

from orchestration import settings
from orchestration.ops.identities import Placement
from orchestration.warehouse import published_marts

_SUGGESTIONS = """
    select suggestion_id, dimension, source_instance, field, field_value, suggested_key, reason,
        request_count, effective_cost_usd + estimated_cost_usd as unattributed_cost_usd
    from trust.fct_identity_suggestions
    order by unattributed_cost_usd desc, request_count desc, suggestion_id
"""


@dataclass(frozen=True)
class Suggestion:
    """An unknown identifier, the node it looks like and why, and what hangs on it."""

    suggestion_id: str
    placement: Placement
    reason: str
    request_count: int
    unattributed_cost_usd: Decimal


def identity_suggestions() -> list[Suggestion]:
    """What waits, the dearest first; nothing before the first pass."""
    if not settings.marts_path().exists():
        return []
    with published_marts(settings.marts_path()) as connection:
        try:
            rows = connection.execute(_SUGGESTIONS).fetchall()
        except duckdb.CatalogException:
            return []  # published by a version that did not have the mart
    return [Suggestion(row[0], Placement(*row[1:6]), *row[6:]) for row in rows]
