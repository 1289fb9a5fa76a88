"""An operational store of each kind, for tests that must hold on both."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from ops_stores import store_url
from postgres_server import empty_database, postgres_server


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a Postgres server of the module's own."""
    with postgres_server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def ops_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store."""
    if request.param == "sqlite":
        return store_url(tmp_path)
    return empty_database(request.getfixturevalue("server"))
