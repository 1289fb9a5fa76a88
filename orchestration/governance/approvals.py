"""Which wanted limits wait for a person's yes: pure.

A breach that usage caused is acted on, however many keys it takes. What a price, a rule of
attribution or the configuration caused may be a mistake: beyond a few keys it waits. So does the
limit of a key that others use.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from orchestration.governance.limits import shares_breach
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
    without an approval is not asked about again. An approval is of what was wanted in one snapshot,
    and is that of a key while its want stays the same.
    """
    caused: dict[str, list[StoredWant]] = {}
    for want in wants:
        if want.want != "open" and _causes(want) and "usage" not in _causes(want):
            caused.setdefault(want.gateway, []).append(want)
    asked: dict[str, Asked] = {}
    found: list[StoredWant] = []
    shared = 0
    for want in wants:
        old, over = before.get((want.gateway, want.key_ref)), caused.get(want.gateway, [])
        why = None
        if want.want != "open":
            at_most = max(KEYS_AT_LEAST, int(key_counts.get(want.gateway, 0) * KEYS_RATIO))
            why = _why_asked(want, old, over=over, at_most=at_most)
        if why is None:
            found.append(replace(want, approval_id=None))
        elif old is not None and old.want != "open" and not shares_breach(old, want):
            # What the limit in place was set for is over: it goes first, then another is asked for.
            found.append(
                replace(want, want="open", stated={}, reasons=old.reasons, approval_id=None)
            )
        elif old is not None and old.approval_id is not None and _plan(old) == _plan(want):
            found.append(replace(want, approval_id=old.approval_id))
        else:
            approval_id = f"{want.gateway}-{snapshot_id}"
            if want not in over or len(over) <= at_most:
                shared += 1
                approval_id = f"{approval_id}-{shared}"
            found.append(replace(want, approval_id=approval_id))
            others = asked[approval_id].wants if approval_id in asked else ()
            asked[approval_id] = Asked(approval_id, want.gateway, why, (*others, found[-1]))
    return found, list(asked.values())


def _why_asked(
    want: StoredWant, old: StoredWant | None, *, over: Sequence[StoredWant], at_most: int
) -> str | None:
    """Why a want waits for a yes; None where it does not."""
    is_new = old is None or old.generation != want.generation or old.approval_id is not None
    share = _own_share(want)
    if is_new and share is not None and share < OWN_USAGE_RATIO:
        return f"others have {1 - share:.0%} of this key's use"
    if (is_new or _is_cap_run_out(want, old)) and want in over and len(over) > at_most:
        causes = sorted({cause for each in over for cause in _causes(each)})
        return f"{len(over)} keys, more than {at_most}, by a change of {', '.join(causes)}"
    return None


def _plan(want: StoredWant) -> tuple[int, frozenset[tuple[str, ...]]]:
    """What a yes is given to: this very limit, for these breaches and by these causes.

    Another kind, rate or cap is another generation.
    """
    names = ("budget_id", "budget_version", "period_start_at", "cause")
    return want.generation, frozenset(
        tuple(str(reason.get(name)) for name in names) for reason in want.reasons
    )


def _is_cap_run_out(want: StoredWant, old: StoredWant | None) -> bool:
    """True if a cap in place comes down to nothing now: as much as a new limit."""
    if old is None or want.want != "cap_to_remaining":
        return False
    return not all(reason.get("is_breach", True) for reason in old.reasons)


def _setting(want: StoredWant) -> list[Mapping[str, Any]]:
    """The reasons that set this limit; others ask for a weaker one."""
    same = [reason for reason in want.reasons if reason.get("action") == want.want]
    if "of" not in want.stated:
        return same
    names = ("budget_id", "budget_version", "period_start_at")
    return [reason for reason in same if [reason[name] for name in names] == want.stated["of"]]


def _causes(want: StoredWant) -> set[str]:
    return {str(reason.get("cause", "usage")) for reason in _setting(want)}


def _own_share(want: StoredWant) -> Decimal | None:
    """The largest share that one of the budgets has in the key's use; None where unknown."""
    setting = _setting(want)
    shares = [reason.get("own_usage_ratio") for reason in setting]
    known = [Decimal(share) for share in shares if share is not None]
    return max(known) if known and len(known) == len(setting) else None
