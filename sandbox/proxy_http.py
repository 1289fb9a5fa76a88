"""HTTP as the LiteLLM proxy speaks it: its error bodies, its keys in headers, its query bounds."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from sandbox.company import hash_key

JsonObject = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]


class ProxyError(Exception):
    """A refusal in the proxy's own words: status and the body's error object."""

    def __init__(self, message: str, *, type: str, param: str | None, status: int) -> None:
        super().__init__(message)
        self.status = status
        self.body = {
            "error": {"message": message, "type": type, "param": param, "code": str(status)}
        }


def json_response(
    body: Any, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """A JSON answer."""
    return Response(
        orjson.dumps(body), status_code=status, headers=headers, media_type="application/json"
    )


def bearer(request: Request) -> str:
    """The key a request carries, in either of the headers the proxy reads."""
    value = request.headers.get("x-litellm-api-key") or request.headers.get("authorization", "")
    raw = value.removeprefix("Bearer ").strip()
    if not raw:
        raise authentication_error("No api key passed in.")
    return raw


async def json_body(request: Request) -> JsonObject:
    """The JSON object of a request; 400 in the proxy's words if it is none."""
    try:
        body = orjson.loads(await request.body() or b"{}")
    except orjson.JSONDecodeError as error:
        raise bad_request(f"Invalid JSON payload: {error}", param="None") from error
    if not isinstance(body, dict):
        raise bad_request("Invalid JSON payload: an object is expected", param="None")
    return body


def answering(handler: Handler) -> Handler:
    """The handler, its refusals told as the proxy tells them."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except ProxyError as error:
            return json_response(error.body, status=error.status)

    return answer


def authentication_error(text: str) -> ProxyError:
    """The proxy's 401 with that text."""
    return ProxyError(f"Authentication Error, {text}", type="auth_error", param="None", status=401)


def unknown_token(raw_key: str) -> ProxyError:
    """The proxy's 401 to a key it has never made."""
    return ProxyError(
        "Authentication Error, Invalid proxy server token passed. "
        f"Received API Key = sk-...{raw_key[-4:]}, Key Hash (Token) ={hash_key(raw_key)}. "
        "Unable to find token in cache or `LiteLLM_VerificationTokenTable`",
        type="token_not_found_in_db",
        param="key",
        status=401,
    )


def bad_request(message: str, *, param: str | None) -> ProxyError:
    """The proxy's 400 with that text."""
    return ProxyError(message, type="bad_request", param=param, status=400)


def date_bound(text: str) -> datetime:
    """A bound of the spend log: a day or a second, UTC; 400 in the proxy's words."""
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d"):
        try:
            return datetime.strptime(text.strip(), form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise bad_request(
        f"Invalid date format: {text}. Expected: 'YYYY-MM-DD' or 'YYYY-MM-DD HH:MM:SS'",
        param="None",
    )


def whole_number(
    query: Mapping[str, str], name: str, *, default: int, low: int, high: int | None
) -> int:
    """A whole number in its bounds; else the 422 of the proxy's framework."""
    text = query.get(name, str(default))
    if text.lstrip("-").isdigit() and low <= int(text) and (high is None or int(text) <= high):
        return int(text)
    error = ProxyError("", type="validation", param=name, status=422)
    error.body = {
        "detail": [
            {
                "type": "less_than_equal" if text.isdigit() and int(text) else "greater_than_equal",
                "loc": ["query", name],
                "msg": f"Input should be between {low} and {high}",
                "input": text,
            }
        ]
    }
    raise error
