"""Operational stores for tests: open, look into, close."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Table, select

from orchestration.governance.endpoints import EndpointConfig
from orchestration.ops.store import open_store, reading

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
PREVIOUS_SECRET = "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
ENVIRON = {"HOOK_SECRET": SECRET, "HOOK_SECRET_OLD": PREVIOUS_SECRET}


def store_url(folder: Path) -> str:
    """The URL of a store in this folder."""
    return f"sqlite:///{folder / 'ops.sqlite'}"


@contextmanager
def opened_store(folder: Path) -> Iterator[Engine]:
    """An open store that is closed again."""
    engine = open_store(store_url(folder))
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
