"""The promises of the wallet ledger, each with numbers that can be checked on paper."""

from datetime import timedelta
from decimal import Decimal

import pytest
from wallet_words import at, entry, grant, left, run, taken, top_up, use, wallet

from orchestration.governance.wallet_book import Entry, Posting, Recurring

A_DAY = timedelta(days=1)


def debts(postings: list[Posting]) -> list[tuple[str, str]]:
    return [(each.wallet_id, f"{each.part:f}") for each in postings if each.kind == "debt"]


def test_the_example_of_the_specification() -> None:
    grants = [
        grant("a50", "50", priority=1, until="2026-03-01"),
        grant("b30", "30", priority=1, until="2026-03-01"),
        grant("c100", "100", priority=1, until="2026-03-15"),
        grant("d75", "75", priority=2, until="2026-02-20"),
        grant("e200", "200"),
    ]
    found = run(entries=grants, uses=[use("150", "2026-02-10T09:00")], as_of="2026-02-11")
    assert taken(found, "use") == [("a50", "50"), ("b30", "30"), ("c100", "70")]
    assert left(found) == {"c100": "30", "d75": "75", "e200": "200"}


def test_between_equals_the_larger_goes_first_and_then_the_id() -> None:
    grants = [grant("b", "10"), grant("a", "10"), grant("z", "11")]
    found = run(entries=grants, uses=[use("25", "2026-02-10")])
    assert taken(found, "use") == [("z", "11"), ("a", "10"), ("b", "4")]


def test_a_grant_is_used_from_the_instant_it_begins_until_just_before_it_expires() -> None:
    grants = [grant("g", "10", on="2026-02-10T08:00", until="2026-02-10T10:00")]
    hours = ["2026-02-10T07:00", "2026-02-10T08:00", "2026-02-10T09:00", "2026-02-10T10:00"]
    found = run(entries=grants, uses=[use("2", hour) for hour in hours])
    used = [(f"{each.at:%H}", f"{each.part:f}") for each in found if each.kind == "use"]
    assert used == [("08", "2"), ("09", "2")]
    assert debts(found) == [("w", "2"), ("w", "2")]
    assert taken(found, "expiry") == [("g", "6")]
    assert left(found) == {}


def test_what_no_grant_covers_is_a_debt_and_a_later_grant_does_not_hide_it() -> None:
    found = run(
        entries=[grant("g", "100"), grant("late", "50", on="2026-03-01")],
        uses=[use("130", "2026-02-10")],
    )
    assert (taken(found, "use"), debts(found)) == ([("g", "100")], [("w", "30")])
    assert left(found) == {"late": "50"}


def test_use_cascades_from_the_nearest_wallet_to_the_next_and_the_debt_is_the_nearest_ones() -> (
    None
):
    found = run(
        wallets=[wallet("team"), wallet("company")],
        entries=[grant("t", "40", wallet_id="team"), grant("c", "50", wallet_id="company")],
        uses=[use("100", "2026-02-10", chain=("team", "company"))],
    )
    assert taken(found, "use") == [("t", "40"), ("c", "50")]
    assert debts(found) == [("team", "10")]
    assert {each.stated for each in found if each.kind in ("use", "debt")} == {Decimal(100)}


def test_a_wallet_shared_by_three_teams_shows_what_each_drew() -> None:
    teams = {"team-a": "30", "team-b": "45", "team-c": "60"}
    found = run(
        entries=[grant("g1", "50", priority=1), grant("g2", "70")],
        uses=[use(cost, "2026-02-10T09:00", member_key=team) for team, cost in teams.items()],
    )
    drawn = [(each.member_key, each.kind, each.lot_id, f"{each.part:f}") for each in found[2:]]
    assert drawn == [
        ("team-a", "use", "g1", "30"),
        ("team-b", "use", "g1", "20"),
        ("team-b", "use", "g2", "25"),
        ("team-c", "use", "g2", "45"),
        ("team-c", "debt", None, "15"),
    ]


def test_a_void_takes_what_is_left_or_so_much_of_it() -> None:
    found = run(
        entries=[
            grant("g", "100"),
            entry("v1", "void", "20", on="2026-02-11", grant_id="g"),
            entry("v2", "void", None, on="2026-02-12", grant_id="g"),
            entry("v3", "void", "5", on="2026-02-13", grant_id="g"),
        ],
        uses=[use("30", "2026-02-10")],
    )
    assert taken(found, "void") == [("g", "20"), ("g", "50"), ("g", "0")]
    assert taken(found, "shortfall") == [(None, "5")]
    assert left(found) == {}


