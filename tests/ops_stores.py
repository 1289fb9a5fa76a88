"""Operational stores for tests: open, look into, close."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Table, select

from orchestration.governance.endpoints import EndpointConfig
from orchestration.ops.store import open_store, reading
from orchestration.ops.tables import desired_limit, transition

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
PREVIOUS_SECRET = "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
ENVIRON = {"HOOK_SECRET": SECRET, "HOOK_SECRET_OLD": PREVIOUS_SECRET}


def store_url(folder: Path) -> str:
    """The URL of a store in this folder."""
    return f"sqlite:///{folder / 'ops.sqlite'}"


@contextmanager
def opened_store(folder: Path, url: str | None = None) -> Iterator[Engine]:
    """An open store that is closed again: of the folder, unless its URL is told."""
    engine = open_store(url or store_url(folder))
    try:
        yield engine
    finally:
        engine.dispose()


def endpoint(identity: str = "finops", **changes: Any) -> EndpointConfig:
    """An endpoint at HOOK_URL that hears everything; http and loopback allowed."""
    values: dict[str, Any] = {
        "url_env": "HOOK_URL",
        "secret_env": "HOOK_SECRET",
        "allow_insecure": True,
    }
    return EndpointConfig(id=identity, **(values | changes))


def rows(engine: Engine, table: Table) -> list[dict[str, Any]]:
    """Every row of a table, as dictionaries in key order."""
    query = select(table).order_by(*table.primary_key.columns)
    with reading(engine) as connection:
        return [dict(row._mapping) for row in connection.execute(query)]


def wants(engine: Engine) -> list[tuple[str, str, int]]:
    """Key, wanted limit and generation of each key."""
    return [(row["key_ref"], row["want"], row["generation"]) for row in rows(engine, desired_limit)]


def steps(engine: Engine) -> list[tuple[int, str, str]]:
    """Sequence, level before and level after of each transition, period by period."""
    found = sorted(rows(engine, transition), key=lambda row: (row["period_start"], row["seq"]))
    return [(row["seq"], row["from_level"], row["to_level"]) for row in found]


def body(row: dict[str, Any]) -> dict[str, Any]:
    """A message of the outbox, read."""
    return json.loads(row["body"])
