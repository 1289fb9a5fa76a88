"""Faults planted between meter and bill, apart and together: each is found under its name."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import duckdb
import pytest
from bill_world import (
    MONTH,
    RATES,
    RECONCILIATION,
    Act,
    Fault,
    Line,
    Part,
    World,
    clean_world,
    landed,
    total,
)
from staged_warehouse import build

from orchestration.warehouse import building_marts

# A whole act of `large` is 3.25: 1.00 input, 0.25 cache reads, 2.00 output; of `small` 0.60.
LARGE, SMALL = Decimal("3.25"), Decimal("0.6")


def missing_rows(world: World) -> dict[Part, Decimal]:
    """Two acts of a day never reached the meter."""
    for act in world.acts_of(3, "large")[:2]:
        world.acts.remove(act)
    return {(3, "large", "coverage"): -2 * LARGE}


def foreign_account(world: World) -> dict[Part, Decimal]:
    """One act more was metered than this bill knows of."""
    act = world.acts_of(4, "large")[0]
    world.acts.append(Act(4, "large", 9, dict(act.tokens), LARGE, "elsewhere"))
    return {(4, "large", "coverage"): LARGE}


def unmetered_model(world: World) -> dict[Part, Decimal]:
    """A model that went past every gateway: 10.00 for a million tokens."""
    world.lines.append(Line(5, "input", Decimal(10), "unseen", 1_000_000))
    return {(5, "*", "coverage"): Decimal(-10)}


def wrong_price(world: World) -> dict[Part, Decimal]:
    """Our catalogue has `large` a tenth too dear for one day: 13.00 is metered as 14.30."""
    for act in world.acts_of(7, "large"):
        act.usd = LARGE * Decimal("1.1")
    return {(7, "large", "price"): Decimal("1.3")}


def wrong_meter(world: World) -> dict[Part, Decimal]:
    """The provider bills 5,000,000 cache reads at the input rate: 10.00 instead of 1.00."""
    line = world.line_of(8, "large", "cache_read")
    assert line.usd == 1
    line.usd = Decimal(RATES["large"]["input"]) * 5_000_000
    return {(8, "large", "price"): Decimal(-9)}


def late_evening(world: World) -> dict[Part, Decimal]:
    """An act at midnight: metered on the 10th, billed on the 11th."""
    for kind, tokens in world.acts_of(10, "large")[0].tokens.items():
        usd = Decimal(RATES["large"][kind]) * tokens
        for day, sign in ((10, -1), (11, 1)):
            line = world.line_of(day, "large", kind)
            assert line.usd is not None and line.tokens is not None
            line.usd, line.tokens = line.usd + sign * usd, line.tokens + sign * tokens
    return {(10, "large", "timing"): LARGE, (11, "large", "timing"): -LARGE}


def double_count(world: World) -> dict[Part, Decimal]:
    """One request was metered by two sources."""
    act = world.acts_of(13, "small")[1]
    world.acts.append(Act(13, "small", 8, dict(act.tokens), SMALL, act.request_id))
    return {(13, "small", "duplicates"): SMALL}


def unpriced(world: World) -> dict[Part, Decimal]:
    """Three acts have no price here; the bill knows what they cost."""
    for act in world.acts_of(14, "small")[:3]:
        act.usd = None
    return {(14, "small", "unpriced"): -3 * SMALL}


def other_line(day: int, meter: str, usd: str, reason: str) -> Fault:
    """A line of the bill that no act can carry."""

    def plant(world: World) -> dict[Part, Decimal]:
        world.lines.append(Line(day, meter, Decimal(usd), is_model_use=False))
        return {(day, None, reason): -Decimal(usd)}

    return plant


def euros(world: World) -> dict[Part, Decimal]:
    """A day of `small` is billed in euros without a rate: 2.40 was metered."""
    for meter in ("input", "output"):
        line = world.line_of(20, "small", meter)
        line.amount, line.currency, line.usd = line.usd, "EUR", None
    return {(20, "small", "currency"): Decimal("2.4")}


def cents(world: World) -> dict[Part, Decimal]:
    """One line is rounded to the cent: 0.4008 is billed as 0.40."""
    act = world.acts_of(22, "small")[0]
    act.tokens["input"] += 1600
    act.usd = SMALL + Decimal("0.0008")
    line = world.line_of(22, "small", "input")
    assert (line.usd, line.tokens) == (Decimal("0.4"), 800_000)
    line.tokens = 801_600
    return {(22, "small", "rounding"): Decimal("0.0008")}


def no_quantity(world: World) -> dict[Part, Decimal]:
    """A line that says no quantity asks for 0.40 beyond what was metered: nothing tells why."""
    line = world.line_of(24, "small", "output")
    assert line.usd == 2
    line.usd, line.tokens = Decimal("2.4"), None
    return {(24, "small", "unexplained"): Decimal("-0.4")}


def counted_apart(world: World) -> dict[Part, Decimal]:
    """Lines say no quantities, a usage report does; an act of the 26th never reached the meter."""
    for line in world.lines:
        assert line.model is not None and line.tokens is not None
        world.reported[line.day, line.model, line.meter] = line.tokens
        line.tokens = None
    world.acts.remove(world.acts_of(26, "large")[0])
    return {(26, "large", "coverage"): -LARGE}


def other_names(world: World) -> dict[Part, Decimal]:
    """The bill calls `small` by a code that nothing explains; an act of it is missing."""
    for line in world.lines:
        line.model = "USE1-Small" if line.model == "small" else line.model
    world.acts.remove(world.acts_of(27, "small")[0])
    return {(27, "*", "coverage"): -SMALL}


def aliased_names(world: World) -> dict[Part, Decimal]:
    """The same, with the code under model_aliases."""
    found = other_names(world)
    world.aliases["USE1-Small"] = "small"
    return {(27, "small", "coverage"): found[27, "*", "coverage"]}


# What a bill is like as a whole: each only in a world of its own.
BILLS: dict[str, Fault] = {
    "counted_apart": counted_apart,
    "other_names": other_names,
    "aliased_names": aliased_names,
}
FAULTS: dict[str, Fault] = {
    "missing_rows": missing_rows,
    "foreign_account": foreign_account,
    "unmetered_model": unmetered_model,
    "wrong_price": wrong_price,
    "wrong_meter": wrong_meter,
    "late_evening": late_evening,
    "double_count": double_count,
    "unpriced": unpriced,
    "seats": other_line(15, "seats", "500", "seats"),
    "tax": other_line(16, "tax", "19.37", "tax"),
    "credit": other_line(17, "credit", "-25", "credits"),
    "fee": other_line(18, "fee", "0.75", "fees"),
    "searches": other_line(19, "web_search", "1.2", "tools"),
    "euros": euros,
    "cents": cents,
    "no_quantity": no_quantity,
}


@pytest.fixture(scope="module")
def planted() -> dict[str, tuple[World, dict[Part, Decimal]]]:
    """A world for each fault, one with all of them, one with none; and what is to be found."""
    worlds: dict[str, tuple[World, dict[Part, Decimal]]] = {"clean": (clean_world(), {})}
    everything: tuple[World, dict[Part, Decimal]] = (clean_world(), {})
    for name, plant in FAULTS.items():
        world = clean_world()
        worlds[name] = (world, plant(world))
        everything[1].update(plant(everything[0]))
    for name, plant in BILLS.items():
        world = clean_world()
        worlds[name] = (world, plant(world))
    return worlds | {"all": everything}


@pytest.fixture(scope="module")
def marts(
    tmp_path_factory: pytest.TempPathFactory,
    planted: dict[str, tuple[World, dict[Part, Decimal]]],
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The reconciliation of every world."""
    home = tmp_path_factory.mktemp("home")
    landed(home, {name: world for name, (world, _) in planted.items()})
    build(home, select=RECONCILIATION)
    with duckdb.connect(str(building_marts(home)), read_only=True) as connection:
        yield connection


