"""What the reconciler needs of any gateway: read a target, say what a limit is there, set it.

A target is a key by the id the gateway knows it by, or `team:<id>`, `user:<id>`, `customer:<id>`.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, Literal, Protocol

MANAGED_BY = "meterhouse"
Kind = Literal["block", "zero_budget", "cap_to_remaining", "rate_limit"]
Settings = Mapping[str, Any]  # as the gateway words them: blocked, max_budget, disabled, limit


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A limit as budgets ask for it."""

    kind: Kind
    remaining_usd: Decimal | None = None  # cap_to_remaining: what the budget has left
    amount_usd: Decimal | None = None  # cap_to_remaining: of that budget
    requests_per_minute: int | None = None  # rate_limit


@dataclass(frozen=True)
class KeyState:
    """A target as the gateway shows it: what we may change, and the mark on it."""

    settings: Settings  # all that we may change, stored for undo
    # The generation of our mark; where the gateway keeps no mark of ours, what it says of the last
    # change. None = not marked.
    mark: int | str | None
    # What it has spent by the gateway's own count: where a cap is counted from, never what is used.
    spend_usd: Decimal | None = None
    # Kinds of limit that it may have and does not show us, each with what it answers instead.
    unseen: Mapping[str, str] = field(default_factory=dict)
    # Written back whole; may hold anything, so it is never stored or shown.
    metadata: Mapping[str, Any] = field(repr=False, default_factory=dict)

    def shown(self) -> dict[str, Any]:
        """What the action log keeps."""
        return {"generation": self.mark, **self.settings}

    def fingerprint(self, names: Iterable[str]) -> str:
        """Equal for equal limits in these settings: tells our own change from a person's."""
        return fingerprint({name: self.settings.get(name) for name in names}, mark=self.mark)


class GatewayRefused(Exception):
    """The gateway does not accept our credential: no further call in this run."""


class GatewayUnavailable(Exception):
    """No clear answer (timeout, 429, 5xx): what we sent may or may not have taken effect."""


class KeyRefused(GatewayUnavailable):
    """The gateway answers, and not for this target (400, an answer that makes no sense)."""


class KeyGone(Exception):
    """The gateway does not know the target."""


class Gateway(Protocol):
    """One gateway instance; `read` and `write` raise the exceptions above and no others."""

    @property
    def settle(self) -> timedelta | None:
        """How long a write may stay unseen before it is written again; None: it never is."""
        ...

    def mark_left(self, target: str, settings: Settings, *, generation: int) -> int | str | None:
        """Our mark on the target once this limit is written; None if the write carries none."""
        ...

    def read(self, target: str) -> KeyState:
        """The target now."""
        ...

    def settings_for(self, target: str, wanted: Wanted, *, current: KeyState) -> Settings | None:
        """What the limit is in settings of this target; None where the gateway has no such."""
        ...

    def write(
        self, target: str, settings: Settings, *, mark: int | None, current: KeyState
    ) -> KeyState | None:
        """These settings set and our mark put on (None: taken off), in one absolute write.

        What the answer shows of the target, or None where it shows nothing.
        """
        ...


def fingerprint(settings: Settings, *, mark: int | str | None) -> str:
    """A short digest of what is set on a target, and by whom."""
    plain = {name: _plain(value) for name, value in settings.items()}
    text = json.dumps({**plain, "generation": mark}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def are_set(observed: Settings, settings: Settings) -> bool:
    """True if every one of these settings is as it is told."""
    return all(_plain(observed.get(name)) == _plain(settings[name]) for name in settings)


def is_as_tight(observed: Settings, limit: Settings) -> bool:
    """True if what is observed limits at least as much: flags as set, numbers at most as large."""
    return all(_is_as_tight(observed.get(name), value) for name, value in limit.items())


def never_looser(limit: Settings, before: Settings) -> Settings:
    """The limit, with no number above the one that stood before us."""
    return {
        name: before[name] if _is_number(value) and _is_tighter(before.get(name), value) else value
        for name, value in limit.items()
    }


def _is_as_tight(observed: Any, value: Any) -> bool:
    if not _is_number(value):
        return bool(observed == value)
    return _is_number(observed) and observed <= value


def _is_tighter(observed: Any, value: Any) -> bool:
    return _is_number(observed) and observed < value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(value: Any) -> Any:
    return float(value) if _is_number(value) else value
