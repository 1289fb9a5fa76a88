"""From the spool and the inbox into the warehouse: once, whoever is killed and whatever comes."""

import gzip
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from collector_service import OTHER_TOKEN, ROOT, collector, drain, event
from raw_loads import cursor_of, loaded, rows_of, tied

from ingestion.collector.spool import held, spool_path

EVENTS, INBOX = "raw_collector.events", "raw_collector.inbox_events"
DRAIN = """
import sys
from pathlib import Path
sys.path.insert(0, "tests")
from collector_service import drain
drain(Path(sys.argv[1]))
"""


def ids(home: Path, table: str = EVENTS) -> list[str]:
    return loaded(home, "event_id", table=table)


def spooled(home: Path) -> int:
    found = held(spool_path(home))
    return found.rows_count if found else 0


def test_without_a_spool_nothing_is_read_and_nothing_fails(tmp_path: Path) -> None:
    drain(tmp_path)
    assert tied(tmp_path, table=EVENTS) == (0, 0, 0)
    assert not spool_path(tmp_path).exists()
    # That both senders of events had nothing is a fact.
    read = "select source_instance from raw_collector.events__reads order by all"
    assert rows_of(tmp_path, read) == [("app",), ("other",)]


def test_rows_leave_the_spool_once_a_later_run_sees_them_loaded(tmp_path: Path) -> None:
    with collector(tmp_path) as service:
        service.post("/v1/events", [event("a"), event("b")])
        service.post("/v1/events", [event("c")], token=OTHER_TOKEN)
        drain(tmp_path)
        assert (ids(tmp_path), spooled(tmp_path)) == (["a", "b", "c"], 3)
        service.post("/v1/events", [event("d")])
        drain(tmp_path, minutes=1)
        assert (ids(tmp_path), spooled(tmp_path)) == (["a", "b", "c", "d"], 1)
        drain(tmp_path, minutes=2)
        assert (ids(tmp_path), spooled(tmp_path)) == (["a", "b", "c", "d"], 0)
        service.post("/v1/events", [event("e")])
    drain(tmp_path, minutes=3)
    assert ids(tmp_path) == ["a", "b", "c", "d", "e"]
    assert tied(tmp_path, table=EVENTS) == (5, 5, 0)
    assert rows_of(
        tmp_path, f"select source_instance, count(*) from {EVENTS} group by all order by all"
    ) == [("app", 4), ("other", 1)]


def test_a_new_spool_starts_anew(tmp_path: Path) -> None:
    for name in ("first", "second"):
        with collector(tmp_path) as service:
            service.post("/v1/events", [event(name)])
        drain(tmp_path)
        for path in tmp_path.glob("collector.sqlite*"):
            path.unlink()
    assert ids(tmp_path) == ["first", "second"]


@pytest.mark.parametrize("point", ["extract_page:1", "dlt.load:4"])
def test_a_drain_that_is_killed_and_run_again_loads_every_row_once(
    tmp_path: Path, point: str
) -> None:
    with collector(tmp_path) as service:
        service.post("/v1/events", [event("a"), event("b")])
        drain(tmp_path)
        service.post("/v1/events", [event("c"), event("d", input_tokens=-1)])
        killed = subprocess.run(
            [sys.executable, "-c", DRAIN, str(tmp_path)],
            cwd=ROOT,
            env=os.environ | {"METERHOUSE_CRASH_AT": point, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=False,
        )
        assert killed.returncode == -9, killed.stderr
        service.post("/v1/events", [event("e")])
    drain(tmp_path, minutes=1)
    assert ids(tmp_path) == ["a", "b", "c", "e"]
    assert tied(tmp_path, table=EVENTS) == (5, 4, 1)
    assert spooled(tmp_path) == 3


def test_what_comes_while_it_is_drained_is_loaded_by_the_next_run(tmp_path: Path) -> None:
    with collector(tmp_path) as service:
        sent: list[str] = []

        def push() -> None:
            for n in range(60):
                batch = [event(f"{n:03}-{m}") for m in range(5)]
                assert service.post("/v1/events", batch).status_code == 202
                sent.extend(each["event_id"] for each in batch)

        pushing = threading.Thread(target=push)
        pushing.start()
        minutes = 0
        while pushing.is_alive():
            drain(tmp_path, minutes=minutes)
            minutes += 1
        pushing.join()
    drain(tmp_path, minutes=minutes)
    assert ids(tmp_path) == sorted(sent)
    assert len(sent) == 300


def dropped(home: Path, name: str, *lines: Any) -> None:
    """A file of the inbox with these events, packed where its name says so."""
    path = home / "inbox" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    content = b"".join(
        line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines
    )
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)


