"""OpenRouter: one row is a UTC day (or hour) of a key, model and endpoint, as it was billed.

Billed by: OpenRouter, in credits of one dollar. With an own provider key (BYOK) `usage` is only its
fee and the provider is paid apart: `byok_usage_inference`.
Auth: a management key; it reads the whole account and cannot call a model. Inference keys get 403.
Pages: keys by offset, newest first, one workspace at a time; activity has none and is asked for by
key, since its rows name none; analytics says when it truncates, and the range is halved. No rate
limit is documented: at most one request a second after a burst, and Retry-After is honoured.
Lag: activity knows completed days only, 30 of them, so that a longer outage loses days. Days may be
restated: the last 3 are read again each run, all 30 by the deep re-read.
One ledger an account: `activity`, or `analytics` (hours, today included, cache reads not told).
In the first case analytics gives control totals of the account. Where the ledger is changed, what
the other one had stated within reach is taken back as the new one states it.
`generations` are single requests, looked up by ids that another source has logged (LiteLLM rows
with custom_llm_provider `openrouter`: request_id) and that are handed in; there is no list of them.
Prompts and answers stand behind /generation/content, which is never asked for.
Docs: openrouter.ai/docs/api-reference
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import Annotated, Any, Literal

import dlt
from dlt.extract import DltResource
from pydantic import StringConstraints

from ingestion.batches import Batch
from ingestion.config_types import EnvName
from ingestion.openrouter_api import management_api
from ingestion.openrouter_records import (
    ACTIVITY,
    ANALYTICS,
    CREDITS,
    GENERATIONS,
    KEYS,
)
from ingestion.openrouter_windows import (
    activity_windows,
    analytics_windows,
    first_day,
    forget_cursor,
    forget_digests,
    generation_windows,
    move_cursor,
    taken_back_windows,
)
from ingestion.resources import rows_rejected_reads
from ingestion.restated import SNAPSHOT, WindowRead, window_batches
from ingestion.source_config import SourceConfig

# Days that activity answers for, and how many of them a run reads again (the deep re-read: all).
HISTORY = timedelta(days=30)

Ledger = Literal["activity", "analytics"]
GenerationId = Annotated[str, StringConstraints(pattern=r"^gen-[A-Za-z0-9-]{1,120}$")]


class OpenRouterSource(SourceConfig):
    """One OpenRouter account, read over its management API."""

    system: Literal["openrouter"]
    base_url_env: EnvName | None = None
    management_key_env: EnvName
    ledger: Ledger = "activity"
    generation_ids: tuple[GenerationId, ...] = ()


@dlt.source(name="openrouter", max_table_nesting=0)
def openrouter_source(
    *,
    ledger: Ledger,
    generation_ids: Sequence[str],
    base_url: str | None,
    management_key: str,
    instance: str,
    now: datetime,
    deep_reread: bool = False,
    history: timedelta = HISTORY,
) -> Sequence[DltResource]:
    """Usage, keys, credits and single generations of one account."""
    now = now.astimezone(UTC)
    today = now.date()
    reach = today - min(history, HISTORY)
    api = management_api(base_url, management_key=management_key)
    read: dict[str, Any] = {"source_instance": instance, "extracted_at": now}

    def begins(cursor_name: str) -> date:
        return first_day(cursor_name, today=today, reach=reach, deep_reread=deep_reread)

    def activity() -> Iterator[Batch]:
        if ledger == "activity":
            windows = activity_windows(api, today=today, first=begins("activity"), reach=reach)
        else:
            windows = taken_back_windows("activity", reach=reach)
        yield from window_batches(windows, contract=ACTIVITY, **read)
        if ledger == "activity":
            move_cursor("activity", today=today)
        else:
            forget_cursor("activity")
        forget_digests("activity", before=reach)

    def analytics() -> Iterator[Batch]:
        is_ledger = ledger == "analytics"
        cursor, other = ("hours", "totals") if is_ledger else ("totals", "hours")
        # Control totals are of the days that activity knows: the completed ones.
        end_at = now.replace(minute=0, second=0, microsecond=0)
        end_at = end_at if is_ledger else end_at.replace(hour=0)
        windows = analytics_windows(api, first=begins(cursor), end_at=end_at, is_ledger=is_ledger)
        if not is_ledger:
            windows = chain(taken_back_windows("analytics", reach=reach), windows)
        yield from window_batches(windows, contract=ANALYTICS, **read)
        move_cursor(cursor, today=today)
        forget_cursor(other)
        forget_digests("analytics", before=reach)

    def keys() -> Iterator[Batch]:
        yield from window_batches([WindowRead(SNAPSHOT, api.listed_keys)], contract=KEYS, **read)

    def generations() -> Iterator[Batch]:
        windows = generation_windows(api, generation_ids, deep_reread=deep_reread)
        yield from window_batches(windows, contract=GENERATIONS, **read)

    def credits() -> Iterator[Batch]:
        def balance() -> list[tuple[str, Any]]:
            return [(f"credits {today}", {**api.credits(), "observed_on": f"{today}T00:00:00Z"})]

        windows = [WindowRead(today.isoformat(), balance)]
        yield from window_batches(windows, contract=CREDITS, **read)
        forget_digests("credits", before=reach)

    return (
        *rows_rejected_reads(
            "activity",
            activity,
            description="Completed UTC days by key, workspace, endpoint and model: restated whole.",
        ),
        *rows_rejected_reads(
            "analytics",
            analytics,
            description="Hours by model and provider: of each key as the ledger, or of the "
            "account as control totals.",
        ),
        *rows_rejected_reads(
            "keys", keys, description="Keys of all workspaces with limits and counters, whole."
        ),
        *rows_rejected_reads(
            "generations", generations, description="Single generations by the ids handed in."
        ),
        *rows_rejected_reads(
            "credits", credits, description="Credits bought and used up, once a UTC day."
        ),
    )


CONTRACTS = (ACTIVITY, ANALYTICS, KEYS, GENERATIONS, CREDITS)
