"""What of a configuration decides what: a change of one hash says which days are built anew.

Belongs here: which declarations decide attribution, and which prices.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter


@dataclass(frozen=True)
class Versions:
    """Hashes of what is declared: all of it, what decides attribution, what decides prices."""

    config_version: str
    attribution_version: str
    pricing_version: str


def versions_of(config: Any) -> Versions:
    """The hashes of a checked configuration."""
    attributing = {"id", "entity_from", "customer_from", "auto_create"}
    attributing |= {"default_entity", "default_customer"}
    pricing_fields = {"id", "cost_policy", "evidence_layer", "covered_by", "covered_keys", "owns"}
    pricing_fields |= {"cost_tolerance"}
    attribution = [
        [source.model_dump(include=attributing) for source in config.sources],
        [(n.id, n.tree, n.type, n.email, n.parents) for n in config.nodes],
        [feature.id for feature in config.features],
        config.identities,
        # Roll-ups tell these tags apart: those of history too.
        sorted({budget.filter.tag for budget in config.budgets} - {None}),
    ]
    pricing = [
        [source.model_dump(include=pricing_fields) for source in config.sources],
        config.evidence_order,
        config.model_aliases,
        config.contracts,
        config.overrides,
        config.selling,
    ]
    whole = [getattr(config, name) for name in config.__dataclass_fields__ if name != "versions"]
    return Versions(version_of(whole), version_of(attribution), version_of(pricing))


def version_of(value: Any) -> str:
    """The sha256 of a declaration's canonical JSON: equal content, equal version."""
    text = json.dumps(TypeAdapter(Any).dump_python(value, mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
