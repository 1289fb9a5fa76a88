"""A LiteLLM proxy's records out of its own Postgres: complete, and cheap to read by start time.

Auth: a role with SELECT on "LiteLLM_SpendLogs" (and on the key, team and user tables for the
inventory). Times are naive UTC. Older proxies lack some columns: what a table has is asked first.
Content columns are never selected, and of `metadata` only the fields that are needed.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from ingestion.checkpoints import checkpoint
from ingestion.contracts import Contract
from ingestion.http import SourceError, SourceUnavailable
from ingestion.windows import Window

_LOG = logging.getLogger(__name__)
_FETCH_ROWS = 10_000
_CONNECT_SECONDS = 10
_STATEMENT_MS = 600_000
_SECOND = timedelta(seconds=1)
_SPEND_LOGS = "LiteLLM_SpendLogs"
_COLUMNS = (
    "request_id", "litellm_call_id", "call_type", "status", "cache_hit", "startTime", "endTime",
    "completionStartTime", "request_duration_ms", "custom_llm_provider", "model", "model_group",
    "prompt_tokens", "completion_tokens", "total_tokens", "spend", "api_key", "organization_id",
    "team_id", "user", "end_user", "agent_id", "session_id", "request_tags",
)  # fmt: skip
_METADATA = (
    "usage_object", "cost_breakdown", "attempted_retries", "user_api_key_alias",
    "user_api_key_org_id", "litellm_call_id", "spend_logs_metadata",
)  # fmt: skip
_TABLES = {
    "keys": "LiteLLM_VerificationToken",
    "teams": "LiteLLM_TeamTable",
    "users": "LiteLLM_UserTable",
}


class DatabaseLedger:
    """The tables of one proxy, read with a role of our own."""

    def __init__(self, url: str) -> None:
        self._url = url

    @cached_property
    def _engine(self) -> Engine:
        options = f"-c statement_timeout={_STATEMENT_MS} -c default_transaction_read_only=on"
        return create_engine(
            _driver_url(self._url),
            poolclass=NullPool,
            connect_args={"connect_timeout": _CONNECT_SECONDS, "options": options},
        )

    def window(self, window: Window) -> list[tuple[str, Any]]:
        """Where each row of a window stands, and the row; its last second is read whole."""
        with self._reading() as connection:
            shown = self._shown(connection, _SPEND_LOGS, (*_COLUMNS, "metadata"))
            if '"startTime"' not in shown or '"request_id"' not in shown:
                raise SourceError(f'litellm: the role cannot read "{_SPEND_LOGS}"')
            if '"metadata"' not in shown:
                raise SourceError(f'litellm: the role cannot read metadata of "{_SPEND_LOGS}"')
            shown.remove('"metadata"')
            fields = ", ".join(f"'{name}', metadata -> '{name}'" for name in _METADATA)
            query = text(
                f"select {', '.join(shown)}, jsonb_build_object({fields}) as metadata "
                f'from "{_SPEND_LOGS}" '
                'where "startTime" >= :first_at and "startTime" < :next_at '
                'order by "startTime", request_id'
            )
            bounds = {
                "first_at": window.first_at.astimezone(UTC).replace(tzinfo=None),
                "next_at": (window.last_at + _SECOND).astimezone(UTC).replace(tzinfo=None),
            }
            place = f"{window.name} {_SPEND_LOGS}"
            rows: list[tuple[str, Any]] = []
            streamed = connection.execution_options(yield_per=_FETCH_ROWS)
            for page in streamed.execute(query, bounds).mappings().partitions():
                rows += [
                    (f"{place} row {number}", _record(row))
                    for number, row in enumerate(page, start=len(rows) + 1)
                ]
                checkpoint("extract_page")
            return rows

    def inventory(self, contract: Contract) -> list[tuple[str, Any]] | None:
        """Keys, teams or users; None where the role may not read their table."""
        table = _TABLES[contract.resource]
        names = [column.name for column in contract.columns]
        with self._reading() as connection:
            shown = self._shown(connection, table, names)
            if f'"{names[0]}"' not in shown:
                _LOG.warning('litellm: the role cannot read "%s"', table)
                return None
            query = text(f'select {", ".join(shown)} from "{table}" order by "{names[0]}"')
            found = connection.execute(query).mappings().all()
        return [(f"{table} row {n}", _record(row)) for n, row in enumerate(found, start=1)]

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """A connection; what goes wrong on it is told without an address, a value or a secret."""
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            kind = getattr(getattr(error, "orig", None), "pgcode", None) or type(error).__name__
            raise SourceUnavailable(f"litellm: reading its database failed: {kind}") from None

    def _shown(self, connection: Connection, table: str, names: Sequence[str]) -> list[str]:
        """Those columns of a table that are there and that the role may read, quoted."""
        query = text(
            "select attname from pg_attribute where attrelid = to_regclass(:name) and attnum > 0 "
            "and not attisdropped and has_column_privilege(attrelid, attnum, 'SELECT')"
        )
        known = {name for (name,) in connection.execute(query, {"name": f'"{table}"'})}
        return [f'"{name}"' for name in names if name in known]


def _driver_url(url: str) -> URL:
    """The address with the driver that is installed, whatever way of saying Postgres was used."""
    return make_url(url).set(drivername="postgresql+psycopg2")


def _record(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as the proxy would answer it over HTTP: times as text in UTC."""
    return {
        name: value.replace(tzinfo=UTC).isoformat() if isinstance(value, datetime) else value
        for name, value in row.items()
    }
