"""Queries against a Salesforce Data Cloud: sign-in, submit, poll, and pages up to the last row.

The Connect API answers with a first chunk and a query id; the result is kept under that id, so that
pages by offset do not shift while rows are added. The older query API (`legacy`) wants a second
token of the tenant and pages by batch id. Both are metered: each object is queried alone.
Docs: developer.salesforce.com/docs/data/data-cloud-query-guide
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from ingestion.http import JsonClient, SourceError, json_client

QueryApi = Literal["connect", "legacy"]
ROW_LIMIT = 5_000
POLL_MS = 10_000
MAX_POLLS = 90
MAX_BATCHES = 10_000
_CONNECT = "/services/data/v64.0/ssot"
_ENTITY_TYPES = ("DataLakeObject", "DataModelObject")
_EXCHANGE = "urn:salesforce:grant-type:external:cdp"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
_SCOPES = "the app needs the scopes api and cdp_query_api, its run-as user read on the data space"


@dataclass(frozen=True)
class QueryClient:
    """A signed-in Data Cloud: the objects it has, and rows of a query."""

    client: JsonClient
    data_space: str
    api: QueryApi

    def entities(self) -> list[Any]:
        """Every object of the data space with its columns, as listed."""
        if self.api == "legacy":
            answer = _asked(lambda: self.client.get("/api/v1/metadata/", params={}))
            return _listed(answer, "metadata")
        return [
            entity
            for entity_type in _ENTITY_TYPES
            for entity in _listed(self._metadata(entity_type), "metadata")
        ]

    def rows(self, sql: str, *, columns: Sequence[str]) -> Iterator[Any]:
        """Rows of a query as records of these columns; what is no such row comes as it is."""
        pages = self._batches(sql) if self.api == "legacy" else self._chunks(sql, columns)
        for page in pages:
            for row in page:
                whole = isinstance(row, list) and len(row) == len(columns)
                yield dict(zip(columns, row, strict=True)) if whole else row

    def _metadata(self, entity_type: str) -> Any:
        params = {"dataspace": self.data_space, "entityType": entity_type}
        return _asked(lambda: self.client.get(f"{_CONNECT}/metadata", params=params))

    def _chunks(self, sql: str, columns: Sequence[str]) -> Iterator[list[Any]]:
        """Chunks of a query by offset until as many rows came as it has."""
        answer = _asked(
            lambda: self.client.post(
                f"{_CONNECT}/query-sql", body={"sql": sql}, params={"dataspace": self.data_space}
            )
        )
        before = _listed(answer, "data")
        if answer.get("metadata") and len(_listed(answer, "metadata")) != len(columns):
            raise SourceError("agentforce: a query answered other columns than it was asked for")
        query_id, total = self._finished(answer)
        yield before
        read = len(before)
        while read < total:
            params = {"offset": read, "rowLimit": ROW_LIMIT, "omitSchema": "true"}
            path = f"{_CONNECT}/query-sql/{query_id}/rows"
            chunk = _listed(_asked(lambda p=path, q=params: self.client.get(p, params=q)), "data")
            if not chunk:
                raise SourceError(f"agentforce: a query ended after {read} of {total} rows")
            if chunk == before:
                raise SourceError(f"agentforce: the chunk at row {read} repeats the one before it")
            yield chunk
            before = chunk
            read += len(chunk)
        if read > total:
            raise SourceError(f"agentforce: a query gave {read} rows of {total}")

    def _finished(self, answer: Mapping[str, Any]) -> tuple[str, int]:
        """The id of a query in a path, and its count of rows, once it is known."""
        status = answer.get("status")
        for _ in range(MAX_POLLS):
            if not isinstance(status, dict) or not isinstance(status.get("queryId"), str):
                raise SourceError("agentforce: a query answered 200 without its status")
            query_id = quote(status["queryId"], safe="")
            state = status.get("completionStatus")
            if state in ("ResultsProduced", "Finished"):
                total = status.get("rowCount")
                if not isinstance(total, int) or isinstance(total, bool):
                    raise SourceError("agentforce: a query answered without its count of rows")
                return query_id, total
            if state != "Running":
                raise SourceError("agentforce: a query ended neither finished nor running")
            path = f"{_CONNECT}/query-sql/{query_id}"
            polled = _asked(lambda p=path: self.client.get(p, params={"waitTimeMs": POLL_MS}))
            status = polled.get("status", polled) if isinstance(polled, dict) else None
        raise SourceError(f"agentforce: a query still ran after {MAX_POLLS} polls")

    def _batches(self, sql: str) -> Iterator[list[Any]]:
        """Batches of a query by the id of the next one."""
        answer = _asked(lambda: self.client.post("/api/v2/query", body={"sql": sql}))
        seen: set[str] = set()
        while True:
            yield _listed(answer, "data")
            batch = answer.get("nextBatchId")
            if answer.get("done") is not False:
                return
            if not isinstance(batch, str) or batch in seen or len(seen) >= MAX_BATCHES:
                raise SourceError("agentforce: a query goes on without a new batch id")
            seen.add(batch)
            path = f"/api/v2/query/{quote(batch, safe='')}"
            answer = _asked(lambda p=path: self.client.get(p, params={}))


def sign_in(
    *, my_domain_url: str, client_id: str, client_secret: str, data_space: str, api: QueryApi
) -> QueryClient:
    """A query client with a fresh token; raises SourceError that says what is refused."""
    anonymous = json_client(my_domain_url, headers={})
    form = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": client_secret,
    }
    token, url = _token(anonymous, "/services/oauth2/token", form=form)
    if api == "legacy":
        exchange = {
            "grant_type": _EXCHANGE,
            "subject_token": token,
            "subject_token_type": _ACCESS_TOKEN,
        }
        token, url = _token(anonymous, "/services/a360/token", form=exchange)
    headers = {"Authorization": f"Bearer {token}"}
    return QueryClient(json_client(url, headers=headers), data_space, api)


def _token(client: JsonClient, path: str, *, form: Mapping[str, str]) -> tuple[str, str]:
    """An access token and the address it is for, which is as safe as the one we asked."""
    try:
        answer = client.post_form(path, form=form)
    except SourceError as error:
        if error.status not in (400, 401, 403):
            raise
        raise SourceError(
            f"agentforce: {path} answered {error.status}: check client id and secret; {_SCOPES}",
            status=error.status,
        ) from None
    token = answer.get("access_token") if isinstance(answer, dict) else None
    url = answer.get("instance_url") if isinstance(answer, dict) else None
    if not isinstance(token, str) or not isinstance(url, str):
        raise SourceError(f"agentforce: {path} answered 200 without a token and its address")
    scheme = urlsplit(client.base_url).scheme
    address = urlsplit(url if "://" in url else f"{scheme}://{url}")
    if address.scheme != scheme or not address.hostname or address.username:
        raise SourceError(f"agentforce: {path} gave an address that is not {scheme}")
    return token, address.geturl()


def _asked(ask: Callable[[], Any]) -> Any:
    """An answer; a refusal says which scope or permission is missing."""
    try:
        return ask()
    except SourceError as error:
        if error.status not in (401, 403):
            raise
        raise SourceError(f"agentforce: {error}: {_SCOPES}", status=error.status) from None


def _listed(answer: Any, name: str) -> list[Any]:
    listed = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(listed, list):
        raise SourceError(f"agentforce: an answer of 200 holds no list of {name}")
    return listed
