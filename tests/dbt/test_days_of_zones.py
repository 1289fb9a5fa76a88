"""The days of any zone sum to its months, and both are what a calendar on paper says.

Acts of a year go through the models that roll them up to quarters of an hour and cut those into the
periods of budgets. What is expected comes of Python's own zones and exact sums.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo, available_timezones

import duckdb
import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from staged_warehouse import PROJECT, compiled_models

MODELS = ("int_spend__quarter_hours", "int_budgets__use", "int_budgets__periods")
BEGIN, END = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
# Quarters and halves of an hour beside UTC, changes of half an hour, days that begin at one o'clock
# or have their first hour twice.
PECULIAR = (
    *("Asia/Kathmandu", "Australia/Eucla", "Pacific/Chatham", "America/St_Johns"),
    *("Australia/Lord_Howe", "Africa/Cairo", "America/Santiago", "Asia/Beirut"),
    *("Atlantic/Azores", "America/Havana", "Pacific/Kiritimati", "America/New_York"),
)
Use = tuple[datetime, Decimal]
Period = tuple[datetime, datetime, Decimal]
_TABLES = """
    attach ':memory:' as warehouse;
    attach ':memory:' as marts;
    create schema warehouse.staging;
    create schema warehouse.intermediate;
    create schema marts.core;
    create table warehouse.staging.stg_run__current_pass as
        select cast(1 as bigint) as pass_id, timestamp '2026-02-01 00:00:00' as as_of;
    create table warehouse.staging.stg_config__budget_tags (tag_key varchar, tag_value varchar);
    create table warehouse.staging.stg_config__budget_increases (
        budget_id varchar, amount decimal(38, 15), valid_from_at timestamp, valid_to_at timestamp);
    create table warehouse.staging.stg_config__budgets (
        budget_id varchar, period varchar, timezone varchar, anchor_day bigint,
        entity_key varchar, scope varchar, measure varchar, unit varchar, amount decimal(38, 15),
        source_filter varchar, provider_filter varchar, model_filter varchar,
        operation_filter varchar, application_filter varchar, feature_filter varchar,
        tag_filter varchar, rolling_minutes bigint, threshold_kind varchar,
        info_level decimal(38, 15), warning_level decimal(38, 15), critical_level decimal(38, 15),
        valid_from_at timestamp, valid_to_at timestamp);
    create table warehouse.intermediate.int_org__expanded as
        select 'acme' as entity_key, 'owner' as tree, 'acme' as ancestor_key, 0 as depth,
            timestamp '1900-01-01' as valid_from_at, timestamp '9999-12-31' as valid_to_at;
"""


class Calendars:
    """The models as dbt compiles them, what they stand on, and the zones to try."""

    def __init__(
        self, warehouse: duckdb.DuckDBPyConnection, models: dict[str, str], zones: set[str]
    ) -> None:
        self.warehouse, self.models, self.zones = warehouse, models, zones


@pytest.fixture(scope="module")
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    contract = PROJECT / "models" / "marts" / "core" / "_fct_usage.yml"
    (model,) = yaml.safe_load(contract.read_text(encoding="utf-8"))["models"]
    columns = ", ".join(f"{each['name']} {each['data_type']}" for each in model["columns"])
    with duckdb.connect() as connection:
        connection.execute(f"{_TABLES} create table marts.core.fct_usage ({columns})")
        yield connection


def changes(zone: str) -> list[datetime]:
    """The days of the year, from midnight in UTC, in which the zone's clocks change."""
    days = [BEGIN + timedelta(days=each) for each in range(366)]
    offsets = [day.astimezone(ZoneInfo(zone)).utcoffset() for day in days]
    return [day for day, a, b in zip(days, offsets, offsets[1:], strict=False) if a != b]


def has_same_clock(connection: duckdb.DuckDBPyConnection, zone: str) -> bool:
    """True if the engine's list of zones and Python's tell the same hours of that year."""
    days = [BEGIN + timedelta(days=each) for each in range(-2, 368)]
    moments = [day + timedelta(hours=6) for day in days] + [
        change + timedelta(hours=each) for change in changes(zone) for each in range(24)
    ]
    found = connection.execute(
        "select (moment at time zone 'UTC') at time zone $2 from (select unnest($1) as moment)",
        [[each.replace(tzinfo=None) for each in moments], zone],
    ).fetchall()
    told = [each.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for each in moments]
    return [row[0] for row in found] == told


@pytest.fixture(scope="module")
def calendars(
    warehouse: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory
) -> Calendars:
    """Every zone that both know alike: lists of other years differ in what has changed since."""
    known = {
        name for (name,) in warehouse.execute("select name from pg_timezone_names()").fetchall()
    }
    found = {name for name in known & available_timezones() if has_same_clock(warehouse, name)}
    assert set(PECULIAR) <= found and len(found) > 500
    models = compiled_models(tmp_path_factory.mktemp("zones"), select=MODELS)
    return Calendars(warehouse, models, found)


