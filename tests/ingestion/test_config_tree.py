"""A tree that would not sum is refused by name: cycles, orphans, two parents, gaps, depth."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.config_loader import load_config
from ingestion.config_org import Parent
from ingestion.config_tree import Node, Placed, tree_problems
from ingestion.config_yaml import ConfigError, Document

ROOT = "entities:\n  - {id: acme, type: organisation}\n"
T1, T2 = "2026-11-02T00:00:00Z", "2026-11-09T00:00:00Z"


def refusals(tmp_path: Path, entities: str) -> list[str]:
    (tmp_path / "entities.yaml").write_text(ROOT + entities, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path)
    return str(caught.value).splitlines()


def dated(*ranges: str) -> str:
    """A user between two teams, by the dated parents given."""
    teams = "  - {id: a, type: team, parent: acme}\n  - {id: b, type: team, parent: acme}\n"
    return (
        teams
        + "  - id: u\n    type: user\n    parents:\n"
        + "".join(f"      - {{{r}}}\n" for r in ranges)
    )


@pytest.mark.parametrize(
    ("entities", "expected"),
    [
        pytest.param(
            "  - {id: a, type: team, parent: a}\n",
            "entities.yaml:3: a is its own parent",
            id="own parent",
        ),
        pytest.param(
            "  - {id: a, type: team, parent: nobody}\n",
            "entities.yaml:3: a is an orphan: nothing is called nobody",
            id="orphan",
        ),
        pytest.param(
            "  - {id: b, type: team}\n",
            "entities.yaml:3: b has no parent: acme is the root",
            id="two roots",
        ),
        pytest.param(
            "  - {id: a, type: team, parent: b}\n  - {id: b, type: team, parent: c}\n"
            "  - {id: c, type: team, parent: a}\n",
            "entities.yaml:3: cycle: a > b > c > a",
            id="cycle",
        ),
        pytest.param(
            "  - {id: a, type: team, parent: acme-unattributed}\n",
            "entities.yaml:3: a: acme-unattributed can have no children",
            id="child of the unattributed node",
        ),
        pytest.param(
            "  - {id: a, type: team, parent: customers}\n",
            "entities.yaml:3: a is an orphan: nothing is called customers",
            id="parent in the other tree",
        ),
        pytest.param(
            dated(f"parent: a, valid_to_at: {T2}", f"parent: b, valid_from_at: {T1}"),
            "entities.yaml:7: u has two parents from 2026-11-02T00:00:00+00:00: b overlaps",
            id="overlap",
        ),
        pytest.param(
            dated("parent: a", "parent: b"),
            "entities.yaml:7: u has two parents from 0001-01-01T00:00:00+00:00: b overlaps",
            id="two parents for ever",
        ),
        pytest.param(
            dated(f"parent: a, valid_to_at: {T1}", f"parent: b, valid_from_at: {T2}"),
            "entities.yaml:7: u has no parent from 2026-11-02T00:00:00+00:00"
            " to 2026-11-09T00:00:00+00:00",
            id="gap",
        ),
        pytest.param(
            dated(f"parent: a, valid_to_at: {T1}"),
            "entities.yaml:7: u has no parent from 2026-11-02T00:00:00+00:00 on",
            id="no parent at the end",
        ),
        pytest.param(
            dated(f"parent: a, valid_from_at: {T2}, valid_to_at: {T1}"),
            "entities.yaml:8: entities[3].parents[0]: valid_from_at must be before valid_to_at",
            id="backwards",
        ),
        pytest.param(
            dated("parent: a, valid_to_at: 2026-11-02T00:07:00Z"),
            "entities.yaml:8: entities[3].parents[0].valid_to_at: must fall on a quarter of an"
            " hour, for example 2026-11-02T00:15:00Z",
            id="between quarters of an hour",
        ),
        pytest.param(
            "  - {id: a, type: team, parent: acme, parents: [{parent: acme}]}\n",
            "entities.yaml:3: entities[1]: say either parent or parents (dated), not both",
            id="both spellings",
        ),
    ],
)
def test_what_is_no_tree_is_refused_by_name(tmp_path: Path, entities: str, expected: str) -> None:
    assert refusals(tmp_path, entities) == [expected]


def test_a_time_without_a_zone_is_refused(tmp_path: Path) -> None:
    (line,) = refusals(tmp_path, dated("parent: a, valid_to_at: 2026-11-02T00:00:00"))
    assert line.startswith("entities.yaml:8: entities[3].parents[0].valid_to_at: ")
    assert "timezone" in line


def test_a_cycle_that_exists_for_a_week_only_is_found(tmp_path: Path) -> None:
    entities = f"""\
  - id: a
    type: team
    parents:
      - {{parent: acme, valid_to_at: {T1}}}
      - {{parent: b, valid_from_at: {T1}, valid_to_at: {T2}}}
      - {{parent: acme, valid_from_at: {T2}}}
  - {{id: b, type: team, parent: a}}
