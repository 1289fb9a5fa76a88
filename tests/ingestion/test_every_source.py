"""What holds for every source that is declared in config/, read from the simulated vendors.

Unchanged vendors add nothing, however often they are read; what was read is loaded or rejected; a
vendor that fails fails its source with words, and moves no cursor.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from raw_loads import cursor_of, refusal, rows_of, tied
from scripted_server import Answer, scripted_server

from ingestion.config_loader import load_config
from ingestion.declared_tables import declare_tables
from ingestion.pipeline import pipeline_for, run_source, warehouse_path
from ingestion.source_config import SourceConfig
from ingestion.systems import SYSTEMS, build_source, credential_fields, is_read
from sandbox.server import Sandbox

AS_OF = datetime(2026, 11, 23, 18, tzinfo=UTC)
CANARY = "canary-9d04-what-somebody-asked"
CONFIG = Path(__file__).resolve().parents[2] / "config"
# A folder of our own files is no vendor: tests/ingestion/test_revenue.py.
SOURCES = {
    source.id: source
    for source in load_config(CONFIG).sources
    if is_read(source) and source.system != "revenue"
}
LOOPBACK = re.compile(r"http://127\.0\.0\.1:\d+")
FAULTS = {
    "storm": Answer({"error": "slow down"}, status=429, headers={"Retry-After": "0"}),
    "html": Answer("<html><body>sign in</body></html>", headers={"Content-Type": "text/html"}),
    "truncated": Answer('{"data": [{"id": "a", "usa'),
    "empty": Answer(""),
}


@dataclass(frozen=True)
class Vendors:
    """The variables the platform is given, and the homes of the sources read so far."""

    environ: Mapping[str, str]
    folder: Path

    def credentials(self, source: SourceConfig) -> dict[str, str | None]:
        """What the source signs in with."""
        named = {name: getattr(source, f"{name}_env") for name in credential_fields(type(source))}
        return {name: self.environ[env] if env else None for name, env in named.items()}

    def load(self, source: SourceConfig, *, credentials: Mapping[str, str | None], n: int) -> Path:
        """A reading of a source n minutes after the world's end, into a home of its own."""
        home = self.folder / source.id
        built = build_source(
            source,
            credentials=credentials,
            now=AS_OF + timedelta(minutes=n),
            deep_reread=n == 4,
        )
        run_source(pipeline_for(source.system, instance=source.id, home=home), built)
        return home


@pytest.fixture(scope="module")
def vendors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendors]:
    """The simulated vendors over three days of a small world."""
    folder = tmp_path_factory.mktemp("every_source")
    with Sandbox(
        home=folder / "sandbox", as_of=AS_OF, events=300, days=3, canary=CANARY
    ) as sandbox:
        yield Vendors(environ=sandbox.environment(), folder=folder)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for pause in (
        "http.BACKOFF_SECONDS",
        "portkey_exports.POLL_SECONDS",
        "databricks_sql.PAUSE_SECONDS",
        "openrouter_api.PACE_SECONDS",
        "helicone.PACE_SECONDS",
    ):
        monkeypatch.setattr(f"ingestion.{pause}", 0.001)
    # botocore waits for seconds between its tries.
    monkeypatch.setattr("ingestion.s3.MAX_ATTEMPTS", 1)


def counted(home: Path, source: SourceConfig) -> dict[str, tuple[int, int, int]]:
    """Rows read, loaded and rejected of each resource, tied to what its tables hold."""
    declare_tables(home)  # what is switched off, as a bucket that is not named, has read nothing
    return {
        contract.resource: tied(home, table=f"raw_{source.system}.{contract.resource}")
        for contract in SYSTEMS[source.system].contracts
    }


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_an_unchanged_vendor_adds_nothing_and_no_content(vendors: Vendors, name: str) -> None:
    source = SOURCES[name]
    credentials = vendors.credentials(source)
    home = vendors.load(source, credentials=credentials, n=0)
    first = counted(home, source)
    assert sum(loaded for _, loaded, _ in first.values()) > 0
    for n in range(1, 5):
        vendors.load(source, credentials=credentials, n=n)
    assert distinct(home, source) == {
        resource: loaded for resource, (_, loaded, _) in first.items()
    }
    assert sum(rejected for _, _, rejected in counted(home, source).values()) == 0
    written = [path for path in home.rglob("*") if path.is_file()]
    assert [path for path in written if CANARY.encode() in path.read_bytes()] == []


def distinct(home: Path, source: SourceConfig) -> dict[str, int]:
    """Different rows of each resource, wherever and whenever they were read."""
    counts = {}
    for contract in SYSTEMS[source.system].contracts:
        names = ", ".join(f'"{column.name}"' for column in contract.columns)
        table = f"raw_{source.system}.{contract.resource}"
        query = f"select count(*) from (select distinct {names} from {table})"
        counts[contract.resource] = rows_of(home, query)[0][0]
    return counts


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", sorted(SOURCES))
def test_a_vendor_that_fails_moves_nothing_and_is_named(
    vendors: Vendors, name: str, fault: str
) -> None:
    source = SOURCES[name]
    credentials = vendors.credentials(source)
    home = vendors.folder / source.id
    if not warehouse_path(home).exists():
        vendors.load(source, credentials=credentials, n=0)
    before = cursor_of(home, source.system, source.id), contents(home)
    with scripted_server(lambda asked: FAULTS[fault]) as server:
        elsewhere: dict[str, Any] = {
            field: value and LOOPBACK.sub(server.url, value) for field, value in credentials.items()
        }
        assert elsewhere != credentials
        with pytest.raises(PipelineStepFailed) as failed:
            vendors.load(source, credentials=elsewhere, n=9)
    words = refusal(failed)
    assert source.system.partition("_")[0] in words or "127.0.0.1" in words
    for secret in filter(None, credentials.values()):
        assert LOOPBACK.search(secret) or secret not in words
    assert (cursor_of(home, source.system, source.id), contents(home)) == before


def contents(home: Path) -> dict[str, int]:
    """How many rows each table of complete loads holds."""
    with duckdb.connect(str(warehouse_path(home)), read_only=True) as connection:
        tables = connection.execute(
            """select table_schema || '.' || table_name from information_schema.tables
            where not table_name like '!_dlt!_%' escape '!' order by all"""
        ).fetchall()
        return {
            table: connection.execute(f"select count(*) from {table}").fetchall()[0][0]
            for (table,) in tables
        }
