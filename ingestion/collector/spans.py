"""A GenAI span in our columns: three generations of attribute names, and which spans are metered.

Inference spans are what is metered. Agents, tools and retrieval are not: they repeat their
children. A span of content or of anything else is nobody's usage and is passed over.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from ingestion.batches import SetAside
from ingestion.collector.events import contract_of
from ingestion.collector.values import Misfit, amount, refused, tags, text, whole
from ingestion.contracts import INTEGER, MONEY, TEXT, UTC_TIME, Column

_METERED = {"chat", "generate_content", "text_completion", "embeddings"}
_PASSED_OVER = {
    "invoke_agent", "invoke_workflow", "create_agent", "execute_tool", "plan", "retrieval",
    "fetch_response", "search_memory", "create_memory", "update_memory", "upsert_memory",
    "delete_memory", "create_memory_store", "delete_memory_store",
}  # fmt: skip
_CLIENT = (3, "SPAN_KIND_CLIENT")
_ERROR = (2, "STATUS_CODE_ERROR")
# OpenRouter's children of `LLM Generation`, which carries their sum.
_ATTEMPT = "provider attempt"
_USAGE = "gen_ai.usage."
_OPERATION, _ERROR_TYPE = "gen_ai.operation.name", "error.type"

# Column: the attributes it may stand in, the newest name first.
_COUNTS: Mapping[str, tuple[str, ...]] = {
    "input_tokens": (
        f"{_USAGE}input_tokens", f"{_USAGE}prompt_tokens", "llm.token_count.prompt",
    ),
    "output_tokens": (
        f"{_USAGE}output_tokens", f"{_USAGE}completion_tokens", "llm.token_count.completion",
    ),
    "total_tokens": (f"{_USAGE}total_tokens", "llm.usage.total_tokens"),
    "cache_read_tokens": (
        f"{_USAGE}cache_read.input_tokens", f"{_USAGE}cache_read_input_tokens",
        f"{_USAGE}input_tokens.cached",
    ),
    "cache_write_tokens": (
        f"{_USAGE}cache_write.input_tokens", f"{_USAGE}cache_creation.input_tokens",
        f"{_USAGE}cache_write_input_tokens", f"{_USAGE}cache_creation_input_tokens",
        f"{_USAGE}input_tokens.cache_write",
    ),
    "reasoning_tokens": (
        f"{_USAGE}reasoning.output_tokens", f"{_USAGE}output_tokens.reasoning",
        f"{_USAGE}reasoning_tokens",
    ),
    "audio_input_tokens": (f"{_USAGE}audio.input_tokens",),
    "audio_output_tokens": (f"{_USAGE}audio.output_tokens",),
    "image_input_tokens": (f"{_USAGE}image.input_tokens",),
    "image_output_tokens": (f"{_USAGE}image.output_tokens",),
}  # fmt: skip
_COSTS = (f"{_USAGE}total_cost", f"{_USAGE}cost", "litellm.cost.total", "gen_ai.cost.total_cost")
_TEXTS: Mapping[str, tuple[str, ...]] = {
    "provider": ("gen_ai.provider.name", "gen_ai.system"),
    "request_model": ("gen_ai.request.model",),
    "response_model": ("gen_ai.response.model",),
    "response_id": ("gen_ai.response.id", "gen_ai.response_id"),
    "litellm_call_id": ("litellm.call_id",),
    "session_id": ("gen_ai.conversation.id", "session.id"),
    "operation": (_OPERATION,),
    "raw_organization": ("litellm.organization.id", "metadata.user_api_key_org_id"),
    "raw_team": ("litellm.team.id", "litellm.team.alias", "metadata.user_api_key_team_id"),
    "raw_user": ("user.id", "enduser.id", "litellm.user.id", "metadata.user_api_key_user_id"),
    "raw_customer": ("litellm.end_user.id", "metadata.user_api_key_end_user_id"),
    "raw_agent": ("gen_ai.agent.name", "gen_ai.agent.id"),
    "raw_application": ("service.name",),
    "raw_key_hash": ("litellm.api_key.hash", "metadata.user_api_key_hash"),
    "raw_key_alias": ("litellm.api_key.alias", "metadata.user_api_key_alias"),
    "service_tier": ("gen_ai.response.service_tier", "openai.response.service_tier"),
    "region": ("cloud.region",),
}
_ENVIRONMENT = "deployment.environment.name"
_TAG_PREFIX = "trace.metadata."
_WANTED = {
    *(name for names in _COUNTS.values() for name in names),
    *(name for names in _TEXTS.values() for name in names),
    *_COSTS, _ENVIRONMENT, _ERROR_TYPE,
}  # fmt: skip


@dataclass(frozen=True)
class Span:
    """One span as it came, of its attributes those that are wanted; ids are hex."""

    trace_id: Any
    span_id: Any
    name: Any
    kind: Any
    started_ns: Any
    ended_ns: Any
    status_code: Any
    attributes: Mapping[str, Any]


def is_wanted(name: str) -> bool:
    """Whether an attribute may be kept: everything else, content above all, is not looked at."""
    return name in _WANTED or name.startswith(_TAG_PREFIX)


def span_row(
    span: Span, *, evidence_layer: str, convention: str | None
) -> dict[str, Any] | SetAside | None:
    """The columns of a metered span; why it is refused; or None where it is not metered."""
    attributes = span.attributes
    operation = attributes.get(_OPERATION)
    has_usage = any(name in attributes for names in _COUNTS.values() for name in names)
    if operation in _PASSED_OVER:
        # An agent elsewhere, whose own calls we do not see: staging looks whether we do.
        if operation != "invoke_agent" or span.kind not in _CLIENT or not has_usage:
            return None
    elif operation not in _METERED and not has_usage:
        return None
    if isinstance(span.name, str) and span.name.lower().startswith(_ATTEMPT):
        return None
    row: dict[str, Any] = {
        "evidence_layer": evidence_layer,
        "token_convention": convention,
        "status": _status(span),
    }
    for place, column, clean, value in _values(span):
        try:
            row[column] = clean(value)
        except Misfit as misfit:
            return refused([span.trace_id, span.span_id, *attributes.items()], place, str(misfit))
    if row["status"] == "error" and not any(row.get(column) for column in _COUNTS):
        return None
    return {name: value for name, value in row.items() if value is not None}


def _status(span: Span) -> str:
    return "error" if span.status_code in _ERROR or span.attributes.get(_ERROR_TYPE) else "ok"


def _values(span: Span) -> Iterator[tuple[str, str, Callable[[Any], Any], Any]]:
    """Where each value stands, its column, how it is cleaned, and the value."""
    attributes = span.attributes
    yield "traceId", "trace_id", partial(_id, digits=32), span.trace_id
    yield "spanId", "span_id", partial(_id, digits=16), span.span_id
    yield "startTimeUnixNano", "start_time", _time, span.started_ns
    yield "endTimeUnixNano", "end_time", _time, span.ended_ns
    for clean, columns in ((whole, _COUNTS), (amount, {"reported_cost": _COSTS}), (text, _TEXTS)):
        for column, names in columns.items():
            name = next((n for n in names if attributes.get(n) not in (None, "")), None)
            if name is not None:
                yield name, column, clean, attributes[name]
    labels = {
        name.removeprefix(_TAG_PREFIX): value
        for name, value in attributes.items()
        if name.startswith(_TAG_PREFIX) or name == _ENVIRONMENT
    }
    yield "attributes", "tags", tags, labels


def _id(value: Any, *, digits: int) -> str:
    if not isinstance(value, str) or not re.fullmatch(f"[0-9a-fA-F]{{{digits}}}", value):
        raise Misfit("not_an_id")
    if not value.strip("0"):
        raise Misfit("missing")
    return value.lower()


def _time(nanoseconds: Any) -> str:
    number = whole(nanoseconds)
    if number == 0:
        raise Misfit("missing")
    seconds, rest = divmod(number, 10**9)
    try:
        at = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
    except (ValueError, OverflowError, OSError):
        raise Misfit("out_of_range") from None
    return at.isoformat()


SPANS = contract_of(
    "spans",
    (
        Column("trace_id", TEXT, required=True),
        Column("span_id", TEXT, required=True),
        Column("start_time", UTC_TIME, required=True),
        Column("end_time", UTC_TIME),
        Column("status", TEXT),
        Column("evidence_layer", TEXT, required=True),
        Column("token_convention", TEXT),
        *(Column(name, INTEGER) for name in _COUNTS),
        Column("reported_cost", MONEY),
        *(Column(name, TEXT) for name in _TEXTS),
        Column("tags", TEXT),
    ),
)
