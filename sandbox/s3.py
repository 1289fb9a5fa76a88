"""The log bucket, and that of cost exports, on a moto server, with the times of the world.

The objects go straight into the server's store, in memory: their last-modified time is the moment
of delivery in the world, which no upload could set. One server a process, as moto keeps one store.
"""

import logging
from datetime import datetime
from types import TracebackType
from typing import Self

from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import S3Backend, s3_backends
from moto.server import ThreadedMotoServer

from sandbox.company import BUCKET, CUR_BUCKET, REGION

ACCESS_KEY_ID = "AKIASANDBOX"
_ACCESS_LOG = logging.getLogger("werkzeug")
SECRET_ACCESS_KEY = "sandbox-secret-access-key"


class BucketServer:
    """A running S3 endpoint holding both buckets; use it as a context manager."""

    def __init__(self, *, port: int) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
        self._store: S3Backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]

    def __enter__(self) -> Self:
        if BUCKET in self._store.buckets:
            raise RuntimeError("another sandbox of this process already serves the log bucket")
        for bucket in (BUCKET, CUR_BUCKET):
            self._store.create_bucket(bucket, REGION)
        self._log_level = _ACCESS_LOG.level
        _ACCESS_LOG.setLevel(logging.WARNING)
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.stop()
        _ACCESS_LOG.setLevel(self._log_level)
        for bucket in (BUCKET, CUR_BUCKET):
            keys = self._store.buckets[bucket].keys
            for key in list(keys.values()):
                key.dispose()
            keys.clear()
            self._store.delete_bucket(bucket)

    @property
    def url(self) -> str:
        """Where the S3 API answers."""
        host, port = self._server.get_host_and_port()
        return f"http://{host}:{port}"

    def put(self, key: str, *, body: bytes, last_modified: datetime, bucket: str = BUCKET) -> None:
        """Put an object as if it had been delivered at that moment."""
        self._store.put_object(bucket, key, body).last_modified = last_modified

    def count(self) -> int:
        """How many objects the log bucket holds."""
        return len(self._store.buckets[BUCKET].keys)
