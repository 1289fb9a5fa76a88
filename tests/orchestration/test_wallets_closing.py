"""Closed months keep their draws; what turns out otherwise is corrected in the open one."""

from decimal import Decimal

import pytest
from wallet_words import at, entry, grant, left, run, top_up, use, wallet

from orchestration.governance.wallet_book import Posting, Use
from orchestration.governance.wallet_checkpoints import from_text, to_text
from orchestration.governance.wallet_closing import corrections, opening_after

JANUARY = [grant("a", "100"), grant("b", "50", priority=1, until="2026-02-15")]
FEBRUARY = at("2026-02-01")


def closed(*uses: Use, **more: object) -> list[Posting]:
    """January's postings, as its close froze them."""
    found = run(entries=JANUARY, uses=uses, as_of="2026-02-10", **more)
    return [each for each in found if each.period == "2026-01"]


def corrected(frozen: list[Posting], cost: str) -> list[Use]:
    opening = opening_after(frozen, JANUARY, at=FEBRUARY)
    now = {(("w",), "m", "2026-01"): Decimal(cost)}
    return corrections(opening, now, wallet_ids={"w"})


def test_open_books_begin_with_what_closed_ones_leave() -> None:
    january, february = use("60", "2026-01-10"), use("70", "2026-02-03")
    whole = run(entries=JANUARY, uses=[january, february], as_of="2026-02-28")
    frozen = closed(january)
    opening = opening_after(frozen, JANUARY, at=FEBRUARY)
    rest = run(entries=JANUARY, uses=[february], opening=opening, as_of="2026-02-28")
    assert [*frozen, *rest] == whole
    assert left(whole) == {"a": "20"}


def test_unchanged_use_of_a_closed_month_needs_no_correction() -> None:
    assert corrected(closed(use("60", "2026-01-10")), "60") == []


def test_late_use_of_a_closed_month_is_drawn_as_the_open_books_begin() -> None:
    frozen = closed(use("60", "2026-01-10"))
    opening = opening_after(frozen, JANUARY, at=FEBRUARY)
    late = corrected(frozen, "75.5")
    assert [(each.cost, each.corrected_period, each.start_at) for each in late] == [
        (Decimal("15.5"), "2026-01", FEBRUARY)
    ]
    rest = run(entries=JANUARY, uses=late, opening=opening, as_of="2026-02-02")
    assert [(each.lot_id, each.amount, each.period) for each in rest] == [
        ("a", Decimal("-15.5"), "2026-02")
    ]
    assert left([*frozen, *rest]) == {"a": "74.5"}


def test_use_that_shrank_first_lessens_the_debt_and_then_is_credited() -> None:
    frozen = closed(use("160", "2026-01-10"))  # 150 drawn, 10 of debt
    opening = opening_after(frozen, JANUARY, at=FEBRUARY)
    rest = run(entries=JANUARY, uses=corrected(frozen, "130"), opening=opening, as_of="2026-02-02")
    found = [(each.kind, each.amount, each.part) for each in rest]
    assert found == [("debt", 0, -10), ("adjustment", 20, -20)]
    assert sum(each.part for each in rest) == -30


CHAT, SEARCH = ("team", "chat"), ("team", "search")
THREE = [wallet("team"), wallet("chat"), wallet("search")]
TOPPED = [grant(name, amount, wallet_id=name)
          for name, amount in (("team", "40"), ("chat", "100"), ("search", "100"))]  # fmt: skip


def of_two_chains() -> list[Posting]:
    """60 of chat (40 of the team's, 20 of chat's), then 30 of search, all of search's."""
    uses = [use("60", "2026-01-10", chain=CHAT), use("30", "2026-01-11", chain=SEARCH)]
    return run(wallets=THREE, entries=TOPPED, uses=uses, as_of="2026-01-31")


