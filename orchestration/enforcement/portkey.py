"""Portkey: a key's rate, by its id, and its cap, by a policy of ours for that key.

Calls `GET /api-keys`, `GET` and `PUT /api-keys/{id}`, and the usage-limit policies. A key has no
block, and its smallest limit is 1 USD: for `block` and `zero_budget` the alert is all. Calls need a
plan and an admin key that may: without a key API the gateway refuses, which is recorded as such;
without policies a key has no cap, and again the alert is all.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from orchestration.enforcement.caps import cap_usd
from orchestration.enforcement.gateway import (
    MANAGED_BY,
    GatewayRefused,
    KeyGone,
    KeyState,
    Settings,
    Wanted,
)
from orchestration.enforcement.http import ManagementApi
from orchestration.enforcement.portkey_policies import UsagePolicies, UsagePolicy

_RATE, _CAP = "requests_per_minute", "credit_limit"
_SMALLEST_CAP_USD = 1


class PortkeyGateway:
    """A Portkey workspace, spoken to with an admin key that `repr` never shows."""

    settle = timedelta(minutes=2)

    def __init__(self, base_url: str, *, admin_key: str) -> None:
        self._api = ManagementApi(base_url, headers={"x-portkey-api-key": admin_key})
        self._policies = UsagePolicies(self._api)

    def __repr__(self) -> str:
        return "PortkeyGateway(...)"

    def close(self) -> None:
        """Ends the connections."""
        self._api.close()

    def plan_allows(self) -> tuple[str, str]:
        """What can be limited with this plan and admin key, and why no more; by reading alone."""
        try:
            self._api.call("GET", "api-keys", params={"page_size": 1, "current_page": 0})
        except (GatewayRefused, KeyGone) as error:
            return "alerts only", f"its plan or admin key has no key API ({error})"
        missing = self._policies.missing()
        if missing:
            why = f"no caps: its plan or admin key has no usage policies ({missing})"
            return "rates of keys can be limited", why
        return "caps and rates of keys can be set", ""

    def mark_left(self, target: str, settings: Settings, *, generation: int) -> str | None:
        """The name of our policy, for a cap; a key's only free text is its owner's."""
        return MANAGED_BY if settings.get(_CAP) is not None else None

    def read(self, target: str) -> KeyState:
        """The key now: its lowest rate of requests a minute, and the cap that our policy sets."""
        key = self._api.call("GET", f"api-keys/{target}", shown="api-keys/{id}")
        rates: list[dict[str, Any]] = key.get("rate_limits") or []
        lowest = min((each["value"] for each in rates if _is_a_minute(each)), default=None)
        missing = self._policies.missing()
        policies = [] if missing else self._policies.of_key(key)
        ours = policies[0] if policies else None
        counted_usd = ours.used_usd if ours else Decimal(0)
        return KeyState(
            {_RATE: lowest, _CAP: ours.credit_limit if ours else None},
            mark=MANAGED_BY if ours and ours.is_as_made else None,
            spend_usd=None if missing else counted_usd,
            unseen={"cap_to_remaining": missing} if missing else {},
            metadata={"key": key, "rate_limits": rates, "policies": policies},
        )

    def settings_for(self, target: str, wanted: Wanted, *, current: KeyState) -> Settings | None:
        """A rate of requests a minute, or a cap in whole dollars, from 1 on."""
        if wanted.kind == "rate_limit" and wanted.requests_per_minute is not None:
            return {_RATE: wanted.requests_per_minute}
        if wanted.kind != "cap_to_remaining":
            return None
        cap = cap_usd(wanted, counted_usd=current.spend_usd)
        return None if cap is None else {_CAP: max(int(cap), _SMALLEST_CAP_USD)}

    def write(
        self, target: str, settings: Settings, *, mark: int | None, current: KeyState
    ) -> KeyState | None:
        """The rate and the cap set, or taken off; rates and policies of others stay as they are."""
        if _RATE in settings:
            self._write_rate(target, settings[_RATE], current)
        if _CAP in settings:
            self._write_cap(settings[_CAP], current)
        return None

    def _write_rate(self, target: str, rate: int | None, current: KeyState) -> None:
        # Portkey replaces the rates whole, so what was just read goes back with ours.
        rates = [each for each in current.metadata["rate_limits"] if not _is_a_minute(each)]
        if rate is not None:
            rates.append({"type": "requests", "unit": "rpm", "value": rate})
        self._api.call(
            "PUT",
            f"api-keys/{target}",
            shown="api-keys/{id}",
            json={"rate_limits": rates or None},
        )

    def _write_cap(self, cap: int | None, current: KeyState) -> None:
        policies: list[UsagePolicy] = current.metadata["policies"]
        kept = policies[:1] if cap is not None else []
        if cap is not None and kept:
            self._policies.set_limit(kept[0], cap)
        elif cap is not None:
            self._policies.create(current.metadata["key"], cap)
        for policy in policies[len(kept) :]:
            self._policies.delete(policy)


def _is_a_minute(rate: dict[str, Any]) -> bool:
    return rate.get("type") == "requests" and rate.get("unit") == "rpm"
