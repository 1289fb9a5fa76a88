"""A receiver of webhooks that keeps what it is sent and answers as it is told to."""

from collections import deque

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.proxy_http import answering, bad_request, json_body, json_response
from sandbox.state import State

_ACCEPTED = 204


class Receiver:
    """One inbox a name; deliveries are kept across restarts, scripts are not."""

    def __init__(self, *, state: State) -> None:
        self._state = state
        self._scripts: dict[str, deque[int]] = {}

    def routes(self) -> list[Route]:
        """Post to deliver, get to list, post a script to choose the next answers."""
        return [
            Route("/webhooks/{name}", answering(self._deliver), methods=["POST"]),
            Route("/webhooks/{name}", answering(self._list), methods=["GET"]),
            Route("/webhooks/{name}/_script", answering(self._script), methods=["POST"]),
        ]

    async def _deliver(self, request: Request) -> Response:
        name = request.path_params["name"]
        script = self._scripts.get(name)
        status = script.popleft() if script else _ACCEPTED
        body = (await request.body()).decode("utf-8", errors="replace")
        self._state.record(
            "delivery",
            name=name,
            body={"headers": dict(request.headers), "body": body, "answered": status},
        )
        return Response(status_code=status)

    async def _list(self, request: Request) -> Response:
        return json_response(self._state.recorded("delivery", name=request.path_params["name"]))

    async def _script(self, request: Request) -> Response:
        statuses = (await json_body(request)).get("statuses")
        if not isinstance(statuses, list) or not all(isinstance(each, int) for each in statuses):
            raise bad_request("statuses: a list of HTTP statuses is expected", param="statuses")
        self._scripts[request.path_params["name"]] = deque(statuses)
        return Response(status_code=_ACCEPTED)