@pytest.mark.parametrize(
    ("chat", "search", "moved"),
    [
        ("60", "45.5", [("search", "use", "-15.5")]),
        ("50", "30", [("chat", "adjustment", "10")]),
        ("50", "45.5", [("chat", "adjustment", "10"), ("search", "use", "-15.5")]),
        ("70", "20", [("search", "adjustment", "10"), ("chat", "use", "-10")]),
        # Of 30 that came back, 20 are chat's and 10 the team's: the team pays first again.
        ("30", "42", [("chat", "adjustment", "20"), ("team", "adjustment", "10"),
                      ("team", "use", "-10"), ("search", "use", "-2")]),
    ],
)  # fmt: skip
def test_a_correction_is_of_the_chain_of_wallets_whose_use_it_corrects(
    chat: str, search: str, moved: list[tuple[str, str, str]]
) -> None:
    opening = opening_after(of_two_chains(), TOPPED, at=FEBRUARY)
    assert from_text(to_text(opening)) == opening
    now = {(CHAT, "m", "2026-01"): Decimal(chat), (SEARCH, "m", "2026-01"): Decimal(search)}
    late = corrections(opening, now, wallet_ids={"team", "chat", "search"})
    rest = run(wallets=THREE, entries=TOPPED, uses=late, opening=opening, as_of="2026-02-02")
    assert [(each.wallet_id, each.kind, f"{each.amount:f}") for each in rest] == moved


def test_a_wallet_that_is_declared_no_more_keeps_what_it_paid() -> None:
    opening = opening_after(of_two_chains(), TOPPED, at=FEBRUARY).declared({"team", "search"})
    now = {(("team",), "m", "2026-01"): Decimal(60), (SEARCH, "m", "2026-01"): Decimal(30)}
    assert corrections(opening, now, wallet_ids={"team", "search"}) == []
    now[("team",), "m", "2026-01"] = Decimal(55)
    [less] = corrections(opening, now, wallet_ids={"team", "search"})
    assert (less.chain, less.cost) == (("team",), -5)
    gone = opening.declared({"search"})
    assert corrections(gone, {}, wallet_ids={"search"}) == []


def test_a_correction_that_was_closed_itself_is_not_made_again() -> None:
    frozen = closed(use("60", "2026-01-10"))
    opening = opening_after(frozen, JANUARY, at=FEBRUARY)
    rest = run(entries=JANUARY, uses=corrected(frozen, "75"), opening=opening, as_of="2026-03-05")
    both = [*frozen, *(each for each in rest if each.period == "2026-02")]
    assert corrected(both, "75") == []
    assert [each.cost for each in corrected(both, "70")] == [-5]


def test_an_entry_dated_into_closed_books_counts_from_when_the_open_ones_begin() -> None:
    frozen = closed(use("60", "2026-01-10"))
    entries = [*JANUARY, grant("forgotten", "7", on="2026-01-05")]
    opening = opening_after(frozen, entries, at=FEBRUARY)
    rest = run(entries=entries, opening=opening, as_of="2026-02-02")
    assert [(each.lot_id, each.at, each.amount) for each in rest] == [("forgotten", FEBRUARY, 7)]


def test_numbers_of_top_ups_go_on_where_the_closed_books_left_them() -> None:
    rule = top_up("50", amount=Decimal(80), needs_confirmation=True)
    entries = [*JANUARY, grant("ahead", "5", on="2026-01-02", top_up_id="w/top-up/1")]
    january, february = (
        use("140", "2026-01-10"),
        grant("paid", "80", on="2026-02-02", top_up_id="w/top-up/2"),
    )
    facts = {"wallets": [wallet(top_up=rule)], "entries": [*entries, february]}
    whole = run(**facts, uses=[january, use("60", "2026-02-03")], as_of="2026-02-04")
    frozen = [each for each in whole if each.period == "2026-01"]
    assert [each.line_id for each in frozen if each.kind == "top_up_pending"] == [
        "top_up|w/top-up/2"
    ]
    opening = opening_after(frozen, facts["entries"], at=FEBRUARY)
    assert opening.top_ups["w"].count == 2
    rest = run(**facts, uses=[use("60", "2026-02-03")], opening=opening, as_of="2026-02-04")
    assert [*frozen, *rest] == whole
    assert rest[-1].line_id == "top_up|w/top-up/3"


def test_a_pending_top_up_stays_pending_and_keeps_its_number() -> None:
    wallets = [wallet(top_up=top_up("50", amount=Decimal(80), needs_confirmation=True))]
    frozen = closed(use("140", "2026-01-10"), wallets=wallets)
    opening = opening_after(frozen, JANUARY, at=FEBRUARY)
    assert opening.top_ups["w"].pending_id == "w/top-up/1"
    again = run(wallets=wallets, entries=JANUARY, opening=opening, as_of="2026-02-10")
    assert again == []
    off = entry("off", "void", None, on="2026-02-03", grant_id="w/top-up/1")
    renewed = run(wallets=wallets, entries=[*JANUARY, off], opening=opening, as_of="2026-02-10")
    assert [each.line_id for each in renewed] == ["void|off", "top_up|w/top-up/2"]
