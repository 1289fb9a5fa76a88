"""A Snowflake account as its connector sees it: key-pair sign-in here, SQL by fakesnow (DuckDB).

The connector's paths have no prefix of their own, so these routes stand at the root. fakesnow is
imported and filled when somebody first signs in; a session keeps the views it signed in to.
"""

import base64
import gzip
import hashlib
import secrets
import threading
import uuid
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.snowflake_columns import COLUMNS
from sandbox.vendor import JsonObject

Tables = Mapping[str, Sequence[JsonObject]]

_DATABASE = "SNOWFLAKE"
_ARROW = {
    "number": pa.decimal128(38, 9),
    "integer": pa.decimal128(38, 0),
    "text": pa.string(),
    "variant": pa.string(),
    "time": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "boolean": pa.bool_(),
}
_DUCKDB = {
    "number": "decimal(38, 9)",
    "integer": "decimal(38, 0)",
    "text": "varchar",
    "variant": "json",
    "time": "timestamptz",
    "date": "date",
    "boolean": "boolean",
}
_KEY_BITS = 2048


def new_private_key() -> str:
    """A fresh key pair's private half, as the PEM a user keeps."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


class SnowflakeAccount:
    """One account with one service user; `tables` says what its views hold, by schema and name."""

    def __init__(
        self,
        *,
        account: str,
        user: str,
        role: str,
        private_key: Callable[[], str],
        tables: Callable[[], Tables],
    ) -> None:
        self._account, self._user, self._role = account.upper(), user.upper(), role.upper()
        self._private_key = private_key
        self._tables = tables
        self._lock = threading.Lock()
        self._filled: Any = None

    def routes(self) -> list[Route]:
        """What the connector asks for."""
        return [
            Route("/session/v1/login-request", self._sign_in, methods=["POST"]),
            Route("/session", _passed_on("session"), methods=["POST"]),
            Route("/session/heartbeat", _passed_on("session"), methods=["POST"]),
            Route("/queries/v1/query-request", _passed_on("query"), methods=["POST"]),
            Route("/queries/v1/abort-request", _done, methods=["POST"]),
            Route("/telemetry/send", _done, methods=["POST"]),
        ]

    def changed(self) -> None:
        """The next session sees the views as they are then."""
        with self._lock:
            self._filled = None

    async def _sign_in(self, request: Request) -> Response:
        body = await request.body()
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        data = orjson.loads(body)["data"]
        role = request.query_params.get("roleName", "")
        if data.get("AUTHENTICATOR") != "SNOWFLAKE_JWT":
            return _refused("390100", "Incorrect username or password was specified.")
        if not self._is_signed(str(data.get("TOKEN", ""))):
            return _refused("390144", f"JWT token is invalid. [{uuid.uuid4()}]")
        if role.upper() != self._role:
            return _refused(
                "390189",
                f"Role '{role}' specified in the connect string does not exist or not authorized. "
                "Contact your local system administrator, or attempt to login with another role, "
                "e.g. PUBLIC.",
            )
        token = await run_in_threadpool(self._open)
        return _json(
            {
                "data": {
                    "token": token,
                    "masterToken": token,
                    "serverVersion": "9.33.0",
                    "parameters": [{"name": "TIMEZONE", "value": "UTC"}],
                    "sessionInfo": {"roleName": self._role},
                },
                "success": True,
            }
        )

    def _open(self) -> str:
        from fakesnow.server import sessions

        with self._lock:
            if self._filled is None:
                self._filled = _fill(self._tables())
            token = secrets.token_urlsafe(32)
            sessions[token] = self._filled.connect(_DATABASE, "ACCOUNT_USAGE")
        return token

    def _is_signed(self, token: str) -> bool:
        """Whether the token was signed by our user's key, for us, and has not run out."""
        import jwt
        from cryptography.hazmat.primitives import serialization

        private = serialization.load_pem_private_key(self._private_key().encode(), password=None)
        public = private.public_key()
        der = public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        print_of_key = base64.b64encode(hashlib.sha256(der).digest()).decode()
        subject = f"{self._account}.{self._user}"
        try:
            claims = jwt.decode(token, public, algorithms=["RS256"])
        except jwt.InvalidTokenError:
            return False
        return claims.get("sub") == subject and claims.get("iss") == (
            f"{subject}.SHA256:{print_of_key}"
        )


def _fill(tables: Tables) -> Any:
    """A fakesnow of its own with these tables in its SNOWFLAKE database."""
    from fakesnow.instance import FakeSnow

    fake = FakeSnow()
    fake.connect(_DATABASE, "ACCOUNT_USAGE")
    fake.connect(_DATABASE, "ORGANIZATION_USAGE")
    for view, rows in tables.items():
        columns = COLUMNS[view]
        listed = ", ".join(f'"{name}" {_DUCKDB[type]}' for name, type in columns.items())
        fake.duck_conn.execute(f"create table {_DATABASE}.{view} ({listed})")
        filled = pa.table(
            {
                name: pa.array([_value(row.get(name), type) for row in rows], _ARROW[type])
                for name, type in columns.items()
            }
        )
        fake.duck_conn.register("filled", filled)
        fake.duck_conn.execute(f"insert into {_DATABASE}.{view} select * from filled")
        fake.duck_conn.unregister("filled")
    return fake


def _value(value: Any, type: str) -> Any:
    if value is None:
        return None
    if type == "variant":
        return orjson.dumps(value).decode()
    if type in ("number", "integer"):
        return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if type == "time" and isinstance(value, str):
        return datetime.strptime(value, "%Y-%m-%d %H:%M:%S.%f %z").astimezone(UTC)
    if type == "date" and isinstance(value, str):
        return date.fromisoformat(value)
    return value


def _passed_on(name: str) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        from fakesnow.server import query_request, session

        # Of fakesnow about DuckDB: each statement, whatever filters stand.
        warnings.filterwarnings("ignore", message="Arrow output on a DB-API result")
        return await {"query": query_request, "session": session}[name](request)

    return answer


async def _done(request: Request) -> Response:
    return _json({"data": None, "code": None, "message": None, "success": True})


def _refused(code: str, message: str) -> Response:
    return _json({"data": {}, "code": code, "message": message, "success": False})


def _json(body: JsonObject) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
