"""What an entity may still use: `GET /v1/entitlements`, read from the published marts.

A product asks before it serves. Budgets of the node and of all nodes above it count, whatever
their mode; each is told with the use that it is of and what is left, and the answer says how old
its figures are.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

# What a budget may be restricted to, and a request may say of itself.
FILTERS = ("source", "provider", "model", "operation", "application", "feature", "tag")
_SNAPSHOT = "select snapshot_id, as_of from core.published_snapshot order by snapshot_id desc"
_NODE = """
    select entity_type as kind, entity_path as path, 'owner' as tree from core.dim_entities
    where entity_key = ?
    union all
    select customer_type, customer_path, 'customer' from core.dim_customers where customer_key = ?
"""
_FITS = "(len(?) = 0 or {0}_filter is null or list_has_any(string_split({0}_filter, '|'), ?))"
_BUDGETS = f"""
    select
        budget_id, entity_key, measure, unit, amount, used, remaining, period, period_start_at,
        period_end_at, matched_level, is_complete, {", ".join(f"{name}_filter" for name in FILTERS)}
    from budgets.fct_budget_status
    where is_current
        and not is_paused
        and (entity_key = ? or scope = 'consolidated' and list_contains(?, entity_key))
        and {" and ".join(map(_FITS.format, FILTERS))}
    order by budget_id
"""


class NothingPublished(Exception):
    """No marts to answer from."""


class UnknownEntity(Exception):
    """No node of that key, or none of the tree that was asked for."""


def entitlements(
    marts: Path,
    *,
    entity: str,
    tree: str | None,
    asked: Mapping[str, Sequence[str]],
    now: datetime,
) -> dict[str, Any]:
    """The budgets of a node; quantities are text, exact, in the unit beside them.

    `asked` is what the use would be of, by filter: budgets that are of other use alone are left
    out. Of what is not asked for all are told. `is_exceeded` is whether any of those told is used
    up.
    """
    if not marts.exists():
        raise NothingPublished
    wanted = [list(asked.get(name, ())) for name in FILTERS]
    with duckdb.connect(str(marts), read_only=True) as connection:
        snapshot = connection.execute(_SNAPSHOT).fetchone()
        node = connection.execute(_NODE, [entity, entity]).fetchone()
        if snapshot is None:
            raise NothingPublished
        if node is None or tree not in (None, node[2]):
            raise UnknownEntity
        kind, path, found_tree = node
        # What separates keys has blanks around it: a key may hold a slash.
        lineage = [*(path or "").split(" / "), entity]
        twice = [each for values in wanted for each in (values, values)]
        cursor = connection.execute(_BUDGETS, [entity, lineage, *twice])
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    as_of = snapshot[1].replace(tzinfo=UTC)
    told = [_told(row) for row in rows]
    return {
        "entity": entity,
        "entity_type": kind,
        "tree": found_tree,
        "asked": {name: values for name, values in zip(FILTERS, wanted, strict=True) if values},
        "is_exceeded": any(each["is_exceeded"] for each in told),
        "entitlements": told,
        "snapshot": {
            "id": snapshot[0],
            "as_of": as_of.isoformat(),
            "age_seconds": max(int((now - as_of).total_seconds()), 0),
        },
    }


def _told(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["budget_id"],
        "entity": row["entity_key"],
        "measure": row["measure"],
        "unit": row["unit"],
        # The use that it is of; a field that is not there is any.
        "filter": {
            name: text.strip("|").split("|")
            for name in FILTERS
            if (text := row[f"{name}_filter"]) is not None
        },
        "granted": format(row["amount"].normalize(), "f"),
        "used": format(row["used"].normalize(), "f"),
        "left": format(max(row["remaining"], Decimal(0)).normalize(), "f"),
        "is_exceeded": row["remaining"] <= 0,
        "level": row["matched_level"],
        "period": row["period"],
        "period_start_at": row["period_start_at"].replace(tzinfo=UTC).isoformat(),
        "period_end_at": row["period_end_at"].replace(tzinfo=UTC).isoformat(),
        "is_complete": row["is_complete"],
    }
