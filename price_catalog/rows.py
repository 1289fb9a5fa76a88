"""What a model price file says, as flat rows: the vocabulary that parse, refresh and cost share."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True)
class PriceRow:
    """One rate of one meter under one condition; None and '' are any.

    `min_input_tokens` is the request size above which it holds; `variant` tells rates of one unit
    apart that usage does not (a resolution, a search size); the week's minutes are UTC, half-open.
    The meter `uplift` is a factor on every other rate, its variant where: a region ('eu', 'us'),
    'regional' (a named region but 'global') or 'not_global' (a model's name without 'global').
    """

    provider: str
    model: str
    catalogue_key: str
    meter: str
    service_tier: str
    min_input_tokens: int | None
    rate_usd_per_unit: Decimal
    unit: str = "token"
    variant: str = ""
    week_minute_from: int | None = None
    week_minute_to: int | None = None


@dataclass(frozen=True)
class ModelRow:
    """One catalogued model; `rates_hash` changes exactly when one of its rates does."""

    provider: str
    model: str
    catalogue_key: str
    mode: str | None
    deprecation_on: date | None
    rates_hash: str


@dataclass(frozen=True)
class RejectedRate:
    """A rate or a whole entry that was not taken, with the reason and where it stands."""

    catalogue_key: str
    price_key: str | None
    reason: str


@dataclass(frozen=True)
class ParsedCatalogue:
    """Everything one price file says: rates, models, what was refused, what was not understood."""

    prices: tuple[PriceRow, ...]
    models: tuple[ModelRow, ...]
    rejected: tuple[RejectedRate, ...]
    unparsed_keys: Mapping[str, int]
    provider_names: frozenset[str]


def rates_hash(rows: Iterable[PriceRow]) -> str:
    """What changes exactly when a rate of a model does.

    A plain rate is told by the same facts as ever, so that a new kind of condition opens no version
    of a model that has none.
    """
    return hashlib.sha256("\n".join(sorted(_line(row) for row in rows)).encode()).hexdigest()


def _line(row: PriceRow) -> str:
    line = f"{row.meter}|{row.service_tier}|{row.min_input_tokens}|{row.rate_usd_per_unit:f}"
    if row.variant or row.week_minute_from is not None:
        line += f"|{row.variant}|{row.week_minute_from}|{row.week_minute_to}"
    return line
