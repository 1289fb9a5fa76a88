"""Charges, commitments, currencies, revenue and months as a whole, worked out by hand."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from charges_world import charged_warehouse

from ingestion.pipeline import warehouse_path

Row = tuple[Any, ...]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The world of `charges_world`, built once."""
    home: Path = tmp_path_factory.mktemp("home")
    charged_warehouse(home, tmp_path_factory.mktemp("config"))
    with duckdb.connect(str(warehouse_path(home))) as connection:
        connection.execute(f"attach '{home / 'marts_build.duckdb'}' as marts (read_only)")
        yield connection


def lines(warehouse: duckdb.DuckDBPyConnection, charge: str) -> list[Row]:
    """(kind, day, billed, effective) of a charge's lines."""
    return warehouse.execute(
        """select charge_kind, charged_on, billed_cost_usd, effective_cost_usd
        from marts.spend.fct_charges where charge_id = ? order by charged_on, charge_kind""",
        [charge],
    ).fetchall()


def parts(warehouse: duckdb.DuckDBPyConnection, charge: str, tree: str) -> dict[Any, Decimal]:
    """What of a charge falls to each node of a tree (and feature, where there is one)."""
    found = warehouse.execute(
        """select parts.entity_key, parts.feature_key, sum(parts.effective_cost_usd)
        from marts.spend.fct_charge_allocations as parts
        inner join marts.spend.fct_charges as charges on parts.charge_key = charges.charge_key
        where charges.charge_id = ? and parts.tree = ? group by all""",
        [charge, tree],
    ).fetchall()
    return {(key, feature) if feature else key: usd for key, feature, usd in found}


def usd(text: str) -> Decimal:
    return Decimal(text)


def on(text: str) -> date:
    return date.fromisoformat(text)


def test_seats_are_spread_over_the_days_of_their_month(warehouse: Any) -> None:
    found = lines(warehouse, "seats")
    # 25 x 30.00 = 750.00 over 30 days.
    assert [row[2] for row in found] == [usd("25")] * 30
    assert (found[0][1], found[-1][1]) == (on("2026-09-01"), on("2026-09-30"))


def test_a_month_that_does_not_divide_sums_to_the_last_digit(warehouse: Any) -> None:
    days = warehouse.execute(
        """select day_number, charged_amount from intermediate.int_charges__accrued as accrued
        inner join intermediate.int_charges__days as days on accrued.charged_on = days.day_on
        where charge_id = 'chat-seats' and charged_on < date '2026-11-01' order by 1"""
    ).fetchall()
    # 500 over 31 days: 16.129032258064516129…
    assert days[0][1] == usd("16.129032258064516")
    assert len(days) == 31
    assert sum(amount for _, amount in days) == 500


def test_a_month_that_is_cut_costs_its_days_part(warehouse: Any) -> None:
    # 31 a month: one a day in October, 31/30 in November; today is not over.
    found = {row[1]: row[2] for row in lines(warehouse, "cut")}
    assert found == {
        on("2026-10-30"): usd("1"),
        on("2026-10-31"): usd("1"),
        on("2026-11-01"): usd("1.033333333333333"),
        on("2026-11-02"): usd("1.033333333333333"),
    }


def test_an_amount_takes_the_rate_of_its_day(warehouse: Any) -> None:
    assert [row[1:3] for row in lines(warehouse, "euro")] == [
        (on("2026-09-30"), usd("108")),
        (on("2026-10-01"), usd("110")),
    ]


def test_a_month_in_another_currency_is_exact_in_dollars(warehouse: Any) -> None:
    found = lines(warehouse, "euro-month")
    # 199 x 1.08 over 30 days.
    assert found[0][2] == usd("7.164")
    assert sum(row[2] for row in found) == usd("214.92")


