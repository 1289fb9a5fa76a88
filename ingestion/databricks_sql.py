"""Databricks' SQL Statement Execution API: one statement in, all of its rows out.

A statement is submitted, polled until it ends, and its result is followed chunk by chunk; what was
read is counted against what the manifest promised. A statement that failed answers 200 with the
state FAILED. Of its error the code is told, never the message: it quotes the statement.
Large results lie behind signed addresses of the cloud's storage, which are never sent our token.
Docs: docs.databricks.com/api/workspace/statementexecution
"""

import base64
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ingestion.checkpoints import checkpoint
from ingestion.http import JsonClient, SourceError, SourceUnavailable, json_client
from ingestion.json_text import decode_json, inside

# How often an unfinished statement is asked about: together 20 minutes, then it is cancelled.
POLLS = 600
PAUSE_SECONDS = 2.0
# The first answer is waited for this long: most statements end within it.
_WAIT = "30s"
_STATEMENTS = "/api/2.0/sql/statements"
# Tokens live an hour; a fresh one is fetched well before.
_TOKEN_SECONDS = 1800
_WHOLE = re.compile(r"-?[0-9]{1,40}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_CONDITION = re.compile(r"\[([A-Z][A-Z0-9_.]{0,99})\]")

Disposition = Literal["EXTERNAL_LINKS", "INLINE"]
Row = dict[str, Any]


class StatementFailed(SourceError):
    """A statement ended without a result; `condition`: its SQL error condition, if it has one."""

    def __init__(self, message: str, *, condition: str) -> None:
        super().__init__(message)
        self.condition = condition

    @property
    def is_missing_table(self) -> bool:
        """Whether what the statement reads does not exist."""
        return self.condition in ("TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND")


@dataclass(frozen=True)
class Login:
    """A personal access token, or the client credentials of a service principal."""

    token: str | None = field(repr=False)
    client_id: str | None
    client_secret: str | None = field(repr=False)


@dataclass
class Warehouse:
    """One SQL warehouse of a workspace; it signs in when it is first asked."""

    host: str
    warehouse_id: str
    login: Login
    disposition: Disposition
    _client: JsonClient | None = field(default=None, repr=False)
    _signed_in_at: float = 0.0

    def rows(self, statement: str, *, is_small: bool = False) -> list[Row]:
        """Every row of the statement's result; a small result comes inline."""
        answer = self._submit(statement, "INLINE" if is_small else self.disposition)
        manifest = answer.get("manifest")
        columns = inside(manifest, "schema", "columns")
        total = inside(manifest, "total_row_count")
        if not isinstance(columns, list) or not isinstance(total, int):
            raise SourceError("databricks: a statement succeeded without a manifest")
        if inside(manifest, "truncated") is not False:
            raise SourceError("databricks: a result is truncated")
        readers = [(str(inside(each, "name")), _reader(each)) for each in columns]
        found: list[Row] = []
        for cells in self._chunks(answer):
            for row in cells:
                if not isinstance(row, list) or len(row) != len(readers):
                    raise SourceError("databricks: a row does not have the manifest's columns")
                found.append(
                    {name: read(cell) for (name, read), cell in zip(readers, row, strict=True)}
                )
        if len(found) != total:
            raise SourceError(f"databricks: read {len(found)} rows of a result of {total}")
        return found

    def _submit(self, statement: str, disposition: Disposition) -> Mapping[str, Any]:
        """The answer that tells the statement has succeeded."""
        answer = self._ask(
            "POST",
            _STATEMENTS,
            {
                "statement": statement,
                "warehouse_id": self.warehouse_id,
                "wait_timeout": _WAIT,
                "on_wait_timeout": "CONTINUE",
                "disposition": disposition,
                "format": "JSON_ARRAY",
            },
        )
        statement_id = answer.get("statement_id")
        if not isinstance(statement_id, str) or not _ID.fullmatch(statement_id):
            raise SourceError("databricks: a statement was answered without an id")
        for _ in range(POLLS):
            state = inside(answer, "status", "state")
            if state == "SUCCEEDED":
                return answer
            if state not in ("PENDING", "RUNNING"):
                raise _failure(answer)
            time.sleep(PAUSE_SECONDS)
            answer = self._ask("GET", f"{_STATEMENTS}/{statement_id}")
        self._ask("POST", f"{_STATEMENTS}/{statement_id}/cancel", {})
        raise SourceUnavailable(f"databricks: a statement did not end within {POLLS} polls")

    def _chunks(self, answer: Mapping[str, Any]) -> Iterator[list[Any]]:
        """The rows of each chunk in order, each checked against what it says of itself."""
        statement_id = answer["statement_id"]
        expected = 0
        result = answer.get("result")
        while isinstance(result, dict):
            parts = result.get("external_links", [result])
            if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
                raise SourceError("databricks: a chunk of a result is not an object")
            following = None
            for part in parts:
                # An empty result says nothing about chunks.
                if part.get("chunk_index", 0) != expected:
                    raise SourceError(f"databricks: chunk {expected} of a result was not answered")
                cells = self._cells(part)
                if len(cells) != part.get("row_count", len(cells)):
                    raise SourceError(f"databricks: chunk {expected} of a result is short")
                yield cells
                checkpoint("extract_page")
                expected += 1
                following = part.get("next_chunk_index")
            if following is None:
                break
            if following != expected:
                raise SourceError(f"databricks: chunk {expected} of a result is not the next one")
            path = f"{_STATEMENTS}/{statement_id}/result/chunks/{expected}"
            result = self._ask("GET", path)
        if expected != inside(answer.get("manifest"), "total_chunk_count") and expected > 1:
            raise SourceError("databricks: the chunks of a result are not as many as it says")

    def _cells(self, part: Mapping[str, Any]) -> list[Any]:
        cells = part.get("data_array", [])
        if "external_link" in part:
            try:
                cells = decode_json(self._signed_in().download(str(part["external_link"])))
            except ValueError:
                raise SourceError("databricks: a chunk behind its address is not JSON") from None
        if not isinstance(cells, list):
            raise SourceError("databricks: a chunk of a result is not a list of rows")
        return cells

    def _ask(self, method: str, path: str, body: Any = None) -> Mapping[str, Any]:
        client = self._signed_in()
        try:
            answer = (
                client.get(path, params={}) if method == "GET" else client.post(path, body=body)
            )
        except SourceUnavailable:
            raise
        except SourceError as error:
            raise _refusal(error) from None
        if not isinstance(answer, dict):
            raise SourceError(f"databricks: {path.split('/')[-1]} was answered without an object")
        return answer

    def _signed_in(self) -> JsonClient:
        """A client with a token that is still good."""
        is_old = time.monotonic() - self._signed_in_at > _TOKEN_SECONDS
        if self._client is None or (is_old and not self.login.token):
            token = self.login.token or self._fetch_token()
            self._client = json_client(self.host, headers={"Authorization": f"Bearer {token}"})
            self._signed_in_at = time.monotonic()
        return self._client

    def _fetch_token(self) -> str:
        """An access token for the service principal's client credentials."""
        pair = f"{self.login.client_id}:{self.login.client_secret}".encode()
        client = json_client(
            self.host, headers={"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        )
        form = {"grant_type": "client_credentials", "scope": "all-apis"}
        try:
            token = inside(client.post_form("/oidc/v1/token", form=form), "access_token")
        except SourceUnavailable:
            raise
        except SourceError as error:
            if error.status not in (400, 401, 403):
                raise
            raise SourceError(
                "databricks: the client credentials were refused", status=error.status
            ) from None
        if not isinstance(token, str) or not token:
            raise SourceError("databricks: /oidc/v1/token answered without a token")
        return token


def _refusal(error: SourceError) -> SourceError:
    """The error, with what is missing where the answer is a refusal."""
    if error.status == 401:
        return SourceError("databricks: the token was refused", status=401)
    if error.status == 403:
        return SourceError(
            "databricks: not allowed: the token needs scope sql (all-apis for a service "
            "principal) and CAN USE on the warehouse",
            status=403,
        )
    return error


def _failure(answer: Mapping[str, Any]) -> SourceError:
    """What a statement that ended badly says, by code and condition."""
    state = inside(answer, "status", "state")
    if state not in ("FAILED", "CANCELED", "CLOSED"):
        return SourceError("databricks: a statement was answered without a known state")
    code = inside(answer, "status", "error", "error_code")
    named = f": {code}" if isinstance(code, str) and _ID.fullmatch(code) else ""
    message = inside(answer, "status", "error", "message")
    condition = _CONDITION.match(message) if isinstance(message, str) else None
    return StatementFailed(
        f"databricks: a statement ended {state}{named}",
        condition=condition[1] if condition else "",
    )


def _reader(column: Any) -> Callable[[Any], Any]:
    """How a column's cells are read: they are texts or null, whatever the column's type."""
    kind = inside(column, "type_name")
    if kind in ("BYTE", "SHORT", "INT", "LONG"):
        return lambda cell: int(cell) if isinstance(cell, str) and _WHOLE.fullmatch(cell) else cell
    if kind == "BOOLEAN":
        return lambda cell: cell == "true" if cell in ("true", "false") else cell
    if kind in ("STRUCT", "MAP", "ARRAY"):
        return _decoded
    return lambda cell: cell


def _decoded(cell: Any) -> Any:
    """The value of a nested cell; what is not JSON stays a text, which no declared column takes."""
    if not isinstance(cell, str):
        return cell
    try:
        return decode_json(cell.encode())
    except ValueError:
        return cell
