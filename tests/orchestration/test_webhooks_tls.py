"""https: the checked address is dialled, the certificate is held against the name.

A receiver that cannot prove its name gets no byte of the message.
"""

import random
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cryptography", reason="certificates are made with cryptography")

from budget_readings import budget, reading
from ops_stores import ENVIRON, endpoint, opened_store, rows
from sqlalchemy import Engine
from tls_receiver import Certificate, TlsReceiver, certificate, tls_receiver

from orchestration.governance.endpoints import sync_endpoints
from orchestration.governance.evaluate import evaluate
from orchestration.governance.webhooks import AttemptMade, dispatch
from orchestration.ops.tables import delivery_attempt, outbox

NOW = datetime(2026, 11, 23, 12, 5, tzinfo=UTC)
NAME = "hooks.example"


@dataclass
class Post:
    """One message for an endpoint at https://hooks.example, which leads to the receiver once."""

    engine: Engine
    receiver: TlsReceiver
    authority: Certificate
    folder: Path
    looked_up: list[str] = field(default_factory=list)

    def shows(self, name: str, **given: Any) -> None:
        """The certificate that the receiver shows from now on."""
        made = certificate(self.folder, name, **{"issuer": self.authority} | given)
        self.receiver.context = made.server_side()

    def dispatch(self, at: datetime = NOW) -> AttemptMade:
        (made,) = dispatch(
            self.engine,
            now=lambda: at,
            environ={**ENVIRON, "HOOK_URL": f"https://{NAME}:{self.receiver.port}/hook"},
            limit=10,
            worker="w1",
            jitter=random.Random(7),
        ).attempts
        return made


@pytest.fixture
def post(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    authority = certificate(tmp_path, "Authority of the test", issuer=None)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    (tmp_path / "store").mkdir()
    with opened_store(tmp_path / "store") as engine, tls_receiver() as receiver:
        sync_endpoints(engine, [endpoint()])
        for snapshot, used in enumerate(("10", "1000"), start=1):
            evaluate(engine, reading=reading(snapshot, budget(used)))
        post = Post(engine, receiver, authority, tmp_path)
        system = socket.getaddrinfo

        def resolved(host: str, *given: Any, **named: Any) -> Any:
            """The name leads to the receiver at the first look-up, to nowhere at any other."""
            post.looked_up.append(host)
            if host != NAME:
                return system(host, *given, **named)
            if post.looked_up.count(NAME) > 1:
                raise AssertionError("the name was looked up again")
            return system("127.0.0.1", *given, **named)

        monkeypatch.setattr(socket, "getaddrinfo", resolved)
        yield post


def test_the_checked_address_is_dialled_and_the_name_is_what_the_certificate_proves(
    post: Post,
) -> None:
    post.shows(NAME)
    made = post.dispatch()
    assert (made.status, made.status_code, made.error_class) == ("delivered", 204, None)
    assert post.receiver.names == [NAME]
    ((headers, body),) = post.receiver.asked
    assert headers["host"] == f"{NAME}:{post.receiver.port}"
    (message,) = rows(post.engine, outbox)
    assert (headers["webhook-id"], body) == (message["id"], message["body"])
    # The name once, to be checked; the connection is made to what came of it.
    assert post.looked_up == [NAME, "127.0.0.1"]


def other_name(post: Post) -> None:
    post.shows("other.example")


def the_address_alone(post: Post) -> None:
    post.shows("127.0.0.1")


def signed_by_itself(post: Post) -> None:
    post.shows(NAME, issuer=None)


def expired(post: Post) -> None:
    post.shows(NAME, until=datetime(2001, 1, 1, tzinfo=UTC))


def plain_http(post: Post) -> None:
    post.receiver.context = None


@pytest.mark.parametrize(
    ("shown", "error_class"),
    [
        (other_name, "SSLCertVerificationError"),
        (the_address_alone, "SSLCertVerificationError"),
        (signed_by_itself, "SSLCertVerificationError"),
        (expired, "SSLCertVerificationError"),
        (plain_http, "SSLError"),
    ],
)
def test_a_receiver_that_does_not_prove_its_name_gets_nothing_and_is_tried_again(
    post: Post, shown: Callable[[Post], None], error_class: str
) -> None:
    shown(post)
    first = post.dispatch()
    assert (first.status, first.status_code, first.error_class) == ("pending", None, error_class)
    assert first.next_at is not None
    assert timedelta(seconds=5) <= first.next_at - NOW <= timedelta(seconds=5.5)
    assert post.receiver.asked == []
    (message,) = rows(post.engine, outbox)
    for sent in post.receiver.plain:  # a greeting in TLS, and no more
        assert sent[:1] == b"\x16"
        assert message["body"] not in sent and message["id"].encode() not in sent

    post.shows(NAME)
    post.looked_up.clear()
    second = post.dispatch(first.next_at)
    assert (second.message_id, second.status, second.n) == (first.message_id, "delivered", 2)
    assert [body for _, body in post.receiver.asked] == [message["body"]]
    recorded = [row["error_class"] for row in rows(post.engine, delivery_attempt)]
    assert recorded == [error_class, None]


def test_a_certificate_that_nobody_trusts_here_is_refused(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = certificate(post.folder, "Another authority", issuer=None)
    monkeypatch.setenv("SSL_CERT_FILE", str(other.path))
    post.shows(NAME)
    made = post.dispatch()
    assert (made.status, made.error_class) == ("pending", "SSLCertVerificationError")
    assert post.receiver.names == [NAME] and post.receiver.asked == []
