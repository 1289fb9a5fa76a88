"""What docs/webhooks.md shows is accepted as it stands there, and its receiver verifies."""

import re
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from ops_stores import PREVIOUS_SECRET, SECRET

from ingestion.config_loader import load_config
from orchestration.cli.ops import ops
from orchestration.governance import signing
from orchestration.governance.retries import SCHEDULE

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_examples_are_a_configuration(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    endpoints, command, gateway = blocks("yaml")
    both = endpoints + command.removeprefix("endpoints:\n")
    (tmp_path / "config" / "webhooks.yaml").write_text(both, encoding="utf-8")
    (tmp_path / "config" / "enforcement.yaml").write_text(gateway, encoding="utf-8")
    config = load_config(tmp_path / "config")
    assert [each.id for each in config.endpoints] == [
        *("finops", "search-chat", "house", "deny-policy")
    ]
    assert config.gateways[0].endpoint == "deny-policy"


def test_the_receiver_of_the_page_verifies_what_is_sent() -> None:
    scope: dict[str, Any] = {}
    exec(blocks("python")[0], scope)
    is_ours, body = scope["is_ours"], b'{"type":"test.ping"}'

    def sent(at: float) -> dict[str, str]:
        return signing.headers(
            [SECRET, PREVIOUS_SECRET],
            message_id="msg_1",
            attempted_at=datetime.fromtimestamp(at, UTC),
            body=body,
        )

    now = time.time()  # the page compares with the wall clock
    assert is_ours(SECRET, sent(now), body)
    assert is_ours(PREVIOUS_SECRET, sent(now), body)
    assert not is_ours("whsec_" + "A" * 40, sent(now), body)
    assert not is_ours(SECRET, sent(now), body + b" ")
    assert not is_ours(SECRET, sent(now - 400), body)


def test_every_command_of_the_page_exists() -> None:
    commands = set(re.findall(r"meterhouse ops (\w+)", PAGE))
    assert commands == {"ping", "endpoints", "enable", "replay", "arm"}
    for command in commands:
        assert CliRunner().invoke(ops, [command, "--help"]).exit_code == 0


def test_the_schedule_of_the_page_is_the_one_that_is_kept() -> None:
    [text] = re.findall(r"Tries follow at (.*?), a little", PAGE.replace("\n", " "))
    units = {"s": 1, "m": 60, "h": 3600}
    seconds = [int(number) * units[unit] for number, unit in re.findall(r"(\d+) ([smh])\b", text)]
    assert seconds == [step.total_seconds() for step in SCHEDULE[1:]]
