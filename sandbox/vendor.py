"""What every simulated vendor stands on, and what it offers to the server that runs them all."""

import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from starlette.routing import Route

from sandbox.company import AGENTS, BUCKET, CUSTOMERS, FEATURES, TEAMS, email_of
from sandbox.state import State
from sandbox.world import World

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Grounds:
    """The world all vendors share, what was done in it, and the text that stands for content.

    A replayed trace is a world of two systems: every other vendor is empty then.
    """

    world: World
    state: State
    canary: str
    seed: int
    days: int
    is_replay: bool

    @property
    def as_of(self) -> datetime:
        """When the world ends."""
        return self.world.as_of


@dataclass(frozen=True)
class Stored:
    """One object of a bucket, and when it was delivered in the world."""

    key: str
    body: bytes
    last_modified: datetime
    bucket: str = BUCKET


class Vendor(Protocol):
    """One simulated vendor over the grounds; `objects()`, where it has it, fills the buckets."""

    def routes(self) -> list[Route]:
        """Its endpoints, below a path of its own."""
        ...

    def environment(self, url: str) -> dict[str, str]:
        """The variables the platform reaches it with; `url` is the server's base address."""
        ...

    def counts(self) -> dict[str, int | str]:
        """Events, units and exact money, to tie a warehouse out with."""
        ...


@dataclass(frozen=True)
class Call:
    """One act of the demo company that only the vendor who makes it up has seen."""

    number: int
    at: datetime
    team_id: str
    user_email: str
    agent_id: str | None
    customer: str | None
    feature: str
    model: str
    input_tokens: int
    cache_read_tokens: int
    output_tokens: int
    reasoning_tokens: int
    latency_ms: int
    is_error: bool
    dice: float


def own_calls(
    grounds: Grounds, *, name: str, a_day: int, models: Sequence[str], reasons: bool = False
) -> list[Call]:
    """About `a_day` acts a day of the world, oldest first; the same for one seed and name.

    Tokens are disjoint; `dice` (0 to 1) decides what else a vendor makes of the act.
    """
    return list(_own_calls(grounds, name=name, a_day=a_day, models=models, reasons=reasons))


def _own_calls(
    grounds: Grounds, *, name: str, a_day: int, models: Sequence[str], reasons: bool
) -> Iterator[Call]:
    if grounds.is_replay:
        return
    chance = random.Random(f"{grounds.seed}:{name}")
    begins = grounds.as_of - timedelta(days=grounds.days)
    last = grounds.as_of - timedelta(minutes=5)
    gap = timedelta(days=1) / a_day
    at, number = begins, 0
    while (at := at + gap * (0.5 + chance.random())) < last:
        team = chance.choice(TEAMS)
        total = 200 + int(chance.expovariate(1 / 1800))
        cached = int(total * 0.6) // 128 * 128 if total > 1024 and chance.random() < 0.4 else 0
        output = 10 + int(chance.expovariate(1 / 300))
        thought = int(output * 0.4) if reasons and chance.random() < 0.5 else 0
        yield Call(
            number=number,
            at=at.astimezone(UTC).replace(microsecond=at.microsecond // 1000 * 1000),
            team_id=team.team_id,
            user_email=email_of(chance.choice(team.members)),
            agent_id=chance.choice(AGENTS).agent_id if chance.random() < 0.15 else None,
            customer=chance.choice(CUSTOMERS) if chance.random() < 0.7 else None,
            feature=chance.choice(FEATURES),
            model=chance.choice(models),
            input_tokens=total - cached,
            cache_read_tokens=cached,
            output_tokens=output - thought,
            reasoning_tokens=thought,
            latency_ms=300 + int(output * 9),
            is_error=chance.random() < 0.02,
            dice=chance.random(),
        )
        number += 1


def litellm_calls(grounds: Grounds, *, one_in: int, offset: int = 0) -> list[JsonObject]:
    """Every `one_in`-th LiteLLM call of the world, as rows of its table: what a tracer saw too."""
    if grounds.is_replay:
        return []
    table = grounds.world.litellm
    return table.take(list(range(offset, table.num_rows, one_in))).to_pylist()


class RateLimit:
    """At most `requests` in `seconds`; `wait` is None, or the seconds to ask a caller to wait."""

    def __init__(
        self, *, requests: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._requests, self._seconds, self._clock = requests, seconds, clock
        self._seen: deque[float] = deque()

    def wait(self) -> int | None:
        """Counts one request; None where it may pass, else whole seconds for Retry-After."""
        now = self._clock()
        while self._seen and self._seen[0] <= now - self._seconds:
            self._seen.popleft()
        if len(self._seen) >= self._requests:
            return max(1, int(self._seen[0] + self._seconds - now) + 1)
        self._seen.append(now)
        return None
