"""One attempt: the stored bytes posted to one checked address, and what came back."""

import hashlib
import http.client
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from orchestration.governance.addresses import Target

_READ_AT_MOST = 8_192


@dataclass(frozen=True)
class Response:
    """What an attempt came to; never the address, a header we sent or the text we got."""

    status_code: int | None
    error_class: str | None
    resp_sha: str | None
    retry_after: str | None


def post(
    target: Target, *, body: bytes, headers: Mapping[str, str], timeout_seconds: float
) -> Response:
    """The response to one POST. No redirect is followed and no proxy of the environment is used."""
    try:
        connection = _connect(target, timeout_seconds)
    except OSError as error:
        return Response(None, _name(error), None, None)
    try:
        connection.request(
            "POST",
            target.path,
            body=body,
            headers={
                **headers,
                "Host": target.host_header,
                "Content-Type": "application/json",
                "User-Agent": "meterhouse-webhooks/1",
                "Connection": "close",
            },
        )
        response = connection.getresponse()
        retry_after = response.getheader("Retry-After")
        try:
            seen = response.read1(_READ_AT_MOST)
        except (OSError, http.client.HTTPException):
            seen = b""  # the status is what counts
        finally:
            response.close()
        return Response(response.status, None, hashlib.sha256(seen).hexdigest(), retry_after)
    except (OSError, http.client.HTTPException) as error:
        return Response(None, _name(error), None, None)
    finally:
        connection.close()


def retry_after_seconds(value: str | None, *, now: datetime) -> float | None:
    """A Retry-After header (seconds or a date) in seconds from `now`."""
    if value is None:
        return None
    text = value.strip()
    if text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _connect(target: Target, timeout_seconds: float) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(target.host, target.port, timeout=timeout_seconds)
    plain = socket.create_connection((target.address, target.port), timeout=timeout_seconds)
    if not target.is_tls:
        connection.sock = plain
        return connection
    try:
        # The certificate is checked against the name although the address was dialled.
        context = ssl.create_default_context()
        connection.sock = context.wrap_socket(plain, server_hostname=target.host)
    except BaseException:
        plain.close()
        raise
    return connection


def _name(error: BaseException) -> str:
    return type(error).__name__
