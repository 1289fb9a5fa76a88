"""What the reconciler needs of any gateway: read a key, set it, put it back."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

MANAGED_BY = "meterhouse"


@dataclass(frozen=True)
class KeyState:
    """A key as the gateway shows it: what we may change, and whether our mark is on it."""

    blocked: bool
    generation: int | None  # of our mark; None = not marked by us
    settings: Mapping[str, Any]  # previous values, stored for undo
    # Written back whole; may hold anything, so it is never stored or shown.
    metadata: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Equal for equal limits: tells our own change from a person's."""
        return fingerprint(blocked=self.blocked, generation=self.generation)

    def shown(self) -> dict[str, Any]:
        """What the action log keeps."""
        return {"blocked": self.blocked, "generation": self.generation, **self.settings}


class GatewayRefused(Exception):
    """The gateway does not accept our credential: no further call in this run."""


class GatewayUnavailable(Exception):
    """No clear answer (timeout, 429, 5xx): what we sent may or may not have taken effect."""


class KeyGone(Exception):
    """The gateway does not know the key."""


class Gateway(Protocol):
    """One gateway instance; every method raises the three exceptions above and no others."""

    @property
    def settle(self) -> timedelta | None:
        """How long a write may stay unseen before it is written again; None: it never is."""
        ...

    def read(self, key_ref: str) -> KeyState:
        """The key now."""
        ...

    def block(self, key_ref: str, *, generation: int, current: KeyState) -> None:
        """The key blocked and marked as ours, in one absolute write."""
        ...

    def restore(self, key_ref: str, *, previous: Mapping[str, Any], current: KeyState) -> None:
        """The stored values put back and our mark taken off, in one absolute write."""
        ...


def fingerprint(*, blocked: bool, generation: int | None) -> str:
    """A short digest of the part of a key that we set."""
    text = json.dumps({"blocked": blocked, "generation": generation}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
