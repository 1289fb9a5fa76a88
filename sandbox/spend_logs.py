"""The proxy's spend log: the calls of the world and the rows added since, in windows and pages."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from sandbox.spend_rows import JsonObject, spend_rows, with_float_costs
from sandbox.state import State
from sandbox.world import World, milliseconds

ADDED_ROW = "spend_row"
Filter = Callable[[JsonObject], bool]


@dataclass(frozen=True)
class Page:
    """One page of rows and how many rows the whole window holds."""

    rows: list[JsonObject]
    total: int


class SpendLog:
    """Every row the proxy can serve, ordered by start time; added rows are kept in the state."""

    def __init__(self, world: World, *, state: State, canary: str) -> None:
        self._as_of = world.as_of
        self._calls = with_float_costs(world.litellm)
        self._state = state
        self._canary = canary
        self._starts: list[int] = world.litellm.column("start_ms").to_pylist()
        self._added: list[tuple[int, str, JsonObject]] = []
        self._sort_in(state.all(ADDED_ROW))

    def add(self, rows: Sequence[JsonObject]) -> list[JsonObject]:
        """Append rows; those whose request id is already there are left out of what is returned."""
        documents: dict[str, JsonObject] = {}
        for row in rows:
            documents.setdefault(
                str(row.get("request_id")), {"at_ms": self._start_of(row), "row": row}
            )
        new = self._state.add(ADDED_ROW, documents=documents)
        self._sort_in({id: documents[id] for id in new})
        return [documents[id]["row"] for id in new]

    def added(self) -> list[JsonObject]:
        """The rows that are not part of the world, by start time."""
        return [row for _, _, row in self._added]

    def page(
        self, *, from_ms: int, to_ms: int, offset: int, limit: int, is_descending: bool
    ) -> Page:
        """One page of the rows that start in the window, both ends included."""
        low, high = bisect_left(self._starts, from_ms), bisect_right(self._starts, to_ms)
        first = bisect_left(self._added, from_ms, key=_at)
        added = self._added[first : bisect_right(self._added, to_ms, key=_at)]
        # Where each added row stands among all rows of the window.
        ranks = [
            bisect_right(self._starts, at, low, high) - low + number
            for number, (at, _, _) in enumerate(added)
        ]
        total = high - low + len(added)
        start, stop = offset, min(offset + limit, total)
        if is_descending:
            start, stop = max(total - offset - limit, 0), max(total - offset, 0)
        if start >= stop:
            return Page(rows=[], total=total)
        before, until = bisect_left(ranks, start), bisect_left(ranks, stop)
        served = self._rows(low + start - before, stop - start - (until - before))
        for rank, (_, _, row) in zip(ranks[before:until], added[before:until], strict=True):
            served.insert(rank - start, row)
        if is_descending:
            served.reverse()
        return Page(rows=served, total=total)

    def filtered(
        self,
        *,
        from_ms: int,
        to_ms: int,
        offset: int,
        limit: int,
        is_descending: bool,
        keeps: Filter,
        sort_by: Callable[[JsonObject], Any],
    ) -> Page:
        """One page of the rows of the window that a filter keeps, in any order; slow, but exact."""
        whole = self.page(from_ms=from_ms, to_ms=to_ms, offset=0, limit=2**62, is_descending=False)
        rows = sorted(filter(keeps, whole.rows), key=sort_by, reverse=is_descending)
        return Page(rows=rows[offset : offset + limit], total=len(rows))

    def _rows(self, first: int, count: int) -> list[JsonObject]:
        if count <= 0:
            return []
        calls: pa.Table = self._calls.slice(first, count)
        return spend_rows(calls, canary=self._canary)

    def _start_of(self, row: JsonObject) -> int:
        """When the row stands in the log; a start that cannot be read stands at the end."""
        try:
            moment = datetime.fromisoformat(str(row.get("startTime")))
        except ValueError:
            return milliseconds(self._as_of)
        return milliseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))

    def _sort_in(self, documents: dict[str, Any]) -> None:
        self._added += [(body["at_ms"], id, body["row"]) for id, body in documents.items()]
        self._added.sort(key=lambda added: added[:2])


def _at(added: tuple[int, str, JsonObject]) -> int:
    return added[0]
