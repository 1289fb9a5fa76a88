"""LiteLLM proxy: one row is one proxied call as the proxy logged and priced it.

Read over HTTP, or from the proxy's own Postgres (`litellm_postgres`): one ledger a deployment.

Billed by: the providers behind the proxy; `spend` is the proxy's own claim.
Auth: bearer of the master key or a `proxy_admin_viewer` key (others see only their own rows).
Pages: `GET /spend/logs/v2` by offset, at most 1,000 rows a page, `total` capped at 10,000; both
bounds are inclusive to the second while rows have milliseconds, so windows end at second 59 and
share their boundary second (staging keeps one row a call). No rate limit for admins.
Lag: seconds, minutes under backlog; a long stream lands at its end with its start time: hence an
overlap of 2 hours. Rows are normally immutable; late settlement is found by a nightly re-read.
Content (`messages`, `response`, `proxy_server_request`, error texts) is never picked.
Keys, teams and users are read whole, to know whose a key is and what may be limited.
Docs: docs.litellm.ai/docs/proxy/cost_tracking
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal, Protocol, Self

import dlt
from dlt.extract import DltResource
from pydantic import model_validator

from ingestion.batches import Batch, batches_of, sha256_of
from ingestion.config_types import EnvName
from ingestion.contracts import Contract
from ingestion.litellm_http import HttpLedger
from ingestion.litellm_postgres import DatabaseLedger
from ingestion.litellm_records import KEYS, SPEND_LOGS, TEAMS, USERS
from ingestion.resources import rows_rejected_reads
from ingestion.restated import SNAPSHOT, WindowRead, window_batches
from ingestion.source_config import SourceConfig
from ingestion.windows import Window, closed_windows, window_text

BATCH_ROWS = 20_000
OVERLAP = timedelta(hours=2)
DEEP_REREAD = timedelta(days=3)
SETTLED_AFTER = timedelta(seconds=60)
HISTORY = timedelta(days=400)
_HOUR = timedelta(hours=1)


class LiteLLMSource(SourceConfig):
    """One LiteLLM proxy: its HTTP address and key, or its database."""

    system: Literal["litellm"]
    base_url_env: EnvName | None = None
    api_key_env: EnvName | None = None
    database_url_env: EnvName | None = None

    @model_validator(mode="after")
    def _one_ledger(self) -> Self:
        by_http = self.base_url_env is not None and self.api_key_env is not None
        if by_http == (self.database_url_env is not None):
            raise ValueError("say either base_url_env and api_key_env, or database_url_env")
        return self


class Ledger(Protocol):
    """Where the proxy's records are read: over HTTP or in its database."""

    def window(self, window: Window) -> list[tuple[str, Any]]:
        """Where each row of a closed window stands, and the row."""
        ...

    def inventory(self, contract: Contract) -> list[tuple[str, Any]] | None:
        """Where each key, team or user stands, and its record; None where they are not shown."""
        ...


@dlt.source(name="litellm", max_table_nesting=0)
def litellm_source(
    *,
    base_url: str | None,
    api_key: str | None,
    database_url: str | None = None,
    instance: str,
    now: datetime,
    deep_reread: bool = False,
    history: timedelta = HISTORY,
    backoff_seconds: float | None = None,
) -> Sequence[DltResource]:
    """Spend logs, keys, teams and users of one proxy."""
    ledger: Ledger
    if database_url:
        ledger = DatabaseLedger(database_url)
    else:
        ledger = HttpLedger(base_url or "", api_key=api_key or "", backoff_seconds=backoff_seconds)
    overlap = DEEP_REREAD if deep_reread else OVERLAP

    def batches() -> Iterator[Batch]:
        yield from _read(ledger, instance=instance, now=now, overlap=overlap, history=history)

    def listed(contract: Contract) -> Iterator[Batch]:
        found = ledger.inventory(contract)
        # What is not shown any more stands as it was last shown.
        yield from window_batches(
            [] if found is None else [WindowRead(SNAPSHOT, lambda: found)],
            contract=contract,
            source_instance=instance,
            extracted_at=now,
        )

    return (
        *rows_rejected_reads(
            "spend_logs",
            batches,
            description="Calls as the proxy logged them; key litellm_call_id, else request_id; "
            "cursor startTime.",
        ),
        *(
            resource
            for contract in (KEYS, TEAMS, USERS)
            for resource in rows_rejected_reads(
                contract.resource,
                partial(listed, contract),
                description=f"The proxy's {contract.resource}, whole, whenever they changed.",
            )
        ),
    )


def _read(
    ledger: Ledger, *, instance: str, now: datetime, overlap: timedelta, history: timedelta
) -> Iterator[Batch]:
    """Batches from the cursor less the overlap up to a minute ago; then moves the cursor.

    The first run, and a deep re-read, go back by `history` and no further.

    Windows that read exactly as last time are not appended again: their digests lie in the dlt
    state, which commits together with the rows.
    """
    state = dlt.current.source_state()
    now = now.astimezone(UTC)
    settled = now - SETTLED_AFTER
    last_at = settled.replace(second=59, microsecond=0) - timedelta(
        minutes=0 if settled.second == 59 else 1
    )
    cursor = datetime.fromisoformat(state["cursor"]) if "cursor" in state else None
    first_at = max(cursor - overlap, now - history) if cursor else now - history
    first_at = first_at.replace(minute=59, second=59, microsecond=0) - _HOUR
    remembered_from = last_at - DEEP_REREAD - timedelta(days=1)
    digests: dict[str, str] = {
        name: digest
        for name, digest in state.get("digests", {}).get("spend_logs", {}).items()
        if name >= window_text(remembered_from)
    }

    def records() -> Iterator[tuple[str, Any]]:
        for window in closed_windows(first_at, last_at):
            rows = ledger.window(window)
            if window.first_at >= remembered_from:
                known, digests[window.name] = digests.get(window.name), _digest(rows)
                if known == digests[window.name]:
                    continue
            yield from rows

    yield from batches_of(
        records(),
        contract=SPEND_LOGS,
        source_instance=instance,
        extracted_at=now,
        batch_rows=BATCH_ROWS,
    )
    state["cursor"] = max(last_at, cursor or last_at).isoformat()
    state.setdefault("digests", {})["spend_logs"] = digests


def _digest(rows: Sequence[tuple[str, Any]]) -> str:
    """A digest of everything that would be loaded; rows that are not objects count as they are."""
    picked = [SPEND_LOGS.pick(row) if isinstance(row, dict) else row for _, row in rows]
    return sha256_of(picked)


CONTRACTS = (SPEND_LOGS, KEYS, TEAMS, USERS)
