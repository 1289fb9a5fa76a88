"""All simulated vendors at once, on loopback, over one home: the LiteLLM proxy, S3, the receiver.

`with Sandbox(home=…, as_of=…) as sandbox:` starts them in threads of this process; leaving stops
them. What was done to them lies in `<home>/sandbox/state.sqlite` and is there again next time; the
world is made anew from seed and as_of (or from the traces) and is never written.
"""

import base64
import secrets
import socket
import threading
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson
import uvicorn
from starlette.applications import Starlette

from sandbox.bedrock_log import PERMISSION_CHECK, log_objects
from sandbox.company import BUCKET, REGION
from sandbox.control import Control
from sandbox.faults import Faults
from sandbox.litellm import MASTER_KEY, VIEWER_KEY, Proxy
from sandbox.litellm_calls import Calls
from sandbox.litellm_keys import Keyring
from sandbox.s3 import ACCESS_KEY_ID, SECRET_ACCESS_KEY, BucketServer
from sandbox.spend_logs import SpendLog
from sandbox.state import State
from sandbox.trace import replay_trace
from sandbox.vendor import Grounds, Vendor
from sandbox.vendors import VENDORS
from sandbox.webhooks import Receiver
from sandbox.world import World, build_world

_REDELIVERED_LINES = 2
_START_SECONDS = 30


class Sandbox:
    """The simulated vendors; use it as a context manager, one at a time in a process."""

    def __init__(
        self,
        *,
        home: Path,
        as_of: datetime,
        seed: int = 7,
        events: int = 200_000,
        days: int = 45,
        trace: Path | None = None,
        canary: str = "",
        port: int = 0,
        s3_port: int = 0,
        master_key: str = MASTER_KEY,
    ) -> None:
        self.home = home
        self.as_of = as_of
        self.master_key = master_key
        self.viewer_key = VIEWER_KEY
        self.bucket = BUCKET
        self._seed, self._events, self._days = seed, events, days
        self._trace = trace
        self._canary = canary
        self._port = port
        self._folder = home / "sandbox"
        self._s3 = BucketServer(port=s3_port)

    def __enter__(self) -> Self:
        self.world = self._build_world()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._state = State(self._folder / "state.sqlite")
        try:
            self._s3.__enter__()
            try:
                self._start_http(self._application(lines=self._fill_bucket()))
            except BaseException:
                self._s3.__exit__(None, None, None)
                raise
        except BaseException:
            self._state.close()
            raise
        self._write_endpoints()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join(_START_SECONDS)
        self._socket.close()
        self._s3.__exit__(kind, error, trace)
        self._state.close()
        (self._folder / "endpoints.json").unlink(missing_ok=True)

    @property
    def litellm_url(self) -> str:
        """Base URL of the LiteLLM proxy."""
        return self._url

    @property
    def control_url(self) -> str:
        """Where the world is counted and steered."""
        return f"{self._url}/_world"

    @property
    def webhook_url(self) -> str:
        """Where webhooks are received; an inbox is a path below it."""
        return f"{self._url}/webhooks"

    @property
    def s3_url(self) -> str:
        """Endpoint of the S3 API."""
        return self._s3.url

    def environment(self) -> dict[str, str]:
        """The variables with which the platform reaches these vendors."""
        known: dict[str, str] = {}
        for vendor in self._vendors:
            known |= vendor.environment(self._url)
        return known | {
            "LITELLM_MAIN_BASE_URL": self.litellm_url,
            "LITELLM_MAIN_API_KEY": self.viewer_key,
            "LITELLM_MAIN_ADMIN_KEY": self.master_key,
            "BEDROCK_MAIN_ENDPOINT_URL": self.s3_url,
            "BEDROCK_MAIN_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "BEDROCK_MAIN_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "BEDROCK_MAIN_REGION": REGION,
            "AWS_CUR_MAIN_ENDPOINT_URL": self.s3_url,
            "AWS_CUR_MAIN_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "AWS_CUR_MAIN_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "WEBHOOK_FINOPS_URL": f"{self.webhook_url}/finops",
            "WEBHOOK_FINOPS_SECRET": self._secret("finops", prefix="whsec_"),
            "COLLECTOR_MAIN_PUSH_TOKEN": self._secret("events"),
            "OTEL_MAIN_PUSH_TOKEN": self._secret("spans"),
        }

    def _build_world(self) -> World:
        if self._trace is not None:
            return replay_trace(self._trace, as_of=self.as_of)
        return build_world(seed=self._seed, as_of=self.as_of, events=self._events, days=self._days)

    def _fill_bucket(self) -> int:
        """Deliver the invocations; how many lines they took."""
        self._s3.put(PERMISSION_CHECK, body=b"", last_modified=self.as_of)
        lines = 0
        # A replayed trace stays what it was: every row of the file once.
        redelivered = 0 if self._trace is not None else _REDELIVERED_LINES
        for delivered in log_objects(
            self.world.bedrock, canary=self._canary, redelivered=redelivered
        ):
            self._s3.put(delivered.key, body=delivered.body, last_modified=delivered.last_modified)
            lines += delivered.lines
        return lines

    def _application(self, *, lines: int) -> Starlette:
        log = SpendLog(self.world, state=self._state, canary=self._canary)
        self.grounds = grounds = Grounds(
            world=self.world,
            state=self._state,
            canary=self._canary,
            seed=self._seed,
            days=self._days,
            is_replay=self._trace is not None,
        )
        self._vendors: list[Vendor] = [make(grounds) for make in VENDORS]
        for vendor in self._vendors:
            for item in getattr(vendor, "objects", tuple)():
                self._s3.put(
                    item.key,
                    body=item.body,
                    last_modified=item.last_modified,
                    bucket=item.bucket,
                )
        keyring = Keyring(self.world, state=self._state)
        keyring.count_in(log.added())
        proxy = Proxy(log=log, keyring=keyring, state=self._state, master_key=self.master_key)
        calls = Calls(log=log, keyring=keyring, as_of=self.as_of)
        self._faults = Faults()
        control = Control(
            world=self.world,
            log=log,
            calls=calls,
            bucket=self._s3,
            faults=self._faults,
            state=self._state,
            lines=lines,
            vendors=self._vendors,
        )
        receiver = Receiver(state=self._state)
        parts = (proxy, calls, receiver, control, *self._vendors)
        return Starlette(routes=[route for part in parts for route in part.routes()])

    def _start_http(self, application: Starlette) -> None:
        # asyncio turns Nagle's algorithm off only where the protocol is named: 40 ms an answer.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", self._port))
        self._socket.listen(128)
        self._url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            self._faults.around(application),
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            loop="asyncio",
            http="h11",
            ws="none",
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )
        # The socket listens already: a request made before the loop runs waits for it.
        self._thread.start()

    def _write_endpoints(self) -> None:
        """Leave the addresses, never a secret, for other processes of the same demo."""
        endpoints = {
            "litellm": self.litellm_url,
            "s3": self.s3_url,
            "webhooks": self.webhook_url,
            "control": self.control_url,
        }
        (self._folder / "endpoints.json").write_bytes(orjson.dumps(endpoints))

    def _secret(self, name: str, *, prefix: str = "") -> str:
        """A secret of the receiver's or of a sender: made once, kept in the state."""
        fresh = prefix + base64.b64encode(secrets.token_bytes(32)).decode()
        self._state.add("secret", documents={name: fresh})
        return str(self._state.get("secret", id=name))
