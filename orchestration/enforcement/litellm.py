"""LiteLLM: keys blocked and released by their hash, with our mark in the key's metadata.

Calls `GET /key/info` and `POST /key/update` and nothing else. One update sets the block and the
mark together, so that a crash cannot leave one without the other.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urljoin

import requests

from orchestration.enforcement.gateway import (
    MANAGED_BY,
    GatewayRefused,
    GatewayUnavailable,
    KeyGone,
    KeyState,
)

_TIMEOUT = (5.0, 20.0)
_UNDOABLE = ("max_budget", "soft_budget", "budget_duration", "tpm_limit", "rpm_limit")


class LiteLLMGateway:
    """A LiteLLM proxy, spoken to with a narrow admin key that `repr` never shows."""

    settle = timedelta(minutes=2)  # its caches may show the old value for a minute per replica

    def __init__(self, base_url: str, *, admin_key: str, changed_by: str) -> None:
        self._base_url = base_url.rstrip("/") + "/"
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, no netrc: the key goes to this host only
        self._session.headers.update(
            {"Authorization": f"Bearer {admin_key}", "litellm-changed-by": changed_by}
        )

    def __repr__(self) -> str:
        return "LiteLLMGateway(...)"

    def close(self) -> None:
        """Ends the connections."""
        self._session.close()

    def read(self, key_ref: str) -> KeyState:
        """The key now."""
        answer = self._call("GET", "key/info", params={"key": key_ref})
        info = answer.get("info")
        if not isinstance(info, dict):
            raise GatewayUnavailable("GET key/info: an answer without info")
        metadata = info.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        return KeyState(
            blocked=bool(info.get("blocked")),
            generation=_generation(metadata),
            settings={name: info.get(name) for name in _UNDOABLE},
            metadata=metadata,
        )

    def block(self, key_ref: str, *, generation: int, current: KeyState) -> None:
        """The key blocked and marked as ours."""
        marked = {**current.metadata, "managed_by": MANAGED_BY, "generation": generation}
        self._update(key_ref, blocked=True, metadata=marked)

    def restore(self, key_ref: str, *, previous: Mapping[str, Any], current: KeyState) -> None:
        """The key as blocked or open as it was, our mark taken off."""
        kept = {
            name: value
            for name, value in current.metadata.items()
            if name not in ("managed_by", "generation")
        }
        self._update(key_ref, blocked=bool(previous.get("blocked", False)), metadata=kept)

    def _update(self, key_ref: str, *, blocked: bool, metadata: Mapping[str, Any]) -> None:
        # LiteLLM replaces metadata whole, so what was just read goes back with it.
        self._call(
            "POST",
            "key/update",
            json={"key": key_ref, "blocked": blocked, "metadata": dict(metadata)},
        )

    def _call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        what = f"{method} {path}"  # no host, no query, no header: safe in any log
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
        if status != 200:
            raise GatewayUnavailable(f"{what}: {status}")
        try:
            answer = response.json()
        except ValueError:
            raise GatewayUnavailable(f"{what}: not JSON") from None
        if not isinstance(answer, dict):
            raise GatewayUnavailable(f"{what}: not an object")
        return answer


def _generation(metadata: Mapping[str, Any]) -> int | None:
    generation = metadata.get("generation")
    is_ours = metadata.get("managed_by") == MANAGED_BY and isinstance(generation, int)
    return generation if is_ours else None
