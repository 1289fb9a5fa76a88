"""Portkey: the rate of a key, by its id. Calls `GET /api-keys`, and `GET` and `PUT /api-keys/{id}`.

Nothing else can be said of a key exactly: it has no block, a budget of at least 1 USD, and no count
of what it has spent. For those the alert is all. Calls need a plan and a key that may; without them
the gateway refuses, which is recorded as such, and again the alert is all.
"""

from datetime import timedelta
from typing import Any

from orchestration.enforcement.gateway import GatewayRefused, KeyGone, KeyState, Settings, Wanted
from orchestration.enforcement.http import ManagementApi

_RATE = "requests_per_minute"


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

    def missing_api(self) -> str | None:
        """What it answers where the plan or the key has no key API; None where keys are listed."""
        try:
            self._api.call("GET", "api-keys", params={"page_size": 1, "current_page": 0})
        except (GatewayRefused, KeyGone) as error:
            return str(error)
        return None

    def keeps_mark(self, target: str) -> bool:
        """False: a key's only free text is its owner's."""
        return False

    def read(self, target: str) -> KeyState:
        """The key now: its lowest rate of requests a minute, if it has one."""
        key = self._api.call("GET", f"api-keys/{target}", shown="api-keys/{id}")
        rates: list[dict[str, Any]] = key.get("rate_limits") or []
        lowest = min((each["value"] for each in rates if _is_a_minute(each)), default=None)
        return KeyState({_RATE: lowest}, None, metadata={"rate_limits": rates})

    def settings_for(self, target: str, wanted: Wanted, *, current: KeyState) -> Settings | None:
        """A rate of requests a minute; it limits nothing else."""
        if wanted.kind != "rate_limit" or wanted.requests_per_minute is None:
            return None
        return {_RATE: wanted.requests_per_minute}

    def write(
        self, target: str, settings: Settings, *, mark: int | None, current: KeyState
    ) -> KeyState | None:
        """The rate set, or taken off; the key's others go back with it as they were read."""
        rates = [each for each in current.metadata["rate_limits"] if not _is_a_minute(each)]
        if settings[_RATE] is not None:
            rates.append({"type": "requests", "unit": "rpm", "value": settings[_RATE]})
        self._api.call(
            "PUT",
            f"api-keys/{target}",
            shown="api-keys/{id}",
            json={"rate_limits": rates or None},
        )
        return None


def _is_a_minute(rate: dict[str, Any]) -> bool:
    return rate.get("type") == "requests" and rate.get("unit") == "rpm"
