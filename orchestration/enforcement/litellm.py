"""LiteLLM: keys, teams, users and customers limited by their ids, with our mark in the metadata.

Calls the info and the update of each and nothing else. One update sets the limit and the mark
together, so that a crash cannot leave one without the other. A customer has no metadata: no mark.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from orchestration.enforcement.caps import cap_usd
from orchestration.enforcement.gateway import (
    MANAGED_BY,
    KeyRefused,
    KeyState,
    Settings,
    Wanted,
)
from orchestration.enforcement.http import ManagementApi


@dataclass(frozen=True)
class _Kind:
    """How one kind of target is read and updated."""

    path: str
    asked_by: str
    id_field: str
    shown_in: str | None  # the part of the answer that holds the target; None: all of it
    settings: tuple[str, ...]
    block: Mapping[str, Any]
    has_metadata: bool = True


_LIMITS = ("max_budget", "soft_budget", "budget_duration", "tpm_limit", "rpm_limit")
_KINDS = {
    "key": _Kind("key", "key", "key", "info", ("blocked", *_LIMITS), {"blocked": True}),
    # A team's block is not seen for a minute by the proxy's cache, its budget is at once.
    "team": _Kind("team", "team_id", "team_id", "team_info", _LIMITS, {"max_budget": 0}),
    "user": _Kind("user", "user_id", "user_id", "user_info", _LIMITS, {"max_budget": 0}),
    "customer": _Kind(
        "customer", "end_user_id", "user_id", None, ("blocked", "max_budget"), {"blocked": True},
        has_metadata=False,
    ),
}  # fmt: skip


class LiteLLMGateway:
    """A LiteLLM proxy, spoken to with a narrow admin key that `repr` never shows."""

    settle = timedelta(minutes=2)  # its caches may show the old value for a minute per replica

    def __init__(self, base_url: str, *, admin_key: str, changed_by: str) -> None:
        headers = {"Authorization": f"Bearer {admin_key}", "litellm-changed-by": changed_by}
        self._api = ManagementApi(base_url, headers=headers)

    def __repr__(self) -> str:
        return "LiteLLMGateway(...)"

    def close(self) -> None:
        """Ends the connections."""
        self._api.close()

    def mark_left(self, target: str, settings: Settings, *, generation: int) -> int | None:
        """The generation, but for customers."""
        return generation if _split(target)[0].has_metadata else None

    def read(self, target: str) -> KeyState:
        """The target now."""
        kind, name = _split(target)
        answer = self._api.call("GET", f"{kind.path}/info", params={kind.asked_by: name})
        found = answer.get(kind.shown_in) if kind.shown_in else answer
        if not isinstance(found, dict):
            raise KeyRefused(f"GET {kind.path}/info: an answer without {kind.shown_in}")
        metadata = found.get("metadata")
        metadata = metadata if kind.has_metadata and isinstance(metadata, dict) else {}
        # A customer's budget is a record of its own.
        budget = found.get("litellm_budget_table")
        stated = {**found, **budget} if isinstance(budget, dict) else found
        settings = {setting: stated.get(setting) for setting in kind.settings}
        if "blocked" in settings:
            settings["blocked"] = bool(settings["blocked"])
        spend = found.get("spend")
        return KeyState(
            settings=settings,
            mark=_generation(metadata),
            spend_usd=None if spend is None else Decimal(str(spend)),
            metadata=metadata,
        )

    def settings_for(self, target: str, wanted: Wanted, *, current: KeyState) -> Settings | None:
        """A block, or one of the limits that the proxy itself holds against its own count."""
        kind, _ = _split(target)
        if wanted.kind == "block":
            return kind.block
        if wanted.kind == "zero_budget":
            return {"max_budget": 0}
        if wanted.kind == "rate_limit":
            has_rate = "rpm_limit" in kind.settings and wanted.requests_per_minute is not None
            return {"rpm_limit": wanted.requests_per_minute} if has_rate else None
        cap = cap_usd(wanted, counted_usd=current.spend_usd)
        return None if cap is None else {"max_budget": cap}

    def write(
        self, target: str, settings: Settings, *, mark: int | None, current: KeyState
    ) -> KeyState | None:
        """These settings set, our mark put on or taken off."""
        kind, name = _split(target)
        body: dict[str, Any] = {kind.id_field: name, **settings}
        if kind.has_metadata:
            # LiteLLM replaces metadata whole, so what was just read goes back with it.
            kept = {
                field: value
                for field, value in current.metadata.items()
                if field not in ("managed_by", "generation")
            }
            ours = {} if mark is None else {"managed_by": MANAGED_BY, "generation": mark}
            body["metadata"] = {**kept, **ours}
        self._api.call("POST", f"{kind.path}/update", json=body)
        return None


def _split(target: str) -> tuple[_Kind, str]:
    kind, colon, name = target.partition(":")
    return (_KINDS[kind], name) if colon and kind in _KINDS else (_KINDS["key"], target)


def _generation(metadata: Mapping[str, Any]) -> int | None:
    generation = metadata.get("generation")
    is_ours = metadata.get("managed_by") == MANAGED_BY and isinstance(generation, int)
    return generation if is_ours else None
