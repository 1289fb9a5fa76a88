"""What is taken out of OpenRouter's records: counts, money, names; no address of a caller."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from ingestion.contracts import INTEGER, MONEY, TEXT, UTC_TIME, Column, Contract
from ingestion.json_text import tags_text
from ingestion.openrouter_api import hour_text
from ingestion.times import utc_text

_COUNTERS = tuple(
    f"{kind}{period}"
    for kind in ("usage", "byok_usage")
    for period in ("", "_daily", "_weekly", "_monthly")
)
_KEY_TIMES = ("created_at", "updated_at", "expires_at", "last_used_at")


def day_of(record: Any) -> str | None:
    """The UTC day of an activity row; None where it cannot be told."""
    date = record.get("date") if isinstance(record, dict) else None
    return date[:10] if isinstance(date, str) else None


def _pick_activity(record: Mapping[str, Any]) -> Sequence[Any]:
    """The declared columns of a day's row, in order."""
    return (
        utc_text(day_of(record)),
        record.get("api_key_hash"),
        record.get("api_key_name"),
        record.get("external_user"),
        record.get("workspace_id"),
        record.get("endpoint_id"),
        record.get("model"),
        record.get("model_permaslug"),
        record.get("provider_name"),
        record.get("usage"),
        record.get("byok_usage_inference"),
        record.get("requests"),
        record.get("prompt_tokens"),
        record.get("completion_tokens"),
        record.get("reasoning_tokens"),
        record.get("cached_tokens"),
    )


def _pick_analytics(record: Mapping[str, Any]) -> Sequence[Any]:
    """The declared columns of an hour's row, in order."""
    return (
        hour_text(record),
        record.get("api_key_hash"),
        record.get("api_key_name"),
        record.get("external_user"),
        record.get("model"),
        record.get("provider"),
        record.get("total_usage"),
        record.get("credits_usage"),
        record.get("byok_usage"),
        _count(record.get("request_count")),
        _count(record.get("tokens_prompt")),
        _count(record.get("tokens_completion")),
        _count(record.get("reasoning_tokens")),
    )


def _pick_key(record: Mapping[str, Any]) -> Sequence[Any]:
    """The declared columns of a key, in order; its label shows a part of the secret."""
    return (
        record.get("hash"),
        record.get("name"),
        record.get("workspace_id"),
        record.get("creator_user_id"),
        record.get("external_user"),
        record.get("disabled"),
        record.get("limit"),
        # A limit of null is none at all; one that is not told is not known.
        record["limit"] is None if "limit" in record else None,
        record.get("limit_remaining"),
        record.get("limit_reset"),
        record.get("include_byok_in_limit"),
        *(record.get(name) for name in _COUNTERS),
        *(utc_text(record.get(name)) for name in _KEY_TIMES),
    )


def _pick_generation(record: Mapping[str, Any]) -> Sequence[Any]:
    """The declared columns of a generation, in order; native counts before normalised ones."""
    prompt, completion = record.get("native_tokens_prompt"), record.get("native_tokens_completion")
    attempts = record.get("provider_responses")
    app = record.get("app_id")
    return (
        record.get("id"),
        record.get("request_id"),
        record.get("upstream_id"),
        record.get("session_id"),
        utc_text(record.get("created_at")),
        record.get("model"),
        record.get("provider_name"),
        record.get("api_type"),
        record.get("service_tier"),
        record.get("data_region"),
        record.get("finish_reason"),
        record.get("is_byok"),
        record.get("response_cache_source_id"),
        _whole(record.get("latency")),
        len(attempts) if isinstance(attempts, list) else None,
        record.get("tokens_prompt") if prompt is None else prompt,
        record.get("tokens_completion") if completion is None else completion,
        record.get("native_tokens_cached"),
        record.get("native_tokens_reasoning"),
        record.get("native_tokens_completion_images"),
        record.get("num_media_completion"),
        record.get("total_cost"),
        record.get("upstream_inference_cost"),
        record.get("external_user"),
        record.get("workspace_id"),
        str(app) if isinstance(app, int) else app,
        record.get("preset_id"),
        tags_text(_tags(record)),
    )


def _pick_credits(record: Mapping[str, Any]) -> Sequence[Any]:
    """The declared columns of the account's credits, in order."""
    return (record.get("observed_on"), record.get("total_credits"), record.get("total_usage"))


def _tags(record: Mapping[str, Any]) -> dict[str, str]:
    tags = {
        name: record[name]
        for name in ("router", "web_search_engine")
        if isinstance(record.get(name), str)
    }
    return tags | ({"cancelled": "true"} if record.get("cancelled") is True else {})


