"""What a budget has left, expressed as a cap that a gateway holds against its own count."""

from decimal import ROUND_DOWN, Decimal

from orchestration.enforcement.gateway import Settings, Wanted

_CENT = Decimal("0.01")
# A cap in place moves down by steps of a hundredth of the amount, and up by steps of a tenth: data
# that travel make what is left look larger than it is, never smaller.
_DOWN, _UP = Decimal("0.01"), Decimal("0.1")


def cap_usd(wanted: Wanted, *, counted_usd: Decimal | None) -> float | None:
    """The gateway's count so far and what the budget has left; None where it shows no count.

    Its count is where the cap starts from, not what was used: what is left is ours to say. The
    number is in whole cents, for JSON.
    """
    if counted_usd is None or wanted.remaining_usd is None:
        return None
    left = max(wanted.remaining_usd, Decimal(0))
    return float((counted_usd + left).quantize(_CENT, rounding=ROUND_DOWN))


def settled_cap(found: Settings, wrote: Settings, *, wanted: Wanted) -> Settings:
    """The cap in place, unless what it ought to be is far enough from it to write again."""
    if wanted.kind != "cap_to_remaining" or wanted.amount_usd is None:
        return found
    for name, value in found.items():
        if not isinstance(wrote.get(name), int | float):
            return found
        moved = Decimal(str(value)) - Decimal(str(wrote[name]))
        if not -wanted.amount_usd * _DOWN < moved < wanted.amount_usd * _UP:
            return found
    return {name: wrote[name] for name in found}
