"""Sources that stopped giving, told once: `source.failed`, and `source.recovered` when they do.

Where a freshness alert of `alerts.yaml` watches a source, that alert tells it, and nothing here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
from sqlalchemy import Engine

from orchestration.governance.bodies import iso
from orchestration.governance.endpoints import hearing_endpoints
from orchestration.governance.outages import Words, tell_outage
from orchestration.governance.subjects import Subject
from orchestration.ops.store import writing

_WORDS = Words("source", "source.failed", "source.recovered")
_READINGS = """
    select source_instance, source, last_read_at, last_usage_at, is_stale
    from trust.fct_source_freshness
    order by source_instance
"""


@dataclass(frozen=True, kw_only=True)
class SourceReading:
    """One source instance: when it was read last, and whether that is too long ago."""

    source_instance: str
    source: str | None
    last_read_at: datetime
    last_usage_at: datetime | None
    is_stale: bool


def read_sources(con: duckdb.DuckDBPyConnection) -> list[SourceReading]:
    """Every source that was ever read, as the published marts know it."""
    names = tuple(SourceReading.__annotations__)
    found = [dict(zip(names, row, strict=True)) for row in con.execute(_READINGS).fetchall()]
    for row in found:
        for name in ("last_read_at", "last_usage_at"):
            row[name] = row[name] and row[name].replace(tzinfo=UTC)  # marts hold naive UTC
    return [SourceReading(**row) for row in found]


def unwatched_sources(
    sources: Sequence[SourceReading], alerts: Mapping[str, Sequence[Subject]]
) -> list[SourceReading]:
    """The sources that no freshness alert tells of."""
    watched = {each.context["reading"]["source"] for each in alerts["freshness"]}
    return [each for each in sources if each.source_instance not in watched]


def announce_sources(engine: Engine, sources: Sequence[SourceReading], *, as_of: datetime) -> int:
    """How many messages now wait; an endpoint is told of changes since it was told last."""
    with writing(engine) as connection:
        endpoints = hearing_endpoints(connection)
        return sum(
            tell_outage(
                connection,
                _WORDS,
                source.source_instance,
                is_down=source.is_stale,
                data=_data(source, as_of),
                endpoints=endpoints,
                at=as_of,
            )
            for source in sources
        )


def _data(source: SourceReading, as_of: datetime) -> dict[str, object]:
    return {
        "source": source.source_instance,
        "system": source.source,
        "last_read_at": iso(source.last_read_at),
        "last_usage_at": iso(source.last_usage_at),
        "lag_seconds": int((as_of - source.last_read_at).total_seconds()),
        "as_of": iso(as_of),
    }