def _count(value: Any) -> Any:
    """Counts come as text or as numbers."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _whole(value: Any) -> Any:
    """Milliseconds come as floats; what is no finite number stays as it is, to be rejected."""
    is_finite = isinstance(value, float) and abs(value) < 2**53
    return round(value) if is_finite else value


_KEY_COLUMNS = (
    Column("api_key_hash", TEXT, required=True),
    Column("api_key_name", TEXT),
    Column("external_user", TEXT),
)


def _names(names: str) -> frozenset[str]:
    return frozenset(names.split())


def _texts(names: str) -> tuple[Column, ...]:
    return tuple(Column(name, TEXT) for name in names.split())


ACTIVITY = Contract(
    resource="activity",
    columns=(
        Column("date", UTC_TIME, required=True),
        *_KEY_COLUMNS,
        *_texts("workspace_id endpoint_id model"),
        Column("model_permaslug", TEXT, required=True),
        Column("provider_name", TEXT),
        Column("usage", MONEY, required=True),
        Column("byok_usage_inference", MONEY, required=True),
        Column("requests", INTEGER),
        Column("prompt_tokens", INTEGER, required=True),
        Column("completion_tokens", INTEGER, required=True),
        Column("reasoning_tokens", INTEGER),
        Column("cached_tokens", INTEGER),
    ),
    pick=_pick_activity,
    known_fields=_names(
        "date workspace_id endpoint_id model model_permaslug provider_name usage "
        "byok_usage_inference requests prompt_tokens completion_tokens reasoning_tokens "
        "cached_tokens api_key_hash api_key_name external_user"
    ),
    is_windowed=True,
)

ANALYTICS = Contract(
    resource="analytics",
    columns=(
        Column("hour", UTC_TIME, required=True),
        # Of the account as a whole there is no key: such rows are control totals, not usage.
        *_texts("api_key_hash api_key_name external_user"),
        Column("model", TEXT, required=True),
        Column("provider", TEXT),
        Column("total_usage", MONEY),
        Column("credits_usage", MONEY),
        Column("byok_usage", MONEY),
        Column("request_count", INTEGER),
        Column("tokens_prompt", INTEGER, required=True),
        Column("tokens_completion", INTEGER, required=True),
        Column("reasoning_tokens", INTEGER),
    ),
    pick=_pick_analytics,
    known_fields=_names(
        "date__hour created_at__hour model provider total_usage credits_usage byok_usage "
        "request_count tokens_prompt tokens_completion reasoning_tokens api_key_hash "
        "api_key_name external_user"
    ),
    is_windowed=True,
)

KEYS = Contract(
    resource="keys",
    columns=(
        Column("hash", TEXT, required=True),
        *_texts("name workspace_id creator_user_id external_user"),
        Column("disabled", pa.bool_(), required=True),
        Column("spend_limit", MONEY),
        Column("is_unlimited", pa.bool_()),
        Column("limit_remaining", MONEY, signed=True),
        Column("limit_reset", TEXT),
        Column("include_byok_in_limit", pa.bool_()),
        *(Column(name, MONEY) for name in _COUNTERS),
        *(Column(name, UTC_TIME) for name in _KEY_TIMES),
    ),
    pick=_pick_key,
    known_fields=_names(
        "hash label name disabled limit limit_remaining limit_reset include_byok_in_limit "
        "creator_user_id external_user workspace_id"
    )
    | {*_COUNTERS, *_KEY_TIMES},
    is_windowed=True,
)

GENERATIONS = Contract(
    resource="generations",
    columns=(
        Column("id", TEXT, required=True),
        *_texts("request_id upstream_id session_id"),
        Column("created_at", UTC_TIME, required=True),
        *_texts("model provider_name api_type service_tier data_region finish_reason"),
        Column("is_byok", pa.bool_()),
        Column("response_cache_source_id", TEXT),
        Column("latency", INTEGER),
        Column("attempts", INTEGER),
        Column("prompt_tokens", INTEGER),
        Column("completion_tokens", INTEGER),
        Column("cached_tokens", INTEGER),
        Column("reasoning_tokens", INTEGER),
        Column("image_output_tokens", INTEGER),
        Column("media_completion", INTEGER),
        Column("total_cost", MONEY, required=True),
        Column("upstream_inference_cost", MONEY),
        *_texts("external_user workspace_id app_id preset_id tags"),
    ),
    pick=_pick_generation,
    known_fields=_names(
        "api_type app_id cache_discount cancelled created_at data_region external_user "
        "finish_reason generation_time http_referer id is_byok latency model "
        "moderation_latency native_finish_reason native_tokens_cached "
        "native_tokens_completion native_tokens_completion_images native_tokens_prompt "
        "native_tokens_reasoning num_fetches num_input_audio_prompt num_media_completion "
        "num_media_prompt num_search_results origin preset_id provider_name "
        "provider_responses request_id response_cache_source_id router service_tier "
        "session_id streamed tokens_completion tokens_prompt total_cost upstream_id "
        "upstream_inference_cost usage user_agent web_search_engine workspace_id"
    ),
)

CREDITS = Contract(
    resource="credits",
    columns=(
        Column("observed_on", UTC_TIME, required=True),
        Column("total_credits", MONEY, required=True),
        Column("total_usage", MONEY, required=True),
    ),
    pick=_pick_credits,
    known_fields=frozenset(("observed_on", "total_credits", "total_usage")),
    is_windowed=True,
)