def test_a_grant_that_was_void_before_it_began_gives_nothing() -> None:
    found = run(
        entries=[
            entry("v", "void", None, on="2026-02-01", grant_id="g"),
            grant("g", "100", on="2026-03-01"),
        ]
    )
    assert (taken(found, "void"), left(found)) == ([("g", "100")], {})


def test_a_transfer_moves_what_there_is_and_keeps_priority_and_expiry() -> None:
    found = run(
        wallets=[wallet("w"), wallet("other")],
        entries=[
            grant("p", "30", priority=1, until="2026-03-01"),
            grant("n", "50"),
            entry("t", "transfer", "60", on="2026-02-01", to_wallet_id="other"),
            entry("u", "transfer", "25", on="2026-02-02", to_wallet_id="other"),
        ],
        uses=[use("10", "2026-02-10", chain=("other",))],
    )
    assert taken(found, "transfer_out") == [("p", "30"), ("n", "30"), ("n", "20")]
    assert taken(found, "shortfall") == [(None, "5")]
    assert taken(found, "use") == [("p>t", "10")]
    assert taken(found, "expiry") == [("p>t", "20")]
    assert left(found, "other") == {"n>t": "30", "n>u": "20"}
    assert left(found) == {}


def test_an_adjustment_adds_or_takes_and_never_below_nothing() -> None:
    found = run(
        entries=[
            grant("g", "10"),
            entry("up", "adjustment", "5", on="2026-02-01"),
            entry("down", "adjustment", "-18", on="2026-02-02"),
        ]
    )
    amounts = [(each.lot_id, f"{each.amount:f}") for each in found if each.kind == "adjustment"]
    assert amounts == [("up", "5"), ("g", "-10"), ("up", "-5")]
    assert taken(found, "shortfall") == [(None, "-3")]


def monthly(expires: str, expires_after: timedelta | None = None) -> Recurring:
    return Recurring(
        recurring_id="monthly",
        amount=Decimal(100),
        every="month",
        starts_at=at("2026-01-15"),
        ends_at=at("2026-04-15"),
        priority=1,
        category="promotional",
        expires=expires,
        expires_after=expires_after,
    )


@pytest.mark.parametrize(
    ("expires", "after", "expiries"),
    [
        ("never", None, []),
        ("cycle_end", None, ["2026-02-15", "2026-03-15", "2026-04-15"]),
        ("after", 10 * A_DAY, ["2026-01-25", "2026-02-25", "2026-03-25"]),
    ],
)
def test_a_recurring_grant_comes_each_cycle_and_ends_as_declared(
    expires: str, after: timedelta | None, expiries: list[str]
) -> None:
    found = run(wallets=[wallet(recurring=(monthly(expires, after),))])
    grants = [(each.lot_id, f"{each.at:%m-%d}") for each in found if each.kind == "grant"]
    assert grants == [
        ("w/monthly/2026-01-15T00:00", "01-15"),
        ("w/monthly/2026-02-15T00:00", "02-15"),
        ("w/monthly/2026-03-15T00:00", "03-15"),
    ]
    assert [f"{each.at:%Y-%m-%d}" for each in found if each.kind == "expiry"] == expiries


def test_a_new_cycle_is_used_in_the_hour_in_which_the_old_one_ends() -> None:
    found = run(
        wallets=[wallet(recurring=(monthly("cycle_end"),))],
        uses=[use("30", "2026-02-14T23:00"), use("120", "2026-02-15T00:00")],
        as_of="2026-02-16",
    )
    assert taken(found, "use") == [
        ("w/monthly/2026-01-15T00:00", "30"),
        ("w/monthly/2026-02-15T00:00", "100"),
    ]
    assert taken(found, "expiry") == [("w/monthly/2026-01-15T00:00", "70")]
    assert debts(found) == [("w", "20")]


def test_a_wallet_tops_itself_up_when_it_is_down_to_the_threshold() -> None:
    found = run(
        wallets=[wallet(top_up=top_up("20", amount=Decimal(100)))],
        entries=[grant("g", "100")],
        uses=[use("79", "2026-02-10T09:00"), use("1", "2026-02-10T10:00")],
        as_of="2026-02-11",
    )
    [added] = [each for each in found if each.line_id == "top_up|w/top-up/1"]
    assert (added.kind, added.at, added.amount) == ("grant", at("2026-02-10T11:00"), Decimal(100))
    assert left(found) == {"g": "20", "w/top-up/1": "100"}


