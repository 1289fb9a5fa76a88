"""What is taken out of OpenAI's usage buckets and cost lines; both hold counts and names only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from ingestion.contracts import INTEGER, MONEY, TEXT, UTC_TIME, Column, Contract
from ingestion.json_text import inside

Endpoint = Literal[
    "completions",
    "embeddings",
    "moderations",
    "images",
    "audio_speeches",
    "audio_transcriptions",
    "vector_stores",
    "code_interpreter_sessions",
    "file_search_calls",
    "web_search_calls",
]


@dataclass(frozen=True)
class Measured:
    """What an endpoint groups by, and the fields that may hold what it counts, in a unit."""

    dimensions: tuple[str, ...]
    counted_in: tuple[str, ...]
    unit: str


_KEYED = ("project_id", "api_key_id", "model")
ENDPOINTS: dict[Endpoint, Measured] = {
    "completions": Measured((*_KEYED, "batch", "service_tier"), ("input_tokens",), "tokens"),
    "embeddings": Measured(_KEYED, ("input_tokens",), "tokens"),
    "moderations": Measured(_KEYED, ("input_tokens",), "tokens"),
    "images": Measured((*_KEYED, "size", "source"), ("images",), "images"),
    "audio_speeches": Measured(_KEYED, ("characters",), "characters"),
    "audio_transcriptions": Measured(_KEYED, ("seconds",), "seconds"),
    "vector_stores": Measured(("project_id",), ("usage_bytes",), "bytes"),
    "code_interpreter_sessions": Measured(
        ("project_id",), ("num_sessions", "sessions"), "sessions"
    ),
    "file_search_calls": Measured(("project_id", "api_key_id"), ("num_requests",), "requests"),
    "web_search_calls": Measured((*_KEYED, "context_level"), ("num_requests",), "requests"),
}
_TOKENS = (
    "input_tokens",
    "input_uncached_tokens",
    "input_cached_tokens",
    "input_cache_write_tokens",
    "output_tokens",
    "input_text_tokens",
    "output_text_tokens",
    "input_cached_text_tokens",
    "input_audio_tokens",
    "input_cached_audio_tokens",
    "output_audio_tokens",
    "input_image_tokens",
    "input_cached_image_tokens",
    "output_image_tokens",
)
_WHERE = ("endpoint", "starts_at", "ends_at")


def _pick_usage(record: Mapping[str, Any]) -> Sequence[Any]:
    """The declared columns of a usage result, in order."""
    measured = ENDPOINTS.get(record["endpoint"])
    counted = [record.get(name) for name in measured.counted_in] if measured else []
    return (
        *(record.get(name) for name in _WHERE),
        record.get("project_id"),
        record.get("api_key_id"),
        record.get("model"),
        record.get("batch"),
        record.get("service_tier"),
        record.get("size"),
        record.get("source"),
        record.get("context_level"),
        *(record.get(name) for name in _TOKENS),
        record.get("num_model_requests"),
        next((count for count in counted if count is not None), None),
        measured.unit if measured else None,
    )


# A bucket without its count is no empty bucket: the field was dropped.
USAGE = Contract(
    resource="usage",
    columns=(
        Column("endpoint", TEXT, required=True),
        Column("starts_at", UTC_TIME, required=True),
        Column("ends_at", UTC_TIME),
        Column("project_id", TEXT),
        Column("api_key_id", TEXT),
        Column("model", TEXT),
        Column("is_batch", pa.bool_()),
        Column("service_tier", TEXT),
        Column("image_size", TEXT),
        Column("image_source", TEXT),
        Column("context_level", TEXT),
        *(Column(name, INTEGER) for name in _TOKENS),
        Column("num_model_requests", INTEGER),
        Column("quantity", MONEY, required=True),
        Column("quantity_unit", TEXT, required=True),
    ),
    pick=_pick_usage,
    known_fields=frozenset(
        [
            *_WHERE,
            *_TOKENS,
            *("object", "project_id", "user_id", "api_key_id", "model", "batch", "service_tier"),
            *("size", "source", "context_level", "num_model_requests", "num_requests", "images"),
            *("characters", "seconds", "usage_bytes", "num_sessions", "sessions"),
        ]
    ),
    is_windowed=True,
)


def _pick_cost(record: Mapping[str, Any]) -> Sequence[Any]:
    """The declared columns of a cost result, in order."""
    return (
        record.get("starts_at"),
        record.get("ends_at"),
        record.get("project_id"),
        record.get("api_key_id"),
        record.get("line_item"),
        inside(record, "amount", "value"),
        inside(record, "amount", "currency"),
        record.get("quantity"),
        record.get("quantity_unit"),
    )


COSTS = Contract(
    resource="costs",
    columns=(
        Column("starts_at", UTC_TIME, required=True),
        Column("ends_at", UTC_TIME),
        Column("project_id", TEXT),
        Column("api_key_id", TEXT),
        Column("line_item", TEXT),
        Column("amount", MONEY, required=True, signed=True),
        Column("currency", TEXT, required=True),
        Column("quantity", MONEY, signed=True),
        Column("quantity_unit", TEXT),
    ),
    pick=_pick_cost,
    known_fields=frozenset(
        [
            *_WHERE,
            *("object", "amount", "line_item", "project_id", "project_name", "api_key_id"),
            *("organization_id", "organization_name", "quantity", "quantity_unit"),
        ]
    ),
    is_windowed=True,
)
