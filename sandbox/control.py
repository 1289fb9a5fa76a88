"""The sandbox's own endpoints under `/_world`: what happened, and what should happen next.

No vendor has these. They add events, rows and objects (kept in the state), count everything for
tie-outs, list the changes made to keys, and put faults in the way of a path.
"""

import base64
import gzip
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.faults import Faults
from sandbox.litellm_calls import Calls
from sandbox.proxy_http import JsonObject, answering, bad_request, json_body, json_response
from sandbox.s3 import BucketServer
from sandbox.spend_logs import SpendLog
from sandbox.state import State
from sandbox.vendor import Vendor
from sandbox.world import World

ADDED_OBJECT = "object"
_LARGEST_COUNT = 2**53


class Control:
    """The endpoints that steer the simulated vendors."""

    def __init__(
        self,
        *,
        world: World,
        log: SpendLog,
        calls: Calls,
        bucket: BucketServer,
        faults: Faults,
        state: State,
        lines: int,
        vendors: Sequence[Vendor],
    ) -> None:
        self._world = world
        self._log = log
        self._calls = calls
        self._bucket = bucket
        self._faults = faults
        self._state = state
        self._lines = lines
        self._vendors = vendors
        for key, stored in state.all(ADDED_OBJECT).items():
            self._put(key, stored)

    def routes(self) -> list[Route]:
        """Every route of the control interface."""
        return [
            Route("/_world", answering(self._counts)),
            Route("/_world/actions", answering(self._actions)),
            Route("/_world/runaway", answering(self._runaway), methods=["POST"]),
            Route("/_world/rows", answering(self._rows), methods=["POST"]),
            Route("/_world/objects", answering(self._objects), methods=["POST"]),
            Route("/_world/faults", answering(self._add_faults), methods=["POST"]),
        ]

    async def _counts(self, request: Request) -> Response:
        counts: dict[str, Any] = self._world.counts()
        added = self._log.added()
        calls = counts["litellm"]
        calls["added_events"] = len(added)
        calls["events"] += len(added)
        for column in ("prompt_tokens", "completion_tokens"):
            calls[column] += sum(_whole(row.get(column)) for row in added)
        calls["spend_usd"] = str(
            Decimal(calls["spend_usd"]) + sum(_money(row.get("spend")) for row in added)
        )
        counts["bedrock"]["lines"] = self._lines
        counts["bedrock"]["objects"] = self._bucket.count()
        for vendor in self._vendors:
            counts[type(vendor).__name__.lower()] = vendor.counts()
        return json_response(
            {"as_of": self._world.as_of.isoformat(), "faults": self._faults.left(), **counts}
        )

    async def _actions(self, request: Request) -> Response:
        return json_response(self._state.recorded("action"))

    async def _runaway(self, request: Request) -> Response:
        body = await json_body(request)
        try:
            added = self._calls.run_away(
                str(body["agent"]),
                start=_moment(body["from"]),
                minutes=int(body["minutes"]),
                usd=Decimal(str(body["usd"])),
            )
        except (KeyError, ValueError, InvalidOperation) as error:
            raise bad_request(f"runaway: {error}", param=None) from error
        spent = sum((_money(row["spend"]) for row in added), Decimal(0))
        return json_response({"added": len(added), "spend_usd": str(spent)})

    async def _rows(self, request: Request) -> Response:
        rows = (await json_body(request)).get("rows")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise bad_request("rows: a list of objects is expected", param="rows")
        return json_response({"added": len(self._calls.add_rows(rows))})

    async def _objects(self, request: Request) -> Response:
        body = await json_body(request)
        if not isinstance(body.get("key"), str):
            raise bad_request("key: the object's path is expected", param="key")
        if not ("base64" in body or isinstance(body.get("lines"), list)):
            raise bad_request("lines or base64 is expected", param="lines")
        stored = {
            "base64": body.get("base64") or base64.b64encode(_lines(body["lines"])).decode(),
            "last_modified": body.get("last_modified") or self._world.as_of.isoformat(),
        }
        self._state.put(ADDED_OBJECT, id=body["key"], body=stored)
        self._put(body["key"], stored)
        return json_response({"key": body["key"]})

    async def _add_faults(self, request: Request) -> Response:
        body = await json_body(request)
        if not isinstance(body.get("path"), str) or not isinstance(body.get("responses"), list):
            raise bad_request("path and responses are expected", param=None)
        self._faults.script(body["path"], answers=body["responses"])
        return json_response(self._faults.left())

    def _put(self, key: str, stored: JsonObject) -> None:
        self._bucket.put(
            key,
            body=base64.b64decode(stored["base64"]),
            last_modified=_moment(stored["last_modified"]),
        )


def _lines(lines: list[Any]) -> bytes:
    """Log lines gzipped; a text stands as it is (a broken line), anything else as JSON."""
    texts = [line.encode() if isinstance(line, str) else orjson.dumps(line) for line in lines]
    return gzip.compress(b"".join(text + b"\n" for text in texts), mtime=0)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _whole(value: object) -> int:
    """The count, or nothing for what no warehouse could hold: malformed rows are not tied out."""
    is_count = isinstance(value, int) and not isinstance(value, bool)
    return value if is_count and 0 <= value < _LARGEST_COUNT else 0


def _money(value: object) -> Decimal:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return Decimal(repr(value)) if is_number else Decimal(0)
