"""Counters of the service and the state of its spool, as Prometheus reads them."""

from collections import Counter
from datetime import datetime

from ingestion.collector.spool import Held

_HELP = {
    "requests": "Requests by path and status.",
    "refused": "Requests that were refused, by path and reason.",
    "rows": "Rows on disk, by kind and source instance.",
    "set_aside": "Records that are not metered, by kind, source instance and reason.",
}
_GAUGES = {
    "spool_entries": "Requests in the spool, loaded ones until the next load.",
    "spool_rows": "Rows in the spool, loaded ones until the next load.",
    "spool_bytes": "Bytes of the spool.",
    "spool_oldest_seconds": "Age of the oldest request in the spool.",
}


class Metrics:
    """What happened since the start; labels are paths, statuses, ids of sources and our words."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()

    def count(self, name: str, number: int = 1, **labels: str) -> None:
        """Adds to a counter."""
        self._counts[name, tuple(sorted(labels.items()))] += number

    def text(self, held: Held | None, *, now: datetime) -> str:
        """Everything, in the text format."""
        lines = []
        for name, meaning in _HELP.items():
            full = f"meterhouse_collector_{name}_total"
            lines += [f"# HELP {full} {meaning}", f"# TYPE {full} counter"]
            for (counted, labels), number in sorted(self._counts.items()):
                if counted == name:
                    shown = ",".join(f'{label}="{value}"' for label, value in labels)
                    lines.append(f"{full}{{{shown}}} {number}")
        if held is not None:
            oldest = held.oldest_received_at
            age = (now - oldest).total_seconds() if oldest else 0
            values = (held.entries_count, held.rows_count, held.size_bytes, age)
            for (name, meaning), value in zip(_GAUGES.items(), values, strict=True):
                full = f"meterhouse_collector_{name}"
                lines += [f"# HELP {full} {meaning}", f"# TYPE {full} gauge", f"{full} {value:g}"]
        return "\n".join(lines) + "\n"
