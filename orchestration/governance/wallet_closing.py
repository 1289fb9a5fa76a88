"""Books that closed: what their postings leave to begin with, and what they lack. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from orchestration.governance.wallet_book import (
    Entry,
    Lot,
    Opening,
    Posting,
    TopUps,
    Use,
    UseKey,
)


def opening_after(frozen: Iterable[Posting], entries: Iterable[Entry], *, at: datetime) -> Opening:
    """What the postings of closed months leave."""
    lots: dict[str, Lot] = {}
    lines: set[str] = set()
    owed: dict[UseKey, Decimal] = {}
    paid: dict[tuple[str, str, str, str], Decimal] = {}
    asked: dict[str, list[tuple[datetime, str]]] = {}
    for each in sorted(frozen, key=lambda posting: posting.at):
        if each.kind in ("grant", "top_up_pending") and each.line_id.startswith("top_up|"):
            asked.setdefault(each.wallet_id, []).append((each.at, each.line_id[len("top_up|") :]))
        lines.add(each.line_id)
        if each.lot_id is not None:
            lot = lots.setdefault(
                each.lot_id,
                Lot(
                    each.lot_id,
                    each.wallet_id,
                    each.category,
                    each.priority,
                    each.expires_at,
                    Decimal(0),
                ),
            )
            lot.remaining += each.amount
        if each.home_wallet_id is not None and each.member_key is not None:
            key = (each.home_wallet_id, each.member_key, each.corrected_period or each.period)
            if each.kind == "debt":
                owed[key] = owed.get(key, Decimal(0)) + each.part
            else:
                paid[each.wallet_id, *key] = (
                    paid.get((each.wallet_id, *key), Decimal(0)) + each.part
                )
    answered = {
        name
        for entry in entries
        if entry.line_id in lines
        for name in (entry.top_up_id, entry.grant_id)
        if name is not None
    }
    return Opening(
        at=at,
        lots=tuple(lots.values()),
        lines=frozenset(lines),
        owed=owed,
        paid=paid,
        top_ups={
            wallet_id: TopUps(
                count=len(found),
                last_at=found[-1][0],
                pending_id=_pending(found[-1][1], lots, answered),
                answered=frozenset(answered),
            )
            for wallet_id, found in asked.items()
        },
    )


def _pending(top_up_id: str, lots: Mapping[str, Lot], answered: set[str]) -> str | None:
    return None if top_up_id in lots or top_up_id in answered else top_up_id


def corrections(
    opening: Opening,
    closed_use: Mapping[UseKey, tuple[tuple[str, ...], Decimal]],
    *,
    wallet_ids: Iterable[str],
) -> list[Use]:
    """Use of closed months as known now less what their books hold, dated as open books begin.

    `closed_use` says for each home wallet, member and month the chain of wallets and the cost.
    """
    recorded, known = opening.recorded(), set(wallet_ids)
    found = []
    for key in sorted(recorded.keys() | closed_use.keys()):
        home, member, period = key
        payers = sorted({wallet for wallet, *rest in opening.paid if tuple(rest) == key} - {home})
        chain, cost = closed_use.get(key, ((home, *payers), Decimal(0)))
        difference = cost - recorded.get(key, Decimal(0))
        if difference and home in known:
            found.append(
                Use(
                    start_at=opening.at,
                    end_at=opening.at,
                    member_key=member,
                    chain=chain,
                    cost=difference,
                    corrected_period=period,
                )
            )
    return found