def test_a_dropped_file_is_read_whole_and_once(tmp_path: Path) -> None:
    dropped(tmp_path, "app/one.ndjson", event("a"), b"\n", event("b"))
    dropped(tmp_path, "other/two.ndjson.gz", event("c"), json.dumps(event("d")).encode())
    dropped(tmp_path, "app/notes.txt", event("x"))
    dropped(tmp_path, "stranger/three.ndjson", event("x"))
    drain(tmp_path)
    assert loaded(tmp_path, "event_id, source_instance", table=INBOX) == [
        ("a", "app"), ("b", "app"), ("c", "other"), ("d", "other"),
    ]  # fmt: skip
    # Another content under its name is another file.
    dropped(tmp_path, "app/one.ndjson", event("e"))
    drain(tmp_path, minutes=2)
    assert ids(tmp_path, INBOX) == ["a", "b", "c", "d", "e"]
    assert tied(tmp_path, table=INBOX) == (5, 5, 0)
    (tmp_path / "inbox" / "app" / "one.ndjson").unlink()
    drain(tmp_path, minutes=3)
    assert list(cursor_of_files(tmp_path)) == ["other/two.ndjson.gz"]


def cursor_of_files(home: Path) -> dict[str, str]:
    pipeline_state = cursor_of(home, "collector", "")
    return dict(pipeline_state["files"])


def test_lines_that_are_no_events_are_set_aside_with_their_place(tmp_path: Path) -> None:
    deep = b'{"event_id": ' + b"[" * 30 + b"]" * 30 + b"}\n"
    dropped(
        tmp_path, "app/mixed.ndjson",
        event("a"), b"not json\n", event("b") | {"source": "other"}, b"[1]\n", deep,
        event("c", input_tokens=-1), b"x" * 3_000_000 + b"\n", event("d"),
    )  # fmt: skip
    drain(tmp_path)
    assert ids(tmp_path, INBOX) == ["a", "d"]
    found = rows_of(tmp_path, f"select source_locator, reason from {INBOX}__rejected order by all")
    assert found == [
        ("inbox app/mixed.ndjson line 000000002", "not_json"),
        ("inbox app/mixed.ndjson line 000000003", "another_source"),
        ("inbox app/mixed.ndjson line 000000004", "not_an_object"),
        ("inbox app/mixed.ndjson line 000000005", "too_deep"),
        ("inbox app/mixed.ndjson line 000000006", "negative"),
        ("inbox app/mixed.ndjson line 000000007", "too_long"),
    ]


def test_a_file_that_does_not_unpack_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    packed = {
        "cut": gzip.compress(json.dumps(event("a")).encode() + b"\n")[:-8],
        "bomb": gzip.compress(b" " * 20_000_001),
        "none": b"not packed",
    }
    inbox = tmp_path / "inbox" / "app"
    inbox.mkdir(parents=True)
    for name, content in packed.items():
        (inbox / f"{name}.ndjson.gz").write_bytes(content)
    outside = tmp_path / "elsewhere.ndjson"
    outside.write_text(json.dumps(event("outside")), encoding="utf-8")
    (inbox / "link.ndjson").symlink_to(outside)
    drain(tmp_path)
    assert ids(tmp_path, INBOX) == ["a"]
    assert rows_of(tmp_path, f"select reason from {INBOX}__rejected order by all") == [
        ("not_gzip",), ("not_gzip",), ("too_large",),
    ]  # fmt: skip