def test_a_day_without_a_rate_has_no_dollars_and_is_found(warehouse: Any) -> None:
    # Pounds have a rate from November on, which is not that of October.
    assert lines(warehouse, "pound") == [("platform_fee", on("2026-10-09"), None, None)]
    [[finding, amount, currency]] = warehouse.execute(
        "select finding, charged_amount, currency_code from marts.spend.fct_charges"
        " where charge_id = 'pound'"
    ).fetchall()
    assert (finding, amount, currency) == ("no_fx_rate", usd("5"), "GBP")
    [[count]] = warehouse.execute(
        """select unpriced_lines_count from marts.spend.fct_spend_monthly
        where provider = 'tool' and month_on = date '2026-10-01'"""
    ).fetchall()
    assert count == 1


def test_what_is_short_of_a_promise_is_charged_at_the_end_of_its_term(warehouse: Any) -> None:
    # 10,000 less 7,000 and 412.33; the next quarter is not over.
    assert lines(warehouse, "promise") == [
        ("commitment_true_up", on("2026-09-30"), usd("2587.67"), usd("2587.67"))
    ]


def test_a_drawdown_is_paid_once_and_overage_costs_more(warehouse: Any) -> None:
    # 100 paid; 60 drawn, then 40 of 70: 30 beyond, a quarter more of which is 7.5.
    assert lines(warehouse, "drawn") == [
        ("commitment_purchase", on("2026-09-01"), usd("100"), usd("0")),
        ("commitment_drawdown", on("2026-09-10"), usd("-60"), usd("0")),
        ("commitment_drawdown", on("2026-09-20"), usd("-40"), usd("0")),
        ("commitment_overage", on("2026-09-20"), usd("7.5"), usd("7.5")),
    ]
    # With 130 of use: 137.5 paid, and 137.5 is what it cost.
    assert overview(warehouse, "cloud", "2026-09-01") == (usd("137.5"), usd("137.5"))


def test_what_is_not_drawn_is_lost_at_the_end(warehouse: Any) -> None:
    assert lines(warehouse, "lost")[-1] == (
        "commitment_expired", on("2026-09-30"), usd("0"), usd("60"),
    )  # fmt: skip
    assert overview(warehouse, "mill", "2026-09-01") == (usd("100"), usd("100"))


def test_credits_bought_are_one_balance_that_use_draws_down(warehouse: Any) -> None:
    # 50, then 20 more: 30 and 20 drawn, 10 beyond before the second purchase, then 5.
    drawn = [row[1:3] for row in lines(warehouse, "first-credits") if row[0] == "prepaid_drawdown"]
    assert drawn == [
        (on("2026-10-01"), usd("-30")),
        (on("2026-10-02"), usd("-20")),
        (on("2026-10-05"), usd("-5")),
    ]
    # Paid: 70 and the 10; cost: the 65 used.
    assert overview(warehouse, "wallet", "2026-10-01") == (usd("80"), usd("65"))


def test_capacity_by_the_hour_is_charged_for_every_hour(warehouse: Any) -> None:
    # 4 x 2.50 x 24 for each of two days.
    assert [row[2] for row in lines(warehouse, "units")] == [usd("240"), usd("240")]
    assert parts(warehouse, "units", "owner") == {"acme": usd("480")}
    # Used 30 for x, in chat, and 10 for y.
    assert parts(warehouse, "units", "customer") == {
        ("cust-x", "chat"): usd("360"),
        "cust-y": usd("120"),
    }


def test_three_equal_teams_share_a_hundred_to_the_last_digit(warehouse: Any) -> None:
    found = parts(warehouse, "thirds", "owner")
    assert found == {
        "team-a": usd("33.333333333333333"),
        "team-b": usd("33.333333333333333"),
        "team-c": usd("33.333333333333334"),
    }
    assert parts(warehouse, "thirds", "customer") == {"customers-internal": usd("100")}


def test_heads_and_fixed_shares_part_a_charge(warehouse: Any) -> None:
    # Two users in a, one in b; a day's 25 is 16.666666666666666 and the rest.
    assert parts(warehouse, "seats", "owner") == {
        "team-a": 30 * usd("16.666666666666666"),
        "team-b": 30 * usd("8.333333333333334"),
    }
    assert parts(warehouse, "shared", "owner") == {"team-a": usd("7"), "team-b": usd("3")}


