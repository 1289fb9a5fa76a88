"""Portkey: the rate of a key, by its id. Calls `GET` and `PUT /api-keys/{id}` only.

Nothing else can be said of a key exactly: it has no block, a budget of at least 1 USD, and no count
of what it has spent. For those the alert is all. Writing needs a plan and a key that may; without
them the gateway refuses, which is recorded as such, and again the alert is all.
"""

from datetime import timedelta
from typing import Any

from orchestration.enforcement.gateway import KeyState, Settings, Wanted
from orchestration.enforcement.http import ManagementApi


class PortkeyGateway:
    """A Portkey workspace, spoken to with an admin key that `repr` never shows."""

    settle = timedelta(minutes=2)

    def __init__(self, base_url: str, *, admin_key: str) -> None:
        self._api = ManagementApi(base_url, headers={"x-portkey-api-key": admin_key})

    def __repr__(self) -> str:
        return "PortkeyGateway(...)"

    def close(self) -> None:
        """Ends the connections."""
        self._api.close()

    def keeps_mark(self, target: str) -> bool:
        """False: a key's only free text is its owner's."""
        return False

    def read(self, target: str) -> KeyState:
        """The key now."""
        key = self._api.call("GET", f"api-keys/{target}", shown="api-keys/{id}")
        return KeyState({"rate_limits": key.get("rate_limits")}, None)

    def settings_for(self, target: str, wanted: Wanted, *, current: KeyState) -> Settings | None:
        """The rates of the key with ours among them, unless one is as low already."""
        if wanted.kind != "rate_limit" or wanted.requests_per_minute is None:
            return None
        before: list[dict[str, Any]] = current.settings.get("rate_limits") or []
        rates = [each["value"] for each in before if _is_ours(each)]
        if rates and min(rates) <= wanted.requests_per_minute:
            return {"rate_limits": before}
        others = [each for each in before if not _is_ours(each)]
        ours = {"type": "requests", "unit": "rpm", "value": wanted.requests_per_minute}
        return {"rate_limits": [*others, ours]}

    def write(
        self, target: str, settings: Settings, *, mark: int | None, current: KeyState
    ) -> KeyState | None:
        """The rates set whole, none if null."""
        self._api.call("PUT", f"api-keys/{target}", shown="api-keys/{id}", json=dict(settings))
        return None


def _is_ours(rate: dict[str, Any]) -> bool:
    return rate.get("type") == "requests" and rate.get("unit") == "rpm"
