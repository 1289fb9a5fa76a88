"""What providers bill the company for: calls through the gateway, some that went past it, tools.

The calls are the world's own, so that a bill and what was metered differ by what is named here and
by nothing else: three in a hundred tokens went past the gateway, and tools and seats were never
metered at all. Amounts are exact.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sandbox.catalogue import MODELS, PER_MILLION, Model
from sandbox.state import State
from sandbox.vendor import Grounds

JsonObject = dict[str, Any]
DIRECT_PERCENT = 3
DAY_SECONDS = 86_400
KINDS = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")


@dataclass(frozen=True)
class Used:
    """Tokens of one model in one bucket of time, by kind; `is_direct` went past the gateway."""

    start_s: int
    model: Model
    is_direct: bool
    requests: int
    tokens: dict[str, int]

    @property
    def day(self) -> date:
        """The UTC day."""
        return datetime.fromtimestamp(self.start_s, UTC).date()

    def usd(self, kind: str) -> Decimal:
        """What the tokens of a kind cost."""
        return getattr(self.model.rates[0], kind) * PER_MILLION * self.tokens[kind]


def used_by_provider(grounds: Grounds, provider: str, *, width: int) -> list[Used]:
    """What the provider served through the LiteLLM proxy, and past it, in buckets of `width` s."""
    if grounds.is_replay:
        return []
    calls = grounds.world.litellm
    is_billed = pc.and_(
        pc.and_(pc.equal(calls["provider"], provider), pc.equal(calls["status"], "success")),
        pc.not_equal(calls["cache_hit"], "True"),
    )
    served = calls.filter(is_billed)
    written = pc.add(served["cache_write_5m_tokens"], served["cache_write_1h_tokens"])
    uncached = pc.subtract(
        pc.subtract(served["prompt_tokens"], served["cache_read_tokens"]), written
    )
    table = pa.table(
        {
            "start_ms": served["start_ms"],
            "model": served["model"],
            "input": uncached,
            "output": served["completion_tokens"],
            **{kind: served[f"{kind}_tokens"] for kind in KINDS[1:4]},
        }
    )
    return _with_direct(_summed(table, width), _summed(table, DAY_SECONDS), width)


def used_on_bedrock(grounds: Grounds) -> list[Used]:
    """What Bedrock served by day, logged and not."""
    if grounds.is_replay:
        return []
    invocations = grounds.world.bedrock
    served = invocations.filter(pc.is_null(invocations["error_code"]))
    columns = {kind: served[f"{kind}_tokens"] for kind in KINDS}
    table = pa.table({"start_ms": served["start_ms"], "model": served["model_id"], **columns})
    days = _summed(table, DAY_SECONDS)
    return _with_direct(days, days, DAY_SECONDS)


def _summed(table: pa.Table, width: int) -> list[Used]:
    bucket = pc.cast(pc.floor(pc.divide(table["start_ms"], width * 1000)), pa.int64())
    grouped = (
        table.append_column("bucket", bucket)
        .group_by(["bucket", "model"])
        .aggregate([*((kind, "sum") for kind in KINDS), ("start_ms", "count")])
        .sort_by([("bucket", "ascending"), ("model", "ascending")])
    )
    models = {model.name: model for model in MODELS}
    return [
        Used(
            start_s=row["bucket"] * width,
            model=models[row["model"]],
            is_direct=False,
            requests=row["start_ms_count"],
            tokens={kind: row[f"{kind}_sum"] for kind in KINDS},
        )
        for row in grouped.to_pylist()
        if models[row["model"]].rates
    ]


def _with_direct(used: list[Used], days: list[Used], width: int) -> list[Used]:
    """Beside these, what went past the gateway: at noon, whatever the width of the buckets."""
    direct = [
        Used(
            start_s=(day.start_s + DAY_SECONDS // 2) // width * width,
            model=day.model,
            is_direct=True,
            requests=1,
            tokens={kind: count * DIRECT_PERCENT // 100 for kind, count in day.tokens.items()},
        )
        for day in days
    ]
    return used + [each for each in direct if any(each.tokens.values())]


def days_of(grounds: Grounds) -> list[date]:
    """The days of the world that are over; a replayed trace has none for a bill."""
    if grounds.is_replay:
        return []
    last = grounds.as_of.astimezone(UTC).date()
    return [last - timedelta(days=n) for n in range(grounds.days, 0, -1)]


def searches_on(day: date) -> int:
    """How many web searches models made that day; nobody meters them."""
    return 20 + day.toordinal() % 7


def added_lines(state: State, kind: str) -> list[JsonObject]:
    """Lines that a bill was given afterwards; one of the same day and name replaces the other."""
    return list(state.all(kind).values())


def add_line(state: State, kind: str, body: JsonObject) -> JsonObject:
    """Keeps a line that a bill is given afterwards; raises ValueError where it is none."""
    line = {
        "day": date.fromisoformat(str(body.get("day"))).isoformat(),
        "line_item": str(body["line_item"]),
        "amount": str(Decimal(str(body["amount"]))),
    }
    state.put(kind, id=f"{line['day']} {line['line_item']}", body=line)
    return line


def totals(used: Iterable[Used], *, other: Iterable[Decimal]) -> dict[str, int | str]:
    """Tokens and exact money of a bill: through the gateway, past it, and for other things."""
    parts = {True: Decimal(0), False: Decimal(0)}
    tokens = 0
    for each in used:
        parts[each.is_direct] += sum(each.usd(kind) for kind in KINDS)
        tokens += sum(each.tokens.values())
    rest = sum(other, Decimal(0))
    return {
        "tokens": tokens,
        "gateway_usd": f"{parts[False]:f}",
        "direct_usd": f"{parts[True]:f}",
        "other_usd": f"{rest:f}",
        "billed_usd": f"{parts[False] + parts[True] + rest:f}",
    }
