"""The two trees and what is said of their nodes, as rows of `raw_config`."""

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from ingestion.config_loader import Config
from ingestion.contracts import TEXT, UTC_TIME

Rows = Iterator[tuple[Any, ...]]
_DATES = (("valid_from_at", UTC_TIME), ("valid_to_at", UTC_TIME))

ORG_COLUMNS: dict[str, tuple[tuple[str, pa.DataType], ...]] = {
    "entities": (
        ("entity_key", TEXT),
        ("tree", TEXT),
        ("entity_type", TEXT),
        ("entity_name", TEXT),
        ("email", TEXT),
    ),
    "entity_parents": (("entity_key", TEXT), ("parent_key", TEXT), *_DATES),
    "entity_owners": (
        ("entity_key", TEXT),
        ("owner_name", TEXT),
        ("owner_email", TEXT),
        ("owner_channel", TEXT),
        *_DATES,
    ),
    "entity_cost_centers": (("entity_key", TEXT), ("cost_center", TEXT), *_DATES),
    "entity_aliases": (("entity_key", TEXT), ("alias", TEXT)),
    "features": (("feature_key", TEXT), ("feature_name", TEXT)),
}


def _entities(config: Config) -> Rows:
    """One row a node of either tree, with the loader's own unattributed and internal nodes."""
    for node in config.nodes:
        yield node.id, node.tree, node.type, node.name, node.email


def _entity_parents(config: Config) -> Rows:
    """One row a dated edge of a tree, half-open; null is open."""
    for node in config.nodes:
        for edge in node.parents:
            yield node.id, edge.parent, edge.valid_from_at, edge.valid_to_at


def _entity_owners(config: Config) -> Rows:
    """One row a node's own owner and the range in which it answers, half-open; null is open."""
    for node in config.nodes:
        for owner in node.owners:
            dates = (owner.valid_from_at, owner.valid_to_at)
            yield node.id, owner.name, owner.email, owner.channel, *dates


def _entity_cost_centers(config: Config) -> Rows:
    """One row a node's own cost centre and the range in which it pays; null is open."""
    for node in config.nodes:
        for paid in node.cost_centers:
            yield node.id, paid.cost_center, paid.valid_from_at, paid.valid_to_at


def _entity_aliases(config: Config) -> Rows:
    """One row another name or e-mail address that a node goes by."""
    for node in config.nodes:
        for alias in node.aliases:
            yield node.id, alias


def _features(config: Config) -> Rows:
    """One row a feature that customers use."""
    for feature in config.features:
        yield feature.id, feature.name or feature.id


ORG_ROWS: dict[str, Callable[[Config], Rows]] = {
    "entities": _entities,
    "entity_parents": _entity_parents,
    "entity_owners": _entity_owners,
    "entity_cost_centers": _entity_cost_centers,
    "entity_aliases": _entity_aliases,
    "features": _features,
}
