"""P2: whatever is entered, used, late, repeated or restated, every wallet keeps exactly what it is.

Told in any order, the facts make one ledger; checked after each step against sums made here. Once
January is closed its postings stay, and what is told of it later is corrected in February.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from wallet_words import top_up, wallet

from orchestration.governance.wallet_book import Entry, Opening, Posting, Recurring, Use, UseKey
from orchestration.governance.wallet_checkpoints import from_text, to_text
from orchestration.governance.wallet_closing import corrections, opening_after
from orchestration.governance.wallets import ledger

START = datetime(2026, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
END = datetime(2026, 3, 1, tzinfo=UTC)
NEVER = datetime.max.replace(tzinfo=UTC)
ZERO = Decimal(0)
AMOUNTS = st.decimals("0.000000000000001", "300", places=15, allow_nan=False)
# A source may take back more in an hour than was used in it.
COSTS = AMOUNTS | AMOUNTS.map(lambda amount: -amount)
HOURS = st.integers(0, 58 * 24).map(lambda hours: START + timedelta(hours=hours))
NAMES = ("team", "pot", "company")
CHAINS = st.sampled_from([("team", "company"), ("team", "pot"), ("company",), ("pot",)])
WEEKLY = Recurring(recurring_id="r", amount=Decimal(30), every="week", starts_at=START,
                        ends_at=END - timedelta(days=9), priority=2, category="promotional",
                        expires="cycle_end", expires_after=None)  # fmt: skip
WALLETS = (
    wallet("team", top_up=top_up("5", target=Decimal(20), cooldown=timedelta(days=9))),
    wallet(
        "pot",
        top_up=top_up("9", amount=Decimal(40), needs_confirmation=True, cooldown=timedelta(days=3)),
    ),
    wallet("company", recurring=(WEEKLY,)),
)


def written(entries: Iterable[Entry], uses: Iterable[Use], opening: Opening) -> list[Posting]:
    return ledger(WALLETS, entries, uses, opening=opening, as_of=END)


class WalletMachine(RuleBasedStateMachine):
    """A team's wallet, a pot that asks before it is filled, and the company's above both."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[str, Entry] = {}
        self.uses: dict[str, Use] = {}
        self.frozen: list[Posting] | None = None
        self.seen: tuple[object, list[Posting]] = (None, [])

    def now(self) -> list[Posting]:
        """The ledger of all that was told so far."""
        told = ([*self.entries.values()], [*self.uses.values()], self.frozen is None)
        if self.seen[0] != told:
            self.seen = (told, self.booked(self.entries.values(), self.uses.values()))
        return self.seen[1]

    def booked(self, entries: Iterable[Entry], uses: Iterable[Use]) -> list[Posting]:
        entries, uses = list(entries), list(uses)
        if self.frozen is None:
            return written(entries, uses, Opening())
        opening = opening_after(self.frozen, entries, at=FEBRUARY)
        closed: dict[UseKey, Decimal] = defaultdict(Decimal)
        for each in uses:
            if each.start_at < FEBRUARY:
                closed[each.chain, each.member_key, "2026-01"] += each.cost
        open_uses = [each for each in uses if each.start_at >= FEBRUARY]
        late = corrections(opening, closed, wallet_ids=set(NAMES))
        return [*self.frozen, *written(entries, [*open_uses, *late], opening)]

    def enter(
        self, kind: str, wallet_id: str, amount: Decimal | None, at: datetime, **more
    ) -> None:
        name = f"e{len(self.entries)}"
        self.entries[name] = Entry(
            entry_id=name, wallet_id=wallet_id, kind=kind, amount=amount, effective_at=at, **more
        )

    @initialize(
        grants=st.lists(st.tuples(st.sampled_from(NAMES), AMOUNTS, HOURS), max_size=4),
        uses=st.lists(st.tuples(HOURS, AMOUNTS, CHAINS, st.sampled_from("mno")), max_size=8),
    )
    def begin(self, grants: list[Any], uses: list[Any]) -> None:
        """Something to begin with: a step alone rarely meets another."""
        for to, amount, at in grants:
            self.enter("grant", to, amount, at)
        for use in uses:
            self.put(*use)

    @rule(
        to=st.sampled_from(NAMES),
        amount=AMOUNTS,
        at=HOURS,
        days=st.none() | st.integers(1, 40),
        priority=st.none() | st.integers(1, 3),
    )
    def add_grant(
        self, to: str, amount: Decimal, at: datetime, days: int | None, priority: int | None
    ) -> None:
        until = None if days is None else at + timedelta(days=days)
        self.enter("grant", to, amount, at, expires_at=until, priority=priority)

    @rule(at=HOURS, amount=AMOUNTS, number=st.integers(1, 4))
    def pay_a_top_up(self, at: datetime, amount: Decimal, number: int) -> None:
        """That was asked for, or will be, or never is."""
        self.enter("grant", "pot", amount, at, top_up_id=f"pot/top-up/{number}")

    @rule(at=HOURS, number=st.integers(1, 4), wallet_id=st.sampled_from(["pot", "team"]))
    def void_a_top_up(self, at: datetime, number: int, wallet_id: str) -> None:
        self.enter("void", wallet_id, None, at, grant_id=f"{wallet_id}/top-up/{number}")

    @rule(at=HOURS, amount=st.none() | AMOUNTS, number=st.integers(0, 9))
    def void(self, at: datetime, amount: Decimal | None, number: int) -> None:
        grants = [each for each in self.entries.values() if each.kind == "grant"]
        if grants:
            chosen = grants[number % len(grants)]
            self.enter("void", chosen.wallet_id, amount, at, grant_id=chosen.entry_id)

    @rule(at=HOURS, amount=AMOUNTS, way=st.permutations(NAMES))
    def transfer(self, at: datetime, amount: Decimal, way: list[str]) -> None:
        self.enter("transfer", way[0], amount, at, to_wallet_id=way[1])

    @rule(at=HOURS, amount=AMOUNTS, sign=st.sampled_from([1, -1]), to=st.sampled_from(NAMES))
    def adjust(self, at: datetime, amount: Decimal, sign: int, to: str) -> None:
        self.enter("adjustment", to, amount * sign, at)

    @rule(at=HOURS, cost=COSTS, chain=CHAINS, member=st.sampled_from("mno"))
    def use(self, at: datetime, cost: Decimal, chain: tuple[str, ...], member: str) -> None:
        """Late where its hour is before others', restated where it names one that is there."""
        self.put(at, cost, chain, member)

    def put(self, at: datetime, cost: Decimal, chain: tuple[str, ...], member: str) -> None:
        end = at + timedelta(hours=1)
        found = Use(start_at=at, end_at=end, member_key=member, chain=chain, cost=cost)
        self.uses[found.line_id] = found

    @rule(number=st.integers(0, 9), cost=COSTS)
    def restate(self, number: int, cost: Decimal) -> None:
        if self.uses:
            name = sorted(self.uses)[number % len(self.uses)]
            self.uses[name] = replace(self.uses[name], cost=cost)

    @rule(number=st.integers(0, 9))
    def withdraw(self, number: int) -> None:
        """Use that turns out to be none."""
        if self.uses:
            self.uses.pop(sorted(self.uses)[number % len(self.uses)])

    @precondition(lambda self: self.frozen is None)
    @rule()
    def close_january(self) -> None:
        self.frozen = [each for each in self.now() if each.at < FEBRUARY]

    @invariant()
    def every_line_is_whole(self) -> None:
        parts: dict[str, Decimal] = defaultdict(Decimal)
        for each in self.now():
            parts[each.line_id] += each.part
        for each in self.now():
            assert parts[each.line_id] == each.stated

    @invariant()
    def all_use_is_drawn_owed_or_given_back(self) -> None:
        used: dict[UseKey, Decimal] = defaultdict(Decimal)
        for use in self.uses.values():
            used[use.chain, use.member_key, f"{use.start_at:%Y-%m}"] += use.cost
        for each in self.now():
            if each.chain is not None and each.member_key is not None:
                month = each.corrected_period or each.period
                used[each.chain, each.member_key, month] -= each.part
        assert not any(used.values())

    @invariant()
    def every_wallet_is_whole_and_no_grant_is_overdrawn(self) -> None:
        postings = self.now()
        for name in NAMES:
            total = {
                kind: sum((p.amount for p in postings if p.wallet_id == name and p.kind == kind), 0)
                for kind in ("grant", "transfer_in", "adjustment", "use", "expiry", "void",
                             "transfer_out", "debt", "shortfall", "top_up_pending")
            }  # fmt: skip
            remaining = 0
            for lot in {p.lot_id for p in postings if p.wallet_id == name and p.lot_id}:
                moves = [p.amount for p in postings if p.lot_id == lot]
                assert moves[0] >= 0 >= max(moves[1:], default=ZERO)
                assert 0 <= sum(moves) <= moves[0]
                remaining += sum(moves)
            assert (
                total["grant"] + total["transfer_in"] + total["adjustment"]
                == remaining - total["use"] - total["expiry"] - total["void"]
                - total["transfer_out"]
            )  # fmt: skip
            assert total["debt"] == total["shortfall"] == total["top_up_pending"] == 0

    @invariant()
    def grants_are_drawn_in_order_and_only_while_they_hold(self) -> None:
        postings = self.now()
        first = {p.lot_id: p for p in reversed(postings) if p.amount > 0}
        balance: dict[str, Decimal] = defaultdict(Decimal)
        for each in postings:
            if each.kind == "use":
                usable = [
                    (p.priority is None, p.priority or 0, p.expires_at or NEVER, -balance[lot], lot)
                    for lot, p in first.items()
                    if p.wallet_id == each.wallet_id and balance[lot] > 0
                ]
                assert each.lot_id == min(usable)[-1]
                assert first[each.lot_id].at <= each.at
                assert each.expires_at is None or each.at < each.expires_at
            if each.lot_id is not None:
                balance[each.lot_id] += each.amount
            if each.kind == "debt" and each.part > 0:
                held = {p.lot_id for p in first.values() if p.wallet_id in each.chain}
                assert not any(balance[lot] for lot in held)

    @invariant()
    def what_shrinks_lessens_its_debt_before_anything_is_given_back(self) -> None:
        owed: dict[UseKey, Decimal] = defaultdict(Decimal)
        for each in self.now():
            if each.chain is not None and each.member_key is not None:
                key = (each.chain, each.member_key, each.corrected_period or each.period)
                owed[key] += each.part if each.kind == "debt" else 0
                assert owed[key] >= 0
                assert each.kind != "adjustment" or owed[key] == 0

    @invariant()
    def one_top_up_at_most_is_pending_and_none_has_the_number_of_another(self) -> None:
        pending, asked = None, []
        for each in self.now():
            entry = self.entries.get(each.line_id.partition("|")[2])
            if entry is not None and pending in (entry.top_up_id, entry.grant_id):
                pending = None
            if each.kind == "top_up_pending":
                assert pending is None
                pending = each.line_id.removeprefix("top_up|")
                asked.append(int(pending.rpartition("/")[2]))
        assert asked == sorted(set(asked))

    @invariant()
    def the_order_of_telling_changes_nothing(self) -> None:
        entries, uses = [*self.entries.values()], [*self.uses.values()]
        assert self.now() == self.booked(entries[::-1], uses[::-1])

    @precondition(lambda self: self.frozen is None)
    @invariant()
    def closing_a_month_changes_nothing(self) -> None:
        entries, uses = [*self.entries.values()], [*self.uses.values()]
        whole = self.now()
        frozen = [each for each in whole if each.at < FEBRUARY]
        middle = START + timedelta(days=14)
        first = opening_after([p for p in frozen if p.at < middle], entries, at=middle)
        opening = opening_after(
            [p for p in frozen if p.at >= middle],
            entries,
            at=FEBRUARY,
            earlier=from_text(to_text(first)),
        )
        assert opening == opening_after(frozen, entries, at=FEBRUARY)
        rest = written(entries, [each for each in uses if each.start_at >= FEBRUARY], opening)
        assert [*frozen, *rest] == whole


TestWallets = WalletMachine.TestCase
TestWallets.settings = settings(
    derandomize=True, deadline=None, max_examples=200, stateful_step_count=20
)