def test_a_top_up_may_fill_to_a_target() -> None:
    found = run(
        wallets=[wallet(top_up=top_up("20", target=Decimal(250)))],
        entries=[grant("g", "100")],
        uses=[use("95.5", "2026-02-10T09:00")],
        as_of="2026-02-11",
    )
    assert left(found) == {"g": "4.5", "w/top-up/1": "245.5"}


def test_top_ups_keep_their_distance() -> None:
    rule = top_up("20", amount=Decimal(30), cooldown=A_DAY)
    hours = ["2026-02-10T09:00", "2026-02-10T15:00", "2026-02-11T12:00"]
    found = run(
        wallets=[wallet(top_up=rule)],
        entries=[grant("g", "100")],
        uses=[use("80", hours[0]), use("35", hours[1]), use("5", hours[2])],
        as_of="2026-02-12T09:00",
    )
    added = [f"{each.at:%dT%H}" for each in found if each.line_id.startswith("top_up|")]
    assert added == ["10T10", "11T10"]


def test_one_top_up_at_most_is_pending_until_it_is_paid_or_called_off() -> None:
    rule = top_up("20", amount=Decimal(100), needs_confirmation=True)
    spent = [use("90", "2026-02-10T09:00"), use("5", "2026-02-11T09:00")]

    def asked(*answers: Entry) -> tuple[list[str | None], dict[str, str]]:
        found = run(
            wallets=[wallet(top_up=rule)],
            entries=[grant("g", "100"), *answers],
            uses=spent,
            as_of="2026-02-12",
        )
        lines = [each.line_id for each in found if each.kind == "top_up_pending"]
        return lines, left(found)

    assert asked() == (["top_up|w/top-up/1"], {"g": "5"})
    paid = grant("paid", "100", on="2026-02-10T12:00", top_up_id="w/top-up/1")
    # The larger goes first where neither expires.
    assert asked(paid) == (["top_up|w/top-up/1"], {"g": "10", "paid": "95"})
    off = entry("off", "void", None, on="2026-02-11T08:00", grant_id="w/top-up/1")
    assert asked(off) == (["top_up|w/top-up/1", "top_up|w/top-up/2"], {"g": "5"})


def test_a_payment_dated_before_the_request_does_not_swallow_the_next_one() -> None:
    """100 and 50 paid ahead, less 90: nothing is asked for; less 45 more, 15 are left."""
    rule = top_up("20", amount=Decimal(100), needs_confirmation=True, cooldown=5 * A_DAY)
    found = run(
        wallets=[wallet(top_up=rule)],
        entries=[grant("g", "100"), grant("p", "50", on="2026-02-09", top_up_id="w/top-up/1")],
        uses=[use("90", "2026-02-10T09:00"), use("45", "2026-02-12T09:00")],
        as_of="2026-02-13",
    )
    asked = [(each.line_id, each.at) for each in found if each.kind == "top_up_pending"]
    assert asked == [("top_up|w/top-up/2", at("2026-02-12T10:00"))]


def test_a_negative_hour_takes_back_debt_first_and_then_credits_who_paid() -> None:
    found = run(
        wallets=[wallet("team"), wallet("company")],
        entries=[grant("t", "40", wallet_id="team"), grant("c", "50", wallet_id="company")],
        uses=[
            use("100", "2026-02-10", chain=("team", "company")),
            use("-25", "2026-02-11", chain=("team", "company")),
        ],
    )
    assert debts(found) == [("team", "10"), ("team", "-10")]
    [credit] = [each for each in found if each.kind == "adjustment"]
    assert (credit.wallet_id, credit.amount, credit.part) == ("company", Decimal(15), Decimal(-15))


def test_nothing_after_the_snapshot_has_happened() -> None:
    found = run(entries=[grant("g", "10", on="2026-03-01")], as_of="2026-02-28T23:59")
    assert found == []


def test_amounts_are_exact_to_the_last_of_fifteen_places() -> None:
    tiny, large = "0.000000000000001", "9999999999999999999999.000000000000001"
    found = run(
        entries=[grant("g", large, until="2026-03-01")],
        uses=[use(tiny, "2026-02-10")],
    )
    assert taken(found, "use") == [("g", tiny)]
    assert taken(found, "expiry") == [("g", "9999999999999999999999.000000000000000")]
