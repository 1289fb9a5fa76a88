"""What is taken out of Snowflake's views: numbers, names and tags, one contract a resource."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from ingestion import snowflake_views as views
from ingestion.contracts import INTEGER, MONEY, TEXT, UTC_TIME, Column, Contract
from ingestion.snowflake_models import BUCKETS, count
from ingestion.snowflake_picks import (
    ACCOUNT,
    EMAIL,
    TIME,
    USER,
    Field,
    agent_name,
    first_role,
    granular_tokens,
    metric_tokens,
    metrics,
    money,
    plain,
    query_tags,
    scanned_uses,
    text,
    time,
    unplaced_tokens,
    user_tags,
    whole,
    within,
)
from ingestion.snowflake_views import View

_OWN = (ACCOUNT, TIME, USER, EMAIL)
_PARTS = ("MODEL", "MODEL_CREDITS", *BUCKETS, "MISPLACED")

_ALWAYS: tuple[Field, ...] = (
    plain(Column("account", TEXT, required=True), ACCOUNT),
    plain(Column("started_at", UTC_TIME, required=True), TIME),
)
_WHO: tuple[Field, ...] = (text("user_id", "USER_ID"), text("user_name", USER))
_WHO += (text("user_email", EMAIL),)
_NAMES = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")


def _buckets(pick: Callable[[str], Callable[[Mapping[str, Any]], Any]]) -> tuple[Field, ...]:
    return tuple(
        (Column(name, INTEGER), pick(bucket)) for name, bucket in zip(_NAMES, BUCKETS, strict=True)
    )


def _parts(*more: Field) -> tuple[Field, ...]:
    """A model's part of a request."""
    return (
        *_ALWAYS,
        text("request_id", "REQUEST_ID", required=True),
        *more,
        text("model_name", "MODEL"),
        *_WHO,
        money("credits", "MODEL_CREDITS"),
        *_buckets(lambda bucket: lambda record: record.get(bucket)),
        (Column("misplaced_tokens", INTEGER, signed=True), lambda record: record.get("MISPLACED")),
    )


_TAGS: Field = (Column("tags", TEXT), user_tags)
_PARENT = text("parent_request_id", "PARENT_REQUEST_ID")
_ROLE_NAME = within("role_name", "METADATA", "role_name")


def _agents(*more: Field) -> tuple[Field, ...]:
    return _parts(
        time("ended_at", "END_TIME"),
        _PARENT,
        (Column("agent", TEXT), agent_name),
        _ROLE_NAME,
        within("interface", "METADATA", "interaction_interface"),
        # Cost of the warehouse, billed there: shown apart, never added.
        within("sql_query_credits", "METADATA", "sql_query_credits", MONEY),
        _TAGS,
        *more,
    )


def _contract(view: View, fields: Sequence[Field], *, is_windowed: bool = False) -> Contract:
    picks = [pick for _, pick in fields]
    return Contract(
        resource=view.resource,
        columns=tuple(column for column, _ in fields),
        pick=lambda record: tuple(pick(record) for pick in picks),
        known_fields=frozenset((*view.documented, *_OWN, *_PARTS)),
        is_windowed=is_windowed,
    )


