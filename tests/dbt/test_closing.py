"""A closed month says the same for ever; what changes of it stands in the next, with a reason."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from facts_warehouse import Facts, act
from ops_stores import opened_store

from ingestion.decisions import TOTAL_AMOUNTS
from ingestion.declared_tables import declare_tables
from orchestration.cli.close import write_statement
from orchestration.ops import evaluator
from orchestration.ops.closing import CloseRefused, close_due, close_period
from orchestration.ops.decisions import land_decisions
from orchestration.ops.store import writing

OCTOBER, LATER, NOVEMBER = date(2026, 10, 5), date(2026, 10, 20), date(2026, 11, 5)
MODELS = (
    "staging.decisions",
    "int_usage__replaced",
    "fct_usage",
    "int_usage__compared",
    "int_usage__restated",
    "fct_restatements",
    "int_closing__days",
    "int_closing__current_lines",
    "int_closing__books",
    "int_closing__differences",
    "fct_statement_monthly",
    "fct_corrections",
    "fct_spend_monthly",
)
CORRECTIONS = (
    "select entity_key, reason, effective_cost_usd, requests_count, list_cost_usd, charged_usd"
    " from marts.spend.fct_corrections where corrected_period = '2026-10' and period = '{}'"
    " order by 1 nulls first, 2"
)
OVERVIEW = (
    "select provider, line_kind, billed_cost_usd, effective_cost_usd, unpriced_lines_count"
    " from marts.spend.fct_spend_monthly where month_on = date '2026-10-01'"
    " and line_kind <> 'usage' order by provider"
)


class Books:
    """A warehouse, its published marts and its ops store, one pass after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts = Facts(folder / "home")
        declare_tables(self.facts.home)
        self.marts = self.facts.home / "marts_build.duckdb"
        with duckdb.connect(str(self.marts)) as marts:
            marts.execute("create schema core; create schema spend")
            marts.execute(
                "create table core.published_snapshot (snapshot_id bigint, as_of timestamp)"
            )
            marts.execute(
                "create table spend.fct_charges (charge_kind varchar, source_instance varchar,"
                " provider varchar, charged_on date, billed_cost_usd decimal(38, 15),"
                " effective_cost_usd decimal(38, 15))"
            )
            marts.execute(
                "insert into spend.fct_charges values"
                " ('billed_unmetered', 'bill', 'openai', '2026-10-31', 0.5, 0.5),"
                " ('prepaid_purchase', null, 'wallet', '2026-10-09', 12000, 0),"
                " ('platform_fee', null, 'abroad', '2026-10-09', null, null)"
            )
            marts.execute(
                "create table spend.fct_spend_daily (usage_on date, provider varchar,"
                " effective_cost_usd decimal(38, 15), estimated_cost_usd decimal(38, 15))"
            )

    def run(self, acts: list[dict[str, Any]], *, as_of: datetime, touched: list[date]) -> None:
        number = self.facts.put(acts, as_of=as_of.replace(tzinfo=None), touched=touched)
        with opened_store(self.folder) as engine:
            land_decisions(engine, self.facts.home)
            with writing(engine) as connection:
                evaluator.record_snapshot(
                    connection, snapshot_id=number, as_of=as_of, checks_ok=True, held=None
                )
        with duckdb.connect(str(self.marts)) as marts:
            marts.execute("delete from core.published_snapshot")
            marts.execute(
                "insert into core.published_snapshot values (?, ?)",
                [number, as_of.replace(tzinfo=None)],
            )
        self.facts.build(*MODELS)

    def close(self, period: str, *, now: datetime) -> Decimal:
        with opened_store(self.folder) as engine, self.read_only() as marts:
            return close_period(engine, marts, period, by="ada", now=now).effective_cost_usd

    def statement(self, period: str) -> bytes:
        file = self.folder / "statement.csv"
        with self.read_only() as marts:
            write_statement(marts, period, to=file)
        return file.read_bytes()

    def read_only(self) -> duckdb.DuckDBPyConnection:
        return duckdb.connect(str(self.marts), read_only=True)


