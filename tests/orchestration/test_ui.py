"""The UI shows the graph, read by a real browser; skipped where there is none."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
_TRIES = 240
_BETWEEN_TRIES_SECONDS = 0.25


@pytest.fixture
def ui_url(tmp_path: Path) -> Iterator[str]:
    """What viewers get, over an empty home."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (tmp_path / "webserver.log").open("w") as log:
        server = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("meterhouse")),
                *("ui", "--read-only", "--port", str(port)),
            ],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "METERHOUSE_HOME": str(tmp_path / "home"),
            },
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url, server)
        yield url
    finally:
        server.terminate()
        server.wait()


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    pause = threading.Event()
    for _ in range(_TRIES):
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{url}/server_info", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            pause.wait(_BETWEEN_TRIES_SECONDS)
    raise AssertionError("the webserver did not come up")


_ASKED = """
mutation { wipeAssets(assetPartitionRanges: [{assetKey: {path: ["core", "fct_usage"]}}]) {
    __typename
} }
"""
_MAY = "{ permissions { permission value } }"


def test_viewers_can_change_nothing(ui_url: str) -> None:
    def ask(query: str) -> Any:
        answer = requests.post(f"{ui_url}/graphql", json={"query": query}, timeout=30)
        return answer.json()["data"]

    assert ask(_ASKED) == {"wipeAssets": {"__typename": "UnauthorizedError"}}
    granted = {each["permission"] for each in ask(_MAY)["permissions"] if each["value"]}
    assert granted == set()


@pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine: the UI is not looked at")
def test_the_asset_graph_reads_from_left_to_right(ui_url: str, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=BROWSER,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": 2400, "height": 1300})
        page.goto(f"{ui_url}/asset-groups", wait_until="domcontentloaded")
        stages = ["raw", "staging", "intermediate", "published", "outbound", "mirror"]
        graph = page.locator("svg").filter(has=page.get_by_text("outbound", exact=True))
        left = {}
        for stage in stages:
            box = graph.get_by_text(stage, exact=True).first
            box.wait_for(timeout=60_000)
            left[stage] = box.bounding_box()["x"]
        page.screenshot(path=tmp_path / "graph.png")
        browser.close()
    assert [stage for stage, _ in sorted(left.items(), key=lambda each: each[1])] == stages
