"""What docs/collector.md shows works as it stands there."""

import json
import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from collector_service import collector
from pydantic import TypeAdapter

from ingestion.collector.app import INTAKES
from ingestion.collector.events import COUNTS
from ingestion.systems import Source
from orchestration.cli import main

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "collector.md").read_text(
    encoding="utf-8"
)


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def test_the_event_of_the_example_is_accepted(tmp_path: Path) -> None:
    [sent] = re.findall(r"-d '(\{.*?\})'", PAGE, re.DOTALL)
    with collector(tmp_path) as service:
        answer = service.post("/v1/events", json.loads(sent))
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "set_aside": []})


def test_the_snippets_are_what_they_say_to_be() -> None:
    [source], litellm, otel = (yaml.safe_load(block) for block in blocks("yaml"))
    assert TypeAdapter(Source).validate_python(source).push_token_env == "CHECKOUT_PUSH_TOKEN"
    assert litellm == {"litellm_settings": {"callbacks": ["generic_api"]}}
    pipeline = otel["service"]["pipelines"]["traces"]
    for part, names in pipeline.items():
        assert set(names) <= otel[part].keys()


def test_every_way_in_and_every_count_is_documented() -> None:
    for path in INTAKES:
        assert f"`POST {path}`" in PAGE
    lifetimes = {"cache_write_30m_tokens", "cache_write_1h_tokens", "cache_write_12h_tokens"}
    for name in set(COUNTS) - lifetimes:
        assert f"`{name}`" in PAGE


@pytest.mark.parametrize("option", ["--host", "--port", "--spool-mb"])
def test_the_command_has_its_options(option: str) -> None:
    assert option in CliRunner().invoke(main, ["collector", "--help"]).output
