"""A LiteLLM proxy's records over HTTP: spend logs by closed windows, keys, teams and users."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from ingestion.checkpoints import checkpoint
from ingestion.contracts import Contract
from ingestion.http import SourceError, json_client
from ingestion.windows import Window, window_text

PAGE_ROWS = 1_000
CAP_ROWS = 10_000
_LIST_ROWS = 100
_MAX_LIST_PAGES = 10_000
_LOG = logging.getLogger(__name__)


class HttpLedger:
    """The endpoints of one proxy that a `proxy_admin_viewer` key may read."""

    def __init__(self, base_url: str, *, api_key: str, backoff_seconds: float | None) -> None:
        self._client = json_client(
            base_url,
            headers={"Authorization": f"Bearer {api_key}"},
            backoff_seconds=backoff_seconds,
        )

    def window(self, window: Window) -> list[tuple[str, Any]]:
        """Where each row of a window stands, and the row; a window over the cap is halved."""
        rows: list[tuple[str, Any]] = []
        before: list[Any] = []
        page = 1
        name = window.name
        while True:
            answer = self._spend_page(window, page)
            data, total = answer["data"], answer["total"]
            if answer.get("total_is_capped") or total >= CAP_ROWS:
                if window.last_at - window.first_at <= timedelta(seconds=1):
                    raise SourceError(
                        f"litellm: more than {total} calls in one second {window.name}"
                    )
                return [row for half in window.halves() for row in self.window(half)]
            if len(data) < min(PAGE_ROWS, total - len(rows)):
                raise SourceError(
                    f"litellm: page {page} of {window.name} holds {len(data)} rows, "
                    f"{len(rows)} of {total} were read before"
                )
            if data and data == before:
                raise SourceError(
                    f"litellm: page {page} of {window.name} repeats the page before it"
                )
            rows += [
                (f"{name} page {page} row {number}", row)
                for number, row in enumerate(data, start=1)
            ]
            checkpoint("extract_page")
            if len(rows) >= total:
                return rows
            before = data
            page += 1

    def _spend_page(self, window: Window, page: int) -> Mapping[str, Any]:
        answer = self._client.get(
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

    def inventory(self, contract: Contract) -> list[tuple[str, Any]] | None:
        """Keys, teams or users; None where the proxy does not show them to our key."""
        resource = contract.resource
        try:
            if resource == "keys":
                return self._pages("/key/list", "keys", "size", return_full_object="true")
            if resource == "users":
                return self._pages("/user/list", "users", "page_size")
            teams = self._client.get("/team/list", params={})
        except SourceError as error:
            # A key that is no admin's gets 401 here, and reads spend logs all the same.
            if error.status not in (401, 403, 404):
                raise
            _LOG.warning("litellm: the %s are not shown to this key: %s", resource, error)
            return None
        if not isinstance(teams, list):
            raise SourceError("litellm: /team/list answered 200 without a list")
        return [(f"teams row {number}", team) for number, team in enumerate(teams, start=1)]

    def _pages(self, path: str, name: str, size: str, **params: str) -> list[tuple[str, Any]]:
        found: list[tuple[str, Any]] = []
        before: list[Any] = []
        for page in range(1, _MAX_LIST_PAGES):
            answer = self._client.get(path, params={"page": page, size: _LIST_ROWS, **params})
            listed = answer.get(name) if isinstance(answer, dict) else None
            pages = answer.get("total_pages") if isinstance(answer, dict) else None
            if not isinstance(listed, list) or not isinstance(pages, int):
                raise SourceError(f"litellm: {path} answered 200 without a page of {name}")
            if not listed and page < pages:
                raise SourceError(f"litellm: page {page} of {pages} of {path} is empty")
            if listed and listed == before:
                raise SourceError(f"litellm: page {page} of {path} repeats the page before it")
            before = listed
            found += [(f"{name} page {page} row {n}", row) for n, row in enumerate(listed, 1)]
            if page >= pages:
                return found
        raise SourceError(f"litellm: {path} has no last page")
