"""The system tables of Databricks: their columns, typed as it declares them, and their keys."""

GATEWAY = "system.ai_gateway.usage"
SPEND = "system.ai_gateway.external_model_spend"
ENDPOINT = "system.serving.endpoint_usage"
ENTITIES = "system.serving.served_entities"
BILLING = "system.billing.usage"
PRICES = "system.billing.list_prices"
_ACCOUNT_COLUMNS = {"account_id": "STRING", "workspace_id": "STRING"}
_TAGS = "MAP<STRING, STRING>"

# As a live account declares them: the documented columns of the gateway's table and some more.
COLUMNS: dict[str, dict[str, str]] = {
    GATEWAY: _ACCOUNT_COLUMNS | {
        "request_id": "STRING", "invocation_id": "STRING", "event_time": "TIMESTAMP",
        "requester": "STRING", "requester_type": "STRING", "endpoint_id": "STRING",
        "endpoint_name": "STRING", "endpoint_tags": _TAGS, "service_type": "STRING",
        "service_name": "STRING", "destination_type": "STRING", "destination_name": "STRING",
        "destination_model": "STRING", "api_type": "STRING", "url": "STRING",
        "user_agent": "STRING", "status_code": "INT", "latency_ms": "BIGINT",
        "time_to_first_byte_ms": "BIGINT", "input_tokens": "BIGINT", "output_tokens": "BIGINT",
        "total_tokens": "BIGINT",
        "token_details": "STRUCT<cache_read_input_tokens: BIGINT, cache_creation_input_tokens: "
        "BIGINT, output_reasoning_tokens: BIGINT>",
        "request_tags": _TAGS, "routing_information": "STRING", "invocation_metadata": _TAGS,
        "guardrail_findings": "STRUCT<reason: STRING>",
    },
    SPEND: {"record_id": "STRING"} | _ACCOUNT_COLUMNS | {
        "usage_date": "DATE", "usage_start_time": "TIMESTAMP", "usage_end_time": "TIMESTAMP",
        "usage_unit": "STRING", "usage_quantity": "DECIMAL(28,18)",
        "usage_metadata": "STRUCT<provider: STRING, model: STRING>",
        "custom_tags": f"STRUCT<request_tags: {_TAGS}>",
    },
    ENDPOINT: _ACCOUNT_COLUMNS | {
        "client_request_id": "STRING", "databricks_request_id": "STRING", "requester": "STRING",
        "status_code": "INT", "request_time": "TIMESTAMP", "input_token_count": "BIGINT",
        "output_token_count": "BIGINT", "input_character_count": "BIGINT",
        "output_character_count": "BIGINT", "usage_context": _TAGS, "request_streaming": "BOOLEAN",
        "served_entity_id": "STRING",
    },
    ENTITIES: {"served_entity_id": "STRING"} | _ACCOUNT_COLUMNS | {
        "created_by": "STRING", "endpoint_name": "STRING", "endpoint_id": "STRING",
        "served_entity_name": "STRING", "entity_type": "STRING", "entity_name": "STRING",
        "entity_version": "STRING", "endpoint_config_version": "INT", "task": "STRING",
        "external_model_config": "STRUCT<provider: STRING>", "change_time": "TIMESTAMP",
        "endpoint_delete_time": "TIMESTAMP",
    },
    BILLING: {"record_id": "STRING"} | _ACCOUNT_COLUMNS | {
        "sku_name": "STRING", "cloud": "STRING", "usage_start_time": "TIMESTAMP",
        "usage_end_time": "TIMESTAMP", "usage_date": "DATE", "custom_tags": _TAGS,
        "usage_unit": "STRING", "usage_quantity": "DECIMAL(28,18)",
        "usage_metadata": "STRUCT<endpoint_name: STRING, endpoint_id: STRING>",
        "identity_metadata": "STRUCT<run_as: STRING>", "record_type": "STRING",
        "ingestion_date": "DATE", "billing_origin_product": "STRING",
        "product_features": "STRUCT<serving_type: STRING>", "usage_type": "STRING",
    },
    PRICES: {
        "price_start_time": "TIMESTAMP", "price_end_time": "TIMESTAMP", "account_id": "STRING",
        "sku_name": "STRING", "cloud": "STRING", "currency_code": "STRING", "usage_unit": "STRING",
        "pricing": "STRUCT<`default`: DECIMAL(18,9), promotional: STRUCT<`default`: "
        "DECIMAL(18,9)>, effective_list: STRUCT<`default`: DECIMAL(18,9)>>",
    },
}  # fmt: skip
KEYS = {
    GATEWAY: "invocation_id", SPEND: "record_id", ENDPOINT: "databricks_request_id",
    ENTITIES: "served_entity_id", BILLING: "record_id", PRICES: "sku_name",
}  # fmt: skip
