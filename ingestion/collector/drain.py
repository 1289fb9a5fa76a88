"""What was pushed, out of the spool and the inbox: one row is one event, span or logged call.

Billed by: whoever the row names; a reported cost is its sender's claim. Auth: none, both lie under
the home. Lag: seconds. A correction is another row of the same identity: the latest wins.
The cursor is the last sequence that was read, by kind; it commits with the rows. What an earlier
run brought is removed from the spool by the next one, whose cursor, which comes from the
destination, shows that it is there. So a kill on either side neither loses nor doubles a row.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import dlt
from dlt.extract import DltResource

from ingestion.batches import Batch, batches_of, split
from ingestion.checkpoints import checkpoint
from ingestion.collector import inbox, spool, tables
from ingestion.collector.auth import Sender, sender_of
from ingestion.collector.pepper import pepper
from ingestion.collector.sources import PUSHES, push_sources
from ingestion.contracts import Contract
from ingestion.resources import rows_rejected_reads
from ingestion.source_config import SourceConfig

BATCH_ROWS = 20_000
_DESCRIPTIONS = {
    "events": "Events that applications pushed; key event_id, else request_id, else their hash.",
    "spans": "Inference spans from OpenTelemetry; key trace and span id.",
    "litellm_logs": "Calls that LiteLLM pushed; key litellm_call_id, else id.",
    "inbox_events": "Events that were dropped as files; key as that of pushed events.",
}


@dlt.source(name="collector", max_table_nesting=0)
def collector_source(
    *,
    home: Path,
    sources: Sequence[SourceConfig],
    now: datetime,
    environ: Mapping[str, str],
) -> Sequence[DltResource]:
    """All that was pushed since the last run, of every sender."""
    senders = {source.id: sender_of(source, {}) for source in push_sources(sources)}
    reads = {
        contract.resource: partial(_spooled, home, contract, senders=senders, now=now)
        for contract in tables.SPOOLED
    }
    dropped = partial(_dropped, home, senders=senders, now=now, environ=environ)
    reads[tables.INBOX_EVENTS.resource] = dropped
    return [
        resource
        for name, batches in reads.items()
        for resource in rows_rejected_reads(name, batches, description=_DESCRIPTIONS[name])
    ]


def _spooled(
    home: Path, contract: Contract, *, senders: Mapping[str, Sender], now: datetime
) -> Iterator[Batch]:
    """A batch or more a sender of what came after the cursor; then moves the cursor."""
    path, kind = spool.spool_path(home), contract.resource
    newest = spool.newest(path)
    asked = {each.instance for each in senders.values() if kind in PUSHES[each.system]}
    if newest is not None:
        # Sequences of another spool say nothing about this one: a new file starts at 1 again.
        cursors = dlt.current.source_state().setdefault("cursors", {})
        cursor = cursors.get(newest.spool_id, {}).get(kind, 0)
        spool.remove_loaded(path, kind=kind, loaded_up_to=cursor)
        found = spool.instances_after(path, kind=kind, after=cursor, up_to=newest.last_sequence)
        for instance in found:
            rows = spool.rows_after(
                path,
                kind=kind,
                after=cursor,
                up_to=newest.last_sequence,
                source_instance=instance,
            )
            yield from _batches(rows, contract, instance=instance, now=now)
        asked -= set(found)
        cursors.setdefault(newest.spool_id, {})[kind] = max(cursor, newest.last_sequence)
    # That a sender had nothing new is a fact as well.
    for instance in sorted(asked):
        yield split([], contract=contract, source_instance=instance, extracted_at=now)


def _dropped(
    home: Path, *, senders: Mapping[str, Sender], now: datetime, environ: Mapping[str, str]
) -> Iterator[Batch]:
    """A batch or more a new file of the inbox; files that are gone are forgotten."""
    may = {name for name, sender in senders.items() if "events" in PUSHES[sender.system]}
    state = dlt.current.source_state()
    there = {f"{path.parent.name}/{path.name}" for path in inbox.listed(home)}
    known = {name: digest for name, digest in state.get("files", {}).items() if name in there}
    asked = set(may)
    for file in inbox.new_files(home, instances=frozenset(may), known=known):
        rows = inbox.rows_of(file, sender=senders[file.instance], pepper=pepper(home, environ))
        yield from _batches(rows, tables.INBOX_EVENTS, instance=file.instance, now=now)
        known[file.name] = file.sha256
        asked.discard(file.instance)
    for instance in sorted(asked):
        yield split([], contract=tables.INBOX_EVENTS, source_instance=instance, extracted_at=now)
    state["files"] = known


def _batches(
    rows: Iterator[tuple[str, Any]], contract: Contract, *, instance: str, now: datetime
) -> Iterator[Batch]:
    for batch in batches_of(
        rows,
        contract=contract,
        source_instance=instance,
        extracted_at=now,
        batch_rows=BATCH_ROWS,
    ):
        checkpoint("extract_page")
        yield batch
