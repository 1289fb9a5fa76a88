"""What is taken out of a Langfuse observation, from whichever of its three shapes.

Observations come from the v2 API, from the older v1 API joined with its traces, and from the blob
export; all are told as v2 tells them, so that one act is one row wherever it is read. Input,
output, status message and model parameters are never picked, of metadata only what is listed here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from ingestion.contracts import INTEGER, MONEY, TEXT, UTC_TIME, Column, Contract
from ingestion.json_text import inside, tags_text
from ingestion.langfuse_tree import AGENT_NAME, HAS_USAGE_BELOW
from ingestion.langfuse_usage import numbers_text, usage_of
from ingestion.times import utc_text

_MAX_LABEL = 256
# Where each of these stands in metadata; the first that is there counts.
_METADATA = {
    "litellm_call_id": ("litellm_call_id",),
    "response_id": ("response_id",),
    "provider_request_id": ("provider_request_id", "aws_request_id"),
    "provider": ("custom_llm_provider", "ls_provider", "provider"),
    "team": ("user_api_key_team_id", "team_id", "team"),
    "user": ("user_api_key_user_id",),
    "customer": ("customer_id", "customer", "user_api_key_end_user_id"),
    "agent": ("agent_id",),
    "feature": ("feature",),
    "application": ("application", "app"),
    "key_hash": ("user_api_key_hash",),
    "key_alias": ("user_api_key_alias", "key_alias"),
}
# The API cuts values of metadata at 200 characters unless their keys are named.
METADATA_KEYS = tuple(key for keys in _METADATA.values() for key in keys)
_OLD_LITELLM_ID = "time-HH-MM-SS-ffffff_"
_CONTENT = ("input", "output", "statusMessage", "status_message", "modelParameters")


def without_content(record: Any) -> Any:
    """The record as it is kept in memory: what people and models said is let go at once."""
    if not isinstance(record, dict):
        return record
    return {name: value for name, value in record.items() if name not in _CONTENT}


def from_v1(record: Any, *, trace: Mapping[str, Any], project_id: str) -> Any:
    """A v1 observation as v2 would tell it; who and what for stand on its trace."""
    if not isinstance(record, dict):
        return record
    metadata = (trace.get("metadata"), record.get("metadata"))
    usage = record.get("usageDetails")
    return {
        **record,
        "projectId": record.get("projectId") or project_id,
        "providedModelName": record.get("model"),
        "internalModelId": record.get("modelId"),
        "totalCost": record.get("calculatedTotalCost"),
        "usageDetails": _v1_usage(record.get("usage")) if usage is None else usage,
        "userId": trace.get("userId"),
        "sessionId": trace.get("sessionId"),
        "tags": trace.get("tags"),
        "traceName": trace.get("name"),
        "release": trace.get("release"),
        "metadata": {k: v for part in metadata if isinstance(part, dict) for k, v in part.items()},
    }


def _v1_usage(usage: Any) -> Any:
    """The usage map out of v1's older usage object, whose unit need not be tokens."""
    if not isinstance(usage, dict):
        return None
    unit = usage.get("unit")
    if isinstance(unit, str) and unit != "TOKENS":
        return {unit.lower(): usage.get("total")}
    return {name: usage.get(name) for name in ("input", "output", "total")}


_EXPORT_NAMES = {
    "id": "id", "trace_id": "traceId", "project_id": "projectId", "type": "type", "name": "name",
    "parent_observation_id": "parentObservationId", "level": "level",
    "environment": "environment", "user_id": "userId", "session_id": "sessionId",
    "trace_name": "traceName", "metadata": "metadata", "tags": "tags", "release": "release",
    "version": "version", "provided_model_name": "providedModelName",
    "model_id": "internalModelId", "usage_pricing_tier_name": "usagePricingTierName",
    "usage_details": "usageDetails", "cost_details": "costDetails", "total_cost": "totalCost",
}  # fmt: skip
_EXPORT_TIMES = {
    "start_time": "startTime", "end_time": "endTime", "created_at": "createdAt",
    "updated_at": "updatedAt", "completion_start_time": "completionStartTime",
}  # fmt: skip
# Documented columns of an export that are left where they are.
_EXPORT_UNREAD = (
    "model_parameters latency time_to_first_token prompt_id prompt_name prompt_version bookmarked "
    "public is_root_observation input_price output_price total_price tool_definitions tool_calls "
    "tool_call_names model_name"
)


def from_export(record: Any) -> Any:
    """An exported observation as v2 would tell it; its times are UTC and do not say so."""
    if not isinstance(record, dict):
        return record
    told = {_EXPORT_NAMES.get(name, name): value for name, value in record.items()}
    for name, told_name in _EXPORT_TIMES.items():
        told[told_name] = utc_text(told.pop(name, None))
    return told


def _label(metadata: Any, names: Sequence[str]) -> str | None:
    """The first of these keys of metadata that holds a short text or number."""
    for name in names:
        value = inside(metadata, name)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and 0 < len(value) <= _MAX_LABEL:
            return value
    return None


