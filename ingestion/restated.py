"""Reading windows that may be restated: a day, a month, or the whole of a small list.

A window is read whole. One that reads exactly as last time is not appended again: its digest lies
in the dlt state, which commits together with the rows. One that changed is appended whole, and
staging keeps the newest complete reading of each (DESIGN D2).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import dlt

from ingestion.batches import Batch, sha256_of, split
from ingestion.checkpoints import checkpoint
from ingestion.contracts import Contract

SNAPSHOT = "snapshot"


@dataclass(frozen=True)
class WindowRead:
    """One window: its key, and how its (locator, record) pairs are fetched."""

    key: str
    records: Callable[[], Iterable[tuple[str, Any]]]


def window_batches(
    windows: Iterable[WindowRead],
    *,
    contract: Contract,
    source_instance: str,
    extracted_at: datetime,
) -> Iterator[Batch]:
    """A batch for each window that changed since it was last read; one of nothing where none did.

    Windows that are not read this time are remembered as they were: a source with windows without
    number forgets those that it never reads again.
    """
    state = dlt.current.source_state()
    known: Mapping[str, str] = state.get("digests", {}).get(contract.resource, {})
    digests = dict(known)
    is_any_new = False
    for window in windows:
        records = list(window.records())
        checkpoint("extract_page")
        digests[window.key] = _digest(records, contract)
        if digests[window.key] == known.get(window.key):
            continue
        is_any_new = True
        yield split(
            records,
            contract=contract,
            source_instance=source_instance,
            extracted_at=extracted_at,
            window_key=window.key,
        )
    if not is_any_new:
        # That a source was asked and had nothing new is a fact: freshness is told from it.
        yield split(
            [], contract=contract, source_instance=source_instance, extracted_at=extracted_at
        )
    state.setdefault("digests", {})[contract.resource] = digests


def read_windows(contract: Contract) -> frozenset[str]:
    """The keys of the windows that were read before."""
    known = dlt.current.source_state().get("digests", {})
    return frozenset(known.get(contract.resource, {}))


def _digest(records: Iterable[tuple[str, Any]], contract: Contract) -> str:
    """A digest of everything that would be loaded; what is no object counts as it is."""
    picked = [
        contract.pick(record) if isinstance(record, dict) else record for _, record in records
    ]
    return sha256_of(picked)
