"""Three ways to build the outbound half wrongly, each put in place of the right one in a child.

They prove that the crash tests can fail: a design is only held by a test that its opposite breaks.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from orchestration.enforcement import litellm
from orchestration.enforcement.gateway import KeyState, Settings
from orchestration.governance import announce, webhooks
from orchestration.governance.retries import outcome_of
from orchestration.governance.sending import Response
from orchestration.ops import dispatcher
from orchestration.ops.dispatcher import Tried
from orchestration.ops.store import writing


def outbox_after_commit() -> Callable[[Any], None]:
    """Messages are written when the transition has been committed, not with it."""
    waiting: list[dict[str, Any]] = []
    enqueue = announce.enqueue

    def later(_: Any, **said: Any) -> int:
        waiting.append(said)
        return len(list(said["endpoint_ids"]))

    def flush(engine: Any) -> None:
        with writing(engine) as connection:
            for said in waiting:
                enqueue(connection, **said)
        waiting.clear()

    announce.enqueue = later
    return flush


def ack_before_send() -> Callable[[Any], None]:
    """A message counts as delivered before it is sent."""
    send = webhooks._send

    def acked(road: Any, endpoint: Any, lines: Any, left: Any) -> list[Any]:
        ahead = list(left)[: len(lines)]
        answer = Response(status_code=200, error_class=None, resp_sha=None, retry_after=None)
        now, jitter = road.now(), road.jitter
        tried = [
            Tried(each, now, outcome_of(answer, step=each.step, now=now, jitter=jitter))
            for each in ahead
        ]
        with writing(road.engine) as connection:
            dispatcher.record(
                connection, tried, worker=road.worker, disable_after=webhooks.DISABLED_AFTER
            )
        send(road, endpoint, lines, left)
        return []

    webhooks._send = acked
    return lambda engine: None


def record_before_apply() -> Callable[[Any], None]:
    """A limit counts as set before the gateway has been told."""
    waiting: list[tuple[Any, str, Settings, Any, KeyState]] = []
    shown: dict[str, KeyState] = {}
    write, read = litellm.LiteLLMGateway.write, litellm.LiteLLMGateway.read

    def later(self: Any, target: str, settings: Settings, *, mark: Any, current: KeyState) -> None:
        waiting.append((self, target, settings, mark, current))
        shown[target] = replace(current, settings={**current.settings, **settings}, mark=mark)

    def pretended(self: Any, target: str) -> KeyState:
        return shown[target] if target in shown else read(self, target)

    def flush(_: Any) -> None:
        for gateway, target, settings, mark, current in waiting:
            write(gateway, target, settings, mark=mark, current=current)
        waiting.clear()
        shown.clear()

    litellm.LiteLLMGateway.write = later
    litellm.LiteLLMGateway.read = pretended
    return flush


MUTANTS: dict[str, Callable[[], Callable[[Any], None]]] = {
    "outbox after commit": outbox_after_commit,
    "ack before send": ack_before_send,
    "record before apply": record_before_apply,
}
