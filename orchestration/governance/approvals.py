"""Which wanted limits wait for a person's yes: pure.

A breach that usage caused is acted on, however many keys it takes. What a price, a rule of
attribution or the configuration caused may be a mistake: beyond a few keys it waits. So does the
limit of a key that others use.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from orchestration.ops.wants import StoredWant

KEYS_AT_LEAST = 3
KEYS_RATIO = Decimal("0.1")
OWN_USAGE_RATIO = Decimal("0.8")


@dataclass(frozen=True)
class Asked:
    """One yes that is asked for, of one gateway."""

    approval_id: str
    gateway: str
    why: str
    wants: tuple[StoredWant, ...]


def ask_approvals(
    wants: Sequence[StoredWant],
    *,
    before: Mapping[tuple[str, str], StoredWant],
    key_counts: Mapping[str, int],
    snapshot_id: int,
) -> tuple[list[StoredWant], list[Asked]]:
    """The wants, each with the approval that it waits for, and the approvals asked for the first
    time.

    `key_counts` is how many keys are known of each gateway. A limit that was asked for before
    without an approval is not asked about again.
    """
    asked: dict[str, Asked] = {}
    caused = {gateway: [] for gateway in key_counts} | {want.gateway: [] for want in wants}
    for want in wants:
        if want.want != "open" and _causes(want) and "usage" not in _causes(want):
            caused[want.gateway].append(want)
    found: list[StoredWant] = []
    for want in wants:
        old = before.get((want.gateway, want.key_ref))
        is_new = old is None or old.want == "open" or old.approval_id is not None
        approval_id, why = None, ""
        if want.want != "open" and (is_new or _is_cap_run_out(want, old)):
            share = _own_share(want)
            over = caused[want.gateway]
            at_most = max(KEYS_AT_LEAST, int(key_counts.get(want.gateway, 0) * KEYS_RATIO))
            if is_new and share is not None and share < OWN_USAGE_RATIO:
                approval_id = f"{want.gateway}-{want.key_ref[:8]}-{want.generation}"
                why = f"others have {1 - share:.0%} of this key's use"
            elif want in over and len(over) > at_most:
                approval_id = f"{want.gateway}-{snapshot_id}"
                if old is not None and old.approval_id is not None:
                    approval_id = old.approval_id
                causes = sorted({cause for each in over for cause in _causes(each)})
                why = f"{len(over)} keys, more than {at_most}, by a change of {', '.join(causes)}"
        changed = replace(want, approval_id=approval_id)
        found.append(changed)
        if approval_id is not None and (old is None or old.approval_id != approval_id):
            others = asked[approval_id].wants if approval_id in asked else ()
            asked[approval_id] = Asked(approval_id, want.gateway, why, (*others, changed))
    return found, list(asked.values())


def _is_cap_run_out(want: StoredWant, old: StoredWant | None) -> bool:
    """True if a cap in place comes down to nothing now: as much as a new limit."""
    if old is None or want.want != "cap_to_remaining":
        return False
    return not all(reason.get("is_breach", True) for reason in old.reasons)


def _causes(want: StoredWant) -> set[str]:
    return {str(reason.get("cause", "usage")) for reason in want.reasons}


def _own_share(want: StoredWant) -> Decimal | None:
    """The largest share that one of the budgets has in the key's use; None where unknown."""
    shares = [reason.get("own_usage_ratio") for reason in want.reasons]
    known = [Decimal(share) for share in shares if share is not None]
    return max(known) if known and len(known) == len(shares) else None
