"""Langfuse's HTTP API: a range of observations, whole or not at all, by v2 or by the older v1."""

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote

from ingestion.checkpoints import checkpoint
from ingestion.http import JsonClient, SourceError, json_client
from ingestion.langfuse_records import METADATA_KEYS, from_v1, without_content

ApiVersion = Literal["auto", "v2", "v1"]
Rows = list[tuple[str, Any]]
# The observations that start in a half-open range, with where each of them stands.
ReadRange = Callable[[datetime, datetime], Rows]

PAGE_ROWS = 1_000
V1_PAGE_ROWS = 100
# Ten million observations a day: whatever goes on after that does not end.
MAX_PAGES = 10_000
# A trace may begin this long before an observation of it, to be found without asking for it.
_TRACE_BEGAN = timedelta(hours=6)
_V2 = "/api/public/v2/observations"
_V1 = "/api/public/observations"
_TRACES = "/api/public/traces"
_FIELDS = "core,basic,time,model,usage,metadata,trace_context"


def langfuse_client(base_url: str, *, public_key: str, secret_key: str) -> JsonClient:
    """A client that shows the key pair of one project."""
    pair = b64encode(f"{public_key}:{secret_key}".encode()).decode()
    return json_client(base_url, headers={"Authorization": f"Basic {pair}"})


def ask(client: JsonClient, path: str, params: Mapping[str, Any]) -> Any:
    """The answer of a GET; a refusal says what is missing."""
    try:
        return client.get(path, params=params)
    except SourceError as error:
        if error.status in (401, 403):
            raise SourceError(
                f"langfuse: {error}: the key pair of a project of this host is needed",
                status=error.status,
            ) from None
        raise


def reader_of(client: JsonClient, api_version: ApiVersion, *, now: datetime) -> ReadRange:
    """How observations are read here: `auto` takes v1 where v2 is not served."""

    def by_v2(first_at: datetime, before_at: datetime) -> Rows:
        return _read_v2(client, first_at, before_at)

    if api_version == "v2" or (api_version == "auto" and _serves_v2(client, now)):
        return by_v2
    project_id = project_of(client)

    def by_v1(first_at: datetime, before_at: datetime) -> Rows:
        return _read_v1(client, first_at, before_at, project_id=project_id)

    return by_v1


def project_of(client: JsonClient) -> str:
    """The id of the project the keys belong to."""
    answer = ask(client, "/api/public/projects", {})
    projects = answer.get("data") if isinstance(answer, dict) else None
    if isinstance(projects, list) and len(projects) == 1 and isinstance(projects[0], dict):
        id = projects[0].get("id")
        if isinstance(id, str) and id:
            return id
    raise SourceError("langfuse: /api/public/projects did not answer with the keys' one project")


def _serves_v2(client: JsonClient, now: datetime) -> bool:
    """Deployments that do not write the v4 events table answer 404."""
    try:
        params = {"limit": 1, **_bounds(now - timedelta(seconds=1), now)}
        ask(client, _V2, params)
    except SourceError as error:
        if error.status == 404:
            return False
        raise
    return True


def _read_v2(client: JsonClient, first_at: datetime, before_at: datetime) -> Rows:
    """Newest first by cursor: what is added meanwhile at the front moves nothing."""
    place = _place(first_at)
    params: dict[str, Any] = {
        "fields": _FIELDS,
        "expandMetadata": ",".join(METADATA_KEYS),
        "limit": PAGE_ROWS,
        **_bounds(first_at, before_at),
    }
    rows: Rows = []
    seen: set[str] = set()
    cursors: set[str] = set()
    for page in range(1, MAX_PAGES + 1):
        data, meta = _page(ask(client, _V2, params), _V2)
        ids = _ids(data)
        if ids and ids <= seen:
            raise SourceError(f"langfuse: page {page} of {place} repeats rows of pages before it")
        seen |= ids
        rows += _located(data, f"v2 {place} page {page}")
        checkpoint("extract_page")
        cursor = meta.get("cursor")
        if cursor is None:
            return rows
        if not data or not isinstance(cursor, str):
            raise SourceError(f"langfuse: page {page} of {place} is empty and names a next one")
        if cursor in cursors:
            raise SourceError(f"langfuse: page {page} of {place} names a cursor for a second time")
        cursors.add(cursor)
        params["cursor"] = cursor
    raise SourceError(f"langfuse: {place} does not end after {MAX_PAGES} pages")


