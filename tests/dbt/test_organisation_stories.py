"""A month in three zones, with a move in its middle, an edited budget and a late correction.

Each act costs another power of two, so that a sum says of which acts it is made. Hedy leaves Search
for Assist on 15 November at 05:00 UTC, midnight in New York. New York puts its clocks back on 1
November at 06:00 UTC; New Delhi is five hours and a half ahead of UTC.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from closing_books import Books
from facts_warehouse import Act, act
from written_config import write_config

from ingestion.config_loader import load_config
from ingestion.config_tables import config_source
from ingestion.pipeline import pipeline_for, run_source, warehouse_path

TREES = {
    "entities": """\
entities:
  - {id: acme, type: organisation}
  - {id: search, type: team, parent: acme}
  - {id: assist, type: team, parent: acme}
  - {id: ada, type: user, parent: search}
  - id: hedy
    type: user
    parents:
      - {parent: search, valid_to_at: 2026-11-15T05:00:00Z}
      - {parent: assist, valid_from_at: 2026-11-15T05:00:00Z}
""",
    "customers": """\
customers:
  - {id: northwind}
  - {id: northwind-eu, parent: northwind}
  - {id: contoso}
""",
}
OWNERS = ("acme", "search", "assist", "ada", "hedy")
CUSTOMERS = ("customers", "northwind", "northwind-eu", "contoso")
ZONES = {"utc": "UTC", "york": "America/New_York", "delhi": "Asia/Kolkata"}
ACTS = (
    ("2026-10-31T18:15", "hedy", "northwind-eu"),  # 1: 23:45 in New Delhi
    ("2026-10-31T18:45", "hedy", "contoso"),  # 2: 00:15 of November there
    ("2026-11-01T03:45", "ada", "northwind-eu"),  # 4: 23:45 of October in New York
    ("2026-11-01T05:30", "hedy", "contoso"),  # 8: 01:30 there
    ("2026-11-01T06:30", "ada", "northwind-eu"),  # 16: 01:30 there once more
    ("2026-11-02T04:45", "ada", "contoso"),  # 32: 23:45 there, the 25th hour of the day
    ("2026-11-15T04:45", "hedy", "northwind-eu"),  # 64: before the move
    ("2026-11-15T05:00", "hedy", "contoso"),  # 128: after it
    ("2026-11-30T18:30", "hedy", "northwind-eu"),  # 256: 00:00 of December in New Delhi
    ("2026-12-01T04:45", "ada", "contoso"),  # 512: 23:45 of November in New York
    ("2026-12-01T05:00", "ada", "northwind-eu"),  # 1024: December everywhere
)
MODELS = (
    *("stg_config__versions", "stg_config__entities", "stg_config__entity_parents"),
    *("stg_config__budgets", "stg_config__budget_increases", "stg_config__budget_tags"),
    *("int_org__nodes", "int_org__edges", "int_org__expanded"),
    *("int_spend__quarter_hours", "int_spend__entity_days", "fct_entity_spend_daily"),
    *("int_budgets__use", "int_budgets__periods"),
)

OF_SEARCH = """
    select strftime(period_start_at, '%Y-%m-%dT%H:%M'), strftime(period_end_at, '%Y-%m-%dT%H:%M'),
        used, periods.amount, critical_threshold, is_current, budget_version
    from intermediate.int_budgets__periods as periods
    inner join staging.stg_config__budgets using (budget_id)
    where budget_id = 'search-month-york' order by period_start_at
