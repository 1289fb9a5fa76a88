"""OpenRouter: keys disabled or capped by their hash. Calls `GET` and `PATCH /keys/{hash}` only.

A key has no field for a mark of ours. What the gateway says of the last change (`updated_at`)
stands for it while the key is disabled: a key that anybody touched after us is not ours to enable.
After a crash between the write and its record nobody can tell whose a disabled key is: it stays.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from orchestration.enforcement.caps import cap_usd
from orchestration.enforcement.gateway import KeyRefused, KeyState, Settings, Wanted
from orchestration.enforcement.http import ManagementApi

_SETTINGS = ("disabled", "limit", "limit_reset")


class OpenRouterGateway:
    """An OpenRouter account, spoken to with a management key that `repr` never shows."""

    settle = timedelta(minutes=2)

    def __init__(self, base_url: str, *, management_key: str) -> None:
        self._api = ManagementApi(base_url, headers={"Authorization": f"Bearer {management_key}"})

    def __repr__(self) -> str:
        return "OpenRouterGateway(...)"

    def close(self) -> None:
        """Ends the connections."""
        self._api.close()

    def mark_left(self, target: str, settings: Settings, *, generation: int) -> None:
        """None: a key has no field for it."""

    def read(self, target: str) -> KeyState:
        """The key now."""
        return _state(self._api.call("GET", f"keys/{target}", shown="keys/{hash}"))

    def settings_for(self, target: str, wanted: Wanted, *, current: KeyState) -> Settings | None:
        """Disabled, or a limit against the account's own count; it limits no rate."""
        if wanted.kind == "block":
            return {"disabled": True}
        if wanted.kind == "zero_budget":
            return {"limit": 0}
        if wanted.kind == "rate_limit":
            return None
        cap = cap_usd(wanted, counted_usd=current.spend_usd)
        return None if cap is None else {"limit": cap}

    def write(
        self, target: str, settings: Settings, *, mark: int | None, current: KeyState
    ) -> KeyState | None:
        """These settings set, absent ones left alone."""
        answer = self._api.call("PATCH", f"keys/{target}", shown="keys/{hash}", json=dict(settings))
        return _state(answer)


def _state(answer: dict[str, Any]) -> KeyState:
    key = answer.get("data")
    if not isinstance(key, dict):
        raise KeyRefused("keys/{hash}: an answer without data")
    is_disabled = bool(key.get("disabled"))
    return KeyState(
        settings={name: key.get(name) for name in _SETTINGS} | {"disabled": is_disabled},
        mark=key.get("updated_at") if is_disabled else None,
        spend_usd=_counted(key),
    )


def _counted(key: dict[str, Any]) -> Decimal | None:
    """What the key has spent in the time after which its limit starts again."""
    period = f"_{key['limit_reset']}" if key.get("limit_reset") else ""
    names = [f"usage{period}"]
    if key.get("include_byok_in_limit"):
        names.append(f"byok_usage{period}")
    if any(key.get(name) is None for name in names):
        return None
    return sum((Decimal(str(key[name])) for name in names), Decimal(0))
