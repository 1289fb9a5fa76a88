"""Anthropic's own account of an organisation: a usage row is one bucket of a day and its
dimensions, a cost row one line of the day's bill. They reconcile what was metered, never cost it.

Billed by: Anthropic, in USD; amounts are decimal texts in CENTS. Not in the cost report: Priority
Tier. Not in the usage report: code execution.
Auth: header x-api-key with an admin key (`sk-ant-admin…`) of the organisation; ordinary keys are
refused. Not for individual accounts, not on the Claude Platform on AWS.
Pages: buckets of one UTC day, at most 31 a page, by cursor. To be asked about once a minute.
Lag: minutes; a day is read once it is over. Restated: days are read again for a week, a month that
has ended once more whole in the first five days of the next, 35 days by the deep re-read.
Docs: platform.claude.com/docs/en/build-with-claude/usage-cost-api
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Literal

import dlt
from dlt.extract import DltResource

from ingestion.anthropic_bill_records import COSTS, USAGE
from ingestion.batches import Batch
from ingestion.bill_days import HISTORY, bucket_rows, day_batches
from ingestion.config_types import EnvName, Text
from ingestion.contracts import Contract
from ingestion.http import JsonClient, json_client
from ingestion.resources import rows_rejected_reads
from ingestion.source_config import SourceConfig

BASE_URL = "https://api.anthropic.com"
VERSION = "2023-06-01"
PAGE_DAYS = 31
USAGE_PATH = "/v1/organizations/usage_report/messages"
COSTS_PATH = "/v1/organizations/cost_report"
_REFUSED = "it takes an admin key (sk-ant-admin…) of the organisation"
_GROUPED = {
    USAGE_PATH: (
        "api_key_id",
        "context_window",
        "inference_geo",
        "model",
        "service_tier",
        "workspace_id",
    ),
    COSTS_PATH: ("description", "workspace_id"),
}


class AnthropicBillSource(SourceConfig):
    """The bill of one Anthropic organisation, read with an admin key."""

    system: Literal["anthropic_bill"]
    # Read once a day: a day missed is old.
    stale_after_hours: int = 54
    evidence_layer: Literal["invoice"] = "invoice"
    # The providers whose bill this is: what it bills beyond what was metered becomes a charge.
    owns: tuple[Text, ...] = ("anthropic",)
    base_url_env: EnvName | None = None
    admin_key_env: EnvName


@dlt.source(name="anthropic_bill", max_table_nesting=0)
def anthropic_bill_source(
    *,
    base_url: str | None,
    admin_key: str | None,
    instance: str,
    now: datetime,
    deep_reread: bool = False,
    history: timedelta = HISTORY,
) -> Sequence[DltResource]:
    """Usage buckets and cost lines of one organisation, day by day."""
    client = json_client(
        base_url or BASE_URL,
        headers={"x-api-key": admin_key or "", "anthropic-version": VERSION},
    )

    def read(contract: Contract, path: str) -> Iterator[Batch]:
        yield from day_batches(
            lambda days: _records(client, path, days=days),
            contract=contract,
            source_instance=instance,
            now=now,
            deep_reread=deep_reread,
            history=history,
        )

    return (
        *rows_rejected_reads(
            "usage",
            lambda: read(USAGE, USAGE_PATH),
            description="Usage by day and dimensions; key all of them; restated days.",
        ),
        *rows_rejected_reads(
            "costs",
            lambda: read(COSTS, COSTS_PATH),
            description="Lines of the bill in cents; key day and dimensions; restated days.",
        ),
    )


def _records(
    client: JsonClient, path: str, *, days: Sequence[date]
) -> Iterator[tuple[date, str, Any]]:
    """Each result: its day, where it stands, itself with the times of its bucket."""
    for day, place, bucket, result in bucket_rows(
        client,
        path,
        system="anthropic_bill",
        params={
            "starting_at": _midnight(days[0]),
            "ending_at": _midnight(days[-1] + timedelta(days=1)),
            "bucket_width": "1d",
            "limit": PAGE_DAYS,
            "group_by[]": list(_GROUPED[path]),
        },
        days=days,
        start_of=lambda bucket: bucket.get("starting_at"),
        refused=_REFUSED,
    ):
        if isinstance(result, dict):
            result = {
                **result,
                "starts_at": bucket.get("starting_at"),
                "ends_at": bucket.get("ending_at"),
            }
        yield day, place, result


def _midnight(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"


CONTRACTS = (USAGE, COSTS)
