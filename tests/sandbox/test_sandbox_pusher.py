"""The demo's two pushing applications: all they post is taken, once however often it is posted."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

from collector_service import APP_TOKEN, OTEL_TOKEN, collector, drain
from raw_loads import rows_of

from sandbox.pusher import push
from sandbox.vendor import Grounds

CANARY = "what-docs-bot-was-asked-5c1e"


def grounds() -> Grounds:
    return Grounds(
        world=SimpleNamespace(as_of=datetime(2026, 11, 23, 18, tzinfo=UTC)),
        state=None,
        canary=CANARY,
        seed=7,
        days=45,
        is_replay=False,
    )


def test_what_is_pushed_is_in_the_warehouse_and_no_content_with_it(tmp_path: Path) -> None:
    with collector(tmp_path) as service:
        told = push(service.url, APP_TOKEN, grounds(), traces_token=OTEL_TOKEN)
        again = push(service.url, APP_TOKEN, grounds(), traces_token=OTEL_TOKEN)
    drain(tmp_path)

    assert told == again
    assert 300 < told["events"] < 500
    assert 200 < told["spans"] < 400
    # Input holds what was read from the cache, output what was reasoned.
    sums = "count(distinct {}), sum(input_tokens + output_tokens), count(*)"
    [events] = rows_of(tmp_path, f"select {sums.format('event_id')} from raw_collector.events")
    [spans] = rows_of(tmp_path, f"select {sums.format('span_id')} from raw_collector.spans")
    assert events == (told["events"], 2 * told["event_tokens"], 2 * told["events"])
    assert spans == (told["spans"], 2 * told["span_tokens"], 2 * told["spans"])
    spool = b"".join(path.read_bytes() for path in tmp_path.glob("collector.sqlite*"))
    assert b"docs-bot" in spool
    assert CANARY.encode() not in spool
