"""Langfuse's usage map as disjoint token buckets: a map in, buckets out, nothing else.

The names in the map are the client's, so they differ by the path a call came in. They are meant to
be disjoint, but LiteLLM counts cache writes twice and some put reasoning inside the output: the
reported total tells which, and what it does not explain is kept as a mismatch.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

_MAX_NAME = 128
_TOTALS = ("total", "total_tokens")
_WRITE = re.compile("cache.*creation|cache_write")
_READ = re.compile("cached|cache_read")
_REASONING = re.compile("reason|thought")
_OUTPUT = re.compile("output|completion|candidates|prediction")
_INPUT = re.compile("input|prompt|modality")
# What is counted in these is no token, whatever side it stands on.
_NO_TOKENS = re.compile("character|second|minute|request|page|images$|calls$")


@dataclass(frozen=True)
class Usage:
    """One observation's counts; None where the map does not name them.

    A value that is no count stands in its bucket as it is, so that its row is rejected for it.
    """

    input_tokens: Any = None
    cache_read_tokens: Any = None
    cache_write_5m_tokens: Any = None
    cache_write_1h_tokens: Any = None
    cache_write_unsplit_tokens: Any = None
    output_tokens: Any = None
    reasoning_tokens: Any = None
    audio_input_tokens: Any = None
    audio_output_tokens: Any = None
    image_input_tokens: Any = None
    image_output_tokens: Any = None
    reported_total: Any = None
    total_mismatch_tokens: int | None = None
    unit: str | None = None
    quantity: Any = None


def usage_of(details: Any) -> Usage:
    """The buckets of a usage map; an empty `Usage` where there is none."""
    counts: dict[str, Any] = {}
    units: dict[str, Any] = {}
    for name, value in sorted(details.items()) if isinstance(details, dict) else ():
        kind = _kind(name.lower()) if isinstance(name, str) else None
        if value is None or not isinstance(name, str):
            continue
        if kind is None:
            units[name[:_MAX_NAME]] = number_of(value)
        else:
            counts[kind] = _plus(counts.get(kind, 0), number_of(value))
    # A standard event carries one unit: the first by name; the map itself is kept beside it.
    unit = next((name for name, value in units.items() if value != 0), None)
    mismatch = None
    if all(_is_count(value) for value in (*counts.values(), *units.values())):
        mismatch = _settle(counts, units=sum(units.values()))
    return Usage(
        **counts, total_mismatch_tokens=mismatch, unit=unit, quantity=units[unit] if unit else None
    )


def number_of(value: Any) -> Any:
    """A whole number that is written as text (ClickHouse quotes 64 bits) as a number."""
    is_digits = isinstance(value, str) and value.isascii() and value.isdecimal()
    return int(value) if is_digits and len(value) <= 20 else value


def numbers_text(amounts: Any) -> Any:
    """A map's numbers as JSON text, sorted by name; None without any, no map as it is."""
    if amounts is None or not isinstance(amounts, dict):
        return amounts
    numbers = {
        name: number
        for name, number in ((name, number_of(value)) for name, value in amounts.items())
        if isinstance(name, str) and len(name) <= _MAX_NAME and _is_number(number)
    }
    return json.dumps(numbers, sort_keys=True, separators=(",", ":")) if numbers else None


def is_used(record: Mapping[str, Any]) -> bool:
    """Whether an observation says that something was used or paid for."""
    details = record.get("usageDetails")
    amounts = [*details.values()] if isinstance(details, dict) else []
    amounts = [number_of(value) for value in (*amounts, record.get("totalCost"))]
    return any(_is_number(amount) and amount > 0 for amount in amounts)


def _kind(name: str) -> str | None:
    """The field of `Usage` a name counts in; None for a unit of its own."""
    if name in _TOTALS:
        return "reported_total"
    if _WRITE.search(name):
        lifetime = "1h" if "1h" in name else "5m" if "5m" in name else "unsplit"
        return f"cache_write_{lifetime}_tokens"
    if _READ.search(name):
        return "cache_read_tokens"
    if _REASONING.search(name):
        return "reasoning_tokens"
    is_output = bool(_OUTPUT.search(name))
    if _NO_TOKENS.search(name) or not (is_output or _INPUT.search(name) or "token" in name):
        return None
    side = "output" if is_output else "input"
    # Text, document and video parts are priced as plain tokens; only these two stand apart.
    medium = next((f"{medium}_" for medium in ("audio", "image") if medium in name), "")
    return f"{medium}{side}_tokens"


def _settle(counts: dict[str, int], *, units: int) -> int | None:
    """Takes out of `counts` what is counted twice; the rest of the difference to the total."""
    total = counts.get("reported_total")
    if total is None:
        return None
    tokens = sum(count for kind, count in counts.items() if kind != "reported_total")
    excess = tokens + units - total
    # A total of tokens beside a custom unit.
    if excess == units:
        return 0
    written = sum(count for kind, count in counts.items() if kind.startswith("cache_write_"))
    for inside, bucket in (
        (written, "input_tokens"),
        (counts.get("cache_read_tokens", 0), "input_tokens"),
        (counts.get("reasoning_tokens", 0), "output_tokens"),
    ):
        if 0 < excess == inside <= counts.get(bucket, 0):
            counts[bucket] -= excess
            return 0
    return -excess


def _plus(sum_so_far: Any, value: Any) -> Any:
    """The sum of two counts, or the one that is none."""
    if not _is_count(sum_so_far):
        return sum_so_far
    return sum_so_far + value if _is_count(value) else value


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    return math.isfinite(value)
