"""Grants as they are used up: which one is next, what is left, and every change as a posting."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from orchestration.governance.wallet_book import Lot, Posting

_ZERO = Decimal(0)
_NEVER = datetime.max.replace(tzinfo=UTC)


def drawdown_order(lot: Lot) -> tuple[Any, ...]:
    """Priority (none last), earliest expiry (never last), larger remaining, id."""
    return (
        lot.priority is None,
        lot.priority or 0,
        lot.expires_at or _NEVER,
        -lot.remaining,
        lot.lot_id,
    )


@dataclass
class Lots:
    """The lots of every wallet; those that are here have begun and not expired."""

    by_id: dict[str, Lot] = field(default_factory=dict)
    by_wallet: dict[str, list[Lot]] = field(default_factory=dict)
    postings: list[Posting] = field(default_factory=list)

    def keep(self, lot: Lot) -> None:
        """Takes in a lot."""
        self.by_id[lot.lot_id] = lot
        if lot.remaining:
            self.by_wallet.setdefault(lot.wallet_id, []).append(lot)

    def usable(self, wallet_id: str) -> list[Lot]:
        """The lots with something left, next first."""
        return sorted(self.by_wallet.get(wallet_id, ()), key=drawdown_order)

    def balance(self, wallet_id: str) -> Decimal:
        """What the wallet holds."""
        return sum((lot.remaining for lot in self.by_wallet.get(wallet_id, ())), _ZERO)

    def take(self, wallet_id: str, amount: Decimal) -> Iterator[tuple[Lot, Decimal]]:
        """Of which lots an amount is to be taken; less in all where the wallet has less."""
        for lot in self.usable(wallet_id):
            if not amount:
                return
            part = min(lot.remaining, amount)
            amount -= part
            yield lot, part

    def post(
        self,
        line_id: str,
        kind: str,
        at: datetime,
        *,
        lot: Lot | None = None,
        wallet_id: str = "",
        amount: Decimal = _ZERO,
        part: Decimal,
        stated: Decimal,
        **use: Any,
    ) -> None:
        """Writes a posting, and changes its lot by the amount; without a lot it names a wallet."""
        if lot is not None:
            lot.remaining += amount
            if amount < 0 and not lot.remaining:
                self.by_wallet[lot.wallet_id].remove(lot)  # it never holds anything again
        self.postings.append(
            Posting(
                line_id=line_id,
                kind=kind,
                wallet_id=lot.wallet_id if lot else wallet_id,
                lot_id=lot.lot_id if lot else None,
                at=at,
                amount=amount,
                part=part,
                stated=stated,
                priority=lot.priority if lot else None,
                expires_at=lot.expires_at if lot else None,
                category=lot.category if lot else None,
                **use,
            )
        )
