"""What the warehouse knows of prices: what the guards compare with, and what waits for a person."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb

from ingestion.pipeline import warehouse_path
from price_catalog.catalogues import BASE
from price_catalog.guards import Past

# The last value of each rate that was not held back, whatever snapshot stated it: the catalogue's
# own, or where it has none another one's, which is in force until this one's is taken.
_LAST_GOOD = """
    with stated as (
        select
            prices.rate_key,
            prices.rate_usd_per_unit,
            row_number() over (
                partition by prices.rate_key
                order by
                    case when snapshots.catalogue = $catalogue then 0 else 1 end,
                    prices.observed_at desc,
                    prices._dlt_load_id desc
            ) as newest_rank
        from raw_price_catalog.prices as prices
        inner join raw_price_catalog._dlt_loads as loads
            on prices._dlt_load_id = loads.load_id and loads.status = 0
        inner join raw_price_catalog.snapshots as snapshots
            on prices._dlt_load_id = snapshots._dlt_load_id
        left join raw_price_catalog.verdicts as verdicts
            on prices._dlt_load_id = verdicts._dlt_load_id
            and prices.rate_key = verdicts.rate_key
            and verdicts.verdict = 'quarantine'
            and not list_contains($approved, verdicts.item_id)
        where verdicts.rate_key is null
    )
    select rate_key, rate_usd_per_unit from stated where newest_rank = 1
"""
_MODELS = """
    with newest as (
        select max(snapshots._dlt_load_id) as load_id
        from raw_price_catalog.snapshots as snapshots
        inner join raw_price_catalog._dlt_loads as loads
            on snapshots._dlt_load_id = loads.load_id and loads.status = 0
        where snapshots.status = 'accepted' and snapshots.catalogue = $catalogue
    )
    select concat(models.provider, '/', models.model)
    from raw_price_catalog.models as models
    inner join newest on models._dlt_load_id = newest.load_id
"""
# A file that still stands at the source, and the rates that the newest accepted one has held back.
# A model that the base prices is not priced by what fills gaps.
_WAITING = """
    with looks as (
        select
            snapshots.*,
            row_number() over (
                partition by snapshots.catalogue
                order by snapshots.observed_at desc, snapshots._dlt_load_id desc
            ) as newest_rank,
            max(case when snapshots.status = 'accepted' then snapshots._dlt_load_id end) over (
                partition by snapshots.catalogue
            ) as accepted_load_id
        from raw_price_catalog.snapshots as snapshots
        inner join raw_price_catalog._dlt_loads as loads
            on snapshots._dlt_load_id = loads.load_id and loads.status = 0
        where list_contains($configured, snapshots.catalogue)
    ),
    priced_by_base as (
        select concat(prices.provider, '/', prices.model) as price_key
        from raw_price_catalog.prices as prices
        inner join looks
            on prices._dlt_load_id = looks.accepted_load_id
            and looks.newest_rank = 1
            and looks.catalogue = $base
        group by concat(prices.provider, '/', prices.model)
    )
    select
        item_id,
        'file' as kind,
        source_url as subject,
        reason,
        null as old,
        null as new,
        true as counts
    from looks
    where newest_rank = 1 and status = 'refused'
    union all
    select
        verdicts.item_id,
        'rate',
        concat(verdicts.provider, '/', verdicts.model),
        concat(verdicts.meter, ' (', verdicts.service_tier, '): ', verdicts.reason),
        verdicts.old_rate_usd_per_unit,
        verdicts.new_rate_usd_per_unit,
        looks.catalogue = $base or priced_by_base.price_key is null
    from raw_price_catalog.verdicts as verdicts
    inner join looks
        on verdicts._dlt_load_id = looks.accepted_load_id and looks.newest_rank = 1
    left join priced_by_base
        on concat(verdicts.provider, '/', verdicts.model) = priced_by_base.price_key
    where verdicts.verdict = 'quarantine'
    order by 2, 3, 4
"""


@dataclass(frozen=True)
class Waiting:
    """What a person has to look at: a refused file, or a rate that is held back.

    A rate's subject is its price key; rates are USD per unit, the old one None on first sight.
    """

    item_id: str
    kind: str
    subject: str
    reason: str
    old_rate: Decimal | None
    new_rate: Decimal | None
    is_used: bool


def waiting(
    home: Path,
    *,
    used: Collection[str],
    approved: Collection[str],
    configured: Collection[str] = (BASE.name,),
) -> list[Waiting]:
    """What waits for `meterhouse accept price <id>` in the catalogues that are configured."""
    with duckdb.connect(str(warehouse_path(home)), read_only=True) as connection:
        rows = connection.execute(
            _WAITING, {"configured": sorted(configured), "base": BASE.name}
        ).fetchall()
    return [
        Waiting(
            item, kind, subject, reason, old, new, kind == "file" or (counts and subject in used)
        )
        for item, kind, subject, reason, old, new, counts in rows
        if item not in approved
    ]


def read_past(
    home: Path, *, catalogue: str, used: Collection[str], approved: Collection[str]
) -> Past:
    """What is in force, and which models the last accepted file of a catalogue listed."""
    path = warehouse_path(home)
    if not path.exists():
        return Past(used=frozenset(used), approved=frozenset(approved))
    with duckdb.connect(str(path), read_only=True) as connection:
        [[tables]] = connection.execute(
            """select count(*) from information_schema.tables
            where table_schema = 'raw_price_catalog'
                and table_name in ('prices', 'verdicts', 'snapshots')"""
        ).fetchall()
        if tables < 3:
            return Past(used=frozenset(used), approved=frozenset(approved))
        rates = connection.execute(
            _LAST_GOOD, {"catalogue": catalogue, "approved": sorted(approved)}
        ).fetchall()
        models = connection.execute(_MODELS, {"catalogue": catalogue}).fetchall()
    return Past(
        last_good=dict(rates),
        models=frozenset(key for (key,) in models),
        used=frozenset(used),
        approved=frozenset(approved),
    )
