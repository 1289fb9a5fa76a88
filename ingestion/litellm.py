"""LiteLLM proxy: one row is one proxied call as the proxy logged and priced it.

Billed by: the providers behind the proxy; `spend` is the proxy's own claim.
Auth: bearer of the master key or a `proxy_admin_viewer` key (others see only their own rows).
Pages: `GET /spend/logs/v2` by offset, at most 1,000 rows a page, `total` capped at 10,000; both
bounds are inclusive to the second while rows have milliseconds, so windows end at second 59 and
share their boundary second (staging keeps one row a call). No rate limit for admins.
Lag: seconds, minutes under backlog; a long stream lands at its end with its start time: hence an
overlap of 2 hours. Rows are normally immutable; late settlement is found by a nightly re-read.
Content (`messages`, `response`, `proxy_server_request`, error texts) is never picked.
Docs: docs.litellm.ai/docs/proxy/cost_tracking
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import dlt
from dlt.extract import DltResource

from ingestion.batches import Batch, batches_of, sha256_of
from ingestion.checkpoints import checkpoint
from ingestion.config_types import EnvName
from ingestion.contracts import INTEGER, MONEY, TEXT, UTC_TIME, Column, Contract
from ingestion.http import JsonClient, SourceError, json_client
from ingestion.json_text import inside, tags_text
from ingestion.resources import rows_rejected_reads
from ingestion.source_config import SourceConfig
from ingestion.windows import Window, closed_windows, window_text

PAGE_ROWS = 1_000
CAP_ROWS = 10_000
BATCH_ROWS = 20_000
OVERLAP = timedelta(hours=2)
DEEP_REREAD = timedelta(days=3)
SETTLED_AFTER = timedelta(seconds=60)
HISTORY = timedelta(days=400)
_HOUR = timedelta(hours=1)
_DIMENSIONS = ("team", "user", "customer", "agent", "application", "feature")


class LiteLLMSource(SourceConfig):
    """One LiteLLM proxy, read over HTTP."""

    system: Literal["litellm"]
    base_url_env: EnvName
    api_key_env: EnvName


@dlt.source(name="litellm", max_table_nesting=0)
def litellm_source(
    *,
    base_url: str,
    api_key: str,
    instance: str,
    now: datetime,
    deep_reread: bool = False,
    history: timedelta = HISTORY,
    backoff_seconds: float | None = None,
) -> Sequence[DltResource]:
    """Spend logs of one proxy: rows, rejected rows and the count of both, from one fetch."""
    client = json_client(
        base_url,
        headers={"Authorization": f"Bearer {api_key}"},
        backoff_seconds=backoff_seconds,
    )

    overlap = DEEP_REREAD if deep_reread else OVERLAP

    def batches() -> Iterator[Batch]:
        yield from _read(client, instance=instance, now=now, overlap=overlap, history=history)

    return rows_rejected_reads(
        "spend_logs",
        batches,
        description="Calls as the proxy logged them; key litellm_call_id, else request_id; "
        "cursor startTime.",
    )


def _read(
    client: JsonClient, *, instance: str, now: datetime, overlap: timedelta, history: timedelta
) -> Iterator[Batch]:
    """Batches from the cursor less the overlap up to a minute ago; then moves the cursor.

    The first run, and a deep re-read, go back by `history` and no further.

    Windows of the overlap that read exactly as last time are not appended again: their digests
    lie in the dlt state, which commits together with the rows.
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
    known: Mapping[str, str] = state.get("digests", {})
    digests: dict[str, str] = {}

    def records() -> Iterator[tuple[str, Any]]:
        for window in closed_windows(first_at, last_at):
            rows = _read_window(client, window)
            if window.last_at > last_at - OVERLAP - _HOUR:
                digests[window.name] = _digest(rows)
                if known.get(window.name) == digests[window.name]:
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
    state["digests"] = digests


def _read_window(client: JsonClient, window: Window) -> list[tuple[str, Any]]:
    """Where each row of a window stands, and the row; a window over the cap is halved."""
    rows: list[tuple[str, Any]] = []
    before: list[Any] = []
    page = 1
    while True:
        answer = _read_page(client, window, page)
        data, total = answer["data"], answer["total"]
        if answer.get("total_is_capped") or total >= CAP_ROWS:
            if window.last_at - window.first_at <= timedelta(seconds=1):
                raise SourceError(f"litellm: more than {total} calls in one second {window.name}")
            return [row for half in window.halves() for row in _read_window(client, half)]
        if len(data) < min(PAGE_ROWS, total - len(rows)):
            raise SourceError(
                f"litellm: page {page} of {window.name} holds {len(data)} rows, "
                f"{len(rows)} of {total} were read before"
            )
        if data and data == before:
            raise SourceError(f"litellm: page {page} of {window.name} repeats the page before it")
        rows += [(f"{window.name} page {page} row {n}", row) for n, row in enumerate(data, start=1)]
        checkpoint("extract_page")
        if len(rows) >= total:
            return rows
        before = data
        page += 1


def _read_page(client: JsonClient, window: Window, page: int) -> Mapping[str, Any]:
    answer = client.get(
        "/spend/logs/v2",
        params={
            "start_date": window_text(window.first_at),
            "end_date": window_text(window.last_at),
            "page": page,
            "page_size": PAGE_ROWS,
            "sort_by": "startTime",
            "sort_order": "asc",
        },
    )
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
        raise SourceError("litellm: /spend/logs/v2 answered 200 without a list of rows")
    if not isinstance(answer.get("total"), int) or answer.get("page") != page:
        raise SourceError(f"litellm: /spend/logs/v2 did not answer page {page}")
    return answer


