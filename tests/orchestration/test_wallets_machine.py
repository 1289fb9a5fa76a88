"""P2: whatever is entered, used, late, repeated or restated, every wallet keeps exactly what it is.

Told in any order, the facts make one ledger; checked after each step against sums made here.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from wallet_words import top_up, wallet

from orchestration.governance.wallet_book import Entry, Opening, Posting, Use
from orchestration.governance.wallet_checkpoints import from_text, to_text
from orchestration.governance.wallet_closing import opening_after
from orchestration.governance.wallets import ledger

START = datetime(2026, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
END = datetime(2026, 3, 1, tzinfo=UTC)
AMOUNTS = st.decimals("0.000000000000001", "300", places=15, allow_nan=False)
HOURS = st.integers(0, 58 * 24).map(lambda hours: START + timedelta(hours=hours))
NAMES = ("team", "company")
CHAINS = st.sampled_from([("team", "company"), ("company",), ("team",)])
WALLETS = (wallet("team", top_up=top_up("5", target=Decimal(20), cooldown=timedelta(days=9))),
           wallet("company"))  # fmt: skip


def written(entries: Sequence[Entry], uses: Sequence[Use], opening: Opening) -> list[Posting]:
    return ledger(WALLETS, entries, uses, opening=opening, as_of=END)


class WalletMachine(RuleBasedStateMachine):
    """Two wallets, one above the other."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[str, Entry] = {}
        self.uses: dict[str, Use] = {}
        self.seen: tuple[object, list[Posting]] = (None, [])

    def now(self) -> list[Posting]:
        """The ledger of all that was told so far."""
        facts = ([*self.entries.values()], [*self.uses.values()])
        if self.seen[0] != facts:
            self.seen = (facts, written(*facts, Opening()))
        return self.seen[1]

    def enter(
        self, kind: str, wallet_id: str, amount: Decimal | None, at: datetime, **more
    ) -> None:
        name = f"e{len(self.entries)}"
        self.entries[name] = Entry(
            entry_id=name, wallet_id=wallet_id, kind=kind, amount=amount, effective_at=at, **more
        )

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

    @rule(at=HOURS, amount=st.none() | AMOUNTS, number=st.integers(0, 9))
    def void(self, at: datetime, amount: Decimal | None, number: int) -> None:
        grants = [each for each in self.entries.values() if each.kind == "grant"]
        if grants:
            chosen = grants[number % len(grants)]
            self.enter("void", chosen.wallet_id, amount, at, grant_id=chosen.entry_id)

    @rule(at=HOURS, amount=AMOUNTS, upwards=st.booleans())
    def transfer(self, at: datetime, amount: Decimal, upwards: bool) -> None:
        source, target = NAMES if upwards else NAMES[::-1]
        self.enter("transfer", source, amount, at, to_wallet_id=target)

    @rule(at=HOURS, amount=AMOUNTS, sign=st.sampled_from([1, -1]), to=st.sampled_from(NAMES))
    def adjust(self, at: datetime, amount: Decimal, sign: int, to: str) -> None:
        self.enter("adjustment", to, amount * sign, at)

    @rule(at=HOURS, cost=AMOUNTS, chain=CHAINS, member=st.sampled_from("mno"))
    def use(self, at: datetime, cost: Decimal, chain: tuple[str, ...], member: str) -> None:
        """Late where its hour is before others', restated where it names one that is there."""
        end = at + timedelta(hours=1)
        found = Use(start_at=at, end_at=end, member_key=member, chain=chain, cost=cost)
        self.uses[found.line_id] = found

    @rule(number=st.integers(0, 9), cost=AMOUNTS)
    def restate(self, number: int, cost: Decimal) -> None:
        if self.uses:
            name = sorted(self.uses)[number % len(self.uses)]
            self.uses[name] = replace(self.uses[name], cost=cost)

    @invariant()
    def every_line_is_whole(self) -> None:
        postings = self.now()
        parts: dict[str, Decimal] = {}
        for each in postings:
            parts[each.line_id] = parts.get(each.line_id, Decimal(0)) + each.part
        for each in postings:
            assert parts[each.line_id] == each.stated
        for use in self.uses.values():
            assert parts[use.line_id] == use.cost

    @invariant()
    def every_wallet_is_whole_and_no_grant_is_overdrawn(self) -> None:
        postings = self.now()
        for name in NAMES:
            total = {
                kind: sum((p.amount for p in postings if p.wallet_id == name and p.kind == kind), 0)
                for kind in ("grant", "transfer_in", "adjustment", "use", "expiry", "void",
                             "transfer_out", "debt", "shortfall")
            }  # fmt: skip
            remaining = 0
            for lot in {p.lot_id for p in postings if p.wallet_id == name and p.lot_id}:
                moves = [p.amount for p in postings if p.lot_id == lot]
                assert moves[0] >= 0 >= max(moves[1:], default=Decimal(0))
                assert 0 <= sum(moves) <= moves[0]
                remaining += sum(moves)
            assert (
                total["grant"] + total["transfer_in"] + total["adjustment"]
                == remaining - total["use"] - total["expiry"] - total["void"]
                - total["transfer_out"]
            )  # fmt: skip
            assert total["debt"] == total["shortfall"] == 0

    @invariant()
    def grants_are_drawn_in_order_and_only_while_they_hold(self) -> None:
        postings = self.now()
        begun = {p.lot_id: p.at for p in reversed(postings) if p.amount > 0}
        balance: dict[str, Decimal] = {}
        for each in postings:
            if each.kind == "use":
                usable = [
                    p
                    for p in postings
                    if p.amount > 0 and p.wallet_id == each.wallet_id
                    and balance.get(p.lot_id, 0) > 0
                ]  # fmt: skip
                first = min(
                    usable,
                    key=lambda p: (
                        p.priority is None,
                        p.priority or 0,
                        (p.expires_at or datetime.max.replace(tzinfo=UTC)),
                        -balance[p.lot_id],
                        p.lot_id,
                    ),
                )
                assert each.lot_id == first.lot_id
                assert begun[each.lot_id] <= each.at
                assert each.expires_at is None or each.at < each.expires_at
            if each.lot_id is not None:
                balance[each.lot_id] = balance.get(each.lot_id, Decimal(0)) + each.amount
            if each.kind == "debt":
                chain = self.uses[each.line_id].chain
                held = [p.lot_id for p in postings if p.wallet_id in chain and p.lot_id]
                assert not any(balance.get(lot) for lot in held)

    @invariant()
    def the_order_of_telling_changes_nothing(self) -> None:
        told = self.now()
        other = written([*self.entries.values()][::-1], [*self.uses.values()][::-1], Opening())
        assert told == other

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
TestWallets.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