"""
    assert refusals(tmp_path, entities) == ["entities.yaml:3: cycle: a > b > a"]


def test_nodes_that_are_each_others_parent_in_turn_are_no_cycle(tmp_path: Path) -> None:
    (tmp_path / "entities.yaml").write_text(
        ROOT
        + f"""\
  - id: a
    type: team
    parents: [{{parent: acme, valid_to_at: {T1}}}, {{parent: b, valid_from_at: {T1}}}]
  - id: b
    type: team
    parents: [{{parent: a, valid_to_at: {T1}}}, {{parent: acme, valid_from_at: {T1}}}]
"""
    )
    assert len(load_config(tmp_path).nodes) == 7


def test_a_tree_fifty_deep_is_refused(tmp_path: Path) -> None:
    chain = "".join(
        f"  - {{id: n{i}, type: team, parent: {f'n{i - 1}' if i else 'acme'}}}\n" for i in range(50)
    )
    lines = refusals(tmp_path, chain)
    assert lines[0] == "entities.yaml:34: n31 lies deeper than 32 levels"


@st.composite
def any_graphs(draw: st.DrawFn) -> list[Placed[Node]]:
    """Nodes with a random parent before and after a random instant: trees and cycles."""
    size = draw(st.integers(2, 12))
    start = datetime(2026, 11, 1, tzinfo=UTC)
    nodes = [Node("n0", "owner", "organisation", "n0")]
    for index in range(1, size):
        before, after = draw(st.integers(0, size - 1)), draw(st.integers(0, size - 1))
        at = start + timedelta(minutes=15) * draw(st.integers(0, 20))
        edges = (
            Parent(parent=f"n{before}", valid_to_at=at),
            Parent(parent=f"n{after}", valid_from_at=at),
        )
        nodes.append(Node(f"n{index}", "owner", "team", f"n{index}", parents=edges))
    return [Placed(node, Document("entities.yaml", {}, None), ()) for node in nodes]


def reaches_root(nodes: dict[str, Node], name: str, at: datetime) -> bool:
    """Whether `name` leads to n0 at that instant: edges followed as often as there are nodes."""
    for _ in nodes:
        for edge in nodes[name].parents:
            if (edge.valid_from_at is None or edge.valid_from_at <= at) and (
                edge.valid_to_at is None or at < edge.valid_to_at
            ):
                name = edge.parent
                break
    return name == "n0"


@settings(max_examples=200, deadline=None)
@given(any_graphs())
def test_a_graph_is_accepted_exactly_when_every_node_leads_to_the_root_at_every_instant(
    placed: list[Placed[Node]],
) -> None:
    nodes = {item.value.id: item.value for item in placed}
    instants = [
        datetime(2026, 10, 31, tzinfo=UTC) + timedelta(minutes=15) * step for step in range(0, 130)
    ]
    is_tree = all(reaches_root(nodes, name, at) for name in nodes for at in instants)
    assert (not tree_problems(placed)) == is_tree
