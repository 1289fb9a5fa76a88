"""The HTTP client retries what may pass, gives up on what will not, and tells no secret."""

import gzip
import json
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from spend_log_server import Canned, SpendLogServer, spend_log_server

from ingestion.http import JsonClient, SourceError, json_client

SECRET = "sk-canary-5f1c"
PROMPT = "canary: what the customer wrote"
GOOD = Canned(body=b'{"answer": 1}')


@pytest.fixture
def server() -> Iterator[SpendLogServer]:
    """A server that gives the answers it is told to give."""
    with spend_log_server([]) as running:
        yield running


def client_of(server: SpendLogServer, **limits: Any) -> JsonClient:
    headers = {"Authorization": f"Bearer {SECRET}"}
    return json_client(server.url, headers=headers, backoff_seconds=0.001, **limits)


def asked(client: JsonClient) -> Any:
    return client.get("/logs", params={"key": SECRET})


def refused(client: JsonClient) -> str:
    """Why the request failed; neither message nor traceback tells header, query or body."""
    with pytest.raises(SourceError) as failed:
        asked(client)
    told = "".join(traceback.format_exception(failed.value))
    assert SECRET not in told
    assert PROMPT not in told
    return str(failed.value)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_an_error_that_may_pass_is_tried_again(server: SpendLogServer, status: int) -> None:
    server.canned = [Canned(status), Canned(status), GOOD]
    assert asked(client_of(server)) == {"answer": 1}
    assert len(server.queries) == 3


def test_retry_after_decides_how_long_to_wait(server: SpendLogServer) -> None:
    server.canned = [Canned(429, headers={"Retry-After": "1"}), GOOD]
    # By its own count the client would wait for a minute, longer than this suite may take.
    client = json_client(server.url, headers={}, backoff_seconds=60)
    assert asked(client) == {"answer": 1}
    assert len(server.queries) == 2


def test_an_error_that_stays_is_given_up_after_five_tries(server: SpendLogServer) -> None:
    server.canned = [Canned(503, PROMPT.encode())] * 9
    assert refused(client_of(server)) == "GET 127.0.0.1/logs answered 503"
    assert len(server.queries) == 5


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_an_error_that_will_not_pass_costs_one_call(server: SpendLogServer, status: int) -> None:
    server.canned = [Canned(status, PROMPT.encode())] * 2
    assert refused(client_of(server)) == f"GET 127.0.0.1/logs answered {status}"
    assert len(server.queries) == 1


def test_a_redirect_is_not_followed_so_the_key_goes_nowhere_else(server: SpendLogServer) -> None:
    with spend_log_server([]) as elsewhere:
        server.canned = [Canned(302, headers={"Location": f"{elsewhere.url}/logs"})]
        assert refused(client_of(server)) == "GET 127.0.0.1/logs answered 302"
        assert elsewhere.queries == []


@pytest.mark.parametrize(
    "body", ["", "<html>", '{"data": [', PROMPT], ids=["empty", "HTML", "truncated", "text"]
)
def test_a_body_that_is_no_json_is_an_error(server: SpendLogServer, body: str) -> None:
    server.canned = [Canned(body=body.encode())]
    said = "GET 127.0.0.1/logs answered 200 with a body that is not JSON"
    assert refused(client_of(server)) == said


def test_a_body_cut_off_before_its_announced_end_is_an_error(server: SpendLogServer) -> None:
    server.canned = [Canned(body=b'{"answer": 1}     ', cut_bytes=5)]
    assert refused(client_of(server)) == "GET 127.0.0.1/logs failed: ProtocolError"


def test_a_server_that_does_not_answer_is_asked_five_times(server: SpendLogServer) -> None:
    server.canned = [Canned(hangs=True)] * 5
    assert refused(client_of(server, read_seconds=0.05)) == "GET 127.0.0.1/logs failed: ReadTimeout"
    assert len(server.queries) == 5


def test_a_body_that_drips_meets_its_deadline(server: SpendLogServer) -> None:
    # A byte every 20 ms: each single read is in time, the whole would take 20 s.
    server.canned = [Canned(body=b" " * 1_000, drips=True)]
    said = refused(client_of(server, body_seconds=0.2))
    assert said == "GET 127.0.0.1/logs took more than 0.2 s to answer"


def test_a_host_that_is_not_there_is_an_error() -> None:
    client = json_client("http://127.0.0.1:9", headers={}, backoff_seconds=0.001)
    assert refused(client) == "GET 127.0.0.1/logs failed: ConnectionError"


def test_a_body_over_the_cap_is_an_error(server: SpendLogServer) -> None:
    body = json.dumps(["x" * 996]).encode()
    assert len(body) == 1_000
    server.canned = [Canned(body=body), Canned(body=body)]
    assert asked(client_of(server, max_body_bytes=1_000)) == ["x" * 996]
    assert refused(client_of(server, max_body_bytes=999)) == (
        "GET 127.0.0.1/logs answered more than 999 bytes"
    )


def test_a_gzip_bomb_is_unzipped_no_further_than_the_cap(server: SpendLogServer) -> None:
    # 256 members of 1 MiB of zeros: a thousandth of that on the wire.
    bomb = gzip.compress(bytes(1 << 20)) * 256
    assert len(bomb) < 300_000
    server.canned = [Canned(body=bomb, headers={"Content-Encoding": "gzip"})]
    said = refused(client_of(server, max_body_bytes=1 << 20))
    assert said == "GET 127.0.0.1/logs answered more than 1048576 bytes"


def test_a_zipped_body_is_unzipped(server: SpendLogServer) -> None:
    zipped = gzip.compress(b'{"answer": 1}')
    server.canned = [Canned(body=zipped, headers={"Content-Encoding": "gzip"})]
    assert asked(client_of(server)) == {"answer": 1}


def test_a_zipped_body_that_is_none_is_an_error(server: SpendLogServer) -> None:
    server.canned = [Canned(body=b"no gzip", headers={"Content-Encoding": "gzip"})]
    assert refused(client_of(server)) == "GET 127.0.0.1/logs failed: DecodeError"


def test_a_post_sends_its_body_as_json(server: SpendLogServer) -> None:
    assert client_of(server).post("/query", body={"from": "2026-11-23"}) == {"from": "2026-11-23"}
