"""What every test stands on: a clean environment, no network but loopback, one kept history."""

import os
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from platform_home import AS_OF, BUDGETS, Platform, demo_config, made_once

_OURS = (
    *("METERHOUSE_", "DAGSTER_", "DBT_", "DLT_", "AWS_", "WEBHOOK_", "COLLECTOR_", "OTEL_"),
    *("AGENTFORCE_", "ANTHROPIC_", "BEDROCK_", "DATABRICKS_", "HELICONE_", "LANGFUSE_", "LITELLM_"),
    *("OPENAI_", "OPENROUTER_", "PORTKEY_", "SAP_JOULE_", "SNOWFLAKE_"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--crash-points`."""
    parser.addoption(
        "--crash-points",
        choices=("sample", "all"),
        default="sample",
        help="kill a pass at a seeded sample of its checkpoints, or at every one of them",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Forgets what the shell says about this platform: a test sets what it needs."""
    config.addinivalue_line("markers", "crash: kills a pass and repairs it; some need minutes")
    for name in [name for name in os.environ if name.startswith(_OURS)]:
        del os.environ[name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole passes take longest, so their tests begin first: one worker's with a history of its
    own, while the other makes the history that all others start from.
    """
    items.sort(
        key=lambda item: ("replayed" not in item.fixturenames, "_live" not in item.fixturenames)
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file's tests go to one worker: they share passes. All kill points, if asked for, spread."""
    from xdist.scheduler import LoadScopeScheduling

    class Files(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return nodeid if config.option.crash_points == "all" else file

    config.option.loadscopereorder = False
    return Files(config, log)


@pytest.fixture(scope="session", autouse=True)
def _loopback_only() -> Iterator[None]:
    """Refuses every connection that would leave this machine."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def guarded(self: socket.socket, address: Any) -> None:
        _refuse_far(self, address)
        connect(self, address)

    def guarded_ex(self: socket.socket, address: Any) -> int:
        _refuse_far(self, address)
        return connect_ex(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        patch.setattr(socket.socket, "connect_ex", guarded_ex)
        yield


def _refuse_far(connection: socket.socket, address: Any) -> None:
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    host = address[0]
    if host != "localhost" and not ip_address(host.partition("%")[0]).is_loopback:
        raise PermissionError(f"tests stay on this machine: no connection to {host}")


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kept home after its first pass: five days of history, the gateway armed."""

    def make(folder: Path) -> None:
        platform = Platform(folder / "home", demo_config(folder / "config", budgets=BUDGETS))
        with platform.vendors():
            platform.arm(at=AS_OF)
            printed = platform.run(at=AS_OF)
        (folder / "printed.txt").write_text(printed, encoding="utf-8")

    return made_once(tmp_path_factory, "history", make=make)


@pytest.fixture(scope="session")
def _live(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    folder = tmp_path_factory.mktemp("live")
    return Platform(folder / "home", folder / "config")


@pytest.fixture
def platform(_live: Platform, history: Path) -> Platform:
    """The platform after its first pass; each test has it to itself."""
    _live.put_back(history)
    return _live
