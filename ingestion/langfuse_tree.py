"""What the tree of a trace says about each of its observations.

Frameworks put the usage of a whole run on its AGENT or CHAIN once more: a parent with usage below
it repeats. A tree is looked at over three days: that of an observation, the day before, the day
after, so that the answer for a day does not depend on the range of a run.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingestion.langfuse_usage import is_used

HAS_USAGE_BELOW = "hasUsageBelow"
AGENT_NAME = "agentName"


@dataclass(frozen=True)
class Node:
    """One observation of a tree, without its content."""

    id: str
    parent_id: str | None
    agent_name: str | None
    is_used: bool


def nodes_of(records: Iterable[Any]) -> list[Node]:
    """The nodes of v2-shaped records; what has no id is no part of a tree."""
    return [
        Node(
            id=record["id"],
            parent_id=_text(record.get("parentObservationId")),
            agent_name=_text(record.get("name")) if record.get("type") == "AGENT" else None,
            is_used=is_used(record),
        )
        for record in records
        if isinstance(record, dict) and _text(record.get("id"))
    ]


def place(records: Sequence[Any], *, around: Iterable[Node]) -> None:
    """Notes in each record the nearest AGENT, itself included, and whether usage repeats below."""
    tree = {node.id: node for node in (*around, *nodes_of(records))}
    above_usage = _above_usage(tree)
    for record in records:
        if isinstance(record, dict) and _text(record.get("id")):
            record[AGENT_NAME] = _nearest_agent(tree, record["id"])
            record[HAS_USAGE_BELOW] = record["id"] in above_usage


def _above_usage(tree: Mapping[str, Node]) -> set[str]:
    """The ids of all that have a descendant with usage."""
    marked: set[str] = set()
    for node in tree.values():
        above = node.parent_id if node.is_used else None
        while above in tree and above not in marked:
            marked.add(above)
            above = tree[above].parent_id
    return marked


def _nearest_agent(tree: Mapping[str, Node], id: str) -> str | None:
    seen: set[str] = set()
    at: str | None = id
    while at in tree and at not in seen:
        seen.add(at)
        if tree[at].agent_name:
            return tree[at].agent_name
        at = tree[at].parent_id
    return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
