"""Whether what is said of a node's owners and cost centres can hold: one at a time, reachable."""

from collections.abc import Iterator, Sequence

from ingestion.config_org import DatedCostCenter, DatedOwner
from ingestion.config_outward import Endpoint
from ingestion.config_tree import BEGINNING, END, Node, Placed
from ingestion.config_yaml import Problem


def owner_problems(
    nodes: Sequence[Placed[Node]], endpoints: Sequence[Endpoint]
) -> Iterator[Problem]:
    """Two owners or cost centres at one instant; channels that are no endpoint."""
    known = {endpoint.id for endpoint in endpoints}
    for placed in nodes:
        node = placed.value
        for index, owner in enumerate(node.owners):
            if owner.channel is not None and owner.channel not in known:
                # `owner: {…}` and `owners: [{…}]` are two spellings; only the line of one exists.
                part = ("owners", index) if len(node.owners) > 1 else ("owner",)
                yield placed.problem(f"no endpoint is called {owner.channel}", *part, "channel")
        yield from _overlaps(placed, node.owners, "owners")
        yield from _overlaps(placed, node.cost_centers, "cost_centers")


def _overlaps(
    placed: Placed[Node], dated: Sequence[DatedOwner] | Sequence[DatedCostCenter], part: str
) -> Iterator[Problem]:
    reached = None
    for each in sorted(dated, key=lambda one: one.valid_from_at or BEGINNING):
        starts, ends = each.valid_from_at or BEGINNING, each.valid_to_at or END
        if reached is not None and starts < reached:
            words = part.replace("_", " ")
            yield placed.problem(
                f"{placed.value.id} has two {words} from {starts.isoformat()}", part
            )
        reached = ends if reached is None else max(reached, ends)
