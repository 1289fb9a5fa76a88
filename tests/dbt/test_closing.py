"""A closed month says the same for ever; what changes of it stands in the next, with a reason."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from closing_books import Books
from facts_warehouse import act
from ops_stores import opened_store

from ingestion.decisions import TOTAL_AMOUNTS
from orchestration.ops.closing import CloseRefused, close_due

OCTOBER, LATER, NOVEMBER = date(2026, 10, 5), date(2026, 10, 20), date(2026, 11, 5)
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
