"""The whole of `config/` as one checked value, or a `ConfigError` that names every file and line.

Belongs here: reading the files, and the order of the checks. Nothing is kept of a
configuration that is refused: the last good one stays in force in `raw_config` (DESIGN D22).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ingestion import config_checks as checks
from ingestion.config_alerts import Alert
from ingestion.config_budgets import Budget
from ingestion.config_files import CUSTOMER_FILE, LISTS, SINGLES
from ingestion.config_imports import imported_entities
from ingestion.config_money import Charge, Commitment, FxRate, money_problems
from ingestion.config_org import Feature, Root
from ingestion.config_outward import Endpoint, Gateway, OverrideRules
from ingestion.config_owners import owner_problems
from ingestion.config_prices import Contract, Override, SellRule, WhatIf, price_problems
from ingestion.config_schema import Identity, ModelAlias
from ingestion.config_tree import Node, Placed, customer_nodes, owner_nodes
from ingestion.config_versions import Versions, versions_of
from ingestion.config_wallets import Wallet, WalletEntry, wallet_problems
from ingestion.config_yaml import ConfigError, Document, Problem, read_yaml
from ingestion.systems import Source

T = TypeVar("T")
Names = tuple[str, ...]
Problems = list[Problem]


@dataclass(frozen=True)
class Config:
    """Everything the user declared, checked; `nodes` are both trees with the loader's own nodes."""

    sources: tuple[Source, ...]
    evidence_order: tuple[str, ...]
    nodes: tuple[Node, ...]
    features: tuple[Feature, ...]
    identities: tuple[Identity, ...]
    budgets: tuple[Budget, ...]
    alerts: tuple[Alert, ...]
    endpoints: tuple[Endpoint, ...]
    gateways: tuple[Gateway, ...]
    exempt_keys: tuple[str, ...]
    override: OverrideRules
    model_aliases: tuple[ModelAlias, ...]
    contracts: tuple[Contract, ...]
    overrides: tuple[Override, ...]
    selling: tuple[SellRule, ...]
    what_if: tuple[WhatIf, ...]
    charges: tuple[Charge, ...]
    commitments: tuple[Commitment, ...]
    fx_rates: tuple[FxRate, ...]
    wallets: tuple[Wallet, ...]
    wallet_entries: tuple[WalletEntry, ...]
    versions: Versions


def load_config(path: Path, *, tables: Path | None = None) -> Config:
    """The configuration in the folder `path`; raises `ConfigError` with all that is wrong.

    `tables` holds the copies of what is imported from tables (`imported_tables`).
    """
    documents, problems = _read_all(path)
    found: dict[str, list[Placed[Any]]] = {
        name: [] for sections in LISTS.values() for name in sections
    }
    for document in documents:
        sections = LISTS.get(document.file, CUSTOMER_FILE)
        problems += _unknown_sections(document, sections)
        for name, kind in sections.items():
            placed, refused = _items(document, name, kind)
            found[name] += placed
            problems += refused
    imported, refused = imported_entities(found["imports"], folder=path, tables=tables)
    found["entities"] += imported
    problems += refused
    by_file = {document.file: document for document in documents}
    root, refused = _single(by_file, "customers.yaml", "root", Root)
    override, refused_override = _single(by_file, "enforcement.yaml", "override", OverrideRules)
    exempt, refused_keys = _names(by_file, "enforcement.yaml", "exempt_keys")
    order, refused_order = _names(by_file, "sources.yaml", "evidence_order")
    problems += refused + refused_override + refused_keys + refused_order
    # Checks across declarations would report the holes that a refused one leaves.
    if problems:
        raise ConfigError(problems)
    config, problems = _checked(found, root, exempt.value, override.value, order)
    if problems:
        raise ConfigError(problems)
    return replace(config, versions=versions_of(config))


def _read_all(path: Path) -> tuple[list[Document], list[Problem]]:
    if not path.is_dir():
        raise ConfigError([Problem(str(path), 1, "no such configuration folder")])
    documents: list[Document] = []
    problems: list[Problem] = []
    files = sorted([*path.glob("*.y*ml"), *path.glob("customers/*.y*ml")])
    for file in files:
        shown_as = file.relative_to(path).as_posix()
        if file.parent == path and shown_as not in LISTS:
            problems.append(Problem(shown_as, 1, f"unknown file; known: {', '.join(LISTS)}"))
            continue
        try:
            documents.append(read_yaml(file, shown_as=shown_as))
        except ConfigError as error:
            problems += error.problems
    if not any(document.file == "entities.yaml" for document in documents) and not problems:
        problems.append(Problem("entities.yaml", 1, "missing: it holds the root of the owner tree"))
    return documents, problems


def _unknown_sections(document: Document, sections: dict[str, Any]) -> list[Problem]:
    if not isinstance(document.value, dict):
        return [Problem(document.file, 1, "must be a mapping of sections")]
    known = {*sections, *SINGLES.get(document.file, ())}
    return [
        Problem(
            document.file,
            document.line((name,)),
            f"unknown section {name}; known: {', '.join(sorted(known))}",
        )
        for name in document.value
        if name not in known
    ]


def _items(document: Document, name: str, kind: Any) -> tuple[list[Placed[Any]], list[Problem]]:
    value = document.value.get(name) if isinstance(document.value, dict) else None
    if value is None:
        return [], []
    if not isinstance(value, list):
        return [], [Problem(document.file, document.line((name,)), f"{name} must be a list")]
    adapter = TypeAdapter(kind)
    placed: list[Placed[Any]] = []
    problems: list[Problem] = []
    for index, item in enumerate(value):
        try:
            placed.append(Placed(adapter.validate_python(item), document, (name, index)))
        except ValidationError as error:
            problems += _explained(error, document, (name, index))
    return placed, problems


