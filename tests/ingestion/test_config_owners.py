"""Who answers for a node: one owner at a time, told through an endpoint that exists."""

from pathlib import Path

import pytest

from ingestion.config_loader import load_config
from ingestion.config_yaml import ConfigError

ROOT = "entities:\n  - {id: acme, type: organisation}\n"
ENDPOINTS = 'endpoints:\n  - {id: finops, url_env: A, secret_env: B, events: ["*"]}\n'
T1, T2 = "2026-11-02T00:00:00Z", "2026-11-09T00:00:00Z"


def write(tmp_path: Path, team: str) -> Path:
    entity = f"  - id: a\n    type: team\n    parent: acme\n{team}"
    (tmp_path / "entities.yaml").write_text(ROOT + entity, encoding="utf-8")
    (tmp_path / "webhooks.yaml").write_text(ENDPOINTS, encoding="utf-8")
    return tmp_path


def owners(*said: str) -> str:
    return "    owners:\n" + "".join(f"      - {{{each}}}\n" for each in said)


@pytest.mark.parametrize(
    ("team", "expected"),
    [
        pytest.param(
            owners(f"name: Ada, valid_to_at: {T2}", f"name: Bob, valid_from_at: {T1}"),
            "entities.yaml:6: a has two owners from 2026-11-02T00:00:00+00:00",
            id="two owners",
        ),
        pytest.param(
            owners("name: Ada", "name: Bob, channel: nobody"),
            "entities.yaml:8: no endpoint is called nobody",
            id="unknown channel of a dated owner",
        ),
        pytest.param(
            "    owner: {name: Ada, channel: nobody}\n",
            "entities.yaml:6: no endpoint is called nobody",
            id="unknown channel",
        ),
        pytest.param(
            "    owner: {name: Ada}\n" + owners("name: Bob"),
            "entities.yaml:3: entities[1]: say either owner or owners (dated), not both",
            id="both spellings",
        ),
        pytest.param(
            "    cost_centers: [{cost_center: X}, {cost_center: Y}]\n",
            "entities.yaml:6: a has two cost centers from 0001-01-01T00:00:00+00:00",
            id="two cost centres",
        ),
    ],
)
def test_what_nobody_could_answer_for_is_refused_by_name(
    tmp_path: Path, team: str, expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, team))
    assert expected in str(caught.value).splitlines()


def test_a_time_without_an_owner_of_its_own_is_left_to_the_node_above(tmp_path: Path) -> None:
    said = owners(f"name: Ada, channel: finops, valid_from_at: {T1}, valid_to_at: {T2}")
    [node] = [node for node in load_config(write(tmp_path, said)).nodes if node.id == "a"]
    assert [(owner.name, owner.channel) for owner in node.owners] == [("Ada", "finops")]
