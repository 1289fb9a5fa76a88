"""The two trees as nodes with dated parents, and the proof that each is a tree at every instant.

Belongs here: what makes roll-ups sum (one root, one parent at every instant, no cycle) and how
edges become rows. Does not belong here: identities, budgets and other references to nodes
(`config_checks`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, Literal, TypeVar

from ingestion.config_org import Customer, DatedCostCenter, DatedOwner, Entity, Parent, Root
from ingestion.config_yaml import Document, Problem

MAX_DEPTH = 32

T = TypeVar("T")
# Open ends, so that ranges compare without a special case.
BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
END = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True)
class Placed(Generic[T]):
    """A declaration and the place it was written, for messages."""

    value: T
    document: Document
    location: tuple[str | int, ...]

    def problem(self, text: str, *part: str | int) -> Problem:
        return Problem(self.document.file, self.document.line((*self.location, *part)), text)


@dataclass(frozen=True)
class Node:
    """One node of either tree; the root has no parents."""

    id: str
    tree: Literal["owner", "customer"]
    type: str
    name: str
    email: str | None = None
    aliases: tuple[str, ...] = ()
    owners: tuple[DatedOwner, ...] = ()
    cost_centers: tuple[DatedCostCenter, ...] = ()
    parents: tuple[Parent, ...] = ()


def owner_nodes(entities: Sequence[Placed[Entity]]) -> tuple[list[Placed[Node]], list[Problem]]:
    """The owner tree with its `<root>-unattributed` node, and why it would not be one tree."""
    roots = [placed for placed in entities if not placed.value.parent and not placed.value.parents]
    nodes = [_placed_node(placed, "owner", default_parent=None) for placed in entities]
    if not roots:
        return nodes, [_first(entities).problem("no root: one entity must have no parent")]
    if len(roots) > 1:
        others = [
            placed.problem(f"{placed.value.id} has no parent: {roots[0].value.id} is the root")
            for placed in roots[1:]
        ]
        return nodes, others
    nodes.append(_made(roots[0].value.id, "unattributed", "owner", roots[0]))
    return nodes, tree_problems(nodes)


def customer_nodes(
    root: Placed[Root], customers: Sequence[Placed[Customer]]
) -> tuple[list[Placed[Node]], list[Problem]]:
    """The customer tree with its internal and unattributed nodes, and why it would not be one."""
    top = root.value
    nodes = [
        Placed(
            Node(top.id, "customer", "root", top.name),
            root.document,
            root.location,
        ),
        _made(top.id, "internal", "customer", root),
        _made(top.id, "unattributed", "customer", root),
        *(_placed_node(placed, "customer", default_parent=top.id) for placed in customers),
    ]
    return nodes, tree_problems(nodes)


def _placed_node(
    placed: Placed[Entity] | Placed[Customer],
    tree: Literal["owner", "customer"],
    *,
    default_parent: str | None,
) -> Placed[Node]:
    said = placed.value
    parents = said.parents
    only = said.parent or default_parent
    if not parents and only:
        parents = (Parent(parent=only),)
    owners, cost_centers = said.owners, said.cost_centers
    if said.owner:
        owners = (DatedOwner(**said.owner.model_dump()),)
    if said.cost_center:
        cost_centers = (DatedCostCenter(cost_center=said.cost_center),)
    node = Node(
        id=said.id,
        tree=tree,
        type=said.type,
        name=said.name or said.id,
        email=said.email.lower() if said.email else None,
        aliases=said.aliases,
        owners=owners,
        cost_centers=cost_centers,
        parents=parents,
    )
    return Placed(node, placed.document, placed.location)


def _made(
    root: str, kind: str, tree: Literal["owner", "customer"], place: Placed[Any]
) -> Placed[Node]:
    parents = (Parent(parent=root),)
    node = Node(f"{root}-{kind}", tree, kind, kind.capitalize(), parents=parents)
    return Placed(node, place.document, place.location)


def _first(placed: Sequence[Placed[Any]]) -> Placed[Any]:
    return placed[0] if placed else Placed(None, Document("entities.yaml", {}, None), ())


def tree_problems(nodes: Sequence[Placed[Node]]) -> list[Problem]:
    """Every reason why the nodes are not one tree at every instant; empty when they are."""
    known = {placed.value.id: placed for placed in nodes}
    problems = [problem for placed in nodes for problem in _parent_problems(placed, known)]
    # Walking up is safe only where each node has one known parent at a time.
    return problems or list(_shape_problems(known))


def _parent_problems(placed: Placed[Node], known: Mapping[str, Placed[Node]]) -> Iterator[Problem]:
    node = placed.value
    for index, edge in enumerate(node.parents):
        # `parent: x` and `parents: [...]` are two spellings; only the line of one exists.
        part = ("parents", index) if len(node.parents) > 1 else ("parent",)
        if edge.parent == node.id:
            yield placed.problem(f"{node.id} is its own parent", *part)
        elif edge.parent not in known:
            yield placed.problem(f"{node.id} is an orphan: nothing is called {edge.parent}", *part)
        elif known[edge.parent].value.type in ("unattributed", "internal"):
            yield placed.problem(f"{node.id}: {edge.parent} can have no children", *part)
    if not node.parents:
        return
    ranges = sorted(
        (e.valid_from_at or BEGINNING, e.valid_to_at or END, e.parent) for e in node.parents
    )
    reached = BEGINNING
    for starts, ends, parent in ranges:
        if starts > reached:
            since = "the beginning" if reached == BEGINNING else reached.isoformat()
            yield placed.problem(
                f"{node.id} has no parent from {since} to {starts.isoformat()}",
                "parents",
            )
        if starts < reached:
            yield placed.problem(
                f"{node.id} has two parents from {starts.isoformat()}: {parent} overlaps", "parents"
            )
        reached = max(reached, ends)
    if reached < END:
        yield placed.problem(
            f"{node.id} has no parent from {reached.isoformat()} on",
            "parents",
        )


def _shape_problems(known: Mapping[str, Placed[Node]]) -> Iterator[Problem]:
    """Cycles and depth, looked for at each instant at which an edge on the way up changes."""
    reported: set[frozenset[str]] = set()
    for placed in known.values():
        for at in _instants(placed.value.id, known):
            path = _path(placed.value.id, known, at)
            if len(path) <= MAX_DEPTH:
                continue
            repeated = next((i for i, node in enumerate(path) if node in path[:i]), None)
            if repeated is None:
                yield placed.problem(f"{placed.value.id} lies deeper than {MAX_DEPTH} levels")
                break
            circle = path[path.index(path[repeated]) : repeated]
            if frozenset(circle) not in reported:
                reported.add(frozenset(circle))
                yield known[circle[0]].problem(f"cycle: {' > '.join([*circle, circle[0]])}")
            break


def _instants(start: str, known: Mapping[str, Placed[Node]]) -> list[datetime]:
    """The beginning, and each moment at which the way from `start` to its root may change."""
    moments, waiting, seen = {BEGINNING}, [start], {start}
    while waiting:
        for edge in known[waiting.pop()].value.parents:
            if edge.valid_from_at is not None:
                moments.add(edge.valid_from_at)
            if edge.parent not in seen:
                seen.add(edge.parent)
                waiting.append(edge.parent)
    return sorted(moments)


def _path(start: str, known: Mapping[str, Placed[Node]], at: datetime) -> list[str]:
    """The nodes from `start` up as of `at`, cut well beyond the greatest depth."""
    path = [start]
    while len(path) <= MAX_DEPTH * 2:
        parent = next(
            (
                edge.parent
                for edge in known[path[-1]].value.parents
                if (edge.valid_from_at or BEGINNING) <= at < (edge.valid_to_at or END)
            ),
            None,
        )
        if parent is None:
            break
        path.append(parent)
    return path