def _tags(tags: Any) -> str | None:
    """Tags as a JSON object of strings: `k:v` and `k=v` become k: v, any other tag: "true"."""
    told: dict[str, str] = {}
    for tag in tags if isinstance(tags, list) else []:
        if isinstance(tag, str) and 0 < len(tag) <= _MAX_LABEL:
            name, found, value = tag.partition(":" if ":" in tag else "=")
            told[name.strip()] = value.strip() if found else "true"
    return tags_text(told)


def _old_response_id(id: Any) -> str | None:
    """The provider's id that older LiteLLM puts behind a time as the observation's id."""
    if isinstance(id, str) and id.startswith("time-") and id[len(_OLD_LITELLM_ID) - 1 :][:1] == "_":
        return id[len(_OLD_LITELLM_ID) :] or None
    return None


def _pick(record: Mapping[str, Any]) -> Sequence[Any]:
    """The declared columns of an observation, in order."""
    metadata = record.get("metadata")
    labels = {name: _label(metadata, keys) for name, keys in _METADATA.items()}
    usage = usage_of(record.get("usageDetails"))
    return (
        record.get("id"),
        record.get("projectId"),
        record.get("traceId"),
        record.get("parentObservationId"),
        record.get("type"),
        record.get("level"),
        record.get("startTime"),
        record.get("endTime"),
        record.get("completionStartTime"),
        record.get("updatedAt"),
        record.get("userId"),
        record.get("sessionId"),
        record.get("traceName"),
        record.get(AGENT_NAME),
        record.get(HAS_USAGE_BELOW),
        record.get("providedModelName"),
        numbers_text(record.get("usageDetails")),
        numbers_text(record.get("costDetails")),
        record.get("totalCost"),
        *(getattr(usage, name) for name in _TOKENS),
        usage.total_mismatch_tokens,
        usage.unit,
        usage.quantity,
        labels["litellm_call_id"],
        labels["response_id"] or _old_response_id(record.get("id")),
        labels["provider_request_id"],
        labels["provider"],
        labels["team"],
        labels["user"],
        labels["customer"],
        labels["agent"],
        labels["feature"],
        labels["application"],
        labels["key_hash"],
        labels["key_alias"],
        _tags(record.get("tags")),
    )


_TOKENS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_write_unsplit_tokens",
    "output_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "image_input_tokens",
    "image_output_tokens",
    "reported_total",
)

_COLUMNS = (
    Column("id", TEXT, required=True),
    Column("project_id", TEXT, required=True),
    Column("trace_id", TEXT),
    Column("parent_observation_id", TEXT),
    Column("type", TEXT, required=True),
    Column("level", TEXT),
    Column("start_time", UTC_TIME, required=True),
    Column("end_time", UTC_TIME),
    Column("completion_start_time", UTC_TIME),
    Column("updated_at", UTC_TIME),
    Column("user_id", TEXT),
    Column("session_id", TEXT),
    Column("trace_name", TEXT),
    Column("agent_name", TEXT),
    Column("has_usage_below", pa.bool_()),
    Column("provided_model_name", TEXT),
    Column("usage_details", TEXT),
    Column("cost_details", TEXT),
    Column("total_cost", MONEY),
    *(Column(name, INTEGER) for name in _TOKENS),
    Column("total_mismatch_tokens", INTEGER, signed=True),
    Column("unit", TEXT),
    Column("quantity", MONEY),
    Column("litellm_call_id", TEXT),
    Column("response_id", TEXT),
    Column("provider_request_id", TEXT),
    Column("metadata_provider", TEXT),
    Column("metadata_team", TEXT),
    Column("metadata_user", TEXT),
    Column("metadata_customer", TEXT),
    Column("metadata_agent", TEXT),
    Column("metadata_feature", TEXT),
    Column("metadata_application", TEXT),
    Column("metadata_key_hash", TEXT),
    Column("metadata_key_alias", TEXT),
    Column("tags", TEXT),
)

_KNOWN_FIELDS = (
    "id traceId startTime endTime projectId parentObservationId type isRootObservation name "
    "level statusMessage version environment bookmarked public userId sessionId "
    "completionStartTime createdAt updatedAt metadata providedModelName model internalModelId "
    "modelParameters usageDetails costDetails totalCost usagePricingTierName latency "
    "timeToFirstToken modelId inputPrice outputPrice totalPrice traceName tags release "
    "promptId promptName promptVersion"
)
_V1_FIELDS = (
    "usage unit promptTokens completionTokens totalTokens calculatedInputCost "
    "calculatedOutputCost calculatedTotalCost"
)
_OURS = frozenset((AGENT_NAME, HAS_USAGE_BELOW))

OBSERVATIONS = Contract(
    resource="observations",
    columns=_COLUMNS,
    pick=_pick,
    known_fields=_OURS.union(_KNOWN_FIELDS.split(), _V1_FIELDS.split()),
)

BLOB_EXPORT = Contract(
    resource="blob_export",
    columns=_COLUMNS,
    pick=_pick,
    known_fields=_OURS.union(_KNOWN_FIELDS.split(), _EXPORT_UNREAD.split()),
)