def _explained(
    error: ValidationError, document: Document, location: tuple[str | int, ...]
) -> Iterator[Problem]:
    """Pydantic's findings in our words: line, field, what was expected, what stood there."""
    for detail in error.errors(include_url=False, include_context=False):
        parts = (*location, *detail["loc"])
        shown = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
        text = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "extra_forbidden":
            text = "unknown field"
        elif isinstance(detail["input"], str | int) and detail["type"] not in (
            "missing",
            "value_error",
        ):
            text = f"{text} (found: {str(detail['input'])[:80]!r})"
        yield Problem(document.file, document.line(parts), f"{shown.lstrip('.')}: {text}")


def _single(
    by_file: dict[str, Document], file: str, name: str, kind: type[T]
) -> tuple[Placed[T], list[Problem]]:
    document = by_file.get(file) or Document(file, {}, None)
    value = document.value.get(name) if isinstance(document.value, dict) else None
    try:
        return Placed(TypeAdapter(kind).validate_python(value or {}), document, (name,)), []
    except ValidationError as error:
        return Placed(kind(), document, (name,)), list(_explained(error, document, (name,)))


def _names(by_file: dict[str, Document], file: str, section: str) -> tuple[Placed[Names], Problems]:
    document = by_file.get(file) or Document(file, {}, None)
    value = document.value.get(section) if isinstance(document.value, dict) else None
    try:
        names = TypeAdapter(Names).validate_python(value or ())
    except ValidationError as error:
        return Placed((), document, (section,)), list(_explained(error, document, (section,)))
    return Placed(names, document, (section,)), []


def _checked(
    found: dict[str, list[Placed[Any]]],
    root: Placed[Root],
    exempt: Names,
    override: OverrideRules,
    order: Placed[Names],
) -> tuple[Config, list[Problem]]:
    owners, problems = owner_nodes(found["entities"])
    customers, customer_problems = customer_nodes(root, found["customers"])
    problems += customer_problems
    nodes = {placed.value.id: placed.value for placed in (*owners, *customers)}
    plain = {name: tuple(placed.value for placed in items) for name, items in found.items()}
    problems += checks.id_problems(
        {
            "source": found["sources"],
            "node": [*owners, *customers],
            "feature": found["features"],
            "budget": found["budgets"],
            "alert": found["alerts"],
            "endpoint": found["endpoints"],
            "gateway": found["gateways"],
            "contract": found["contracts"],
            "price rule": [*found["overrides"], *found["selling"]],
            "what-if question": found["what_if"],
            "charge": [*found["charges"], *found["commitments"]],
            "wallet": found["wallets"],
            "wallet entry": found["wallet_entries"],
        }
    )
    problems += checks.email_problems([*owners, *customers])
    problems += owner_problems([*owners, *customers], plain["endpoints"])
    problems += checks.source_problems(found["sources"], nodes)
    problems += checks.order_problems(order, plain["sources"])
    problems += checks.identity_problems(
        found["identities"], sources=plain["sources"], nodes=nodes, features=plain["features"]
    )
    problems += checks.expansion_problems(found["budgets"], nodes)
    problems += checks.expansion_problems(found["alerts"], nodes)
    for declared in (found["budgets"], found["alerts"], found["wallets"]):
        problems += checks.recipient_problems(declared, found["endpoints"])
    problems += checks.outward_problems(
        found["endpoints"], found["gateways"], sources=plain["sources"], nodes=nodes
    )
    problems += checks.alias_problems(found["model_aliases"])
    problems += price_problems(
        found["contracts"],
        found["overrides"],
        found["selling"],
        sources=plain["sources"],
        nodes=nodes,
        features=plain["features"],
    )
    paid = (found["charges"], found["commitments"], found["fx_rates"])
    problems += money_problems(*paid, sources=plain["sources"], nodes=nodes)
    problems += wallet_problems(
        found["wallets"],
        found["wallet_entries"],
        sources=plain["sources"],
        nodes=nodes,
        features=plain["features"],
    )
    config = Config(
        sources=plain["sources"],
        evidence_order=checks.whole_order(order.value),
        nodes=tuple(nodes.values()),
        features=plain["features"],
        identities=plain["identities"],
        budgets=tuple(_expanded(plain["budgets"], nodes)),
        alerts=tuple(_expanded(plain["alerts"], nodes)),
        endpoints=plain["endpoints"],
        gateways=plain["gateways"],
        exempt_keys=exempt,
        override=override,
        model_aliases=plain["model_aliases"],
        contracts=plain["contracts"],
        overrides=plain["overrides"],
        selling=plain["selling"],
        what_if=plain["what_if"],
        charges=plain["charges"],
        commitments=plain["commitments"],
        fx_rates=plain["fx_rates"],
        wallets=plain["wallets"],
        wallet_entries=plain["wallet_entries"],
        versions=Versions("", "", ""),
    )
    return config, problems


def _expanded(declared: tuple[Any, ...], nodes: dict[str, Node]) -> Iterator[Any]:
    """Budgets or alerts, with one of each entity that `each` stands for."""
    for one in declared:
        if one.each is None:
            yield one
        for node in checks.expanded_to(one, nodes):
            yield one.model_copy(
                update={"id": f"{one.id}-{node.id}", "entity": node.id, "each": None}
            )
