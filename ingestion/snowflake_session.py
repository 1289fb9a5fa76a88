"""One signed-in session of Snowflake: which columns the views have, and their rows in bulk.

The connector is imported when a session opens. Errors name the user, the view and Snowflake's own
number, never a key, a statement or a value.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ingestion import http
from ingestion.http import SourceError, SourceUnavailable
from ingestion.snowflake_views import VIEWS

FETCH_ROWS = 10_000
LOGIN_SECONDS = 30
NETWORK_SECONDS = 120
_STATEMENT_SECONDS = 900
_NO_SUCH_OBJECT = 2003
_MOST_BACKOFF_SECONDS = 16.0
_DATABASE = "SNOWFLAKE"


@dataclass(frozen=True)
class Account:
    """Where and as whom to sign in; `endpoint_url` only where a stand-in answers."""

    account: str
    user: str
    role: str
    warehouse: str
    private_key: str = field(repr=False)
    passphrase: str | None = field(repr=False)
    endpoint_url: str | None


class Session:
    """Signs in when first asked; `release` by the last of its users signs out."""

    def __init__(self, account: Account, *, users: Sequence[str]) -> None:
        self._account = account
        self._users = set(users)
        self._connection: Any = None
        self._columns: dict[str, frozenset[str]] | None = None

    def release(self, user: str) -> None:
        """One user is done with the session."""
        self._users.discard(user)
        if not self._users and self._connection is not None:
            self._connection.close()
            self._connection = None

    def columns(self) -> Mapping[str, frozenset[str]]:
        """The columns of each of our views that this role can see."""
        if self._columns is None:
            wanted = sorted({name for view in VIEWS for name in view.names})
            names = ", ".join(f"'{name.partition('.')[2]}'" for name in wanted)
            found: dict[str, set[str]] = {}
            for schema, view, column in self.rows(
                f"select TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME"
                f" from {_DATABASE}.INFORMATION_SCHEMA.COLUMNS"
                f" where TABLE_SCHEMA in ('ACCOUNT_USAGE', 'ORGANIZATION_USAGE')"
                f" and TABLE_NAME in ({names})",
                place="INFORMATION_SCHEMA.COLUMNS",
            ):
                found.setdefault(f"{schema}.{view}", set()).add(column)
            self._columns = {name: frozenset(columns) for name, columns in found.items()}
        return self._columns

    def rows(self, statement: str, *, place: str) -> Iterator[tuple[Any, ...]]:
        """The rows of a statement, all of those it says it has; `place` names it in errors."""
        errors = _connector().errors
        connection = self._connected()
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                total, count = cursor.rowcount, 0
                while rows := cursor.fetchmany(FETCH_ROWS):
                    count += len(rows)
                    yield from rows
        except errors.ProgrammingError as error:
            if error.errno == _NO_SUCH_OBJECT:
                raise SourceError(
                    f"snowflake_cortex: {place} is gone or not granted to {self._account.role}"
                ) from None
            raise SourceError(
                f"snowflake_cortex: reading {place} failed: {error.errno} ({error.sqlstate})"
            ) from None
        except errors.Error as error:
            raise SourceUnavailable(
                f"snowflake_cortex: reading {place} failed: {type(error).__name__} {error.errno}"
            ) from None
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            # The connector takes any JSON for an answer of Snowflake's.
            raise SourceError(
                f"snowflake_cortex: reading {place} failed: no answer of Snowflake's"
                f" ({type(error).__name__})"
            ) from None
        if count != total:
            raise SourceError(f"snowflake_cortex: {place} gave {count} of {total} rows")

    def _connected(self) -> Any:
        if self._connection is None:
            self._connection = _connect(self._account)
        return self._connection


def _connect(account: Account) -> Any:
    """A session as UTC; the connector itself retries 429 and 5xx with growing pauses."""
    connector = _connector()
    errors = connector.errors
    stand_in: dict[str, Any] = {}
    if account.endpoint_url:
        address = urlsplit(account.endpoint_url)
        stand_in = {
            "host": address.hostname,
            "port": address.port or (443 if address.scheme == "https" else 80),
            "protocol": address.scheme,
        }
    try:
        return connector.connect(
            account=account.account,
            user=account.user,
            role=account.role,
            warehouse=account.warehouse,
            authenticator="SNOWFLAKE_JWT",
            private_key=_key(account),
            login_timeout=LOGIN_SECONDS,
            network_timeout=NETWORK_SECONDS,
            backoff_policy=_pauses,
            # Columns are TIMESTAMP_LTZ: in this zone they are what we store.
            session_parameters={
                "TIMEZONE": "UTC",
                "QUERY_TAG": "meterhouse",
                "CLIENT_TELEMETRY_ENABLED": False,
                "STATEMENT_TIMEOUT_IN_SECONDS": _STATEMENT_SECONDS,
            },
            # Zero: the connector would ask for the metadata service of every cloud it may run in.
            platform_detection_timeout_seconds=0.0,
            **stand_in,
        )
    except errors.OperationalError as error:
        raise SourceUnavailable(
            f"snowflake_cortex: {account.account} does not answer: {error.errno}"
        ) from None
    except errors.Error as error:
        raise SourceError(
            f"snowflake_cortex: sign-in of {account.user} with role {account.role} was refused:"
            f" {error.errno}; the user needs the public key of this key pair (RSA_PUBLIC_KEY) and"
            " the role"
        ) from None


def _connector() -> Any:
    try:
        import snowflake.connector
    except ModuleNotFoundError:
        raise SourceError(
            "snowflake_cortex: the connector is not installed: install meterhouse[snowflake]"
        ) from None
    return snowflake.connector


def _key(account: Account) -> bytes:
    """The private key as the connector takes it (DER), from the text of a PEM."""
    from cryptography.hazmat.primitives import serialization

    # One line in an .env file: line ends are written as two characters.
    pem = account.private_key.replace("\\n", "\n").encode()
    password = account.passphrase.encode() if account.passphrase else None
    try:
        key = serialization.load_pem_private_key(pem, password=password)
    except (ValueError, TypeError):
        raise SourceError(
            "snowflake_cortex: the private key is no PEM, or its passphrase is another"
        ) from None
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _pauses() -> Iterator[float]:
    pause = http.BACKOFF_SECONDS
    while True:
        yield pause
        pause = min(2 * pause, _MOST_BACKOFF_SECONDS)
