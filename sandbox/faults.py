"""Answers a test puts in the way of a path: each is given once, in order, then the real one."""

from collections import deque
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

JsonObject = dict[str, Any]


class Faults:
    """The answers still to be given, by path."""

    def __init__(self) -> None:
        self._answers: dict[str, deque[JsonObject]] = {}

    def script(self, path: str, *, answers: list[JsonObject]) -> None:
        """Give these answers to the next requests of that path; replaces what was left."""
        self._answers[path] = deque(answers)

    def left(self) -> dict[str, int]:
        """How many answers are still to be given, by path."""
        return {path: len(answers) for path, answers in self._answers.items() if answers}

    def around(self, app: ASGIApp) -> ASGIApp:
        """The application with the answers in the way."""

        async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
            answers = self._answers.get(scope.get("path", ""))
            if scope["type"] != "http" or not answers:
                await app(scope, receive, send)
                return
            answer = answers.popleft()
            if "truncate_bytes" in answer:
                await _truncated(app, scope, receive, send, keep=answer["truncate_bytes"])
                return
            body = answer.get("body", b"")
            if not isinstance(body, str | bytes):
                body = orjson.dumps(body)
            response = Response(
                body, status_code=answer.get("status", 200), headers=answer.get("headers")
            )
            await response(scope, receive, send)

        return faulty


async def _truncated(
    app: ASGIApp, scope: Scope, receive: Receive, send: Send, *, keep: int
) -> None:
    """The real answer, cut short as a broken connection behind a proxy would cut it."""
    start: Message = {}
    body = b""

    async def collect(message: Message) -> None:
        nonlocal start, body
        if message["type"] == "http.response.start":
            start = message
        else:
            body += message.get("body", b"")

    await app(scope, receive, collect)
    await Response(body[:keep], status_code=start["status"], media_type="application/json")(
        scope, receive, send
    )
