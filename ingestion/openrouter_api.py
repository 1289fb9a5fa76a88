"""OpenRouter's management API, read whole or not at all: keys, activity, analytics, generations.

Belongs here: paths, pages, and the checks that an answer is what it should be. Does not: which
windows are read, cursors, columns.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ingestion.http import JsonClient, SourceError, json_client
from ingestion.json_text import inside
from ingestion.times import utc_text

BASE_URL = "https://openrouter.ai/api/v1"
MAX_PAGES = 1_000
ANALYTICS_ROWS = 10_000
# No limit is documented for these endpoints: a few requests at once, then one a second.
BURST_REQUESTS = 40
PACE_SECONDS = 1.0
_HOUR = timedelta(hours=1)
_METRICS = (
    "total_usage", "credits_usage", "byok_usage", "request_count", "tokens_prompt",
    "tokens_completion", "reasoning_tokens",
)  # fmt: skip
_DIMENSIONS = ("model", "provider")
_REFUSED = {
    401: "the management key is refused (401)",
    403: "a management key is needed, an inference key reads no usage (403)",
}


@dataclass
class Api:
    """The management API of one account, asked at a bearable pace."""

    client: JsonClient
    asked_count: int = field(default=0, init=False)
    _keys: list[tuple[str, Any]] | None = field(default=None, init=False)

    def listed_keys(self) -> list[tuple[str, Any]]:
        """Where each key of every workspace stands, and the key; asked for once."""
        if self._keys is None:
            self._keys = list(self._all_keys())
        return self._keys

    def activity(self, key_hash: str) -> list[Any]:
        """A key's rows of the last 30 completed UTC days, one a day, model and endpoint."""
        answer = self._get("/activity", {"api_key_hash": key_hash, "group_by": "workspace"})
        return _list_of(answer, "/activity")

    def analytics(
        self, first_at: datetime, end_at: datetime, *, key_hash: str | None
    ) -> list[tuple[datetime | None, Any]]:
        """The hour and the row of a range of whole hours, of one key or of the account.

        A range with more rows than an answer holds is halved. Whether `end` is inclusive is not
        documented: what lies outside is left out. A row without an hour is kept, to be rejected.
        """
        if first_at >= end_at:
            return []
        path = "/analytics/query"
        body: dict[str, Any] = {
            "metrics": list(_METRICS),
            "dimensions": list(_DIMENSIONS),
            "granularity": "hour",
            "time_range": {"start": _second_text(first_at), "end": _second_text(end_at)},
            "limit": ANALYTICS_ROWS,
        }
        if key_hash is not None:
            body["filters"] = [{"field": "api_key_id", "operator": "eq", "value": key_hash}]
        data = self._post(path, body).get("data")
        rows, metadata = inside(data, "data"), inside(data, "metadata")
        if not isinstance(rows, list) or not isinstance(metadata, dict):
            raise SourceError(f"openrouter: {path} answered 200 without rows and their count")
        if inside(data, "warnings"):
            # The query ran all the same: without its filter it holds the usage of other keys.
            raise SourceError(f"openrouter: {path} could not resolve the key it was asked for")
        if metadata.get("truncated"):
            hours = (end_at - first_at) // _HOUR
            if hours <= 1:
                raise SourceError(f"openrouter: {path} holds more rows than it returns in an hour")
            middle = first_at + hours // 2 * _HOUR
            return [
                *self.analytics(first_at, middle, key_hash=key_hash),
                *self.analytics(middle, end_at, key_hash=key_hash),
            ]
        if metadata.get("row_count") != len(rows):
            raise SourceError(
                f"openrouter: {path} holds {len(rows)} rows of {metadata.get('row_count')}"
            )
        timed = [(hour_of(row), row) for row in rows]
        return [(at, row) for at, row in timed if at is None or first_at <= at < end_at]

    def generation(self, generation_id: str) -> Any | None:
        """A single generation; None while it is not indexed, which takes seconds to minutes."""
        try:
            answer = self._get("/generation", {"id": generation_id})
        except SourceError as error:
            if error.status == 404:
                return None
            raise
        if not isinstance(answer.get("data"), dict):
            raise SourceError("openrouter: /generation answered 200 without a generation")
        return answer["data"]

    def credits(self) -> Any:
        """What was bought and what was used up, since the account began."""
        answer = self._get("/credits", {})
        if not isinstance(answer.get("data"), dict):
            raise SourceError("openrouter: /credits answered 200 without credits")
        return answer["data"]

    def _all_keys(self) -> Iterator[tuple[str, Any]]:
        """Keys of every workspace: without one named, only the default workspace is listed."""
        workspaces = [
            workspace["id"]
            for workspace in self._paged("/workspaces", {})
            if isinstance(inside(workspace, "id"), str)
        ]
        seen: set[str] = set()
        number = 0
        for workspace_id in workspaces or [None]:
            asked = {"include_disabled": "true", "include_expired": "true"}
            if workspace_id is not None:
                asked["workspace_id"] = workspace_id
            for key in self._paged("/keys", asked):
                # A key made while we page moves the others on: one is then listed twice.
                name = inside(key, "hash")
                if isinstance(name, str) and name in seen:
                    continue
                seen.add(str(name))
                number += 1
                yield f"keys row {number}", key

    def _paged(self, path: str, asked: Mapping[str, str]) -> Iterator[Any]:
        """Every record behind an offset: pages are read until one is empty, whatever their size."""
        before: Sequence[Any] = []
        offset = 0
        for _ in range(MAX_PAGES):
            page = _list_of(self._get(path, {**asked, "offset": offset}), path)
            if not page:
                return
            if page == before:
                raise SourceError(f"openrouter: {path} repeats the page before offset {offset}")
            yield from page
            before = page
            offset += len(page)
        raise SourceError(f"openrouter: {path} has no end after {MAX_PAGES} pages")

    def _get(self, path: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self._pace()
        try:
            return _object(self.client.get(path, params=params), path)
        except SourceError as error:
            raise _told(error) from None

    def _post(self, path: str, body: Any) -> Mapping[str, Any]:
        self._pace()
        try:
            return _object(self.client.post(path, body=body), path)
        except SourceError as error:
            raise _told(error) from None

    def _pace(self) -> None:
        self.asked_count += 1
        if self.asked_count > BURST_REQUESTS:
            time.sleep(PACE_SECONDS)


def management_api(base_url: str | None, *, management_key: str) -> Api:
    """The API at its public address, or at another one."""
    return Api(
        client=json_client(
            base_url or BASE_URL, headers={"Authorization": f"Bearer {management_key}"}
        )
    )


def hour_text(row: Any) -> Any:
    """The hour of an analytics row, whose column has one of two names, as text with a zone."""
    for name in ("date__hour", "created_at__hour"):
        if inside(row, name) is not None:
            return utc_text(row[name])
    return None


def hour_of(row: Any) -> datetime | None:
    """The hour of an analytics row; None where it cannot be told."""
    text = hour_text(row)
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None


def _object(answer: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(answer, dict) or "error" in answer:
        raise SourceError(f"openrouter: {path} answered 200 with an error or with no object")
    return answer


def _list_of(answer: Mapping[str, Any], path: str) -> list[Any]:
    rows = answer.get("data")
    if not isinstance(rows, list):
        raise SourceError(f"openrouter: {path} answered 200 without a list of rows")
    return rows


def _told(error: SourceError) -> SourceError:
    """A refused key in words; any other error as it is."""
    if error.status in _REFUSED:
        return SourceError(f"openrouter: {_REFUSED[error.status]}", status=error.status)
    return error


def _second_text(moment: datetime) -> str:
    """A time to the second: the API refuses minutes alone."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
