"""What the published marts say of wallets: declarations, entries, and use summed by the hour."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb

from orchestration.governance.lineage import lineage_of
from orchestration.governance.wallet_book import (
    Entry,
    Recurring,
    TopUpRule,
    Use,
    UseKey,
    Wallet,
)
from orchestration.governance.wallet_grants import recurring_grants

_CHANNELS = """
    select entity_key, owner_channel from core.dim_entity_owners where is_current
"""
# The same use stands in the mart at each wallet of its chain; once as the first.
_HOURLY = """
    with sliced as (
        select *, date_trunc('hour', bucket_start_at) as hour_at,
            date_trunc('hour', bucket_start_at) in (select unnest(?::timestamp[])) as is_cut
        from wallets.fct_wallet_usage
        where draw_order = 1 and bucket_start_at >= ? and bucket_start_at < ?
    )
    select case when is_cut then bucket_start_at else hour_at end as start_at,
        is_cut, member_key, wallet_chain, sum(drawable_usd) as cost
    from sliced
    group by 1, 2, 3, 4
    having sum(drawable_usd) <> 0
    order by 1, 3, 4
"""
_MONTHLY = """
    select wallet_chain, member_key, strftime(bucket_start_at, '%Y-%m'), sum(drawable_usd)
    from wallets.fct_wallet_usage
    where draw_order = 1 and bucket_start_at < ?
    group by 1, 2, 3
