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

import pytest

ROOT = Path(__file__).resolve().parents[2]
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
_TRIES = 240
_BETWEEN_TRIES_SECONDS = 0.25


@pytest.fixture
def ui_url(tmp_path: Path) -> Iterator[str]:
    """A webserver over an empty home."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = tmp_path / "home"
    (home / "dagster").mkdir(parents=True)
    shutil.copyfile(ROOT / "orchestration" / "dagster.yaml", home / "dagster" / "dagster.yaml")
    with (tmp_path / "webserver.log").open("w") as log:
        server = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("dagster-webserver")),
                *("--host", "127.0.0.1", "--port", str(port)),
                *("--workspace", str(ROOT / "workspace.yaml")),
            ],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "METERHOUSE_HOME": str(home),
                "DAGSTER_HOME": str(home / "dagster"),
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
