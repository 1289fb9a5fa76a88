"""What is not counted in tokens: vendors' published rates of `rate_cards/*.yml`, as dated rows.

Belongs here: the shape of a card, what makes two entries contradict each other, and their landing
in `raw_price_catalog.unit_rates`, whole, once a content. A card has its own dates: the newest
content is the whole history, because an entry is never edited, only ended and followed by another.
Does not belong: which rate an act has (dbt `int_prices__unit_rates`).
"""

import hashlib
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Annotated, Self

import dlt
import pyarrow as pa
import yaml
from dlt.extract import DltResource
from pydantic import BeforeValidator, Field, HttpUrl, ValidationError, model_validator

from ingestion.config_types import Declared, Text

CARDS_PATH = Path(__file__).parent / "rate_cards"
UNITS_PATH = Path(__file__).parent / "units.yml"
SCHEMA = pa.schema(
    [
        pa.field("cards_sha256", pa.string(), nullable=False),
        pa.field("observed_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("provider", pa.string(), nullable=False),
        pa.field("unit", pa.string(), nullable=False),
        # What an empty text says of the four: any.
        pa.field("model", pa.string(), nullable=False),
        pa.field("service_tier", pa.string(), nullable=False),
        pa.field("edition", pa.string(), nullable=False),
        pa.field("account_region", pa.string(), nullable=False),
        pa.field("rate_usd_per_unit", pa.decimal128(18, 15)),
        pa.field("valid_from_on", pa.date32()),
        pa.field("valid_to_on", pa.date32()),
        pa.field("quoted", pa.string(), nullable=False),
        pa.field("url", pa.string(), nullable=False),
        pa.field("checked_on", pa.date32(), nullable=False),
    ]
)


Rate = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=15)]


class RateCardError(ValueError):
    """A rate card says what a card may not say."""


def _written(value: object) -> object:
    if value is not None and not isinstance(value, str):
        raise ValueError("write the rate as a text: a YAML number is a float")
    return value


class UnitRate(Declared):
    """One published rate, USD per single unit; it holds for whatever it does not name.

    A rate of null says that no rate is known here, and that a more general one does not hold.
    `valid_from` is null where the source tells no start. What a list names are alternatives.
    """

    unit: Text
    usd_per_unit: Annotated[Rate | None, BeforeValidator(_written)]
    valid_from: date | None
    valid_to: date | None = None
    models: tuple[Text, ...] = ("",)
    service_tiers: tuple[Text, ...] = ("",)
    edition: str = ""
    account_regions: tuple[Text, ...] = ("",)
    quoted: Text
    url: HttpUrl
    checked_on: date

    @model_validator(mode="after")
    def _starts_before_it_ends(self) -> Self:
        if self.valid_from and self.valid_to and self.valid_to <= self.valid_from:
            raise ValueError("valid_to: a rate ends after it starts")
        return self

    def overlaps(self, other: "UnitRate") -> bool:
        """Whether both say a rate for the same thing at the same time."""
        return (
            (self.unit, self.edition) == (other.unit, other.edition)
            and bool(set(self.models) & set(other.models))
            and bool(set(self.service_tiers) & set(other.service_tiers))
            and bool(set(self.account_regions) & set(other.account_regions))
            and (self.valid_from or date.min) < (other.valid_to or date.max)
            and (other.valid_from or date.min) < (self.valid_to or date.max)
        )


class RateCard(Declared):
    """What one vendor publishes."""

    provider: Text
    rates: tuple[UnitRate, ...]


def units() -> frozenset[str]:
    """The closed list of what usage is counted in besides tokens."""
    return frozenset(yaml.safe_load(UNITS_PATH.read_text(encoding="utf-8"))["units"])


def read_cards(folder: Path = CARDS_PATH) -> tuple[RateCard, ...]:
    """The cards of a folder; raises RateCardError, naming the file, where one is none."""
    known = units()
    cards = []
    for path in sorted(folder.glob("*.yml")):
        try:
            card = RateCard.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (ValidationError, yaml.YAMLError) as error:
            raise RateCardError(f"{path.name}: {error}") from error
        for rate in card.rates:
            if rate.unit not in known:
                raise RateCardError(f"{path.name}: units.yml knows no unit {rate.unit}")
        for one, other in combinations(card.rates, 2):
            if one.overlaps(other):
                raise RateCardError(
                    f"{path.name}: {one.unit} has two rates at once: {one.usd_per_unit} and "
                    f"{other.usd_per_unit}"
                )
        cards.append(card)
    return tuple(cards)


def unit_rates_resource(*, observed_at: datetime) -> DltResource:
    """The bundled cards as a dlt resource; no rows when their content landed last time."""

    def unit_rates() -> Iterator[pa.Table]:
        """One published rate of a unit that is not a token, its dates and where it was read."""
        state = dlt.current.resource_state()
        digest = _digest()
        if state.get("cards_sha256") == digest:
            return
        constants = {"cards_sha256": digest, "observed_at": observed_at}
        rows = [row | constants for card in read_cards() for row in rows_of(card)]
        yield pa.Table.from_pylist(rows, schema=SCHEMA)
        state["cards_sha256"] = digest

    return dlt.resource(
        unit_rates,
        name="unit_rates",
        write_disposition="append",
        schema_contract={"tables": "evolve", "columns": "evolve", "data_type": "freeze"},
    )


def rows_of(card: RateCard) -> Iterator[dict[str, object]]:
    """One row for each alternative that an entry names."""
    for rate in card.rates:
        for model in rate.models:
            for tier in rate.service_tiers:
                for region in rate.account_regions:
                    yield {
                        "provider": card.provider,
                        "unit": rate.unit,
                        "model": model,
                        "service_tier": tier,
                        "edition": rate.edition,
                        "account_region": region,
                        "rate_usd_per_unit": rate.usd_per_unit,
                        "valid_from_on": rate.valid_from,
                        "valid_to_on": rate.valid_to,
                        "quoted": rate.quoted,
                        "url": str(rate.url),
                        "checked_on": rate.checked_on,
                    }


def _digest() -> str:
    content = b"".join(path.read_bytes() for path in sorted(CARDS_PATH.glob("*.yml")))
    return hashlib.sha256(content).hexdigest()