"""


def told(number: int, at: str, owner: str, customer: str) -> Act:
    occurred_at = datetime.fromisoformat(at)
    place = {"entity_key": owner, "customer_key": customer}
    return act(
        f"act-{number}",
        occurred_at.date(),
        str(2**number),
        occurred_at=occurred_at,
        **place,
    )


def declare(books: Books, folder: Path, *, of_search: str = "amount: 1000") -> None:
    """Both trees, and of each node a budget a month and a day in each zone."""
    budgets = [
        f"  - {{id: {node}-{period}-{zone}, entity: {node}, measure: cost, period: {period},"
        f" timezone: {name}, thresholds: {{critical: 1.0}},"
        f" {of_search if (node, period) == ('search', 'month') else 'amount: 1000'}}}"
        for node in (*OWNERS, *CUSTOMERS)
        for period in ("month", "day")
        for zone, name in ZONES.items()
    ]
    folder.mkdir(exist_ok=True)
    write_config(folder, TREES | {"budgets": "\n".join(["budgets:", *budgets, ""])})
    config = config_source(load_config(folder), extracted_at=datetime(2026, 10, 1, tzinfo=UTC))
    run_source(pipeline_for("config", instance=None, home=books.facts.home), config)


def of_periods(books: Books) -> Mapping[str, dict[str, int]]:
    """Of each budget the use of its periods, by their start."""
    found: dict[str, dict[str, int]] = {}
    for budget, start, used in books.facts.read(
        "select budget_id, strftime(period_start_at, '%Y-%m-%dT%H:%M'), used"
        " from intermediate.int_budgets__periods where used <> 0"
    ):
        found.setdefault(budget, {})[start] = int(used)
    return found


@pytest.fixture(scope="module")
def passes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The months as they are, after a late act of October that was closed, after two edits."""
    folder = tmp_path_factory.mktemp("stories")
    books, found = Books(folder), {}
    declare(books, folder / "config")
    with duckdb.connect(str(warehouse_path(books.facts.home))) as connection:
        connection.execute(
            "create table intermediate.int_org__identifiers_discovered (entity_key varchar,"
            " tree varchar, entity_type varchar, entity_name varchar, email varchar,"
            " parent_key varchar)"
        )
    acts = [told(number, *each) for number, each in enumerate(ACTS)]
    days = sorted({each["usage_on"] for each in acts})
    december = datetime(2026, 12, 2, 12, tzinfo=UTC)
    books.run(acts, as_of=december, touched=days, models=MODELS)
    found["periods"] = of_periods(books)
    found["nodes"] = books.facts.read(
        "select entity_key, strftime(usage_on, '%Y-%m'), sum(individual_effective_cost_usd),"
        " sum(consolidated_effective_cost_usd), sum(current_consolidated_effective_cost_usd)"
        " from marts.spend.fct_entity_spend_daily group by all"
    )
    books.close("2026-10", now=december)
    found["closed"] = books.statement("2026-10")

    late = told(len(ACTS), "2026-10-31T12:00", "hedy", "contoso")
    later = december.replace(day=3)
    books.run([*acts, late], as_of=later, touched=[date(2026, 10, 31)], models=MODELS)
    found["closed after"] = books.statement("2026-10")
    found["late"] = of_periods(books)
    for place in ("entity_key", "customer_key"):
        found[place] = books.facts.read(
            f"""select coalesce(stated.place, spent.entity_key), stated.usd, spent.usd
            from (
                select {place} as place, sum(effective_cost_usd) as usd
                from marts.spend.fct_statement_monthly where line_kind = 'usage' group by all
            ) as stated
            full join (
                select entity_key, sum(individual_effective_cost_usd) as usd
                from marts.spend.fct_entity_spend_daily
                where tree = '{"owner" if place == "entity_key" else "customer"}'
                group by all having sum(individual_effective_cost_usd) <> 0
            ) as spent on stated.place = spent.entity_key order by all"""
        )
    found["corrections"] = books.facts.read(
        "select corrected_period, period, entity_key, customer_key, reason, effective_cost_usd"
        " from marts.spend.fct_corrections where effective_cost_usd <> 0"
    )
    found["budget"] = [books.facts.read(OF_SEARCH)]
    for edit in ("amount: 600", "amount: 600, anchor_day: 15"):
        declare(books, folder / "config", of_search=edit)
        books.facts.build(*MODELS[:6], *MODELS[-2:])
        found["budget"].append(books.facts.read(OF_SEARCH))
    return found


# The months of November by hand: 2 ** n of the acts 3 to 9 in New York, 2 to 8 in UTC, 1 to 7 in
# New Delhi, 1016, 508 and 254 in all.
NOVEMBER = {
    "york": ("2026-11-01T04:00", "2026-12-01T05:00"),
    "utc": ("2026-11-01T00:00", "2026-12-01T00:00"),
    "delhi": ("2026-10-31T18:30", "2026-11-30T18:30"),
}
USED = {
    "york": {
        "acme": 1016, "search": 632, "assist": 384, "ada": 560, "hedy": 456,
        "customers": 1016, "northwind": 336, "northwind-eu": 336, "contoso": 680,
    },
    "utc": {
        "acme": 508, "search": 124, "assist": 384, "ada": 52, "hedy": 456,
        "customers": 508, "northwind": 340, "northwind-eu": 340, "contoso": 168,
    },
    "delhi": {
        "acme": 254, "search": 126, "assist": 128, "ada": 52, "hedy": 202,
        "customers": 254, "northwind": 84, "northwind-eu": 84, "contoso": 170,
    },
}  # fmt: skip


