"""The published marts that wallets are read from, made by hand."""

from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
from wallet_words import at

_TABLES = """
    create schema core; create schema wallets;
    create table core.published_snapshot (snapshot_id bigint, as_of timestamp);
    create table core.dim_entity_owners (entity_key varchar, owner_channel varchar,
        is_current boolean);
    create table wallets.dim_wallet_features (wallet_id varchar, feature_key varchar);
    create table wallets.dim_wallets (wallet_id varchar, wallet_version varchar,
        wallet_name varchar, entity_key varchar, entity_name varchar, entity_path varchar,
        tree varchar, is_shared boolean, measure varchar, usd_per_credit decimal(38, 15),
        is_limited_to_sources boolean, recurring_json varchar, top_up_json varchar,
        alerts_json varchar, valid_from_at timestamp, valid_to_at timestamp);
    create table wallets.dim_wallet_entries (entry_id varchar, wallet_id varchar,
        entry_kind varchar, amount_usd decimal(38, 15), priority bigint, category varchar,
        grant_id varchar, to_wallet_id varchar, top_up_id varchar, reason varchar,
        effective_at timestamp, expires_at timestamp);
    create table wallets.fct_wallet_usage (bucket_start_at timestamp, tree varchar,
        member_key varchar, source_instance varchar, application_key varchar, feature_key varchar,
        wallet_id varchar, draw_order bigint, wallet_chain varchar,
        drawable_usd decimal(38, 15));
    create table wallets.fct_wallet_drivers (wallet_id varchar, member_key varchar,
        feature_key varchar, model_id varchar, raw_key_alias varchar, drawable_usd decimal(38, 15));
"""


class Marts:
    """Wallets, entries and use as a pass would publish them."""

    def __init__(self, folder: Path) -> None:
        self.con = duckdb.connect(str(folder / "marts.duckdb"))
        self.con.execute(_TABLES)

    def put(self, table: str, **values: Any) -> None:
        """One row; times as text."""
        names = ", ".join(values)
        marks = ", ".join("?" for _ in values)
        self.con.execute(
            f"insert into wallets.{table} ({names}) values ({marks})", [*values.values()]
        )

    def wallet(self, wallet_id: str = "w", **changes: Any) -> None:
        """A shared wallet of node acme, without alerts."""
        facts: dict[str, Any] = {
            "wallet_version": "v1",
            "wallet_name": wallet_id,
            "entity_key": "acme",
            "entity_path": "acme",
            "tree": "owner",
            "is_shared": True,
            "measure": "cost",
            "is_limited_to_sources": False,
            "recurring_json": "[]",
            "alerts_json": "[]",
            "valid_from_at": "2026-01-01",
        }
        self.put("dim_wallets", wallet_id=wallet_id, **(facts | changes))

    def grant(self, entry_id: str, amount: str, *, on: str = "2026-01-01", **changes: Any) -> None:
        """A grant into wallet w."""
        facts = {"wallet_id": "w", "entry_kind": "grant", "effective_at": on} | changes
        self.put("dim_wallet_entries", entry_id=entry_id, amount_usd=amount, **facts)

    def use(
        self, cost: str, on: str, *, member: str = "m", chain: tuple[str, ...] = ("w",)
    ) -> None:
        """Use of a quarter of an hour, at each wallet that it may be drawn from."""
        for order, wallet_id in enumerate(chain, start=1):
            self.put(
                "fct_wallet_usage",
                bucket_start_at=on,
                tree="owner",
                member_key=member,
                source_instance="s",
                wallet_id=wallet_id,
                draw_order=order,
                wallet_chain=">".join(chain),
                drawable_usd=cost,
            )

    def publish(self, snapshot_id: int, as_of: str) -> datetime:
        """Says which snapshot this is; its time."""
        self.con.execute("delete from core.published_snapshot")
        self.con.execute("insert into core.published_snapshot values (?, ?)", [snapshot_id, as_of])
        return at(as_of)
