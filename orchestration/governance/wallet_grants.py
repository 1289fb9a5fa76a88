"""Recurring grants as the entries they stand for: one a cycle, up to a time."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from orchestration.governance.wallet_book import Entry, Recurring, Wallet

_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


def recurring_grants(wallet: Wallet, *, until: datetime) -> Iterator[Entry]:
    """One grant for each cycle of each recurring grant that has begun."""
    for rule in wallet.recurring:
        ends = [end for end in (rule.ends_at, wallet.valid_to_at) if end is not None]
        number = 0
        while (start := cycle_start(rule, number)) <= until and all(start < end for end in ends):
            number += 1
            yield Entry(
                entry_id=f"{wallet.wallet_id}/{rule.recurring_id}/{start:%Y-%m-%dT%H:%M}",
                wallet_id=wallet.wallet_id,
                kind="grant",
                amount=rule.amount,
                effective_at=start,
                expires_at=_expiry(rule, start, number),
                priority=rule.priority,
                category=rule.category,
            )


def cycle_start(rule: Recurring, number: int) -> datetime:
    """When a cycle begins, from 0; calendar months in UTC (a start is on day 28 at the latest)."""
    if rule.every in _DAYS:
        return rule.starts_at + timedelta(days=_DAYS[rule.every] * number)
    months = rule.starts_at.year * 12 + rule.starts_at.month - 1 + _MONTHS[rule.every] * number
    return rule.starts_at.replace(year=months // 12, month=months % 12 + 1)


def _expiry(rule: Recurring, start: datetime, next_number: int) -> datetime | None:
    if rule.expires == "never":
        return None
    if rule.expires == "cycle_end":
        return cycle_start(rule, next_number)
    assert rule.expires_after is not None
    return start + rule.expires_after
