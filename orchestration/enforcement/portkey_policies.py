"""Portkey's usage limits: one policy of ours for a key, found by its name, and its own count.

Calls `/policies/usage-limits` and `/policies/usage-limits/{id}/entities`. Policies of others are
listed and never changed: the gateway holds them beside ours, so whichever is tighter holds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from orchestration.enforcement.gateway import MANAGED_BY, GatewayRefused, KeyGone, KeyRefused
from orchestration.enforcement.http import ManagementApi

_PATH = "policies/usage-limits"
_PAGE_SIZE = 100


@dataclass(frozen=True)
class UsagePolicy:
    """The policy of ours that a key has, as the gateway shows it."""

    id: str
    created_at: str
    credit_limit: float
    used_usd: Decimal
    is_as_made: bool  # nobody gave it another condition or a reset


class UsagePolicies:
    """The usage-limit policies of a workspace."""

    def __init__(self, api: ManagementApi) -> None:
        self._api = api
        self._is_asked = False
        self._missing: str | None = None

    def missing(self) -> str | None:
        """What the gateway answers where the plan or the key has none; asked once."""
        if not self._is_asked:
            try:
                self._api.call("GET", _PATH, params={"page_size": 1, "current_page": 0})
            except (GatewayRefused, KeyGone) as error:
                self._missing = str(error)
            self._is_asked = True
        return self._missing

    def of_key(self, key: Mapping[str, Any]) -> list[UsagePolicy]:
        """Those of ours for this key, the oldest first: one, or what an unclear answer left."""
        try:
            found = [
                self._read(policy, key["id"])
                for policy in self._pages("")
                if policy.get("name") == _name(key["id"]) and policy.get("status") != "archived"
            ]
        except (KeyError, TypeError, AttributeError, InvalidOperation) as error:
            raise KeyRefused(f"GET {_PATH}: no such answer ({type(error).__name__})") from None
        return sorted(found, key=lambda each: (each.created_at, each.id))

    def create(self, key: Mapping[str, Any], credit_limit: int) -> None:
        """A policy for this key alone, in its workspace, that never starts again by itself."""
        owner = "workspace_id" if key.get("workspace_id") else "organisation_id"
        body = {
            "name": _name(key["id"]),
            "conditions": [{"key": "api_key", "value": key["id"]}],
            "group_by": [{"key": "api_key"}],
            "type": "cost",
            "credit_limit": credit_limit,
            owner: key.get(owner),
        }
        self._call("POST", "", json=body)

    def set_limit(self, policy: UsagePolicy, credit_limit: float) -> None:
        """Another limit of one that is there; what it has counted stays."""
        self._call("PUT", f"/{policy.id}", json={"credit_limit": credit_limit})

    def delete(self, policy: UsagePolicy) -> None:
        """One of ours taken away."""
        self._call("DELETE", f"/{policy.id}")

    def _read(self, policy: Mapping[str, Any], key_id: str) -> UsagePolicy:
        entities = self._pages(f"/{policy['id']}/entities")
        counted = [each["current_usage"] for each in entities if each["value_key"] == key_id]
        return UsagePolicy(
            id=policy["id"],
            created_at=policy.get("created_at") or "",
            credit_limit=policy["credit_limit"],
            used_usd=sum((Decimal(str(usage)) for usage in counted), Decimal(0)),
            is_as_made=_is_as_made(policy, key_id),
        )

    def _pages(self, below: str) -> Iterator[dict[str, Any]]:
        """All rows, however few of them the gateway gives at a time."""
        seen = page = 0
        while True:
            asked = {"page_size": _PAGE_SIZE, "current_page": page}
            answer = self._call("GET", below, params=asked)
            rows = answer.get("data") or []
            yield from rows
            seen += len(rows)
            if not rows or seen >= answer.get("total", 0):
                return
            page += 1

    def _call(self, method: str, below: str, **arguments: Any) -> dict[str, Any]:
        shown = f"{_PATH}/{{id}}" if below else _PATH
        try:
            return self._api.call(method, f"{_PATH}{below}", shown=shown, **arguments)
        except KeyGone as error:  # the policy is gone, and not the key
            raise KeyRefused(str(error)) from None


def _name(key_id: str) -> str:
    return f"{MANAGED_BY} {key_id}"


def _is_as_made(policy: Mapping[str, Any], key_id: str) -> bool:
    conditions = [
        (each.get("key"), each.get("value"), bool(each.get("excludes")))
        for each in policy.get("conditions") or []
    ]
    is_of_key = conditions in ([("api_key", key_id, False)], [("api_key", [key_id], False)])
    resets = policy.get("periodic_reset") or policy.get("periodic_reset_days")
    return is_of_key and policy.get("type") == "cost" and not resets
