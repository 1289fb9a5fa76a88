"""Snowflake Cortex: one row is a request, an hour of a query, an hour or a day, by the view.

Billed by: Snowflake, in credits; the REST API in tokens. Warehouse cost of AI queries is not here.
Auth: key pair of a service user; a role with the database roles USAGE_VIEWER of SNOWFLAKE and, for
names of users, SECURITY_VIEWER; one small warehouse. The rate sheet is seen by an organisation
account with ORGANIZATION_BILLING_VIEWER. A view that is missing or not granted is skipped and
logged; without METERING_DAILY_HISTORY the role sees nothing and the run fails.
Reading: one statement a view, over columns both documented and there, in windows of an hour (a day
for daily views and for what is older than the deep re-read); a statement is one snapshot, so there
are no pages that could shift. Times come as UTC.
Lag: minutes to 3 hours; the rate sheet up to 32. Hours of AI functions grow until IS_COMPLETED,
others append; daily views restate days. Retention 365 days.
Names of users are those they had when their usage was read.
Docs: docs.snowflake.com/en/sql-reference/account-usage
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import dlt
from dlt.extract import DltResource
from pydantic import StringConstraints

from ingestion import snowflake_cortex_records as records
from ingestion import snowflake_views as views
from ingestion.batches import Batch
from ingestion.config_types import EnvName
from ingestion.contracts import Contract
from ingestion.resources import rows_rejected_reads
from ingestion.snowflake_reader import Reader
from ingestion.snowflake_session import Account, Session
from ingestion.snowflake_views import View
from ingestion.source_config import SourceConfig

HISTORY = timedelta(days=365)
_Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.@-]{1,255}$")]


class SnowflakeCortexSource(SourceConfig):
    """One Snowflake account, read through its usage views."""

    system: Literal["snowflake_cortex"]
    account: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,255}$")]
    user: _Identifier
    role: _Identifier
    warehouse: _Identifier
    private_key_env: EnvName
    private_key_passphrase_env: EnvName | None = None
    endpoint_url_env: EnvName | None = None


@dlt.source(name="snowflake_cortex", max_table_nesting=0)
def snowflake_cortex_source(
    *,
    account: str,
    user: str,
    role: str,
    warehouse: str,
    private_key: str,
    private_key_passphrase: str | None,
    endpoint_url: str | None,
    instance: str,
    now: datetime,
    deep_reread: bool = False,
    history: timedelta = HISTORY,
) -> Sequence[DltResource]:
    """Usage, metering, rates and users of one account, in one session."""
    session = Session(
        Account(
            account=account,
            user=user,
            role=role,
            warehouse=warehouse,
            private_key=private_key,
            passphrase=private_key_passphrase or None,
            endpoint_url=endpoint_url or None,
        ),
        users=[contract.resource for contract in CONTRACTS],
    )
    reader = Reader(session, account=account, instance=instance, now=now.astimezone(UTC))

    def resource(view: View, contract: Contract, description: str) -> Sequence[DltResource]:
        def batches() -> Iterator[Batch]:
            try:
                if view is views.USERS:
                    yield from reader.read_users(contract)
                else:
                    overlap = view.deep_reread if deep_reread else view.overlap
                    yield from reader.read(view, contract, overlap=overlap, history=history)
            finally:
                session.release(view.resource)

        return rows_rejected_reads(view.resource, batches, description=description)

    return [part for known in _RESOURCES for part in resource(*known)]


_RESOURCES = (
    (
        views.AI_FUNCTIONS,
        records.AI_FUNCTIONS,
        "Hours of queries that call AI functions; key (hour, query, function, model, warehouse); "
        "cursor START_TIME.",
    ),
    (
        views.AGENT,
        records.AGENT,
        "Requests to agents by model, children apart; key (request, model); cursor START_TIME.",
    ),
    (
        views.COWORK,
        records.COWORK,
        "Requests to CoWork by model; key (request, model); cursor START_TIME.",
    ),
    (
        views.REST_API,
        records.REST_API,
        "REST calls, in tokens alone; key request; cursor START_TIME.",
    ),
    (
        views.AI_GATEWAY,
        records.AI_GATEWAY,
        "Calls through the AI gateway by model; key (request, model); cursor START_TIME.",
    ),
    (
        views.CODE,
        records.CODE,
        "Requests to CoCo by model; key (request, model); cursor USAGE_TIME.",
    ),
    (
        views.GUARDRAILS,
        records.GUARDRAILS,
        "Scans of guardrails by model; key (request, tool use, model); cursor USAGE_TIME.",
    ),
    (
        views.ANALYST,
        records.ANALYST,
        "Hours of a user of Analyst; key (hour, user); cursor START_TIME.",
    ),
    (
        views.FINE_TUNING,
        records.FINE_TUNING,
        "Hours of fine-tuning; key (hour, model, warehouse); cursor START_TIME.",
    ),
    (
        views.PROVISIONED_THROUGHPUT,
        records.PROVISIONED_THROUGHPUT,
        "Billed intervals of provisioned throughput; key (interval, throughput).",
    ),
    (
        views.SEARCH_DAILY,
        records.SEARCH_DAILY,
        "Days of search services; key (day, service, consumption type, model).",
    ),
    (
        views.METERING_DAILY,
        records.METERING_DAILY,
        "Credits of a day and service type, to tie usage out with.",
    ),
    (
        views.RATE_SHEET_DAILY,
        records.RATE_SHEET_DAILY,
        "What a unit of each usage type costs on a day, by contract.",
    ),
    (views.USERS, records.USERS, "Users by id, with name and e-mail."),
)

CONTRACTS: tuple[Contract, ...] = tuple(contract for _, contract, _ in _RESOURCES)
