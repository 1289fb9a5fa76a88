"""Books that closed: what their postings leave to begin with, and what they lack. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from orchestration.governance.wallet_book import (
    NOTHING_CLOSED,
    TOP_UP_LINE,
    Entry,
    Lot,
    Opening,
    Posting,
    TopUps,
    Use,
    UseKey,
)

_ZERO = Decimal(0)


def opening_after(
    frozen: Iterable[Posting],
    entries: Iterable[Entry],
    *,
    at: datetime,
    earlier: Opening = NOTHING_CLOSED,
) -> Opening:
    """What the postings of closed months leave; of those after `earlier`, where it is given."""
    lots = {lot.lot_id: replace(lot) for lot in earlier.lots}
    lines, owed, paid = set(earlier.lines), dict(earlier.owed), dict(earlier.paid)
    top_ups = dict(earlier.top_ups)
    for each in sorted(frozen, key=lambda posting: posting.at):
        if each.lot_id is not None:
            if each.lot_id not in lots:
                lots[each.lot_id] = _empty_lot(each)
            lots[each.lot_id].remaining += each.amount
        if each.chain is None or each.member_key is None:
            lines.add(each.line_id)
            if each.line_id.startswith(TOP_UP_LINE) and each.part:
                top_ups[each.wallet_id] = _asked(top_ups.get(each.wallet_id, TopUps()), each)
            continue
        key = (each.chain, each.member_key, each.corrected_period or each.period)
        if each.kind == "debt":
            owed[key] = owed.get(key, _ZERO) + each.part
        else:
            paid[each.wallet_id, key] = paid.get((each.wallet_id, key), _ZERO) + each.part
    for entry in entries:
        answer = entry.top_up_id or entry.grant_id
        if answer is not None and entry.line_id in lines:
            state = top_ups.get(entry.wallet_id, TopUps())
            top_ups[entry.wallet_id] = replace(
                state,
                pending_id=None if state.pending_id == answer else state.pending_id,
                answered=state.answered | {answer},
            )
    return Opening(
        at=at,
        lots=tuple(lots.values()),
        lines=frozenset(lines),
        owed=owed,
        paid=paid,
        top_ups=top_ups,
    )


def _empty_lot(first: Posting) -> Lot:
    assert first.lot_id is not None
    attributes = (first.category, first.priority, first.expires_at)
    return Lot(first.lot_id, first.wallet_id, *attributes, _ZERO)


def _asked(state: TopUps, posting: Posting) -> TopUps:
    name = posting.line_id.removeprefix(TOP_UP_LINE)
    is_pending = posting.kind == "top_up_pending" and name not in state.answered
    return replace(
        state,
        count=int(name.rpartition("/")[2]),
        last_at=posting.at,
        pending_id=name if is_pending else state.pending_id,
    )


def corrections(
    opening: Opening, closed_use: Mapping[UseKey, Decimal], *, wallet_ids: Collection[str]
) -> list[Use]:
    """Use of closed months as known now less what their books hold, dated as open books begin.

    It is drawn by the chain of wallets whose use it corrects. The books of a nearest wallet that is
    declared no more stay as they are.
    """
    recorded = opening.recorded()
    found = []
    for key in sorted(recorded.keys() | closed_use.keys()):
        chain, member, period = key
        difference = closed_use.get(key, _ZERO) - recorded.get(key, _ZERO)
        if difference and chain[0] in wallet_ids:
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