def _read_v1(
    client: JsonClient, first_at: datetime, before_at: datetime, *, project_id: str
) -> Rows:
    """Observations by page, each joined with its trace; rows that pages show twice once."""
    bounds = _bounds(first_at, before_at)
    found: dict[str, tuple[str, Any]] = {}
    odd: Rows = []
    for place, record in _v1_pages(client, _V1, bounds, _place(first_at)):
        id = record.get("id") if isinstance(record, dict) else None
        if isinstance(id, str):
            found.setdefault(id, (place, record))
        else:
            odd.append((place, record))
    rows = [*found.values(), *odd]
    traces = _traces(client, rows, first_at - _TRACE_BEGAN, before_at)

    def trace_of(record: Any) -> Any:
        id = record.get("traceId") if isinstance(record, dict) else None
        return traces.get(id, {}) if isinstance(id, str) else {}

    return [
        (place, from_v1(record, trace=trace_of(record), project_id=project_id))
        for place, record in rows
    ]


def _traces(
    client: JsonClient, rows: Rows, first_at: datetime, before_at: datetime
) -> dict[str, Mapping[str, Any]]:
    """The traces of these observations by id; metadata comes only along with input and output."""
    wanted = {
        record["traceId"]
        for _, record in rows
        if isinstance(record, dict) and isinstance(record.get("traceId"), str)
    }
    if not wanted:
        return {}
    bounds = {
        "fields": "core,io",
        "fromTimestamp": _iso(first_at),
        "toTimestamp": _iso(before_at),
    }
    pages = _v1_pages(client, _TRACES, bounds, _place(first_at))
    traces = {
        trace["id"]: trace
        for _, trace in pages
        if isinstance(trace, dict) and isinstance(trace.get("id"), str)
    }
    for id in sorted(wanted - traces.keys()):
        trace = _trace(client, id)
        if isinstance(trace, dict):
            traces[id] = without_content(trace)
    return {id: trace for id, trace in traces.items() if id in wanted}


def _trace(client: JsonClient, id: str) -> Any:
    """One trace that began earlier; None where it was deleted."""
    try:
        return ask(client, f"{_TRACES}/{quote(id, safe='')}", {"fields": "core,io"})
    except SourceError as error:
        if error.status == 404:
            return None
        raise


def _v1_pages(
    client: JsonClient, path: str, bounds: Mapping[str, Any], place: str
) -> Iterator[tuple[str, Any]]:
    before: list[Any] | None = None
    for page in range(1, MAX_PAGES + 1):
        try:
            answer = ask(client, path, {**bounds, "page": page, "limit": V1_PAGE_ROWS})
        except SourceError as error:
            if error.status == 404:
                raise SourceError(
                    f"langfuse: {path} is not served here: check the base URL, or set api_version "
                    "to v2"
                ) from None
            raise
        data, meta = _page(answer, path)
        total, at = meta.get("totalItems"), meta.get("page")
        if not isinstance(total, int) or at != page:
            raise SourceError(f"langfuse: {path} did not answer page {page}")
        if len(data) < min(V1_PAGE_ROWS, total - (page - 1) * V1_PAGE_ROWS):
            raise SourceError(
                f"langfuse: page {page} of {place} holds {len(data)} rows of {total} in all"
            )
        if data and data == before:
            raise SourceError(f"langfuse: page {page} of {place} repeats the page before it")
        yield from _located(data, f"v1 {place} page {page}")
        checkpoint("extract_page")
        if page * V1_PAGE_ROWS >= total:
            return
        before = data
    raise SourceError(f"langfuse: {place} does not end after {MAX_PAGES} pages")


def _page(answer: Any, path: str) -> tuple[list[Any], Mapping[str, Any]]:
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
        raise SourceError(f"langfuse: {path} answered 200 without a list of rows")
    meta = answer.get("meta")
    if not isinstance(meta, dict):
        raise SourceError(f"langfuse: {path} answered 200 without saying where the page ends")
    return answer["data"], meta


def _located(data: list[Any], page: str) -> Rows:
    return [(f"{page} row {n}", without_content(row)) for n, row in enumerate(data, start=1)]


def _ids(data: list[Any]) -> set[str]:
    ids = (row.get("id") for row in data if isinstance(row, dict))
    return {id for id in ids if isinstance(id, str)}


def _bounds(first_at: datetime, before_at: datetime) -> dict[str, str]:
    return {"fromStartTime": _iso(first_at), "toStartTime": _iso(before_at)}


def _place(first_at: datetime) -> str:
    return first_at.strftime("%Y-%m-%d")


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
