"""What is taken out of the rows of Databricks' system tables: counts, names, tags, money."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ingestion.contracts import INTEGER, MONEY, TEXT, UTC_TIME, Column, Contract
from ingestion.json_text import inside, tags_text
from ingestion.times import utc_text

Record = Mapping[str, Any]
_LONGEST_TAG = 256
_WHOLE = re.compile(r"[0-9]{1,40}")


def _plain(name: str) -> Callable[[Record], Any]:
    return lambda record: record.get(name)


def _time(name: str) -> Callable[[Record], Any]:
    return lambda record: utc_text(record.get(name))


def _part(*path: str) -> Callable[[Record], Any]:
    return lambda record: inside(record.get(path[0]), *path[1:])


def _count(name: str, part: str) -> Callable[[Record], Any]:
    """A count inside a struct, as number or text; a struct that is none rejects its row."""

    def read(record: Record) -> Any:
        details = record.get(name)
        value = inside(details, part) if isinstance(details, dict) else details
        return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else value

    return read


def _tags(*path: str) -> Callable[[Record], str | None]:
    """A map of texts, sorted by name: spend is joined to calls by it."""

    def read(record: Record) -> str | None:
        tags = inside(record.get(path[0]), *path[1:])
        if not isinstance(tags, dict):
            return None
        return tags_text(
            {
                name: value
                for name, value in tags.items()
                if isinstance(value, str) and len(name) + len(value) <= _LONGEST_TAG
            }
        )

    return read


def _required(name: str) -> tuple[Column, Callable[[Record], Any]]:
    return Column(name, TEXT, required=True), _plain(name)


def _text(name: str) -> tuple[Column, Callable[[Record], Any]]:
    return Column(name, TEXT), _plain(name)


def _whole(name: str) -> tuple[Column, Callable[[Record], Any]]:
    return Column(name, INTEGER), _plain(name)


def _contract(
    resource: str, fields: Sequence[tuple[Column, Callable[[Record], Any]]], *, selected: str
) -> Contract:
    """A contract of a table's columns; `selected` are the columns a statement asks for."""
    readers = tuple(read for _, read in fields)

    def pick(record: Record) -> Sequence[Any]:
        return tuple(read(record) for read in readers)

    return Contract(
        resource=resource,
        columns=tuple(column for column, _ in fields),
        pick=pick,
        known_fields=frozenset(selected.split()),
        is_windowed=True,
    )


AI_GATEWAY_USAGE = _contract(
    "ai_gateway_usage",
    (
        _required("account_id"),
        _required("workspace_id"),
        _required("invocation_id"),
        _text("request_id"),
        (Column("event_time", UTC_TIME, required=True), _time("event_time")),
        _text("requester"),
        _text("requester_type"),
        _text("endpoint_id"),
        _text("endpoint_name"),
        (Column("endpoint_tags", TEXT), _tags("endpoint_tags")),
        _text("service_type"),
        _text("service_name"),
        _text("destination_type"),
        _text("destination_name"),
        _text("destination_model"),
        _text("api_type"),
        _text("user_agent"),
        _whole("status_code"),
        _whole("latency_ms"),
        _whole("time_to_first_byte_ms"),
        _whole("input_tokens"),
        _whole("output_tokens"),
        _whole("total_tokens"),
        (
            Column("cache_read_input_tokens", INTEGER),
            _count("token_details", "cache_read_input_tokens"),
        ),
        (
            Column("cache_creation_input_tokens", INTEGER),
            _count("token_details", "cache_creation_input_tokens"),
        ),
        (
            Column("output_reasoning_tokens", INTEGER),
            _count("token_details", "output_reasoning_tokens"),
        ),
        (Column("request_tags", TEXT), _tags("request_tags")),
    ),
    selected="account_id workspace_id invocation_id request_id event_time requester requester_type "
    "endpoint_id endpoint_name endpoint_tags service_type service_name destination_type "
    "destination_name destination_model api_type user_agent status_code latency_ms "
    "time_to_first_byte_ms input_tokens output_tokens total_tokens token_details request_tags",
)

EXTERNAL_MODEL_SPEND = _contract(
    "external_model_spend",
    (
        _required("record_id"),
        _required("account_id"),
        _required("workspace_id"),
        (Column("usage_start_time", UTC_TIME, required=True), _time("usage_start_time")),
        (Column("usage_end_time", UTC_TIME), _time("usage_end_time")),
        _required("usage_unit"),
        (
            Column("usage_quantity", MONEY, required=True, signed=True),
            _plain("usage_quantity"),
        ),
        (Column("provider", TEXT), _part("usage_metadata", "provider")),
        (Column("model", TEXT), _part("usage_metadata", "model")),
        (Column("request_tags", TEXT), _tags("custom_tags", "request_tags")),
    ),
    selected="record_id account_id workspace_id usage_start_time usage_end_time usage_unit "
    "usage_quantity usage_metadata custom_tags",
)

