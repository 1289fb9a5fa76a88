"""The shapes one observation has: by groups of fields (v2), whole (v1), as its trace, as a sum."""

from decimal import Decimal
from typing import Any

from sandbox.vendor import JsonObject

_CUT_AT = 200
GROUPS = {
    "core": ("id", "traceId", "startTime", "endTime", "projectId", "parentObservationId", "type"),
    "basic": (
        "name", "level", "statusMessage", "version", "environment", "bookmarked", "public",
        "userId", "sessionId", "isRootObservation",
    ),
    "time": ("completionStartTime", "createdAt", "updatedAt"),
    "io": ("input", "output"),
    "metadata": ("metadata",),
    "model": ("providedModelName", "internalModelId", "modelParameters"),
    "usage": ("usageDetails", "costDetails", "totalCost", "usagePricingTierName"),
    "prompt": ("promptId", "promptName", "promptVersion"),
    "metrics": ("latency", "timeToFirstToken"),
    "trace_context": ("tags", "release", "traceName"),
}  # fmt: skip
_ALWAYS = ("modelId", "inputPrice", "outputPrice", "totalPrice")
MEASURES = {"count": "", "totalCost": "", "inputTokens": "input", "outputTokens": "output"}
_V1_FIELDS = (
    "id", "traceId", "type", "name", "startTime", "endTime", "completionStartTime",
    "modelParameters", "input", "output", "version", "metadata", "level", "statusMessage",
    "parentObservationId", "usageDetails", "costDetails", "environment", "modelId", "inputPrice",
    "outputPrice", "totalPrice", "latency", "timeToFirstToken", "promptId", "promptName",
    "promptVersion", "createdAt", "updatedAt",
)  # fmt: skip


def in_groups(record: JsonObject, groups: list[str], *, expanded: set[str]) -> JsonObject:
    """The fields of those groups; long values of metadata are cut unless their keys are named."""
    shown = {name: record.get(name) for group in groups for name in GROUPS[group]}
    if "metadata" in shown:
        shown["metadata"] = {
            key: value if key in expanded or not isinstance(value, str) else value[:_CUT_AT]
            for key, value in (record["metadata"] or {}).items()
        }
    return shown | {name: record.get(name) for name in _ALWAYS}


def as_v1(record: JsonObject) -> JsonObject:
    """The observation as it was told before v2: whole, without who and what for."""
    usage = record["usageDetails"]
    return {name: record.get(name) for name in _V1_FIELDS} | {
        "model": record["providedModelName"],
        "usage": {
            "unit": "TOKENS",
            **{name: usage.get(name, 0) for name in ("input", "output", "total")},
        },
        "calculatedInputCost": None,
        "calculatedOutputCost": None,
        "calculatedTotalCost": record["totalCost"],
    }


def as_trace(records: list[JsonObject], groups: set[str]) -> JsonObject:
    """The trace of these observations (newest first), by groups of fields."""
    first = records[-1]
    trace = {
        "id": first["traceId"],
        "timestamp": first["startTime"],
        "name": first["traceName"],
        "sessionId": first["sessionId"],
        "release": first.get("release"),
        "version": None,
        "userId": first["userId"],
        "tags": first["tags"],
        "public": False,
        "environment": first["environment"],
        "htmlPath": f"/project/{first['projectId']}/traces/{first['traceId']}",
    }
    if "io" in groups:
        trace |= {name: first.get(name) for name in ("input", "output", "metadata")}
    if "observations" in groups:
        trace["observations"] = [record["id"] for record in records]
    if "scores" in groups:
        trace["scores"] = []
    return trace


def measured(measure: str, records: list[JsonObject]) -> Any:
    """A measure over these observations; counts are told as text."""
    if measure == "count":
        return str(len(records))
    if measure == "totalCost":
        return float(sum(Decimal(repr(record["totalCost"] or 0)) for record in records))
    side = MEASURES[measure]
    return str(
        sum(
            count
            for record in records
            for name, count in record["usageDetails"].items()
            if side in name
        )
    )
