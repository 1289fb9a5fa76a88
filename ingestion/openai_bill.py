"""OpenAI's own account of an organisation: a usage row is one bucket of a day and its
dimensions, a cost row one line of the day's bill. They reconcile what was metered, never cost it.

Billed by: OpenAI, in USD. Costs are what the invoice rests on; usage may differ from it slightly,
has tokens by model and key, and shows tools (web search, code interpreter) only as counts.
Auth: an admin key (`sk-admin-…`) with the scope api.usage.read; project keys are refused.
Pages: buckets of one UTC day, at most 31 a page (costs: 180), by cursor. No rate limit is stated.
Lag: hours; a day is read once it is over. Restated: days are read again for a week, a month that
has ended once more whole in the first five days of the next, 35 days by the deep re-read.
Docs: platform.openai.com/docs/api-reference/usage
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import dlt
from dlt.extract import DltResource

from ingestion.batches import Batch
from ingestion.bill_days import HISTORY, bucket_rows, day_batches
from ingestion.config_types import EnvName, Text
from ingestion.contracts import Contract
from ingestion.http import JsonClient, json_client
from ingestion.openai_bill_records import COSTS, ENDPOINTS, USAGE, Endpoint
from ingestion.resources import rows_rejected_reads
from ingestion.source_config import SourceConfig
from ingestion.times import epoch_text

BASE_URL = "https://api.openai.com/v1/organization"
USAGE_DAYS = 31
COST_DAYS = 180
_REFUSED = "it takes an admin key with the scope api.usage.read"


class OpenAIBillSource(SourceConfig):
    """The bill of one OpenAI organisation, read with an admin key."""

    system: Literal["openai_bill"]
    # Read once a day: a day missed is old.
    stale_after_hours: int = 54
    evidence_layer: Literal["invoice"] = "invoice"
    # The providers whose bill this is: what it bills beyond what was metered becomes a charge.
    owns: tuple[Text, ...] = ("openai",)
    endpoints: tuple[Endpoint, ...] = tuple(ENDPOINTS)
    base_url_env: EnvName | None = None
    admin_key_env: EnvName


@dlt.source(name="openai_bill", max_table_nesting=0)
def openai_bill_source(
    *,
    endpoints: Sequence[str] = tuple(ENDPOINTS),
    base_url: str | None,
    admin_key: str | None,
    instance: str,
    now: datetime,
    deep_reread: bool = False,
    history: timedelta = HISTORY,
) -> Sequence[DltResource]:
    """Usage buckets and cost lines of one organisation, day by day."""
    headers = {"Authorization": f"Bearer {admin_key}"}
    client = json_client(base_url or BASE_URL, headers=headers)

    def read(contract: Contract, asked: Mapping[str, Mapping[str, Any]]) -> Iterator[Batch]:
        yield from day_batches(
            lambda days: _records(client, asked, days=days),
            contract=contract,
            source_instance=instance,
            now=now,
            deep_reread=deep_reread,
            history=history,
        )

    usage = {
        f"/usage/{name}": {
            "bucket_width": "1d",
            "limit": USAGE_DAYS,
            "group_by[]": list(ENDPOINTS[name].dimensions),
        }
        for name in endpoints
    }
    costs = {
        "/costs": {
            "bucket_width": "1d",
            "limit": COST_DAYS,
            "group_by[]": ["project_id", "line_item", "api_key_id"],
        }
    }
    return (
        *rows_rejected_reads(
            "usage",
            lambda: read(USAGE, usage),
            description="Usage by day, endpoint and dimensions; key all of them; restated days.",
        ),
        *rows_rejected_reads(
            "costs",
            lambda: read(COSTS, costs),
            description="Lines of the bill; key (day, project, key, line item); restated days.",
        ),
    )


def _records(
    client: JsonClient, asked: Mapping[str, Mapping[str, Any]], *, days: Sequence[date]
) -> Iterator[tuple[date, str, Any]]:
    """Each result of all paths: its day, where it stands, itself with its bucket and endpoint."""
    bounds = {"start_time": _epoch(days[0]), "end_time": _epoch(days[-1] + timedelta(days=1))}
    for path, params in asked.items():
        for day, place, bucket, result in bucket_rows(
            client,
            path,
            system="openai_bill",
            params={**bounds, **params},
            days=days,
            start_of=lambda bucket: epoch_text(bucket.get("start_time")),
            refused=_REFUSED,
        ):
            if isinstance(result, dict):
                result = {
                    **result,
                    "endpoint": path.rpartition("/")[2],
                    "starts_at": epoch_text(bucket.get("start_time")),
                    "ends_at": epoch_text(bucket.get("end_time")),
                }
            yield day, place, result


def _epoch(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


CONTRACTS = (USAGE, COSTS)