def test_of_an_owned_provider_the_bill_is_the_whole_truth(warehouse: Any) -> None:
    found = warehouse.execute(
        """select charged_on, charge_kind, charge_id, billed_cost_usd, finding
        from marts.spend.fct_charges where provider = 'openai' order by 1, 2, 4"""
    ).fetchall()
    assert found == [
        # 1.75 of model use, 1.25 of it metered.
        (on("2026-10-01"), "billed_unmetered", None, usd("0.5"), None),
        (on("2026-10-01"), "seats", "chat-seats", usd("500"), None),
        (on("2026-10-02"), "billed_unmetered", None, usd("3"), None),
        # Fifty pounds on a day without a rate: on the list, in no total.
        (on("2026-10-03"), "billed_unmetered", None, None, "no_fx_rate"),
        (on("2026-10-31"), "subscription", "ghost", usd("0"), "not_on_the_bill"),
        # 20 more than was declared.
        (on("2026-11-01"), "billed_unmetered", None, usd("20"), None),
        (on("2026-11-01"), "seats", "chat-seats", usd("500"), None),
    ]
    # 1.75 + 500 + 3, and 520 + 2.5.
    assert overview(warehouse, "openai", "2026-10-01") == (usd("504.75"), usd("504.75"))
    assert overview(warehouse, "openai", "2026-11-01") == (usd("522.5"), usd("522.5"))
    assert parts(warehouse, "chat-seats", "owner").keys() == {"team-a", "team-b"}


def overview(warehouse: duckdb.DuckDBPyConnection, provider: str, month: str) -> Row:
    """(billed, effective) of a provider's month, all kinds of lines."""
    [found] = warehouse.execute(
        """select sum(billed_cost_usd), sum(effective_cost_usd)
        from marts.spend.fct_spend_monthly where provider = ? and month_on = ?""",
        [provider, month],
    ).fetchall()
    return found


def earned(warehouse: duckdb.DuckDBPyConnection, customer: str) -> dict[Any, Any]:
    """Dollars earned from a customer, by day and feature."""
    found = warehouse.execute(
        """select revenue_on, feature_key, revenue_usd
        from intermediate.int_margin__revenue_daily where customer_key = ? order by 1, 2""",
        [customer],
    ).fetchall()
    return {(day, feature): dollars for day, feature, dollars in found}


def test_revenue_is_spread_over_the_days_of_its_period(warehouse: Any) -> None:
    found = earned(warehouse, "cust-x")
    chat = {day: dollars for (day, feature), dollars in found.items() if feature == "chat"}
    # 310.00 over 31 days of October.
    assert (len(chat), set(chat.values())) == (31, {usd("10")})
    plain = [dollars for (_, feature), dollars in found.items() if feature is None]
    # 100.00 over the last two days of October and the first of November.
    assert plain == [
        usd("33.333333333333333"), usd("33.333333333333333"), usd("33.333333333333334"),
    ]  # fmt: skip


def test_revenue_takes_the_rate_of_its_day_and_credits_count(warehouse: Any) -> None:
    # 200 euros over two days, at 1.08 and at 1.10.
    assert earned(warehouse, "cust-y") == {
        (on("2026-09-30"), None): usd("108"),
        (on("2026-10-01"), None): usd("110"),
        (on("2026-10-05"), None): usd("-2.5"),
    }


def test_revenue_of_a_customer_nobody_declared_is_unattributed(warehouse: Any) -> None:
    assert earned(warehouse, "customers-unattributed") == {(on("2026-10-05"), None): usd("7")}


def test_customers_bear_their_part_of_a_day_and_the_rest_is_internal(warehouse: Any) -> None:
    found = warehouse.execute(
        """select entity_key, feature_key, sum(effective_cost_usd)
        from marts.spend.fct_charge_allocations
        where tree = 'customer' and charged_on = date '2026-10-02' group by 1, 2
        having sum(effective_cost_usd) <> 0 order by 1"""
    ).fetchall()
    # 240 of capacity, three to one; a tax of 3.
    assert found == [
        ("cust-x", "chat", usd("180")),
        ("cust-y", None, usd("60")),
        ("customers-internal", None, usd("3")),
    ]
