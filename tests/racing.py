"""Two processes of their own over one store, let go at the same moment."""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from budget_readings import AS_OF, budget, key, reading
from gateway_server import ADMIN_KEY

from orchestration.enforcement.litellm import LiteLLMGateway
from orchestration.enforcement.reconcile import Rules, reconcile
from orchestration.governance.evaluate import evaluate
from orchestration.ops.store import open_store

_TOGETHER_SECONDS = 60
_process: dict[str, Any] = {}


def _prepare(url: str, start: Any) -> None:
    _process.update(engine=open_store(url), start=start)


def wait() -> None:
    """Until the other process stands here too."""
    _process["start"].wait(_TOGETHER_SECONDS)


def evaluated(snapshot: int, used: str, keys: tuple[str, ...]) -> bool:
    """One evaluation; whether the snapshot was news to this process."""
    read = reading(snapshot, budget(used), keys=tuple(key(each) for each in keys))
    return not evaluate(_process["engine"], reading=read).is_ignored


def reconciled(gateway_url: str, after: timedelta = timedelta(0)) -> list[tuple[str, str]]:
    """One reconciliation with a client of its own: step and result of each action."""
    client = LiteLLMGateway(gateway_url, admin_key=ADMIN_KEY, changed_by="meterhouse")
    done = reconcile(
        _process["engine"],
        gateways={"litellm-main": client},
        now=lambda: AS_OF + after,
        by="test",
        rules=Rules(),
    )
    client.close()
    return [(action.step, action.result) for action in done]


def _together(task: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    wait()
    return task(*arguments)


@dataclass(frozen=True)
class Pair:
    """The two processes."""

    one: ProcessPoolExecutor
    other: ProcessPoolExecutor

    def race(self, task: Callable[..., Any], *arguments: Any) -> tuple[Any, Any]:
        """What the task gives in each, begun by both at once."""
        begun: list[Future[Any]] = [
            process.submit(_together, task, arguments) for process in (self.one, self.other)
        ]
        first, second = (each.result() for each in begun)
        return first, second


@contextmanager
def two_processes(url: str) -> Iterator[Pair]:
    """Two processes that have the store at this URL open."""
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(2)
    with ExitStack() as stack:
        one, other = (
            stack.enter_context(
                ProcessPoolExecutor(
                    1, mp_context=context, initializer=_prepare, initargs=(url, start)
                )
            )
            for _ in range(2)
        )
        yield Pair(one, other)
