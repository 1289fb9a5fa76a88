"""What two declarations say about each other: unknown names, ids used twice, useless rules.

Belongs here: checks over the whole configuration that are not about the shape of a tree
(`config_tree`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ingestion.config_alerts import TREES, Alert
from ingestion.config_budgets import Budget
from ingestion.config_org import Feature
from ingestion.config_outward import Endpoint, Gateway
from ingestion.config_schema import (
    Identity,
    ModelAlias,
)
from ingestion.config_tree import Node, Placed
from ingestion.config_wallets import Wallet, WalletAlert
from ingestion.config_yaml import Problem
from ingestion.source_config import EVIDENCE_ORDER, SourceConfig

# Words with a meaning of their own in reports and queries.
_RESERVED = frozenset(("all", "any", "internal", "none", "null", "unattributed", "unknown"))


def id_problems(groups: Mapping[str, Sequence[Placed]]) -> Iterator[Problem]:
    """Ids used twice within a group (both trees are one), reserved ids."""
    for group, items in groups.items():
        seen: dict[str, Placed] = {}
        for placed in items:
            name = placed.value.id
            if name in _RESERVED:
                yield placed.problem(f"{name} is a reserved word", "id")
            if name in seen:
                first = seen[name]
                line = first.document.line(first.location)
                yield placed.problem(
                    f"{group} {name} is declared twice (first: {first.document.file}:{line})", "id"
                )
            seen.setdefault(name, placed)


def email_problems(nodes: Sequence[Placed[Node]]) -> Iterator[Problem]:
    """One e-mail address on two nodes of a tree: usage could not be told apart."""
    seen: dict[tuple[str, str], str] = {}
    for placed in nodes:
        node = placed.value
        if node.email is not None:
            other = seen.setdefault((node.tree, node.email), node.id)
            if other != node.id:
                yield placed.problem(f"{node.id} has the e-mail of {other}", "email")


def source_problems(
    sources: Sequence[Placed[SourceConfig]], nodes: Mapping[str, Node]
) -> Iterator[Problem]:
    """Default parents that are no node of the right tree; a cover that is no other source; two
    bills of one provider."""
    ids = {placed.value.id for placed in sources}
    owners: dict[str, str] = {}
    for placed in sources:
        source = placed.value
        if source.covered_by is not None and source.covered_by not in ids - {source.id}:
            yield placed.problem(f"no other source is called {source.covered_by}", "covered_by")
        if source.covered_keys and source.covered_by is None:
            yield placed.problem("covered_keys needs covered_by: who meters them", "covered_keys")
        for provider in source.owns:
            owner = owners.setdefault(provider, source.id)
            if owner != source.id:
                yield placed.problem(f"{provider} is owned by {owner} already", "owns")
        for part, tree in (("default_entity", "owner"), ("default_customer", "customer")):
            name = getattr(source, part)
            if name is None and source.auto_create:
                yield placed.problem(
                    f"auto_create needs {part}: where new nodes hang", "auto_create"
                )
            if name is not None and (name not in nodes or nodes[name].tree != tree):
                yield placed.problem(f"no node of the {tree} tree is called {name}", part)


def order_problems(
    order: Placed[tuple[str, ...]], sources: Sequence[SourceConfig]
) -> Iterator[Problem]:
    """Places in the order of evidence that are neither a layer nor a source, or stand twice."""
    known = {*EVIDENCE_ORDER, *(source.id for source in sources)}
    for index, name in enumerate(order.value):
        if name not in known:
            yield order.problem(
                f"{name} is neither a source nor one of {', '.join(EVIDENCE_ORDER)}", index
            )
        elif name in order.value[:index]:
            yield order.problem(f"{name} stands there twice", index)


def whole_order(order: Sequence[str]) -> tuple[str, ...]:
    """The declared order, then the layers it does not name in theirs."""
    return (*order, *(layer for layer in EVIDENCE_ORDER if layer not in order))


def identity_problems(
    identities: Sequence[Placed[Identity]],
    *,
    sources: Sequence[SourceConfig],
    nodes: Mapping[str, Node],
    features: Sequence[Feature],
) -> Iterator[Problem]:
    """Rules that point at nothing, can never match, or say two things about one value."""
    read = {
        "owner": {(s.id, f) for s in sources for f in s.entity_from},
        "customer": {(s.id, f) for s in sources for f in s.customer_from},
        "feature": {(s.id, "raw_feature") for s in sources},
    }
    targets = {
        "owner": {n.id for n in nodes.values() if n.tree == "owner"},
        "customer": {n.id for n in nodes.values() if n.tree == "customer"},
        "feature": {feature.id for feature in features},
    }
    known_sources = {source.id for source in sources}
    said: dict[tuple[str, str, str, str], str] = {}
    for placed in identities:
        rule = placed.value
        if rule.source != "*" and rule.source not in known_sources:
            yield placed.problem(f"no source is called {rule.source}", "source")
        elif not any(f == rule.field and rule.source in ("*", s) for s, f in read[rule.dimension]):
            yield placed.problem(
                f"never matches: no source reads {rule.field} for the {rule.dimension}",
                "field",
            )
        if rule.match == "email" and rule.dimension == "feature":
            yield placed.problem("features have no e-mail", "match")
        if rule.target is not None and rule.target not in targets[rule.dimension]:
            yield placed.problem(f"no {rule.dimension} is called {rule.target}", "target")
        for value in values_of(rule):
            key = (rule.dimension, rule.source, rule.field, value)
            other = said.setdefault(key, str(rule.target))
            if other != rule.target:
                yield placed.problem(f"{value} is already {other} by an earlier rule", "value")


def values_of(rule: Identity) -> tuple[str, ...]:
    """The literal values of a rule; none for patterns and matches."""
    if rule.value is None:
        return ()
    return (rule.value,) if isinstance(rule.value, str) else rule.value


def expansion_problems(
    declared: Sequence[Placed[Budget]] | Sequence[Placed[Alert]], nodes: Mapping[str, Node]
) -> Iterator[Problem]:
    """Of an entity that is not there, and expansions whose ids collide or grow too long."""
    names = {placed.value.id for placed in declared}
    for placed in declared:
        one = placed.value
        if one.entity is not None and one.entity not in nodes:
            yield placed.problem(f"no entity is called {one.entity}", "entity")
        elif one.entity is not None and isinstance(one, Alert):
            tree = TREES.get(one.kind, nodes[one.entity].tree)
            if nodes[one.entity].tree != tree:
                yield placed.problem(f"{one.kind} is of the {tree} tree", "entity")
        for node in expanded_to(one, nodes):
            name = f"{one.id}-{node.id}"
            if name in names:
                yield placed.problem(
                    f"its own of {node.id} would be called {name}, which exists", "id"
                )
            if len(name) > 63:
                yield placed.problem(f"its own of {node.id} would have an id longer than 63", "id")


def recipient_problems(
    declared: Sequence[Placed[Budget]] | Sequence[Placed[Alert]] | Sequence[Placed[Wallet]],
    endpoints: Sequence[Placed[Endpoint]],
) -> Iterator[Problem]:
    """Recipients that are no endpoints of events."""
    known = {placed.value.id for placed in endpoints if placed.value.kind == "events"}
    for placed in declared:
        one = placed.value
        told: Iterable[tuple[Budget | Alert | WalletAlert, tuple[str | int, ...]]] = (
            ((alert, ("alerts", at)) for at, alert in enumerate(one.alerts))
            if isinstance(one, Wallet)
            else [(one, ())]
        )
        for alert, place in told:
            for index, name in enumerate(() if isinstance(alert.to, str) else alert.to):
                if name not in known:
                    yield placed.problem(f"no endpoint is called {name}", *place, "to", index)


def expanded_to(one: Budget | Alert, nodes: Mapping[str, Node]) -> list[Node]:
    """The nodes that `each` stands for; none for what is of one entity."""
    return [node for node in nodes.values() if one.each is not None and node.type == one.each]


def outward_problems(
    endpoints: Sequence[Placed[Endpoint]],
    gateways: Sequence[Placed[Gateway]],
    *,
    sources: Sequence[SourceConfig],
    nodes: Mapping[str, Node],
) -> Iterator[Problem]:
    """Endpoints for unknown entities, gateways that no source reads."""
    systems = {source.id: source.system for source in sources}
    commands = {placed.value.id for placed in endpoints if placed.value.kind == "command"}
    for placed in endpoints:
        for index, name in enumerate(placed.value.entities):
            if name not in nodes:
                yield placed.problem(f"no entity is called {name}", "entities", index)
    for placed in gateways:
        gateway = placed.value
        if gateway.system == "command":
            if gateway.id not in systems:
                yield placed.problem(f"no source is called {gateway.id}", "id")
            if gateway.endpoint not in commands:
                yield placed.problem(
                    f"no endpoint of kind command is called {gateway.endpoint}", "endpoint"
                )
        elif systems.get(gateway.id) != gateway.system:
            yield placed.problem(f"no {gateway.system} source is called {gateway.id}", "id")


def alias_problems(aliases: Sequence[Placed[ModelAlias]]) -> Iterator[Problem]:
    """Two aliases of one model name whose dates overlap."""
    seen: dict[tuple[str, str], list[Placed[ModelAlias]]] = {}
    for placed in aliases:
        alias = placed.value
        for other in seen.setdefault((alias.provider, alias.model), []):
            o = other.value
            starts_in_time = not (
                o.valid_to_at and alias.valid_from_at and alias.valid_from_at >= o.valid_to_at
            )
            ends_in_time = not (
                alias.valid_to_at and o.valid_from_at and o.valid_from_at >= alias.valid_to_at
            )
            if starts_in_time and ends_in_time:
                yield placed.problem(f"{alias.model} already has an alias at that time", "model")
        seen[(alias.provider, alias.model)].append(placed)