def _digest(rows: Sequence[tuple[str, Any]]) -> str:
    """A digest of everything that would be loaded; rows that are not objects count as they are."""
    picked = [SPEND_LOGS.pick(row) if isinstance(row, dict) else row for _, row in rows]
    return sha256_of(picked)


def _tags(record: Mapping[str, Any]) -> str | None:
    """Tags as a JSON object of strings: `k=v` becomes k: v, any other tag: "true"."""
    tags: dict[str, str] = {}
    listed = record.get("request_tags")
    for tag in listed if isinstance(listed, list) else []:
        if isinstance(tag, str) and len(tag) <= 256 and not tag.startswith("User-Agent:"):
            name, found, value = tag.partition("=")
            tags[name] = value if found else "true"
    logged = inside(record, "metadata", "spend_logs_metadata")
    for name in _DIMENSIONS:
        value = inside(logged, name)
        if isinstance(value, str) and len(value) <= 256:
            tags.setdefault(name, value)
    return tags_text(tags)


def _pick(record: Mapping[str, Any]) -> Sequence[Any]:
    """The declared columns of a spend log row, in order."""
    metadata = record.get("metadata")
    usage = inside(metadata, "usage_object")
    prompt = inside(usage, "prompt_tokens_details")
    completion = inside(usage, "completion_tokens_details")
    writes = inside(prompt, "cache_creation_token_details")
    cached = inside(prompt, "cached_tokens")
    written = inside(prompt, "cache_creation_tokens")
    return (
        record.get("request_id"),
        record.get("litellm_call_id") or inside(metadata, "litellm_call_id"),
        record.get("call_type"),
        record.get("status"),
        record.get("cache_hit"),
        record.get("startTime"),
        record.get("endTime"),
        record.get("completionStartTime"),
        record.get("request_duration_ms"),
        record.get("custom_llm_provider"),
        record.get("model"),
        record.get("model_group"),
        inside(metadata, "cost_breakdown", "service_tier"),
        record.get("prompt_tokens"),
        record.get("completion_tokens"),
        record.get("total_tokens"),
        inside(usage, "cache_read_input_tokens") if cached is None else cached,
        inside(usage, "cache_creation_input_tokens") if written is None else written,
        inside(writes, "ephemeral_5m_input_tokens"),
        inside(writes, "ephemeral_1h_input_tokens"),
        inside(completion, "reasoning_tokens"),
        inside(prompt, "audio_tokens"),
        inside(completion, "audio_tokens"),
        inside(prompt, "image_tokens"),
        inside(completion, "image_tokens"),
        record.get("spend"),
        inside(metadata, "cost_breakdown", "original_cost"),
        inside(metadata, "attempted_retries"),
        record.get("api_key"),
        inside(metadata, "user_api_key_alias"),
        record.get("organization_id") or inside(metadata, "user_api_key_org_id"),
        record.get("team_id"),
        record.get("user"),
        record.get("end_user"),
        record.get("agent_id"),
        record.get("session_id"),
        _tags(record),
    )


_COLUMNS = (
    Column("request_id", TEXT, required=True),
    Column("litellm_call_id", TEXT),
    Column("call_type", TEXT),
    Column("status", TEXT),
    Column("cache_hit", TEXT),
    Column("start_time", UTC_TIME, required=True),
    Column("end_time", UTC_TIME),
    Column("completion_start_time", UTC_TIME),
    Column("request_duration_ms", INTEGER),
    Column("custom_llm_provider", TEXT),
    Column("model", TEXT),
    Column("model_group", TEXT),
    Column("service_tier", TEXT),
    Column("prompt_tokens", INTEGER, required=True),
    Column("completion_tokens", INTEGER, required=True),
    Column("total_tokens", INTEGER),
    Column("cached_tokens", INTEGER),
    Column("cache_creation_tokens", INTEGER),
    Column("cache_creation_5m_tokens", INTEGER),
    Column("cache_creation_1h_tokens", INTEGER),
    Column("reasoning_tokens", INTEGER),
    Column("audio_input_tokens", INTEGER),
    Column("audio_output_tokens", INTEGER),
    Column("image_input_tokens", INTEGER),
    Column("image_output_tokens", INTEGER),
    Column("spend", MONEY, required=True),
    Column("original_cost", MONEY),
    Column("attempted_retries", INTEGER),
    Column("api_key", TEXT),
    Column("user_api_key_alias", TEXT),
    Column("organization_id", TEXT),
    Column("team_id", TEXT),
    Column("user", TEXT),
    Column("end_user", TEXT),
    Column("agent_id", TEXT),
    Column("session_id", TEXT),
    Column("tags", TEXT),
)

_KNOWN_FIELDS = (
    "agent_id api_base api_key cache_hit cache_key call_type completionStartTime "
    "completion_tokens custom_llm_provider endTime end_user litellm_call_id "
    "mcp_namespaced_tool_name metadata model model_group model_id organization_id "
    "prompt_tokens request_duration_ms request_id request_tags requester_ip_address "
    "session_id spend startTime status team_id total_tokens user"
)

SPEND_LOGS = Contract(
    resource="spend_logs",
    columns=_COLUMNS,
    pick=_pick,
    known_fields=frozenset(_KNOWN_FIELDS.split()),
)

CONTRACTS = (SPEND_LOGS,)
