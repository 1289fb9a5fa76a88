"""One call to a gateway's management API: what came back, or one of the gateway's errors."""

from typing import Any
from urllib.parse import urljoin

import requests

from orchestration.enforcement.gateway import (
    GatewayRefused,
    GatewayUnavailable,
    KeyGone,
    KeyRefused,
)

_TIMEOUT = (5.0, 20.0)


class ManagementApi:
    """A gateway's management API, spoken to with headers that `repr` never shows."""

    def __init__(self, base_url: str, *, headers: dict[str, str]) -> None:
        self._base_url = base_url.rstrip("/") + "/"
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, no netrc: the key goes to this host only
        self._session.headers.update(headers)

    def __repr__(self) -> str:
        return "ManagementApi(...)"

    def close(self) -> None:
        """Ends the connections."""
        self._session.close()

    def call(self, method: str, path: str, *, shown: str = "", **arguments: Any) -> dict[str, Any]:
        """The answer; `shown` names the path where it holds an id."""
        what = f"{method} {shown or path}"  # no host, no query, no header: safe in any log
        try:
            response = self._session.request(
                method,
                urljoin(self._base_url, path),
                timeout=_TIMEOUT,
                allow_redirects=False,
                **arguments,
            )
        except requests.RequestException as error:
            raise GatewayUnavailable(f"{what}: {type(error).__name__}") from None
        status = response.status_code
        if status in (401, 403):
            raise GatewayRefused(f"{what}: {status}")
        if status == 404:
            raise KeyGone(f"{what}: 404")
        if status == 429 or status >= 500:
            raise GatewayUnavailable(f"{what}: {status}")
        if status != 200:
            raise KeyRefused(f"{what}: {status}")
        try:
            answer = response.json()
        except ValueError:
            raise KeyRefused(f"{what}: not JSON") from None
        if not isinstance(answer, dict):
            raise KeyRefused(f"{what}: not an object")
        return answer
