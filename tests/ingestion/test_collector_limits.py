"""How much is taken, and what is answered beyond it; none of it reaches the disk."""

import gzip
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from collector_service import APP_TOKEN, LITELLM_TOKEN, OTEL_TOKEN, Service, collector, event

from ingestion.collector import limits
from ingestion.collector.spool import held, spool_path

MB = 1_000_000


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with collector(tmp_path_factory.mktemp("home")) as running:
        yield running


def padded(size: int) -> bytes:
    """One event of exactly so many bytes."""
    empty = json.dumps(event("padded", padding="")).encode()
    return json.dumps(event("padded", padding="x" * (size - len(empty)))).encode()


def refused(service: Service, path: str, body: Any, status: int, **headers: str) -> None:
    """Posts what is refused with that status and leaves nothing behind."""
    before = held(spool_path(service.home))
    answer = service.post(path, body, **headers)
    assert answer.status_code == status, answer.text
    assert held(spool_path(service.home)) == before


def test_an_event_body_has_a_megabyte(service: Service) -> None:
    assert service.post("/v1/events", padded(MB)).status_code == 202
    refused(service, "/v1/events", padded(MB + 1), 413)


def test_a_body_without_a_length_is_counted_as_it_comes(service: Service) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(11):
            yield b" " * 100_000

    headers = {"authorization": f"Bearer {APP_TOKEN}", "content-type": "application/json"}
    answer = requests.post(service.url + "/v1/events", data=chunks(), headers=headers, timeout=30)
    assert answer.status_code == 413


@pytest.mark.parametrize("extra", [{}, {"note": "not of the plain shape"}])
def test_a_request_has_a_thousand_events(service: Service, extra: dict[str, str]) -> None:
    events = [event(f"e{n}") | extra for n in range(1_001)]
    assert service.post("/v1/events", events[:1_000]).json()["accepted"] == 1_000
    refused(service, "/v1/events", events, 413)


def nested(levels: int) -> bytes:
    """An event with that many levels of JSON, the array around it being the first."""
    inside = "[" * (levels - 2) + "]" * (levels - 2)
    return (json.dumps([event("deep")])[:-2] + f', "extra": {inside}}}]').encode()


@pytest.mark.parametrize("path", ["/v1/events", "/litellm"])
@pytest.mark.parametrize("levels", [21, 22, 150, 1_000, 100_000])
def test_json_nested_beyond_twenty_levels_is_refused(
    service: Service, path: str, levels: int
) -> None:
    refused(service, path, nested(levels), 400)


def test_json_of_twenty_levels_is_read(service: Service) -> None:
    assert service.post("/v1/events", nested(20)).status_code == 202


@pytest.mark.parametrize("levels", [21, 100_000])
def test_values_that_are_no_events_are_not_nested_deeper_either(
    service: Service, levels: int
) -> None:
    refused(service, "/v1/events", b"[" * levels + b"]" * levels, 400)


@pytest.mark.parametrize("body", [b"", b"{", b"not json", b"\xff\xfe", b'{"a": 1}\n{"b"'])
def test_what_is_no_json_is_refused(service: Service, body: bytes) -> None:
    refused(service, "/v1/events", body, 400)
    refused(service, "/litellm", body, 400)
    if body:
        refused(service, "/v1/traces", body, 400, token=OTEL_TOKEN)


@pytest.mark.parametrize("kind", ["text/plain", "", "application/x-www-form-urlencoded"])
def test_another_type_is_refused(service: Service, kind: str) -> None:
    body = json.dumps(event("a")).encode()
    refused(service, "/v1/events", body, 415, content_type=kind)


def test_packed_bodies_are_unpacked_to_ten_times_the_limit(service: Service) -> None:
    body = gzip.compress(json.dumps(event("packed")).encode())
    assert service.post("/v1/events", body, content_encoding="gzip").status_code == 202
    assert service.post(
        "/v1/events", gzip.compress(padded(10 * MB)), content_encoding="gzip"
    ).status_code == 202  # fmt: skip
    bomb = gzip.compress(padded(10 * MB + 1))
    assert len(bomb) < 20_000
    refused(service, "/v1/events", bomb, 413, content_encoding="gzip")
    refused(service, "/v1/events", b"not packed", 400, content_encoding="gzip")
    refused(service, "/v1/events", body[:-4], 400, content_encoding="gzip")
    refused(service, "/v1/events", body, 415, content_encoding="br")


def test_a_bomb_is_not_unpacked_beyond_what_is_read() -> None:
    bomb = gzip.compress(b"\0" * (200 * MB))
    with pytest.raises(limits.Refusal) as refusal:
        limits.unpacked(bomb, encoding="gzip", most=1_000)
    assert refusal.value.status == 413


def test_a_litellm_batch_of_seven_megabytes_is_stored(service: Service) -> None:
    call = {"response_cost": 0.1, "startTime": 1795418023.3, "messages": "x" * 13_000}
    batch = [{"id": f"r-{n}", "litellm_call_id": f"c-{n}", **call} for n in range(540)]
    body = json.dumps(batch).encode()
    assert len(body) > 7 * MB
    answer = service.post("/litellm", body, token=LITELLM_TOKEN)
    assert answer.json() == {"accepted": 540, "set_aside": []}
    assert b"x" * 100 not in (service.home / "collector.sqlite-wal").read_bytes()


def test_a_batch_has_twenty_megabytes(service: Service) -> None:
    refused(service, "/litellm", b" " * (20 * MB + 1), 413, token=LITELLM_TOKEN)
    refused(service, "/v1/traces", b" " * (20 * MB + 1), 413, token=OTEL_TOKEN)


def test_what_does_not_fit_beside_the_others_comes_again_later() -> None:
    waiting = limits.Waiting(100)
    with waiting.room(60):
        with pytest.raises(limits.Refusal) as refusal, waiting.room(41):
            pass
        assert refusal.value.status == 429
        with waiting.room(40):
            pass
    with waiting.room(100):
        pass


def test_a_full_spool_answers_later_and_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    with collector(tmp_path_factory.mktemp("full"), spool_bytes=100_000) as full:
        answers = [
            full.post("/v1/events", [event(f"{n}-{m}") for m in range(500)]) for n in range(4)
        ]
        assert answers[0].status_code == 202
        last = answers[-1]
        assert (last.status_code, last.headers["retry-after"]) == (503, "5")
        assert requests.get(full.url + "/healthz", timeout=30).status_code == 503
        metrics = requests.get(full.url + "/metrics", timeout=30).text
        assert 'reason="spool_full"' in metrics


def test_a_caller_that_hangs_up_harms_nobody(service: Service) -> None:
    address = service.url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1]))) as caller:
        head = "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n"
        head += f"Authorization: Bearer {APP_TOKEN}\r\nContent-Type: application/json\r\n\r\n"
        caller.sendall(head.encode() + b'{"event_')
    assert service.post("/v1/events", event("after")).status_code == 202
    assert requests.get(service.url + "/healthz", timeout=30).text == "ok\n"