def at(month: int, day: int) -> datetime:
    return datetime(2026, month, day, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Books, dict[str, Any]]:
    """October closed in November; then changed; November closed; then October changed again."""
    books, found = Books(tmp_path_factory.mktemp("books")), {}
    october = [
        act("same", OCTOBER, "1", feature_key="search"),
        act("repriced", OCTOBER, "2"),
        act("moved", LATER, "4"),
        act("unpriced", LATER, None, model_id=None),
    ]
    november = [act("november", NOVEMBER, "8")]
    days = [OCTOBER, LATER, NOVEMBER]
    books.run([*october, *november], as_of=at(11, 6), touched=days)
    found["open"] = books.statement("2026-10")
    found["overview"] = books.facts.read(OVERVIEW)
    found["frozen_usd"] = books.close("2026-10", now=at(11, 6))

    changed = [
        act("same", OCTOBER, "1", feature_key="search"),
        act("repriced", OCTOBER, "2.25"),
        act("moved", LATER, "4", entity_key="team-data"),
        act("unpriced", LATER, None, model_id=None),
        act("late", LATER, "16", charged_usd=Decimal(20)),
    ]
    books.run([*changed, *november], as_of=at(11, 20), touched=days)
    found["october"] = books.statement("2026-10")
    found["november"] = books.facts.read(CORRECTIONS.format("2026-11"))
    found["stated"] = books.facts.read(
        "select period, sum(effective_cost_usd) from marts.spend.fct_statement_monthly"
        " group by period order by period"
    )

    books.run([*changed, *november], as_of=at(12, 7), touched=[])
    with opened_store(books.folder) as engine, books.read_only() as marts:
        found["due"] = [
            [each.period for each in close_due(engine, marts, after_days=days, now=at(12, 7))]
            for days in (7, 5)
        ]
    found["november_open"] = books.statement("2026-11")
    again = [*changed, act("later_still", OCTOBER, "32")]
    books.run([*again, *november], as_of=at(12, 8), touched=[OCTOBER])
    return books, found


def test_a_statement_is_the_same_bytes_after_reprice_reorganisation_and_late_rows(
    closed: tuple[Books, dict[str, Any]],
) -> None:
    books, found = closed
    assert found["frozen_usd"] == Decimal("7.5")  # 1 + 2 + 4 and a charge of 0.5
    assert len(found["open"].splitlines()) == 7  # the header, three kinds of acts, three charges
    assert found["open"] == found["october"] == books.statement("2026-10")
    assert found["november_open"] == books.statement("2026-11")


def test_what_changed_stands_in_the_next_month_with_its_reason(
    closed: tuple[Books, dict[str, Any]],
) -> None:
    _, found = closed
    assert found["november"] == [
        ("team-data", "attribution", Decimal(4), 1, 0, 0),
        ("team-data", "other", 0, 0, Decimal(4), 0),
        ("team-search", "attribution", Decimal(-4), -1, 0, 0),
        ("team-search", "late", Decimal(16), 1, 0, 0),
        # Why list costs and charges moved is not known: -4, 16 and 0.25.
        ("team-search", "other", 0, 0, Decimal("12.25"), Decimal(20)),
        ("team-search", "price", Decimal("0.25"), 0, 0, 0),
    ]
    # November: 8 of its own, 0.25 + 16 of October's. Together: the facts.
    assert found["stated"] == [("2026-10", Decimal("7.5")), ("2026-11", Decimal("24.25"))]


def test_a_correction_is_booked_once_and_stays_where_it_was_stated(
    closed: tuple[Books, dict[str, Any]],
) -> None:
    books, found = closed
    assert books.facts.read(CORRECTIONS.format("2026-11")) == found["november"]
    assert books.facts.read(CORRECTIONS.format("2026-12")) == [
        ("team-search", "late", Decimal(32), 1, 0, 0),
        ("team-search", "other", 0, 0, Decimal(32), 0),
    ]
    [(stated,)] = books.facts.read(
        "select sum(effective_cost_usd) from marts.spend.fct_statement_monthly"
    )
    [(facts,)] = books.facts.read("select sum(effective_cost_usd) from marts.core.fct_usage")
    assert stated == facts + Decimal("0.5") == Decimal("63.75")


def test_corrections_are_the_corrected_lines_of_the_statement(
    closed: tuple[Books, dict[str, Any]],
) -> None:
    sums = ", ".join(f"sum({name})" for name in TOTAL_AMOUNTS)
    table = "from marts.spend.fct_"
    [corrections] = closed[0].facts.read(f"select {sums} {table}corrections")
    stated = f"select {sums} {table}statement_monthly where corrected_period is not null"
    assert closed[0].facts.read(stated) == [corrections]
    # list 12.25 + 4 + 32; billed and effective 0.25 + 16 + 32; charged 20
    cost = Decimal("48.25")
    assert corrections == (cost, cost, cost, 0, 20)


def test_a_closed_month_shows_what_was_paid_and_what_is_unknown(
    closed: tuple[Books, dict[str, Any]],
) -> None:
    books, found = closed
    assert found["overview"] == [
        ("abroad", "charge", 0, 0, 1),
        ("openai", "billed_unmetered", Decimal("0.5"), Decimal("0.5"), 0),
        ("wallet", "charge", Decimal(12000), 0, 0),
    ]
    assert books.facts.read(OVERVIEW) == found["overview"]


def test_months_close_by_themselves_some_days_after_their_end(
    closed: tuple[Books, dict[str, Any]],
) -> None:
    assert closed[1]["due"] == [[], ["2026-11"]]


@pytest.mark.parametrize(
    ("period", "why"),
    [
        ("2026-10", "closed already"),
        ("2026-09", "every month before it"),
        ("2026-12", "was not over"),
        ("2026-1", "is not a month"),
    ],
)
def test_a_month_that_may_not_be_closed_says_why(
    closed: tuple[Books, dict[str, Any]], period: str, why: str
) -> None:
    with pytest.raises(CloseRefused, match=why):
        closed[0].close(period, now=at(12, 8))
