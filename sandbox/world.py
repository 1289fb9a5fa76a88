"""A whole simulated past: every LiteLLM call and Bedrock invocation up to `as_of`, from one seed.

The figures are made by DuckDB from hashes (sql/*.sql) and kept as two narrow Arrow tables; what the
vendors serve is made of them, row by row, when it is asked for. Nothing reads the clock.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from sandbox.catalogue import MODELS, OPEN_ENDED, PER_MILLION
from sandbox.company import AGENTS, CUSTOMERS, FEATURES, HEDY_MOVED_AT, TEAMS

QUIET_BEFORE_AS_OF = timedelta(minutes=2)
_SQL = Path(__file__).with_name("sql")
# Calls per hour of a working day, UTC: an office in Europe with colleagues in America.
_HOURS = (2, 1, 1, 1, 1, 2, 4, 9, 16, 20, 21, 19, 17, 20, 22, 21, 19, 16, 13, 9, 7, 5, 4, 3)
_WEEKEND_PERCENT = 22
_BURST_ONE_IN = 40
_BURST_FACTOR = 4
_FEATURE_WEIGHTS = {"search": 27, "chat": 38, "summarise": 18, "extract": 12, "agents": 5}
# Shares of the customers, of a team's members: a few carry most of the load (1 / rank).
_RANKED = 840


@dataclass(frozen=True)
class World:
    """The simulated past: LiteLLM calls by start time, Bedrock invocations by delivery time."""

    as_of: datetime
    litellm: pa.Table
    bedrock: pa.Table

    def spend_by(self, column: str) -> dict[str, Decimal]:
        """What the LiteLLM calls have spent, exactly, by one of their columns."""
        totals = self.litellm.group_by(column).aggregate([("spend_usd", "sum")])
        return dict(
            zip(
                totals.column(column).to_pylist(),
                totals.column("spend_usd_sum").to_pylist(),
                strict=True,
            )
        )

    def counts(self) -> dict[str, dict[str, int | str]]:
        """Events, tokens and exact money per system, to tie a warehouse out with."""
        calls, invocations = self.litellm, self.bedrock
        counted = invocations.filter(pc.is_null(invocations.column("error_code")))
        return {
            "litellm": {
                "events": calls.num_rows,
                "failures": _count(calls, "status", "failure"),
                "cache_hits": _count(calls, "cache_hit", "True"),
                "prompt_tokens": _sum(calls, "prompt_tokens"),
                "completion_tokens": _sum(calls, "completion_tokens"),
                "spend_usd": str(_sum(calls, "spend_usd")),
            },
            "bedrock": {
                "events": invocations.num_rows,
                "failures": invocations.num_rows - counted.num_rows,
                "input_tokens": _sum(counted, "input_tokens"),
                "cache_read_tokens": _sum(counted, "cache_read_tokens"),
                "cache_write_5m_tokens": _sum(counted, "cache_write_5m_tokens"),
                "cache_write_1h_tokens": _sum(counted, "cache_write_1h_tokens"),
                "output_tokens": _sum(counted, "output_tokens"),
                "list_usd": str(_sum(counted, "list_usd")),
            },
        }


def build_world(*, seed: int, as_of: datetime, events: int = 200_000, days: int = 45) -> World:
    """The generated world of that seed: `events` calls over `days` days ending at `as_of`."""
    if as_of.utcoffset() is None:
        raise ValueError("as_of must be an aware datetime")
    with duckdb.connect(":memory:") as con:
        con.execute("set timezone = 'UTC'")
        for name, table in _parameters(seed=seed, as_of=as_of, days=days).items():
            con.register(name, table)
        for name, value in {
            "seed": str(seed),
            "events": events,
            "as_of_ms": milliseconds(as_of),
            "last_ms": milliseconds(as_of - QUIET_BEFORE_AS_OF),
            "hedy_moved_ms": milliseconds(HEDY_MOVED_AT),
        }.items():
            con.execute(f"set variable {name} = $value", {"value": value})
        for script in ("calls", "litellm", "bedrock"):
            con.execute((_SQL / f"{script}.sql").read_text(encoding="utf-8"))
        return World(
            as_of=as_of,
            litellm=con.sql("from litellm").to_arrow_table().combine_chunks(),
            bedrock=con.sql("from bedrock").to_arrow_table().combine_chunks(),
        )


def milliseconds(moment: datetime) -> int:
    """The moment as whole milliseconds since 1970, the unit of every time in the world."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _count(table: pa.Table, column: str, value: str) -> int:
    return pc.sum(pc.equal(table.column(column), value)).as_py() or 0


