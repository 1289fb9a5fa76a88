"""Wallets and their entries as rows of `raw_config`."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from ingestion.config_loader import Config
from ingestion.config_versions import version_of
from ingestion.contracts import INTEGER, MONEY, TEXT, UTC_TIME, exact

Rows = Iterator[tuple[Any, ...]]

WALLET_COLUMNS: dict[str, tuple[tuple[str, pa.DataType], ...]] = {
    "wallets": (
        ("wallet_id", TEXT),
        ("wallet_version", TEXT),
        ("wallet_name", TEXT),
        ("entity_key", TEXT),
        ("is_shared", pa.bool_()),
        ("measure", TEXT),
        ("usd_per_credit", MONEY),
        ("valid_from_at", UTC_TIME),
        ("valid_to_at", UTC_TIME),
        ("recurring_json", TEXT),
        ("top_up_json", TEXT),
        ("alerts_json", TEXT),
    ),
    "wallet_limits": (("wallet_id", TEXT), ("dimension", TEXT), ("limit_value", TEXT)),
    "wallet_entries": (
        ("entry_id", TEXT),
        ("wallet_id", TEXT),
        ("entry_kind", TEXT),
        ("amount_usd", MONEY),
        ("effective_at", UTC_TIME),
        ("expires_at", UTC_TIME),
        ("priority", INTEGER),
        ("category", TEXT),
        ("grant_id", TEXT),
        ("to_wallet_id", TEXT),
        ("top_up_id", TEXT),
        ("reason", TEXT),
    ),
}


def _wallets(config: Config) -> Rows:
    """One row a wallet; what its ledger expands is kept as it was declared."""
    for wallet in config.wallets:
        yield (
            wallet.id,
            version_of(wallet)[:16],
            wallet.name or wallet.id,
            wallet.entity,
            wallet.shared,
            wallet.measure,
            exact(wallet.conversion_rate),
            wallet.valid_from_at,
            wallet.valid_to_at,
            json.dumps([grant.model_dump(mode="json") for grant in wallet.recurring]),
            wallet.auto_top_up.model_dump_json() if wallet.auto_top_up else None,
            json.dumps([alert.model_dump(mode="json") for alert in wallet.alerts]),
        )


def _wallet_limits(config: Config) -> Rows:
    """One row a source, application or feature that a wallet is limited to."""
    for wallet in config.wallets:
        for dimension in ("source", "application", "feature"):
            for value in getattr(wallet, f"{dimension}s"):
                yield wallet.id, dimension, value


def _wallet_entries(config: Config) -> Rows:
    """One row an entry of a wallet's book, under its idempotency key."""
    for entry in config.wallet_entries:
        top_up_id = f"{entry.wallet}/top-up/{entry.top_up}" if entry.top_up else None
        is_void = entry.kind == "void"
        yield (
            entry.id,
            entry.wallet,
            entry.kind,
            exact(entry.amount),
            entry.effective_at,
            entry.expires_at,
            entry.priority,
            (entry.category or "purchased") if entry.kind == "grant" else None,
            (entry.grant or top_up_id) if is_void else None,
            entry.to_wallet,
            None if is_void else top_up_id,
            entry.reason,
        )


WALLET_ROWS: dict[str, Callable[[Config], Rows]] = {
    "wallets": _wallets,
    "wallet_limits": _wallet_limits,
    "wallet_entries": _wallet_entries,
}
