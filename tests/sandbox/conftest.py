"""A running sandbox a test module: small, with a fixed end of time."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.server import Sandbox

AS_OF = datetime(2026, 11, 23, 18, tzinfo=UTC)
Ask = Callable[..., requests.Response]


@pytest.fixture(scope="session")
def as_of() -> datetime:
    """The end of every test world."""
    return AS_OF


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Simulated vendors with 3,000 events in ten days."""
    home: Path = tmp_path_factory.mktemp("home")
    with Sandbox(home=home, as_of=AS_OF, events=3_000, days=10) as running:
        yield running


@pytest.fixture
def ask(sandbox: Sandbox) -> Ask:
    """Ask the proxy as its admin, or with another key, or none."""

    def send(method: str, path: str, *, key: str | None = None, **facts: Any) -> requests.Response:
        raw = sandbox.master_key if key is None else key
        headers = {"Authorization": f"Bearer {raw}"} if raw else {}
        headers |= facts.pop("headers", {})
        return requests.request(
            method, sandbox.litellm_url + path, headers=headers, timeout=10, **facts
        )

    return send
