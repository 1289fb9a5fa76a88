"""Buckets of time by cursor pages, as OpenAI and Anthropic both answer their usage and costs."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

JsonObject = dict[str, Any]
WIDTHS = {"1m": 60, "1h": 3_600, "1d": 86_400}
USAGE_LIMITS = {"1m": (60, 1_440), "1h": (24, 168), "1d": (7, 31)}


@dataclass(frozen=True)
class Asked:
    """What buckets a request is for; times in seconds, the end exclusive."""

    start_s: int
    end_s: int
    width: str
    limit: int
    page: str | None


def page_of(asked: Asked, *, last_s: int, rows: Callable[[int, int], Any]) -> JsonObject | None:
    """The buckets of one page, oldest first, and how it goes on; None for a cursor of nobody's.

    `rows` answers the results of a bucket by its bounds; there is no bucket from `last_s` on.
    """
    width = WIDTHS[asked.width]
    first = asked.start_s // width
    end = -(-min(asked.end_s, last_s) // width)
    skipped = _position(asked.page)
    if skipped is None:
        return None
    starts = [number * width for number in range(first, end)]
    shown = starts[skipped : skipped + asked.limit]
    has_more = skipped + asked.limit < len(starts)
    return {
        "buckets": [(start, start + width, rows(start, start + width)) for start in shown],
        "has_more": has_more,
        "next_page": _cursor(skipped + asked.limit) if has_more else None,
    }


def grouped(
    rows: Sequence[JsonObject], *, by: Sequence[str], dimensions: Sequence[str], amounts: Any
) -> list[JsonObject]:
    """The rows summed by some of their dimensions; the others are null."""
    sums: dict[tuple[Any, ...], JsonObject] = {}
    for row in rows:
        key = tuple(row.get(name) for name in by)
        found = sums.get(key)
        if found is None:
            kept = {name: row.get(name) if name in by else None for name in dimensions}
            sums[key] = {**{k: v for k, v in row.items() if k not in dimensions}, **kept}
        else:
            for name in amounts:
                if row.get(name) is not None:
                    found[name] = (found.get(name) or 0) + row[name]
    return list(sums.values())


def _cursor(position: int) -> str:
    return "page_" + base64.urlsafe_b64encode(str(position).encode()).decode()


def _position(page: str | None) -> int | None:
    if page is None:
        return 0
    try:
        text = base64.urlsafe_b64decode(page.removeprefix("page_")).decode()
    except (binascii.Error, ValueError):
        return None
    return int(text) if text.isdecimal() else None
