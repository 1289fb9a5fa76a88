"""A month of metered usage and its bill: exact by construction, until a fault is planted.

Each provider is a world of its own, so that one warehouse holds every fault apart and all together.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.warehouse import building_marts

MONTH = date(2026, 9, 1)
DAYS = 30
AS_OF = datetime(2026, 10, 3, 12)  # noqa: DTZ001 (the warehouse stores naive UTC)
KINDS = (
    *("input", "cache_read", "cache_write_5m", "cache_write_30m", "cache_write_1h"),
    *("cache_write_12h", "output", "reasoning"),
    *("audio_input", "audio_output", "image_input", "image_output"),
)
# Rates a token, and tokens of one act. Four acts a day of each model, so 13.00 and 2.40 a day.
RATES = {
    "large": {"input": "0.000002", "cache_read": "0.0000002", "output": "0.00001"},
    "small": {"input": "0.0000005", "output": "0.000002"},
}
TOKENS = {
    "large": {"input": 500_000, "cache_read": 1_250_000, "output": 200_000},
    "small": {"input": 200_000, "output": 250_000},
}
ACTS_A_DAY = 4
Part = tuple[int, str | None, str]


@dataclass
class Act:
    """One metered act; `day` counts from 1."""

    day: int
    model: str
    number: int
    tokens: dict[str, int]
    usd: Decimal | None
    request_id: str
    known: bool = True


@dataclass
class Line:
    """One line of the bill."""

    day: int
    meter: str
    usd: Decimal | None
    model: str | None = None
    tokens: int | None = None
    amount: Decimal | None = None
    currency: str = "USD"
    is_model_use: bool = True


@dataclass
class World:
    """What one provider was metered for and what it bills."""

    acts: list[Act] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    # Tokens that a usage report tells apart from the bill, by day, model and kind.
    reported: dict[tuple[int, str, str], int] = field(default_factory=dict)
    # The bill's name of a model -> the model.
    aliases: dict[str, str] = field(default_factory=dict)

    def acts_of(self, day: int, model: str) -> list[Act]:
        """The acts of a day on one model."""
        return [act for act in self.acts if act.day == day and act.model == model]

    def line_of(self, day: int, model: str, meter: str) -> Line:
        """The line of a day for one model and meter."""
        return next(x for x in self.lines if (x.day, x.model, x.meter) == (day, model, meter))


def usd_of(model: str, tokens: dict[str, int]) -> Decimal:
    """What tokens cost at the list rates."""
    return sum((Decimal(RATES[model][kind]) * n for kind, n in tokens.items()), Decimal(0))


def clean_world() -> World:
    """A month whose bill asks for exactly what was metered."""
    world = World()
    for day in range(1, DAYS + 1):
        for model, tokens in TOKENS.items():
            for number in range(ACTS_A_DAY):
                name = f"{model}-{day}-{number}"
                act = Act(day, model, number, dict(tokens), usd_of(model, tokens), name)
                world.acts.append(act)
            for kind, each in tokens.items():
                total = each * ACTS_A_DAY
                usd = Decimal(RATES[model][kind]) * total
                world.lines.append(Line(day, kind, usd, model, total))
    return world


def landed(home: Any, worlds: dict[str, World]) -> None:
    """The tables that reconciliation reads, as other rooms would have built them."""
    home.mkdir(parents=True, exist_ok=True)
    acts = [_act(name, act) for name, world in worlds.items() for act in world.acts]
    lines = [
        _line(name, number, line)
        for name, world in worlds.items()
        for number, line in enumerate(world.lines)
    ]
    with duckdb.connect(str(building_marts(home))) as marts:
        marts.execute("create schema core")
        marts.register("acts", pa.Table.from_pylist(acts, schema=_ACTS))
        marts.execute("create table core.fct_usage as select * from acts")
    with duckdb.connect(str(home / "warehouse.duckdb")) as warehouse:
        warehouse.execute("create schema staging; create schema intermediate")
        warehouse.register("lines", pa.Table.from_pylist(lines, schema=_LINES))
        warehouse.execute("create table intermediate.int_bills__lines as select * from lines")
        owned = pa.table({"provider": list(worlds), "source_instance": ["bill"] * len(worlds)})
        warehouse.register("owned", owned)
        warehouse.execute("create table staging.stg_config__owned_providers as from owned")
        warehouse.execute(
            f"""create table staging.stg_run__current_pass as
            select 1::bigint as pass_id, timestamp '{AS_OF}' as as_of"""
        )
        warehouse.execute(_EMPTY)
        for name, world in worlds.items():
            for (day, model, kind), tokens in world.reported.items():
                warehouse.execute(
                    "insert into intermediate.int_bills__usage values (?, ?, ?, ?, ?, ?, ?)",
                    ["s", "bill", name, MONTH + timedelta(days=day - 1), model, kind, tokens],
                )
            for alias, model in world.aliases.items():
                warehouse.execute(
                    "insert into intermediate.int_prices__aliases values (?, ?, ?, ?)",
                    [name, alias, name, model],
                )


def _act(provider: str, act: Act) -> dict[str, Any]:
    tokens = {f"{kind}_tokens": act.tokens.get(kind, 0) for kind in KINDS}
    given = sum(n for kind, n in act.tokens.items() if kind != "output")
    day = MONTH + timedelta(days=act.day - 1)
    at = datetime(day.year, day.month, day.day, 9 + act.number)  # noqa: DTZ001
    return {
        "usage_key": f"{provider}/{act.request_id}/{act.number}",
        "provider": provider,
        "usage_on": day,
        "occurred_at": at,
        "loaded_at": at,
        "fidelity": "per_request",
        "attempt": 1,
        "is_costed": True,
        "price_status": "unmatched_model" if act.usd is None else "priced",
        "model_served": act.model,
        "model_id": f"{provider}/{act.model}" if act.known else None,
        "request_id": act.request_id,
        "total_input_tokens": given,
        "total_output_tokens": act.tokens.get("output", 0),
        "total_tokens": sum(act.tokens.values()),
        "effective_cost_usd": act.usd,
        **tokens,
    }


def _line(provider: str, number: int, line: Line) -> dict[str, Any]:
    return {
        "bill_line_key": f"{provider}-{number}",
        "provider": provider,
        "source": "openai_bill",
        "source_instance": "bill",
        "billed_on": MONTH + timedelta(days=line.day - 1),
        "line_item": f"{line.model}, {line.meter}",
        "model_name": line.model,
        "meter": line.meter,
        "quantity": None if line.tokens is None else Decimal(line.tokens),
        "quantity_unit": None if line.tokens is None else "tokens",
        "billed_amount": line.usd if line.amount is None else line.amount,
        "currency_code": line.currency,
        "billed_cost_usd": line.usd,
        "is_metered_kind": line.is_model_use,
        "is_authoritative": True,
    }


_TEXTS = ("usage_key", "provider", "price_status", "model_served", "model_requested", "model_id")
_ACTS = pa.schema(
    [
        *((name, pa.string()) for name in (*_TEXTS, "request_id", "fidelity")),
        *((name, pa.string()) for name in ("raw_key_hash", "raw_user", "session_id")),
        ("usage_on", pa.date32()),
        ("occurred_at", pa.timestamp("us")),
        ("loaded_at", pa.timestamp("us")),
        ("attempt", pa.int32()),
        ("is_costed", pa.bool_()),
        ("quantity", pa.decimal128(38, 15)),
        *((f"{kind}_tokens", pa.int64()) for kind in KINDS),
        *((f"total_{name}", pa.int64()) for name in ("input_tokens", "output_tokens", "tokens")),
        ("effective_cost_usd", pa.decimal128(38, 15)),
    ]
)
_LINE_TEXTS = ("bill_line_key", "provider", "source", "source_instance", "line_item", "model_name")
_LINES = pa.schema(
    [
        *((name, pa.string()) for name in _LINE_TEXTS),
        *((name, pa.string()) for name in ("meter", "quantity_unit", "currency_code")),
        ("billed_on", pa.date32()),
        *((x, pa.decimal128(38, 15)) for x in ("quantity", "billed_amount", "billed_cost_usd")),
        *((name, pa.bool_()) for name in ("is_metered_kind", "is_authoritative")),
    ]
)
_EMPTY = """
    create table intermediate.int_bills__usage (
        source varchar, source_instance varchar, provider varchar, billed_on date,
        model_name varchar, token_kind varchar, billed_tokens bigint);
    create table intermediate.int_prices__versions (
        provider varchar, model_name varchar, price_key varchar, version_number bigint);
    create table intermediate.int_prices__aliases (
        provider varchar, model_raw varchar, target_provider varchar, target_model varchar);
    create table intermediate.int_usage__touched_days (
        usage_on date, reason varchar, pass_id bigint);
"""
Fault = Callable[[World], dict[Part, Decimal]]
RECONCILIATION = (
    *("int_bills__metered", "int_bills__metered_by_model", "int_bills__names_matched"),
    *("int_bills__metered_keys", "int_bills__billed_kinds", "int_bills__metered_kinds"),
    *("int_bills__days", "int_bills__kinds_compared", "int_bills__model_days"),
    *("fct_cost_reconciliation", "fct_cost_reconciliation_by_model"),
    *("assert_named_differences_sum_to_the_bills", "assert_bill_differences_have_a_reason"),
)


def total(parts: Iterable[Decimal]) -> Decimal:
    """The sum of amounts."""
    return sum(parts, Decimal(0))