def periods(
    calendars: Calendars,
    *,
    zone: str,
    anchor_day: int,
    uses: list[Use],
) -> dict[str, list[Period]]:
    """The days and the months of the zone that have use: start, end and what was used."""
    connection = calendars.warehouse
    connection.execute("delete from marts.core.fct_usage")
    connection.execute("delete from warehouse.staging.stg_config__budgets")
    connection.executemany(
        "insert into warehouse.staging.stg_config__budgets (budget_id, period, timezone,"
        " anchor_day, entity_key, scope, measure, amount, threshold_kind)"
        " values ($1, $1, $2, $3, 'acme', 'consolidated', 'cost', 1, 'ratio')",
        [["day", zone, 1], ["month", zone, anchor_day]],
    )
    connection.executemany(
        "insert into marts.core.fct_usage (usage_key, entity_key, source_instance, occurred_at,"
        " usage_on, effective_cost_usd, is_costed) values (?, 'acme', 'proxy', ?, ?, ?, true)",
        [
            [str(number), at.replace(tzinfo=None), at.date(), cost]
            for number, (at, cost) in enumerate(uses)
        ],
    )
    for name in MODELS:
        connection.execute(
            f"create or replace table warehouse.intermediate.{name} as {calendars.models[name]}"
        )
    found = connection.execute(
        "select budget_id, period_start_at, period_end_at, used, first_usage_at"
        " from warehouse.intermediate.int_budgets__periods"
        " where first_usage_at is not null order by period_start_at"
    ).fetchall()
    cut: dict[str, list[Period]] = {"day": [], "month": []}
    for budget, start, end, used, first in found:
        assert start <= first < end, f"{zone}: used before its {budget} began"
        cut[budget].append((start.replace(tzinfo=UTC), end.replace(tzinfo=UTC), used))
    return cut


def beginning(day: date, zone: str) -> datetime:
    """The first moment of a day: of two midnights the first; one o'clock where there is none."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)


def month_of(day: date, anchor_day: int) -> tuple[date, date]:
    """The first day of the month that the day lies in, and of the next; months begin at a day."""
    ordinal = day.year * 12 + day.month - 1 - (day.day < anchor_day)
    first, following = (date(n // 12, n % 12 + 1, anchor_day) for n in (ordinal, ordinal + 1))
    return first, following


def on_paper(zone: str, anchor_day: int, uses: list[Use]) -> dict[str, list[Period]]:
    days: dict[tuple[date, date], Decimal] = defaultdict(Decimal)
    months: dict[tuple[date, date], Decimal] = defaultdict(Decimal)
    for at, cost in uses:
        day = at.astimezone(ZoneInfo(zone)).date()
        days[day, day + timedelta(days=1)] += cost
        months[month_of(day, anchor_day)] += cost
    return {
        kind: [
            (beginning(first, zone), beginning(following, zone), used)
            for (first, following), used in sorted(found.items())
        ]
        for kind, found in (("day", days), ("month", months))
    }


def clock(near: list[datetime]) -> st.SearchStrategy[datetime]:
    """Moments of the year, every second one within a day of a change of clocks or of a month."""
    anywhere = st.integers(0, int((END - BEGIN).total_seconds()) - 1)
    around = st.tuples(st.sampled_from(near), st.integers(-96, 96), st.integers(0, 899))
    return st.one_of(
        anywhere.map(lambda seconds: BEGIN + timedelta(seconds=seconds)),
        around.map(lambda at: at[0] + timedelta(minutes=15 * at[1], seconds=at[2])),
    )


def turns(zone: str) -> list[datetime]:
    """The days at which the zone's clocks change, and the first ones of its months."""
    firsts = [beginning(date(2025, month, 1), zone) for month in range(2, 13)]
    return firsts + changes(zone)


@st.composite
def a_year_of_use(draw: st.DrawFn) -> tuple[str, int, list[Use]]:
    """A zone, the day its months begin at, and what was used, to a 10^-15 of a dollar."""
    every = sorted(available_timezones())
    zone = draw(st.one_of(st.sampled_from(PECULIAR), st.sampled_from(every)))
    anchor_day = draw(st.sampled_from((1, 1, 15, 26, 28)))
    cost = st.integers(0, 10**18).map(lambda units: Decimal(units).scaleb(-15))
    act = st.tuples(clock(turns(zone)), cost)
    return zone, anchor_day, draw(st.lists(act, min_size=1, max_size=20))


def test_a_midnight_that_comes_twice_begins_the_day_once_and_at_first(calendars: Calendars) -> None:
    """On the Azores 26 October has two hours from midnight to one: at 00:00 and at 01:00 UTC."""
    first = datetime(2025, 10, 26, tzinfo=UTC)
    uses = [(first + timedelta(minutes=each), Decimal(1)) for each in (-15, 0, 45, 60, 120)]
    found = periods(calendars, zone="Atlantic/Azores", anchor_day=26, uses=uses)
    the_day_before, the_day_after = datetime(2025, 10, 25, tzinfo=UTC), first + timedelta(hours=25)
    assert found["day"] == [(the_day_before, first, 1), (first, the_day_after, 4)]
    assert [(start, end) for start, end, _ in found["month"]] == [
        (datetime(2025, 9, 26, tzinfo=UTC), first),
        (first, datetime(2025, 11, 26, 1, tzinfo=UTC)),
    ]


@settings(max_examples=200, derandomize=True, deadline=None)
@given(year=a_year_of_use())
def test_the_days_of_any_zone_sum_to_its_months(
    calendars: Calendars, year: tuple[str, int, list[Use]]
) -> None:
    zone, anchor_day, uses = year
    assume(zone in calendars.zones)
    found = periods(calendars, zone=zone, anchor_day=anchor_day, uses=uses)
    assert found == on_paper(zone, anchor_day, uses)
    for start, end, used in found["month"]:
        assert used == sum(day[2] for day in found["day"] if start <= day[0] < end)
    assert sum(month[2] for month in found["month"]) == sum(cost for _, cost in uses)