@pytest.mark.parametrize("zone", ZONES)
def test_a_month_is_the_sum_of_its_days_in_its_zone_at_every_node_of_both_trees(
    passes: dict[str, Any], zone: str
) -> None:
    start, end = NOVEMBER[zone]
    periods = passes["periods"]
    months = {node: periods[f"{node}-month-{zone}"][start] for node in USED[zone]}
    days = {
        node: sum(used for at, used in periods[f"{node}-day-{zone}"].items() if start <= at < end)
        for node in USED[zone]
    }
    assert months == USED[zone]
    assert days == USED[zone]
    assert months["search"] + months["assist"] == months["acme"] == months["customers"]
    assert months["ada"] + months["hedy"] == months["acme"]
    assert months["northwind"] + months["contoso"] == months["customers"]


def test_a_day_has_25_hours_where_clocks_go_back_and_begins_at_half_past_where_they_do(
    passes: dict[str, Any],
) -> None:
    # 1 + 2 + 4 before 1 November, 8 + 16 + 32 on it; 512 is of the last hour of November.
    assert passes["periods"]["acme-day-york"] == {
        "2026-10-31T04:00": 7,
        "2026-11-01T04:00": 56,
        "2026-11-14T05:00": 64,
        "2026-11-15T05:00": 128,
        "2026-11-30T05:00": 768,
        "2026-12-01T05:00": 1024,
    }
    assert passes["periods"]["acme-day-delhi"] == {
        "2026-10-30T18:30": 1,
        "2026-10-31T18:30": 30,
        "2026-11-01T18:30": 32,
        "2026-11-14T18:30": 192,
        "2026-11-30T18:30": 1792,
    }


def test_a_user_who_moves_takes_along_what_comes_and_leaves_what_was(
    passes: dict[str, Any],
) -> None:
    november = {row[0]: tuple(map(int, row[2:])) for row in passes["nodes"] if row[1] == "2026-11"}
    # Own, with all below as it stood, as it stands: Hedy's 8 + 64 stay at Search.
    assert november == {
        "acme": (0, 508, 508),
        "search": (0, 124, 52),
        "assist": (0, 384, 456),
        "ada": (52, 52, 52),
        "hedy": (456, 456, 456),
        "customers": (0, 508, 508),
        "northwind": (0, 340, 340),
        "northwind-eu": (340, 340, 340),
        "contoso": (168, 168, 168),
    }


def test_an_edit_in_the_middle_of_a_period_keeps_what_is_used_and_cuts_anew_where_it_says_so(
    passes: dict[str, Any],
) -> None:
    declared, raised, cut = passes["budget"]
    # October of New York: 3 of Hedy, 4 of Ada and the late 2048.
    october = ("2026-10-01T04:00", "2026-11-01T04:00", 2055)
    november = ("2026-11-01T04:00", "2026-12-01T05:00", 632)
    december = ("2026-12-01T05:00", "2027-01-01T05:00", 1024)
    assert [row[:6] for row in declared] == [
        (*october, 1000, 1000, False),
        (*november, 1000, 1000, False),
        (*december, 1000, 1000, True),
    ]
    # What was used is reached now; nothing was counted anew.
    assert [row[:6] for row in raised] == [
        (*october, 600, 600, False),
        (*november, 600, 600, False),
        (*december, 600, 600, True),
    ]
    # From the 15th on: 127 and the late 2048 before the 15th of November, 512 and 1024 since.
    assert [row[:6] for row in cut] == [
        ("2026-10-15T04:00", "2026-11-15T05:00", 2175, 600, 600, False),
        ("2026-11-15T05:00", "2026-12-15T05:00", 1536, 600, 600, True),
    ]
    versions = [{row[6] for row in each} for each in passes["budget"]]
    assert [len(each) for each in versions] == [1, 1, 1]
    assert len(set.union(*versions)) == 3


def test_a_late_act_of_a_closed_month_is_a_correction_and_all_ties_at_every_node(
    passes: dict[str, Any],
) -> None:
    assert passes["closed after"] == passes["closed"]
    assert passes["corrections"] == [
        ("2026-10", "2026-11", "hedy", "contoso", "late", Decimal(2048))
    ]
    # Closed months, open months and corrections together are the facts: 4095 in each tree.
    assert passes["entity_key"] == [("ada", 1588, 1588), ("hedy", 2507, 2507)]
    assert passes["customer_key"] == [("contoso", 2730, 2730), ("northwind-eu", 1365, 1365)]
    # What is used of October's budget goes by the facts.
    for node in ("acme", "search", "hedy", "customers", "contoso"):
        october = passes["late"][f"{node}-month-utc"]["2026-10-01T00:00"]
        assert october == passes["periods"][f"{node}-month-utc"]["2026-10-01T00:00"] + 2048