def _sum(table: pa.Table, column: str) -> int | Decimal:
    return pc.sum(table.column(column)).as_py() or 0


def _parameters(*, seed: int, as_of: datetime, days: int) -> dict[str, pa.Table]:
    """The tables the scripts draw from: who, what, when, each with its cumulative share `lo`."""
    members = [
        (team.team_id, name, _ranked(rank) * team.weight)
        for team in TEAMS
        for rank, name in enumerate(team.members)
    ]
    mix = []
    for system in ("litellm", "bedrock"):
        for work in ("chat", "search", "agents"):
            numbers = [number for number, model in enumerate(MODELS) if model.system == system]
            weights = [MODELS[number].weights[work] for number in numbers]
            mix += [
                {"system": system, "work": work, "model_no": number, "lo": lo}
                for number, lo, weight in zip(numbers, _lows(weights), weights, strict=True)
                if weight
            ]
    return {
        "slots": _slots(seed=seed, as_of=as_of, days=days),
        "users": _with_lows(
            [{"team_id": team_id, "first_name": name} for team_id, name, _ in members],
            [weight for _, _, weight in members],
        ),
        "agents": _with_lows(
            [{"agent_id": agent.agent_id, "team_id": agent.team_id} for agent in AGENTS],
            [agent.weight for agent in AGENTS],
        ),
        "customers": _with_lows(
            [{"customer": customer} for customer in CUSTOMERS],
            [_ranked(rank) for rank in range(len(CUSTOMERS))],
        ),
        "feature_mix": _with_lows(
            [{"feature": feature} for feature in FEATURES],
            [_FEATURE_WEIGHTS[feature] for feature in FEATURES],
        ),
        "mix": pa.Table.from_pylist(mix),
        "models": _models(),
        "rates": _rates(),
    }


def _slots(*, seed: int, as_of: datetime, days: int) -> pa.Table:
    """One row per hour of the world: its start and the share of the calls before it."""
    random = Random(seed)
    starts = [as_of - timedelta(hours=hour) for hour in range(days * 24, 0, -1)]
    weights = []
    for start in starts:
        weight = _HOURS[start.astimezone(UTC).hour] * 100
        if start.astimezone(UTC).weekday() >= 5:
            weight = weight * _WEEKEND_PERCENT // 100
        if random.randrange(_BURST_ONE_IN) == 0:
            weight *= _BURST_FACTOR
        weights.append(weight * random.randrange(80, 121))
    return _with_lows([{"start_ms": milliseconds(start)} for start in starts], weights)


def _models() -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "model_no": number,
                "name": model.name,
                "provider": model.provider,
                "model_group": model.group,
                "median_input": model.median_input,
                "median_output": model.median_output,
                "max_input": model.max_input,
                "cache": model.cache,
                "reasons": model.reasons,
                "is_embedding": model.is_embedding,
            }
            for number, model in enumerate(MODELS)
        ]
    )


def _rates() -> pa.Table:
    """Dated nothing, tiered only: one row per model and prompt size range, USD per token."""
    rows = []
    for number, model in enumerate(MODELS):
        tops = [rates.from_input for rates in model.rates[1:]] + [OPEN_ENDED]
        for rates, top in zip(model.rates, tops, strict=False):
            row: dict[str, object] = {
                "model_no": number,
                "from_input": rates.from_input,
                "to_input": top,
            }
            for kind in ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h"):
                row[kind] = getattr(rates, kind) * PER_MILLION
            rows.append(row)
    table = pa.Table.from_pylist(rows)
    rate = pa.decimal128(18, 15)
    return table.cast(
        pa.schema(
            [
                field if pa.types.is_integer(field.type) else pa.field(field.name, rate)
                for field in table.schema
            ]
        )
    )


def _ranked(rank: int) -> int:
    return _RANKED // (rank + 1)


def _lows(weights: list[int]) -> list[float]:
    total, before, lows = sum(weights), 0, []
    for weight in weights:
        lows.append(before / total)
        before += weight
    return lows


def _with_lows(rows: list[dict[str, object]], weights: list[int]) -> pa.Table:
    lows = _lows(weights)
    return pa.Table.from_pylist([{**row, "lo": lo} for row, lo in zip(rows, lows, strict=True)])