ENDPOINT_USAGE = _contract(
    "endpoint_usage",
    (
        _required("account_id"),
        _required("workspace_id"),
        _text("client_request_id"),
        _required("databricks_request_id"),
        _text("requester"),
        _whole("status_code"),
        (Column("request_time", UTC_TIME, required=True), _time("request_time")),
        _whole("input_token_count"),
        _whole("output_token_count"),
        _whole("input_character_count"),
        _whole("output_character_count"),
        (Column("usage_context", TEXT), _tags("usage_context")),
        _text("served_entity_id"),
    ),
    selected="account_id workspace_id client_request_id databricks_request_id requester "
    "status_code request_time input_token_count output_token_count input_character_count "
    "output_character_count usage_context served_entity_id",
)

SERVED_ENTITIES = _contract(
    "served_entities",
    (
        _required("served_entity_id"),
        _text("account_id"),
        _text("workspace_id"),
        _text("endpoint_id"),
        _text("endpoint_name"),
        _text("served_entity_name"),
        _text("entity_type"),
        _text("entity_name"),
        _text("entity_version"),
        _whole("endpoint_config_version"),
        _text("task"),
        (Column("external_model_provider", TEXT), _part("external_model_config", "provider")),
        (Column("change_time", UTC_TIME, required=True), _time("change_time")),
        (Column("endpoint_delete_time", UTC_TIME), _time("endpoint_delete_time")),
    ),
    selected="served_entity_id account_id workspace_id endpoint_id endpoint_name "
    "served_entity_name entity_type entity_name entity_version endpoint_config_version task "
    "external_model_config change_time endpoint_delete_time",
)

BILLING_USAGE = _contract(
    "billing_usage",
    (
        _required("record_id"),
        _required("account_id"),
        _text("workspace_id"),
        _required("sku_name"),
        _text("cloud"),
        (Column("usage_start_time", UTC_TIME, required=True), _time("usage_start_time")),
        (Column("usage_end_time", UTC_TIME, required=True), _time("usage_end_time")),
        _text("usage_date"),
        (Column("custom_tags", TEXT), _tags("custom_tags")),
        _required("usage_unit"),
        (Column("usage_quantity", MONEY, required=True, signed=True), _plain("usage_quantity")),
        (Column("endpoint_name", TEXT), _part("usage_metadata", "endpoint_name")),
        (Column("endpoint_id", TEXT), _part("usage_metadata", "endpoint_id")),
        (
            Column("ai_gateway_endpoint_name", TEXT),
            _part("usage_metadata", "ai_gateway_endpoint_name"),
        ),
        (Column("run_as", TEXT), _part("identity_metadata", "run_as")),
        _required("record_type"),
        _required("ingestion_date"),
        _text("billing_origin_product"),
        (Column("serving_type", TEXT), _part("product_features", "serving_type")),
        _text("usage_type"),
    ),
    selected="record_id account_id workspace_id sku_name cloud usage_start_time usage_end_time "
    "usage_date custom_tags usage_unit usage_quantity usage_metadata identity_metadata "
    "record_type ingestion_date billing_origin_product product_features usage_type",
)

LIST_PRICES = _contract(
    "list_prices",
    (
        _text("account_id"),
        _required("sku_name"),
        _text("cloud"),
        _required("currency_code"),
        _required("usage_unit"),
        (Column("price_start_time", UTC_TIME, required=True), _time("price_start_time")),
        (Column("price_end_time", UTC_TIME), _time("price_end_time")),
        (Column("default_price", MONEY), _part("pricing", "default")),
        (Column("promotional_price", MONEY), _part("pricing", "promotional", "default")),
        (Column("effective_list_price", MONEY), _part("pricing", "effective_list", "default")),
    ),
    selected="account_id sku_name cloud currency_code usage_unit price_start_time "
    "price_end_time pricing",
)

CONTRACTS = (
    AI_GATEWAY_USAGE,
    EXTERNAL_MODEL_SPEND,
    ENDPOINT_USAGE,
    SERVED_ENTITIES,
    BILLING_USAGE,
    LIST_PRICES,
)