@pytest.mark.parametrize("name", ["clean", *FAULTS, *BILLS, "all"])
def test_each_fault_is_found_under_its_name(
    name: str,
    marts: duckdb.DuckDBPyConnection,
    planted: dict[str, tuple[World, dict[Part, Decimal]]],
) -> None:
    expected = {
        (MONTH + timedelta(days=day - 1), _named(name, model), reason): usd
        for (day, model, reason), usd in planted[name][1].items()
    }
    rows = marts.execute(
        """select usage_on, model_name, reason, difference_usd
        from trust.fct_cost_reconciliation_by_model where provider = ?""",
        [name],
    ).fetchall()
    assert {(day, model, reason): usd for day, model, reason, usd in rows} == expected


@pytest.mark.parametrize("name", ["clean", *FAULTS, *BILLS, "all"])
def test_the_parts_are_the_difference_between_meter_and_bill(
    name: str,
    marts: duckdb.DuckDBPyConnection,
    planted: dict[str, tuple[World, dict[Part, Decimal]]],
) -> None:
    world, _ = planted[name]
    metered = total(act.usd or Decimal(0) for act in world.acts)
    billed = total(line.usd or Decimal(0) for line in world.lines)
    (parts, unexplained), *_ = marts.execute(
        """select coalesce(sum(difference_usd), 0),
            coalesce(sum(case when reason = 'unexplained' then abs(difference_usd) end), 0)
        from trust.fct_cost_reconciliation_by_model where provider = ?""",
        [name],
    ).fetchall()
    assert parts == metered - billed
    assert unexplained <= billed * Decimal("0.005")


def _named(provider: str, model: str | None) -> str | None:
    return model if model in (None, "*") else f"{provider}/{model}"
