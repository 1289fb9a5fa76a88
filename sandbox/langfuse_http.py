"""HTTP as Langfuse speaks it: its refusals, its key pairs, its bounds, cursors and pages."""

import base64
import binascii
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.langfuse_records import place_of
from sandbox.proxy_http import json_response
from sandbox.vendor import JsonObject

PUBLIC_KEY = "pk-lf-sandbox-7d1f"
SECRET_KEY = "sk-lf-sandbox-41c8"
_WRONG_HOST = "Confirm that you've configured the correct host."


class Refusal(Exception):
    """An error in Langfuse's words."""

    def __init__(self, status: int, message: str, error: Any = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"message": message} | ({} if error is None else {"error": error})


def check_keys(request: Request) -> None:
    """Raises the 401 unless the request shows the project's key pair."""
    header = request.headers.get("authorization")
    if header is None:
        raise Refusal(401, "No authorization header")
    scheme, _, text = header.partition(" ")
    if scheme != "Basic":
        raise Refusal(401, f"Invalid authorization header. {_WRONG_HOST}")
    try:
        pair = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise Refusal(401, f"Invalid authorization header. {_WRONG_HOST}") from None
    if pair != f"{PUBLIC_KEY}:{SECRET_KEY}":
        raise Refusal(401, f"Invalid credentials. {_WRONG_HOST}")


def limited(wait: int, *, points: int) -> Response:
    """The 429 with its headers."""
    headers = {
        "Retry-After": str(wait),
        "X-RateLimit-Limit": str(points),
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": iso_text(datetime.now(UTC) + timedelta(seconds=wait)),
    }
    return json_response({"message": "Rate limit exceeded"}, status=429, headers=headers)


def invalid(name: str, message: str) -> Refusal:
    """The 400 to a parameter that is not what it should be."""
    return Refusal(400, "Invalid request data", [{"path": [name], "message": message}])


def whole_number(text: str, name: str, *, low: int, high: int) -> int:
    """A whole number within its bounds."""
    if not text.isdecimal() or not low <= int(text) <= high:
        raise invalid(name, f"Expected a number from {low} to {high}")
    return int(text)


def csv(text: str) -> list[str]:
    """The parts of a comma-separated list."""
    return [part.strip() for part in text.split(",") if part.strip()]


def moment(text: str | None, name: str) -> datetime | None:
    """A bound of a range; None where none is given."""
    if not text:
        return None
    try:
        bound = datetime.fromisoformat(text)
    except ValueError:
        raise invalid(name, "Invalid datetime") from None
    if bound.tzinfo is None:
        raise invalid(name, "Invalid datetime")
    return bound


def is_between(text: str, first_at: datetime | None, before_at: datetime | None) -> bool:
    """Whether a time lies in a half-open range."""
    at = datetime.fromisoformat(text)
    return (first_at is None or at >= first_at) and (before_at is None or at < before_at)


def iso_text(at: datetime) -> str:
    """A time as Langfuse writes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def cursor_text(last: JsonObject) -> str:
    """The cursor behind the last row of a page."""
    start, trace, id = place_of(last)
    cursor = {"lastStartTimeTo": start, "lastTraceId": trace, "lastId": id}
    return base64.b64encode(json.dumps(cursor).encode()).decode()


def cursor_place(text: str) -> tuple[str, str, str]:
    """The place a cursor stands for."""
    try:
        cursor = json.loads(base64.b64decode(text, validate=True))
        return cursor["lastStartTimeTo"], cursor["lastTraceId"], cursor["lastId"]
    except (ValueError, KeyError, TypeError):
        raise invalid("cursor", "Invalid cursor format") from None


def paged(request: Request, records: list[JsonObject]) -> Response:
    """A page by number, as the endpoints before v2 answer."""
    query = request.query_params
    page = whole_number(query.get("page", "1"), "page", low=1, high=1_000_000)
    limit = whole_number(query.get("limit", "50"), "limit", low=1, high=100)
    meta = {
        "page": page,
        "limit": limit,
        "totalItems": len(records),
        "totalPages": -(-len(records) // limit),
    }
    return json_response({"data": records[(page - 1) * limit : page * limit], "meta": meta})
