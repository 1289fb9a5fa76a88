"""Charges, commitments and exchange rates as rows of `raw_config`."""

from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any

import pyarrow as pa

from ingestion.config_loader import Config
from ingestion.config_money import Charge, Commitment
from ingestion.contracts import INTEGER, MONEY, TEXT, exact

Rows = Iterator[tuple[Any, ...]]
_DATE = pa.date32()
_FACTOR = pa.decimal128(9, 6)
_ALLOCATED = (
    ("entity_key", TEXT),
    ("allocation", TEXT),
    ("customer_allocation", TEXT),
    ("bill_line", TEXT),
)

MONEY_COLUMNS: dict[str, tuple[tuple[str, pa.DataType], ...]] = {
    "charges": (
        ("charge_id", TEXT),
        ("charge_kind", TEXT),
        ("charge_name", TEXT),
        ("provider", TEXT),
        ("period", TEXT),
        ("period_amount", MONEY),
        ("currency_code", TEXT),
        ("valid_from_on", _DATE),
        ("valid_to_on", _DATE),
        *_ALLOCATED,
    ),
    "commitments": (
        ("charge_id", TEXT),
        ("commitment_kind", TEXT),
        ("charge_name", TEXT),
        ("provider", TEXT),
        ("term_amount", MONEY),
        ("units_count", INTEGER),
        ("overage_ratio", _FACTOR),
        ("currency_code", TEXT),
        ("valid_from_on", _DATE),
        ("valid_to_on", _DATE),
        *_ALLOCATED,
    ),
    "charge_shares": (("charge_id", TEXT), ("entity_key", TEXT), ("share_ratio", _FACTOR)),
    "fx_rates": (
        ("currency_code", TEXT),
        ("usd_per_unit", pa.decimal128(18, 15)),
        ("valid_from_on", _DATE),
        ("valid_to_on", _DATE),
    ),
}


def _charges(config: Config) -> Rows:
    """One row a declared charge: seats, subscriptions, capacity, fees, prepaid purchases."""
    for charge in config.charges:
        yield (
            charge.id,
            charge.kind,
            charge.name or charge.id,
            charge.provider,
            charge.period,
            exact(charge.whole_amount),
            charge.currency,
            charge.valid_from_on,
            charge.valid_to_on,
            *_allocated(charge, config),
        )


def _commitments(config: Config) -> Rows:
    """One row a commitment and term, which is settled by itself."""
    for commitment in config.commitments:
        for start, end in commitment.terms():
            yield (
                commitment.id,
                commitment.kind,
                commitment.name or commitment.id,
                commitment.provider,
                exact(commitment.amount),
                commitment.count,
                exact(commitment.overage_ratio, places=6),
                commitment.currency,
                start,
                end,
                *_allocated(commitment, config),
            )


def _charge_shares(config: Config) -> Rows:
    """One row a fixed share of a charge or commitment."""
    for paid in (*config.charges, *config.commitments):
        for part in paid.shares:
            yield paid.id, part.entity, exact(part.share, places=6)


def _fx_rates(config: Config) -> Rows:
    """One row a currency and range of days; one left open ends where the next begins."""
    rates = sorted(config.fx_rates, key=lambda rate: (rate.currency, rate.valid_from_on))
    for rate, after in zip_longest(rates, rates[1:]):
        end = rate.valid_to_on
        if end is None and after is not None and after.currency == rate.currency:
            end = after.valid_from_on
        yield rate.currency, exact(rate.usd_per_unit), rate.valid_from_on, end


def _allocated(paid: Charge | Commitment, config: Config) -> tuple[Any, ...]:
    root = next(node.id for node in config.nodes if node.tree == "owner" and not node.parents)
    return (paid.entity or root, paid.allocation, paid.customer_allocation, paid.bill_line)


MONEY_ROWS: dict[str, Callable[[Config], Rows]] = {
    "charges": _charges,
    "commitments": _commitments,
    "charge_shares": _charge_shares,
    "fx_rates": _fx_rates,
}
