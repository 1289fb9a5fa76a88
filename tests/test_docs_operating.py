"""What docs/operating.md starts is there, stays on this machine, and is asked for a login."""

import re
import shlex
from pathlib import Path

from click.testing import CliRunner

from orchestration.cli import main

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "operating.md").read_text("utf-8")
SITE = re.compile(r"^\S+ \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)


def block(language: str) -> str:
    [found] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


def test_every_command_of_the_page_is_one() -> None:
    commands = [shlex.split(line, comments=True) for line in block("bash").splitlines()]
    for words in commands:
        shown = CliRunner().invoke(main, [words[1], "--help"])
        assert shown.exit_code == 0
        for option in (word for word in words if word.startswith("--")):
            assert option in shown.output


def test_every_site_of_the_page_asks_who_it_is_and_leads_to_this_machine() -> None:
    sites = SITE.findall(block("caddyfile"))
    assert len(sites) == 2
    for site in sites:
        [proxied] = re.findall(r"reverse_proxy (\S+)", site)
        [asked] = re.findall(r"forward_auth (\S+)", site)
        assert {each.partition(":")[0] for each in (proxied, asked)} == {"127.0.0.1"}
        assert site.index("forward_auth") < site.index("reverse_proxy")
