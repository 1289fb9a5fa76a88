"""The collector killed while two clients push: what was acknowledged is there, and all of it once.

A client sends again what was not acknowledged, under the same event ids, as every sender does.
"""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from collector_service import ROOT, drain, process
from raw_loads import loaded, rows_of

CONFIG = """
sources:
  - {id: app, system: collector, evidence_layer: observability, push_token_env: APP_TOKEN}
"""
ENTITIES = "entities:\n  - {id: acme, type: organisation}\n"
# Posts batch after batch; one that is not acknowledged is sent again to the address in a file.
CLIENT = """
import json, sys, time
from pathlib import Path
import requests

name, address, batches = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
session = requests.Session()
for batch in range(batches):
    events = [
        {
            "event_id": f"{name}-{batch}-{n}",
            "timestamp": "2026-11-24T10:00:00Z",
            "properties": {"model": "gpt-4o-mini", "input_tokens": 10, "output_tokens": 1},
        }
        for n in range(20)
    ]
    while True:
        try:
            url = address.read_text()
            answer = session.post(
                url + "/v1/events", json=events, timeout=30,
                headers={"authorization": "Bearer tok-app"},
            )
            if answer.status_code == 202:
                break
        except requests.RequestException:
            time.sleep(0.02)
    print(json.dumps([each["event_id"] for each in events]), flush=True)
"""
BATCHES = 40


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "sources.yaml").write_text(CONFIG, encoding="utf-8")
    (folder / "entities.yaml").write_text(ENTITIES, encoding="utf-8")
    return folder


def test_two_clients_and_a_collector_that_is_killed_lose_and_double_nothing(
    tmp_path: Path, config: Path
) -> None:
    home, address = tmp_path / "home", tmp_path / "address"
    address.write_text("http://127.0.0.1:9", encoding="utf-8")
    clients = [
        subprocess.Popen(
            [sys.executable, "-c", CLIENT, name, str(address), str(BATCHES)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        for name in ("one", "two")
    ]
    # Before the commit: nothing of it is there, and it is sent again. After it: it is there, and
    # comes again. Between two requests: nothing is under way.
    for point in ("spool.before_commit:5", "spool.after_commit:5"):
        with process(home, config, APP_TOKEN="tok-app", METERHOUSE_CRASH_AT=point) as (url, killed):
            address.write_text(url, encoding="utf-8")
            assert killed.wait(60) == -9
    with process(home, config, APP_TOKEN="tok-app") as (url, _):
        address.write_text(url, encoding="utf-8")
        acknowledged = [
            event_id
            for client in clients
            for line in client.communicate(timeout=120)[0].splitlines()
            for event_id in json.loads(line)
        ]
    drain(home)

    assert len(acknowledged) == 2 * BATCHES * 20
    found = Counter(loaded(home, "event_id", table="raw_collector.events"))
    assert set(found) == set(acknowledged)
    # What was committed and not answered came twice; it is one event, whose rows are equal.
    assert max(found.values()) == 2
    assert 20 <= sum(found.values()) - len(found) <= 40
    hashes = "select count(distinct row_hash) from raw_collector.events group by event_id"
    assert set(rows_of(home, hashes)) == {(1,)}
