"""The system tables of Databricks that are read: how each is cut into windows, and how far back."""

from dataclasses import dataclass
from datetime import timedelta

from ingestion import databricks_records as records
from ingestion.contracts import Contract

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
OVERLAP = timedelta(hours=24)
DEEP_REREAD = timedelta(days=7)
BILLING_OVERLAP = timedelta(days=3)
BILLING_DEEP_REREAD = timedelta(days=65)
BILLED_PRODUCTS = (
    "AGENT_BRICKS", "AGENT_EVALUATION", "AI_FUNCTIONS", "AI_GATEWAY", "FOUNDATION_MODEL_TRAINING",
    "MODEL_SERVING", "VECTOR_SEARCH",
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A system table, the column its windows are cut by (none: read whole) and its order.

    A statement reads at most a `span`: its rows are held in memory.
    """

    name: str
    contract: Contract
    order: str
    description: str
    time_column: str | None = None
    step: timedelta = HOUR
    span: timedelta = 2 * DAY
    overlap: timedelta = OVERLAP
    deep_reread: timedelta = DEEP_REREAD
    condition: str = ""


GATEWAY = Table(
    "system.ai_gateway.usage", records.AI_GATEWAY_USAGE, "event_time, invocation_id",
    "Invocations through the AI gateway; key (account, workspace, invocation id); by hour.",
    time_column="event_time",
)  # fmt: skip
SPEND = Table(
    "system.ai_gateway.external_model_spend", records.EXTERNAL_MODEL_SPEND,
    "usage_start_time, record_id",
    "Dollars of external models by hour, provider, model and tags; key record_id.",
    time_column="usage_start_time",
)  # fmt: skip
ENDPOINT = Table(
    "system.serving.endpoint_usage", records.ENDPOINT_USAGE,
    "request_time, databricks_request_id, served_entity_id",
    "Requests to serving endpoints; key (request id, served entity); by hour.",
    time_column="request_time",
)  # fmt: skip
ENTITIES = Table(
    "system.serving.served_entities", records.SERVED_ENTITIES,
    "served_entity_id, change_time, endpoint_config_version",
    "What serving endpoints serve, one row a change; read whole.",
)  # fmt: skip
BILLING = Table(
    "system.billing.usage", records.BILLING_USAGE, "usage_start_time, record_id",
    "Billed units of AI products, with their corrections; key record_id; by ingestion date.",
    time_column="ingestion_date", step=DAY, span=31 * DAY,
    overlap=BILLING_OVERLAP, deep_reread=BILLING_DEEP_REREAD,
    condition=f"billing_origin_product IN {BILLED_PRODUCTS}",
)  # fmt: skip
PRICES = Table(
    "system.billing.list_prices", records.LIST_PRICES,
    "sku_name, cloud, currency_code, usage_unit, price_start_time",
    "List prices of units, dated; read whole.",
)  # fmt: skip
TABLES = (GATEWAY, SPEND, ENDPOINT, ENTITIES, BILLING, PRICES)
