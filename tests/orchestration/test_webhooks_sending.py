"""One line to one receiver: kept while it holds, opened anew when it does not, ended in time."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway_server import receiver_server
from scripted_server import Answer, scripted_server

from orchestration.governance.addresses import Target
from orchestration.governance.sending import Line, Response


class Door:
    """The checked target of a local server; counts how often it was asked for."""

    def __init__(self, port: int) -> None:
        self.target = Target(False, "hooks.example", "127.0.0.1", port, "/in?team=1")
        self.asked = 0

    def __call__(self) -> Target:
        self.asked += 1
        return self.target


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])


def posts(door: Door, count: int, *, timeout_seconds: float = 5.0) -> list[Response]:
    line = Line(door, timeout_seconds=timeout_seconds)
    try:
        return [line.post(body=b"{}", headers={"webhook-id": str(n)}) for n in range(count)]
    finally:
        line.close()


def test_a_line_is_resolved_once_and_kept() -> None:
    with scripted_server(lambda asked: Answer(body="ok")) as server:
        door = Door(port_of(server.url))
        found = posts(door, 3)
    assert [each.status_code for each in found] == [200, 200, 200]
    assert found[0].body == b"ok"
    assert door.asked == 1
    assert {each.headers["host"] for each in server.asked} == {f"hooks.example:{door.target.port}"}
    assert [(each.query, each.body) for each in server.asked] == [({"team": "1"}, b"{}")] * 3


def test_a_receiver_that_closes_is_resolved_and_checked_again() -> None:
    with receiver_server() as receiver:  # HTTP/1.0: closes after each answer
        door = Door(port_of(receiver.url))
        assert [each.status_code for each in posts(door, 3)] == [204, 204, 204]
    assert door.asked == 3


def test_an_answer_longer_than_is_read_ends_the_line_and_counts_by_its_status() -> None:
    with scripted_server(lambda asked: Answer(body="x" * 100_000)) as server:
        door = Door(port_of(server.url))
        found = posts(door, 2)
    assert [(each.status_code, len(each.body)) for each in found] == [(200, 8192)] * 2
    assert door.asked == 2


@contextmanager
def raw_server(talk: Callable[[socket.socket, threading.Event], None]) -> Iterator[int]:
    """A port at which each connection is handed to `talk`, with an event that ends it."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while not ended.is_set():
                try:
                    peer, _ = listening.accept()
                except OSError:
                    return
                with peer:
                    peer.recv(65_536)
                    talk(peer, ended)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield int(listening.getsockname()[1])
        finally:
            ended.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_line_that_was_dropped_between_two_messages_is_opened_anew() -> None:
    def once(peer: socket.socket, ended: threading.Event) -> None:
        peer.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")  # promises to stay, and goes

    with raw_server(once) as port:
        door = Door(port)
        line = Line(door, timeout_seconds=5.0)
        first = line.post(body=b"{}", headers={})
        dropped = threading.Event()
        while line._socket and not line._socket.is_dropped():
            dropped.wait(0.01)
        second = line.post(body=b"{}", headers={})
        line.close()
    assert (first.status_code, second.status_code, door.asked) == (204, 204, 2)


def test_a_receiver_that_drips_is_given_up_in_time() -> None:
    def drip(peer: socket.socket, ended: threading.Event) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\n")
        while not ended.wait(0.05):
            try:
                peer.sendall(b"X-Drip: 1\r\n")
            except OSError:
                return

    with raw_server(drip) as port:
        (found,) = posts(Door(port), 1, timeout_seconds=0.5)
    assert (found.status_code, found.error_class) == (None, "TimeoutError")


def test_what_is_no_http_is_a_failure_by_name() -> None:
    with raw_server(lambda peer, ended: peer.sendall(b"hello\r\n")) as port:
        (found,) = posts(Door(port), 1)
    assert (found.status_code, found.error_class) == (None, "BadStatusLine")
