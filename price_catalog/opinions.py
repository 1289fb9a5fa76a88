"""A second source's dated rates (genai-prices' data format): history seed and disagreement report.

Belongs here: reading that format, landing it. A row is the rate of one meter from one day on; of a
meter with sizes each is a row. The data is bundled; nothing of the package is imported.
"""

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import dlt
import pyarrow as pa
from dlt.extract import DltResource

from price_catalog.match import canonical_provider

HISTORY_PATH = Path(__file__).parent / "seed" / "price_history.json.gz"
_METERS = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
}
_PER_MILLION = Decimal("0.000001")
SCHEMA = pa.schema(
    [
        pa.field("opinions_sha256", pa.string(), nullable=False),
        pa.field("observed_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("provider", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("meter", pa.string(), nullable=False),
        pa.field("min_input_tokens", pa.int64()),
        pa.field("rate_usd_per_unit", pa.decimal128(18, 15), nullable=False),
        pa.field("valid_from_on", pa.date32()),
    ]
)


@dataclass(frozen=True)
class Opinion:
    """One rate (USD per token) of one meter, from a day on; None is since ever, and any size."""

    provider: str
    model: str
    meter: str
    min_input_tokens: int | None
    rate_usd_per_unit: Decimal
    valid_from_on: date | None


def read_history() -> bytes:
    """The bundled dated rates, uncompressed."""
    return gzip.decompress(HISTORY_PATH.read_bytes())


def opinions_of(content: bytes) -> Iterator[Opinion]:
    """The rates of tokens in a data file; meters it has besides are not compared."""
    for provider in json.loads(content, parse_float=Decimal, parse_int=Decimal):
        for model in provider["models"]:
            periods = model["prices"]
            for period in periods if isinstance(periods, list) else [{"prices": periods}]:
                constraint = period.get("constraint") or {}
                start = constraint.get("start_date")
                if constraint and start is None:
                    continue  # hours of the day are the base's own matter
                for key, stated in period["prices"].items():
                    if key not in _METERS:
                        continue
                    for size, rate in _sizes(stated):
                        yield Opinion(
                            provider=canonical_provider(provider["id"]),
                            model=model["id"],
                            meter=_METERS[key],
                            min_input_tokens=size,
                            rate_usd_per_unit=rate * _PER_MILLION,
                            valid_from_on=date.fromisoformat(start) if start else None,
                        )


def opinions_resource(*, observed_at: datetime) -> DltResource:
    """The bundled second opinion, landed once a content."""

    def rows() -> Iterator[pa.Table]:
        """One dated rate of a second source, with the size from which it holds."""
        state = dlt.current.resource_state()
        content = read_history()
        digest = hashlib.sha256(content).hexdigest()
        if state.get("opinions_sha256") == digest:
            return
        constants = {"opinions_sha256": digest, "observed_at": observed_at}
        records = [asdict(row) | constants for row in opinions_of(content)]
        yield pa.Table.from_pylist(records, schema=SCHEMA)
        state["opinions_sha256"] = digest

    return dlt.resource(
        rows,
        name="opinions",
        write_disposition="append",
        schema_contract={"tables": "evolve", "columns": "evolve", "data_type": "freeze"},
    )


def _sizes(stated: Decimal | dict[str, object]) -> Iterator[tuple[int | None, Decimal]]:
    if isinstance(stated, Decimal):
        yield None, stated
        return
    yield None, Decimal(str(stated["base"]))
    for tier in stated["tiers"]:  # type: ignore[attr-defined]
        yield int(tier["start"]), Decimal(str(tier["price"]))
