"""The records of a request as the spool keeps them, and as rows again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ingestion.batches import SetAside
from ingestion.collector.events import event_row

Row = dict[str, Any] | SetAside


@dataclass(frozen=True)
class Taken:
    """What a request holds: how many records, those that are not metered, and what is written."""

    rows_count: int
    refusals: Sequence[tuple[int, SetAside]]
    content: bytes


def taken(rows: Sequence[Row]) -> Taken:
    """Cleaned rows, as they are."""
    stored = [
        [row.column_name, row.reason, row.sha256] if isinstance(row, SetAside) else row
        for row in rows
    ]
    refusals = [(n, row) for n, row in enumerate(rows) if isinstance(row, SetAside)]
    return Taken(len(rows), refusals, orjson.dumps(stored))


def taken_as_sent(events: Sequence[dict[str, Any]], *, evidence_layer: str) -> Taken:
    """Events that hold nothing but what may be kept: they become rows when they are loaded."""
    content = {"evidence_layer": evidence_layer, "events": events}
    return Taken(len(events), (), orjson.dumps(content))


def rows_in(content: bytes, *, instance: str) -> Iterator[Row]:
    """The rows of what was written."""
    stored = orjson.loads(content)
    if isinstance(stored, list):
        for row in stored:
            yield row if isinstance(row, dict) else SetAside(*row)
        return
    for event in stored["events"]:
        yield event_row(
            event, instance=instance, evidence_layer=stored["evidence_layer"], pepper=b""
        )