AI_FUNCTIONS = _contract(
    views.AI_FUNCTIONS,
    (
        *_ALWAYS,
        time("ended_at", "END_TIME"),
        text("query_id", "QUERY_ID", required=True),
        text("function_name", "FUNCTION_NAME", required=True),
        text("model_name", "MODEL_NAME"),
        text("warehouse_id", "WAREHOUSE_ID"),
        *_WHO,
        (Column("role_name", TEXT), first_role),
        (Column("tags", TEXT), query_tags),
        money("credits", "CREDITS"),
        *_buckets(metric_tokens),
        (Column("misplaced_tokens", INTEGER), unplaced_tokens),
        (Column("other_unit", TEXT), lambda record: metrics(record)[1]),
        (Column("other_quantity", MONEY), lambda record: metrics(record)[2]),
        plain(Column("is_completed", pa.bool_()), "IS_COMPLETED"),
    ),
)
AGENT = _contract(views.AGENT, _agents(), is_windowed=True)
COWORK = _contract(
    views.COWORK,
    _agents(text("intelligence_name", "SNOWFLAKE_INTELLIGENCE_NAME")),
    is_windowed=True,
)
CODE = _contract(
    views.CODE, _parts(_PARENT, _ROLE_NAME, text("interface", "INTERFACE"), _TAGS),
    is_windowed=True,
)  # fmt: skip
GUARDRAILS = _contract(
    views.GUARDRAILS,
    _parts(
        (Column("scan_id", TEXT), scanned_uses),
        _PARENT,
        _ROLE_NAME,
        text("interface", "AGENTIC_SOURCE"),
        _TAGS,
    ),
    is_windowed=True,
)
AI_GATEWAY = _contract(
    views.AI_GATEWAY,
    _parts(
        time("ended_at", "END_TIME"),
        text("gateway_id", "GATEWAY_ID"),
        text("gateway_name", "GATEWAY_NAME"),
        text("service_type", "SERVICE_TYPE"),
    ),
    is_windowed=True,
)
REST_API = _contract(
    views.REST_API,
    (
        *_ALWAYS,
        time("ended_at", "END_TIME"),
        text("request_id", "REQUEST_ID", required=True),
        text("model_name", "MODEL_NAME"),
        text("inference_region", "INFERENCE_REGION"),
        *_WHO,
        (Column("tokens", INTEGER, required=True), lambda record: count(record.get("TOKENS"))),
        *_buckets(granular_tokens),
    ),
)
ANALYST = _contract(
    views.ANALYST,
    (
        *_ALWAYS,
        time("ended_at", "END_TIME"),
        text("user_name", "USERNAME", required=True),
        text("user_email", EMAIL),
        whole("request_count", "REQUEST_COUNT"),
        money("credits", "CREDITS"),
    ),
)
FINE_TUNING = _contract(
    views.FINE_TUNING,
    (
        *_ALWAYS,
        time("ended_at", "END_TIME"),
        text("model_name", "MODEL_NAME"),
        text("warehouse_id", "WAREHOUSE_ID"),
        whole("tokens", "TOKENS"),
        money("credits", "TOKEN_CREDITS"),
    ),
)
PROVISIONED_THROUGHPUT = _contract(
    views.PROVISIONED_THROUGHPUT,
    (
        *_ALWAYS,
        time("ended_at", "INTERVAL_END_TIME", "END_TIME"),
        text("provisioned_throughput_id", "PROVISIONED_THROUGHPUT_ID", required=True),
        text("model_name", "MODEL_NAME"),
        whole("ptu_count", "PTU_COUNT"),
        money("credits", "PTU_CREDITS"),
    ),
)
SEARCH_DAILY = _contract(
    views.SEARCH_DAILY,
    (
        *_ALWAYS,
        text("database_name", "DATABASE_NAME"),
        text("schema_name", "SCHEMA_NAME"),
        text("service_name", "SERVICE_NAME"),
        text("service_id", "SERVICE_ID", required=True),
        text("consumption_type", "CONSUMPTION_TYPE", required=True),
        text("model_name", "MODEL_NAME"),
        whole("tokens", "TOKENS"),
        money("credits", "CREDITS"),
    ),
)
METERING_DAILY = _contract(
    views.METERING_DAILY,
    (
        *_ALWAYS,
        text("service_type", "SERVICE_TYPE", required=True),
        money("credits_used", "CREDITS_USED"),
        plain(Column("credits_used_compute", MONEY, signed=True), "CREDITS_USED_COMPUTE"),
        plain(
            Column("credits_used_cloud_services", MONEY, signed=True), "CREDITS_USED_CLOUD_SERVICES"
        ),
        plain(
            Column("credits_adjustment_cloud_services", MONEY, signed=True),
            "CREDITS_ADJUSTMENT_CLOUD_SERVICES",
        ),
        money("credits_billed", "CREDITS_BILLED"),
    ),
    is_windowed=True,
)
RATE_SHEET_DAILY = _contract(
    views.RATE_SHEET_DAILY,
    (
        *_ALWAYS,
        text("organization_name", "ORGANIZATION_NAME"),
        text("contract_number", "CONTRACT_NUMBER"),
        text("account_name", "ACCOUNT_NAME"),
        text("account_locator", "ACCOUNT_LOCATOR"),
        text("region", "REGION"),
        text("service_level", "SERVICE_LEVEL"),
        text("usage_type", "USAGE_TYPE", required=True),
        text("rating_type", "RATING_TYPE"),
        text("service_type", "SERVICE_TYPE"),
        text("billing_type", "BILLING_TYPE"),
        plain(Column("is_adjustment", pa.bool_()), "IS_ADJUSTMENT"),
        text("currency", "CURRENCY", required=True),
        money("effective_rate", "EFFECTIVE_RATE"),
    ),
    is_windowed=True,
)
USERS = _contract(
    views.USERS,
    (
        plain(Column("account", TEXT, required=True), ACCOUNT),
        text("user_id", "USER_ID", required=True),
        text("name", "NAME", required=True),
        text("email", "EMAIL"),
    ),
    is_windowed=True,
)
