"""What closed months leave, as text that is kept: a pass need not read their postings again."""

import json
from datetime import datetime
from decimal import Decimal

from orchestration.governance.wallet_book import Lot, Opening, TopUps


def to_text(opening: Opening) -> str:
    """The whole of an opening; the same opening is the same text."""
    return json.dumps(
        {
            "at": opening.at.isoformat(),
            "lots": [
                {
                    "id": lot.lot_id,
                    "wallet": lot.wallet_id,
                    "category": lot.category,
                    "priority": lot.priority,
                    "expires_at": lot.expires_at.isoformat() if lot.expires_at else None,
                    "remaining": f"{lot.remaining:f}",
                }
                for lot in opening.lots
            ],
            "lines": sorted(opening.lines),
            "owed": [[*key, f"{x:f}"] for key, x in opening.owed.items()],
            "paid": [[payer, *key, f"{x:f}"] for (payer, key), x in opening.paid.items()],
            "top_ups": {
                wallet_id: {
                    "count": state.count,
                    "last_at": state.last_at.isoformat() if state.last_at else None,
                    "pending_id": state.pending_id,
                    "answered": sorted(state.answered),
                }
                for wallet_id, state in opening.top_ups.items()
            },
        },
        sort_keys=True,
    )


def from_text(text: str) -> Opening:
    """The opening that was kept."""
    kept = json.loads(text)
    return Opening(
        at=datetime.fromisoformat(kept["at"]),
        lots=tuple(
            Lot(
                lot_id=lot["id"],
                wallet_id=lot["wallet"],
                category=lot["category"],
                priority=lot["priority"],
                expires_at=_moment(lot["expires_at"]),
                remaining=Decimal(lot["remaining"]),
            )
            for lot in kept["lots"]
        ),
        lines=frozenset(kept["lines"]),
        owed={(tuple(chain), *key): Decimal(x) for chain, *key, x in kept["owed"]},
        paid={(payer, (tuple(chain), *key)): Decimal(x) for payer, chain, *key, x in kept["paid"]},
        top_ups={
            wallet_id: TopUps(
                count=state["count"],
                last_at=_moment(state["last_at"]),
                pending_id=state["pending_id"],
                answered=frozenset(state["answered"]),
            )
            for wallet_id, state in kept["top_ups"].items()
        },
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
