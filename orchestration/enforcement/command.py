"""Limits of what has no key API (a cloud's deny policy, a warehouse's quota), set by an endpoint.

A limit leaves as a signed `limit.requested` or `limit.release_requested` through the outbox, with
its retries. What the endpoint shows at its verify address acknowledges it: `GET` with `gateway` and
`key`, signed over the query, answered `{"blocked": true, "generation": 3}`, the generation being
that of the request in force, null where there is none. A request is never sent a second time by
itself; where no acknowledgement comes in time, a person is told.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection, Engine, select

from orchestration.enforcement.gateway import (
    GatewayRefused,
    GatewayUnavailable,
    KeyGone,
    KeyRefused,
    KeyState,
    Settings,
    Wanted,
)
from orchestration.enforcement.telling import cause
from orchestration.governance import signing
from orchestration.governance.bodies import iso, single_body
from orchestration.governance.endpoints import hearing_endpoints, subscribed
from orchestration.governance.fitting import listed
from orchestration.governance.sending import Line
from orchestration.ops import commands
from orchestration.ops.commands import Request
from orchestration.ops.outbox import enqueue, message_id
from orchestration.ops.store import reading, writing
from orchestration.ops.tables import desired_limit

_EVENTS = {"block": "limit.requested", "release": "limit.release_requested"}
_SUBJECT = "command"


@dataclass(frozen=True, kw_only=True)
class CommandGateway:
    """One source whose limits an endpoint sets; its secrets are never shown."""

    name: str
    endpoint_id: str
    engine: Engine
    verify: Line
    secrets: Callable[[datetime], Sequence[str]]
    acknowledge_within: timedelta
    now: Callable[[], datetime]
    # A request waits for its acknowledgement; it is not repeated.
    settle: timedelta | None = None

    def __repr__(self) -> str:
        return f"CommandGateway({self.name!r})"

    def read(self, target: str) -> KeyState:
        """The key as the endpoint shows it; what it shows may acknowledge the last request."""
        shown = self._ask(target)
        blocked, generation = shown.get("blocked"), shown.get("generation")
        if not isinstance(blocked, bool) or not isinstance(generation, int | None):
            raise KeyRefused("GET verify: no blocked (true, false) with a generation")
        state = KeyState({"blocked": blocked}, generation if blocked else None)
        with reading(self.engine) as connection:
            last = commands.newest(connection, self.name, target)
        if last is not None and not last.is_acknowledged and _is_done(last, state):
            with writing(self.engine) as connection:
                commands.acknowledge(connection, last, at=self.now())
        return state

    def mark_left(self, target: str, settings: Settings, *, generation: int) -> int:
        """The generation: the endpoint shows that of the request in force."""
        return generation

    def settings_for(self, target: str, wanted: Wanted, *, current: KeyState) -> Settings | None:
        """A block; the endpoint is asked for nothing else."""
        return {"blocked": True} if wanted.kind == "block" else None

    def write(
        self, target: str, settings: Settings, *, mark: int | None, current: KeyState
    ) -> KeyState | None:
        """Asks for the block, or (without a mark) for the release of what was asked for."""
        with writing(self.engine) as connection:
            if mark is not None:
                self._request(connection, target, "block", mark)
                return None
            generation = connection.scalar(
                select(desired_limit.c.generation).where(
                    desired_limit.c.gateway == self.name, desired_limit.c.key_ref == target
                )
            )
            self._request(connection, target, "release", generation or 0)
        return None

    def _request(self, connection: Connection, key_ref: str, verb: str, generation: int) -> None:
        last = commands.newest(connection, self.name, key_ref)
        if last and not last.is_acknowledged and (last.verb, last.generation) == (verb, generation):
            return  # on its way
        seq = last.seq + 1 if last else 1
        at, subject = self.now(), f"{self.name}|{key_ref}|{seq}"
        new = Request(
            gateway=self.name,
            key_ref=key_ref,
            seq=seq,
            verb=verb,
            generation=generation,
            message_id=message_id(_SUBJECT, subject, self.endpoint_id),
            deadline_at=at + self.acknowledge_within,
            is_acknowledged=False,
            is_alerted=False,
        )
        commands.add(connection, new, at=at)
        enqueue(
            connection,
            subject_kind=_SUBJECT,
            subject_id=subject,
            event_type=_EVENTS[verb],
            endpoint_ids=[self.endpoint_id],
            body=single_body(_EVENTS[verb], timestamp=at, data=_data(connection, new)),
            created_at=at,
        )

    def _ask(self, key_ref: str) -> Mapping[str, Any]:
        query, at = urlencode({"gateway": self.name, "key": key_ref}), self.now()
        identity = message_id("verify", f"{self.name}|{key_ref}|{iso(at)}", self.endpoint_id)
        response = self.verify.get(
            query=query,
            headers=signing.headers(
                self.secrets(at), message_id=identity, attempted_at=at, body=query.encode()
            ),
        )
        status = response.status_code
        if status in (401, 403):
            raise GatewayRefused(f"GET verify: {status}")
        if status == 404:
            raise KeyGone("GET verify: 404")
        if status is None or status == 429 or status >= 500:
            raise GatewayUnavailable(f"GET verify: {status or response.error_class}")
        if status != 200:
            raise KeyRefused(f"GET verify: {status}")
        try:
            answer = json.loads(response.body)
        except ValueError:
            raise KeyRefused("GET verify: not JSON") from None
        if not isinstance(answer, dict):
            raise KeyRefused("GET verify: not an object")
        return answer


def announce_overdue(engine: Engine, *, now: datetime) -> tuple[list[str], int]:
    """What a person should know of commands that nobody acknowledged, and new messages about it."""
    alerts, messages = [], 0
    with writing(engine) as connection:
        endpoints = hearing_endpoints(connection)
        for request in commands.overdue(connection, now=now):
            alerts.append(
                f"{request.gateway}: {_EVENTS[request.verb]} of {request.key_ref[:40]} is not "
                f"acknowledged; to send it again: meterhouse ops replay --id {request.message_id}"
            )
            if request.is_alerted:
                continue
            event_type, reasons = "limit.unacknowledged", _reasons(connection, request)
            lineage = {name for why in reasons for name in why["lineage"]}
            messages += enqueue(
                connection,
                subject_kind="limit",
                subject_id=f"unacknowledged|{request.gateway}|{request.key_ref}|{request.seq}",
                event_type=event_type,
                endpoint_ids=[
                    each.id
                    for each in subscribed(endpoints, event_type=event_type, entities=lineage)
                ],
                body=single_body(event_type, timestamp=now, data=_data(connection, request)),
                created_at=now,
            )
            commands.mark_alerted(connection, request, at=now)
    return alerts, messages


def _is_done(request: Request, state: KeyState) -> bool:
    if request.verb == "release":
        return not state.settings["blocked"]
    return bool(state.settings["blocked"]) and state.mark == request.generation


def _data(connection: Connection, request: Request) -> dict[str, Any]:
    reasons = _reasons(connection, request)
    return {
        "gateway": request.gateway,
        "key": request.key_ref,
        "key_alias": reasons[0].get("key_alias") if reasons else None,
        "limit": request.verb,
        "generation": request.generation,
        "request": request.seq,
        "acknowledge_by": iso(request.deadline_at),
        **listed("causes", [cause(reason) for reason in reasons]),
    }


def _reasons(connection: Connection, request: Request) -> list[dict[str, Any]]:
    text = connection.scalar(
        select(desired_limit.c.reason_json).where(
            desired_limit.c.gateway == request.gateway, desired_limit.c.key_ref == request.key_ref
        )
    )
    return json.loads(text) if text else []
