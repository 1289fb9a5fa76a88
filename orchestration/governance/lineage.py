"""Where a node stands: its ancestors, as the paths of the marts name them."""


def lineage_of(entity_path: str | None, entity_key: str) -> tuple[str, ...]:
    """The node and its ancestors, from the root down; the node alone where it has no path."""
    # A key may hold a slash (`ci/cd`): what separates has blanks around it.
    ancestors = entity_path.split(" / ") if entity_path else ()
    return tuple(dict.fromkeys([*ancestors, entity_key]))
