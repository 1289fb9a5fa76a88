"""Old prices and a new price file -> accept, flag or quarantine, with the reason; pure.

Belongs here: what makes a whole file untrustworthy, and what makes one rate of it so. A refused
file changes nothing; a quarantined rate keeps its last good value until a person accepts it; a
flagged one is taken. Does not: fetching and landing (refresh.py), what is in force (dbt).
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from decimal import Decimal
from typing import Literal

from price_catalog.parse import parse
from price_catalog.rows import ParsedCatalogue, PriceRow

Verdict = Literal["flag", "quarantine"]
_HELD: Verdict = "quarantine"
_TAKEN: Verdict = "flag"

# A file that lost more than a twentieth of its models is taken for truncated (reliability F32).
SMALLEST_SHARE_OF_LAST = (19, 20)
# Past this factor, either way, a change is taken for a slip until a person accepts it (F33).
LARGEST_FACTOR = 3
# USD per token: 1,000 per million.
LARGEST_TOKEN_RATE = Decimal("0.001")
_LARGEST_INTEGER = 2**63 - 1
_NOT_A_CONDITION = ("rate_usd_per_unit", "catalogue_key")
_CACHE_WRITES = ("cache_write", "cache_write_1h", "cache_write_12h")


@dataclass(frozen=True)
class Past:
    """What was known before a file is looked at; a first sight knows nothing.

    `last_good` is each rate (rate_key) as last in force; `models` and `used` are price keys
    (provider/model); `approved` are ids that a person accepted.
    """

    last_good: Mapping[str, Decimal] = field(default_factory=dict)
    models: frozenset[str] = frozenset()
    used: frozenset[str] = frozenset()
    approved: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Judged:
    """One rate that is not simply accepted: its last good value, the stated one, and why."""

    row: PriceRow
    rate_key: str
    item_id: str
    old_rate: Decimal | None
    is_used: bool
    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class Decision:
    """What becomes of a price file: refused whole with a reason, or taken with these verdicts."""

    item_id: str
    refused: str | None
    catalogue: ParsedCatalogue | None
    judged: tuple[Judged, ...] = ()


def price_key(row: PriceRow) -> str:
    """The model whose rate this is."""
    return f"{row.provider}/{row.model}"


def rate_key(row: PriceRow) -> str:
    """Names a rate across price files: its model, meter and condition, whatever its amount.

    What a condition leaves unsaid is left out, so that a new kind of condition renames nothing.
    """
    said = [
        f"{each.name}={getattr(row, each.name)}"
        for each in fields(row)
        if each.name not in _NOT_A_CONDITION
        and getattr(row, each.name) is not None
        and (each.default is MISSING or getattr(row, each.name) != each.default)
    ]
    return hashlib.sha256("|".join(said).encode()).hexdigest()[:24]


def decide(
    content: bytes,
    *,
    past: Past,
    read: Callable[[bytes], ParsedCatalogue] = parse,
) -> Decision:
    """The decision on any bytes whatever; never raises for what they say."""
    item_id = _file_id(content)
    try:
        catalogue = _storable(read(content))
        keys = {rate_key(row): row for row in catalogue.prices}
    except (ValueError, ArithmeticError, RecursionError) as error:
        return Decision(item_id, f"not a price file: {error}"[:200], None)
    asked = judge_file(catalogue, past=past)
    if asked:
        # The file changes several times a day: a yes is to what is asked, not to the bytes.
        item_id = _file_id("; ".join(asked).encode())
        if item_id not in past.approved:
            shown = "; ".join(asked)
            return Decision(item_id, shown if len(shown) <= 200 else f"{shown[:197]}...", None)
    return Decision(item_id, None, catalogue, tuple(judge_rates(keys, past=past)))


def judge_file(catalogue: ParsedCatalogue, *, past: Past) -> list[str]:
    """What a person has to say yes to before the file counts: the same where the same is gone."""
    listed = {f"{row.provider}/{row.model}" for row in catalogue.models}
    share, whole = SMALLEST_SHARE_OF_LAST
    asked = []
    if len(listed) * whole < len(past.models) * share:
        asked.append(f"fell from {len(past.models)} models to {len(listed)}")
    gone = sorted((past.used & past.models) - listed)
    if gone:
        asked.append(f"lacks {len(gone)} used model(s): {', '.join(gone)}")
    return asked


def judge_rates(rows: Mapping[str, PriceRow], *, past: Past) -> Iterator[Judged]:
    """Every rate, by its rate_key, that is flagged or quarantined."""
    slips = {}
    by_condition: dict[tuple[str, PriceRow], PriceRow] = {}
    for key, row in rows.items():
        old = past.last_good.get(key)
        slips[key] = _slip(row, old=old, is_used=price_key(row) in past.used)
        counted: PriceRow | None = row
        if slips[key] and _item_id(key, row, old) not in past.approved:
            counted = None if old is None else replace(row, rate_usd_per_unit=old)
        # What a rate is compared with is what will be in force beside it.
        if counted:
            by_condition[row.meter, _place(row)] = counted
    for key, row in rows.items():
        old = past.last_good.get(key)
        reason, verdict = slips[key], _HELD
        if reason is None:
            reason = _inverted(row, by_condition)
            verdict = _HELD if old not in (None, row.rate_usd_per_unit) else _TAKEN
        if reason is None:
            reason, verdict = _odd(row, old, by_condition), _TAKEN
        if reason is None:
            continue
        is_used = price_key(row) in past.used
        yield Judged(row, key, _item_id(key, row, old), old, is_used, verdict, reason)


def in_force(decision: Decision, *, past: Past) -> dict[str, Decimal]:
    """Each rate in force after a decision: as stated, or where it is held back its last good one.

    What a file does not state keeps its last good rate; dbt lets it go after some files more.
    """
    rates = dict(past.last_good)
    if decision.catalogue is None:
        return rates
    held = {
        each.rate_key
        for each in decision.judged
        if each.verdict == "quarantine" and each.item_id not in past.approved
    }
    for row in decision.catalogue.prices:
        key = rate_key(row)
        if key not in held:
            rates[key] = row.rate_usd_per_unit
    return rates


def _storable(catalogue: ParsedCatalogue) -> ParsedCatalogue:
    """Raises ValueError where names or sizes are such as no table holds."""
    for row in catalogue.models:
        f"{row.provider}|{row.model}|{row.catalogue_key}|{row.mode}".encode()
    "|".join([*catalogue.unparsed_keys, *catalogue.provider_names]).encode()
    for rejected in catalogue.rejected:
        f"{rejected.catalogue_key}|{rejected.price_key}".encode()
    for price in catalogue.prices:
        if (price.min_input_tokens or 0) > _LARGEST_INTEGER:
            raise ValueError(f"{price.catalogue_key} has a size that is no number of tokens")
    return catalogue


def _slip(row: PriceRow, *, old: Decimal | None, is_used: bool) -> str | None:
    """A rate that is taken for a slip of unit or digit: it waits for a person."""
    new = row.rate_usd_per_unit
    if old == new:
        return None
    if row.unit == "token" and new > LARGEST_TOKEN_RATE:
        return "over 1,000 USD per million tokens"
    if old is None:
        return None
    if new == 0 and not is_used:
        return None
    if new > old * LARGEST_FACTOR:
        return f"more than {LARGEST_FACTOR} times the last good rate"
    if new * LARGEST_FACTOR < old:
        return "zero on a used model" if new == 0 else "less than a third of the last good rate"
    return None


Places = Mapping[tuple[str, PriceRow], PriceRow]


def _inverted(row: PriceRow, by_condition: Places) -> str | None:
    """A discount that costs more than what it is a discount on."""
    place = _place(row)
    if row.meter == "cache_read":
        found = by_condition.get(("input", place))
        if found and row.rate_usd_per_unit > found.rate_usd_per_unit:
            return "a cache read dearer than input"
    if row.meter == "input":
        found = by_condition.get(("cache_read", place))
        if found and found.rate_usd_per_unit > row.rate_usd_per_unit:
            return "input cheaper than a cache read"
    if row.service_tier == "batch":
        found = by_condition.get((row.meter, replace(place, service_tier="standard")))
        if found and row.rate_usd_per_unit > found.rate_usd_per_unit:
            return "batch dearer than standard"
    return None


def _odd(row: PriceRow, old: Decimal | None, by_condition: Places) -> str | None:
    """What is taken, and worth a look."""
    found = by_condition.get(("input", _place(row)))
    base = found.rate_usd_per_unit if found else None
    if row.meter in _CACHE_WRITES and base:
        if row.rate_usd_per_unit == 0:
            return "a cache write at zero while input is not"
        if row.rate_usd_per_unit < base:
            return "a cache write cheaper than input"
    if row.meter == "cache_read" and base and row.rate_usd_per_unit == 0:
        return "a cache read at zero while input is not"
    if old and row.rate_usd_per_unit == 0:
        return "fell to zero on a model that nobody uses"
    return None


def _place(row: PriceRow) -> PriceRow:
    """The condition of a rate apart from its meter: what other meters are compared within."""
    return replace(row, meter="", catalogue_key="", rate_usd_per_unit=Decimal(0))


def _file_id(asked: bytes) -> str:
    return f"file-{hashlib.sha256(asked).hexdigest()[:12]}"


def _item_id(key: str, row: PriceRow, old: Decimal | None) -> str:
    """The same step from the same last good rate is one question, however often it is stated."""
    step = (
        f"{key}|{old}|{row.rate_usd_per_unit}"
        if old is None
        else (f"{key}|{old:f}|{row.rate_usd_per_unit:f}")
    )
    return f"price-{hashlib.sha256(step.encode()).hexdigest()[:12]}"