"""


@dataclass(frozen=True, kw_only=True)
class WalletRow:
    """A declared wallet and the node that it belongs to."""

    wallet_id: str
    wallet_version: str
    wallet_name: str
    entity_key: str
    entity_name: str | None
    entity_path: str | None
    tree: str | None
    is_shared: bool
    measure: str
    usd_per_credit: Decimal | None
    is_limited_to_sources: bool
    recurring_json: str
    top_up_json: str | None
    alerts_json: str
    valid_from_at: datetime
    valid_to_at: datetime | None
    features: frozenset[str]  # none: every feature
    owner_channel: str | None  # the endpoint of whoever owns the node now

    def lineage(self) -> tuple[str, ...]:
        """The node and its ancestors, from the root down."""
        return lineage_of(self.entity_path, self.entity_key)

    def holds_at(self, moment: datetime) -> bool:
        """Whether use at that time may draw on it."""
        has_ended = self.valid_to_at is not None and moment >= self.valid_to_at
        return self.valid_from_at <= moment and not has_ended

    def wallet(self) -> Wallet:
        """The wallet as its ledger sees it."""
        return Wallet(
            wallet_id=self.wallet_id,
            valid_from_at=self.valid_from_at,
            valid_to_at=self.valid_to_at,
            recurring=tuple(_recurring(each) for each in json.loads(self.recurring_json)),
            top_up=_top_up(json.loads(self.top_up_json)) if self.top_up_json else None,
        )


@dataclass(frozen=True, kw_only=True)
class Driver:
    """Use of the last week that may be drawn from a wallet: whose, with which model and key."""

    wallet_id: str
    member_key: str
    feature_key: str | None
    model_id: str | None
    raw_key_alias: str | None
    drawable_usd: Decimal


@dataclass(frozen=True, kw_only=True)
class WalletFacts:
    """One published snapshot, as far as wallets are concerned."""

    snapshot_id: int
    as_of: datetime
    wallets: tuple[WalletRow, ...]
    entries: tuple[Entry, ...]
    drivers: tuple[Driver, ...]


def read_wallets(con: duckdb.DuckDBPyConnection) -> WalletFacts:
    """The newest published snapshot; LookupError if nothing was published yet."""
    published = con.execute("select snapshot_id, as_of from core.published_snapshot").fetchone()
    if published is None:
        raise LookupError("core.published_snapshot has no row: nothing was published yet")
    features: dict[str, set[str]] = {}
    for wallet_id, feature in con.execute("from wallets.dim_wallet_features").fetchall():
        features.setdefault(wallet_id, set()).add(feature)
    channels = dict(con.execute(_CHANNELS).fetchall())
    beside = ("features", "owner_channel")
    columns = [name for name in WalletRow.__dataclass_fields__ if name not in beside]
    found = con.execute(f"select {', '.join(columns)} from wallets.dim_wallets order by wallet_id")
    rows = [dict(zip(columns, map(_aware, row), strict=True)) for row in found.fetchall()]
    return WalletFacts(
        snapshot_id=published[0],
        as_of=published[1].replace(tzinfo=UTC),
        wallets=tuple(
            WalletRow(
                **row,
                features=frozenset(features.get(row["wallet_id"], ())),
                owner_channel=channels.get(row["entity_key"]),
            )
            for row in rows
        ),
        entries=tuple(_entries(con)),
        drivers=tuple(_drivers(con)),
    )


def hourly_use(
    con: duckdb.DuckDBPyConnection,
    *,
    since: datetime,
    until: datetime,
    cuts: Iterable[datetime],
) -> list[Use]:
    """Use by hour, member and chain of wallets; an hour in which a grant begins or ends is cut."""
    hours = sorted({_naive(cut.replace(minute=0, second=0, microsecond=0)) for cut in cuts})
    found = con.execute(_HOURLY, [hours, _naive(since), _naive(until)]).fetchall()
    return [
        Use(
            start_at=start.replace(tzinfo=UTC),
            end_at=start.replace(tzinfo=UTC) + timedelta(minutes=15 if is_cut else 60),
            member_key=member,
            chain=tuple(chain.split(">")),
            cost=cost,
        )
        for start, is_cut, member, chain, cost in found
    ]


def closed_use(con: duckdb.DuckDBPyConnection, *, until: datetime) -> dict[UseKey, Decimal]:
    """Use of the months before `until` by chain of wallets, member and month."""
    found = con.execute(_MONTHLY, [_naive(until)]).fetchall()
    return {
        (tuple(chain.split(">")), member, period): cost for chain, member, period, cost in found
    }


def cuts_of(
    wallets: Iterable[Wallet], entries: Iterable[Entry], *, until: datetime
) -> list[datetime]:
    """The instants inside an hour at which something happens to a grant."""
    grants = [each for wallet in wallets for each in recurring_grants(wallet, until=until)]
    moments = [
        moment for each in (*entries, *grants) for moment in (each.effective_at, each.expires_at)
    ]
    return [moment for moment in moments if moment is not None and moment.minute]


def _entries(con: duckdb.DuckDBPyConnection) -> Iterable[Entry]:
    columns = {
        "entry_id": "entry_id",
        "wallet_id": "wallet_id",
        "kind": "entry_kind",
        "amount": "amount_usd",
        "effective_at": "effective_at",
        "expires_at": "expires_at",
        "priority": "priority",
        "category": "category",
        "grant_id": "grant_id",
        "to_wallet_id": "to_wallet_id",
        "top_up_id": "top_up_id",
    }
    names = ", ".join(columns.values())
    found = con.execute(f"select {names} from wallets.dim_wallet_entries order by entry_id")
    for row in found.fetchall():
        yield Entry(**dict(zip(columns, map(_aware, row), strict=True)))


def _drivers(con: duckdb.DuckDBPyConnection) -> Iterator[Driver]:
    names = tuple(Driver.__annotations__)
    found = con.execute(f"select {', '.join(names)} from wallets.fct_wallet_drivers")
    for row in found.fetchall():
        yield Driver(**dict(zip(names, row, strict=True)))


def _recurring(said: dict[str, Any]) -> Recurring:
    days = said["expires_after_days"]
    return Recurring(
        recurring_id=said["id"],
        amount=Decimal(said["amount"]),
        every=said["every"],
        starts_at=datetime.fromisoformat(said["starts_at"]),
        ends_at=datetime.fromisoformat(said["ends_at"]) if said["ends_at"] else None,
        priority=said["priority"],
        category=said["category"],
        expires=said["expires"],
        expires_after=timedelta(days=days) if days else None,
    )


def _top_up(said: dict[str, Any]) -> TopUpRule:
    days = said["expires_after_days"]
    return TopUpRule(
        threshold=Decimal(said["threshold"]),
        amount=None if said["amount"] is None else Decimal(said["amount"]),
        target=None if said["target"] is None else Decimal(said["target"]),
        needs_confirmation=said["needs_confirmation"],
        cooldown=timedelta(hours=said["cooldown_hours"]),
        priority=said["priority"],
        expires_after=timedelta(days=days) if days else None,
    )


def _aware(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def _naive(moment: datetime) -> datetime:
    # The warehouse keeps UTC without a zone.
    return moment.astimezone(UTC).replace(tzinfo=None)
