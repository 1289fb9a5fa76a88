"""What `entities.yaml`, `customers.yaml` and `features.yaml` may say: the nodes of the two trees.

Belongs here: shapes, and rules that one node can be judged by alone. Does not belong here: whether
the nodes are a tree (`config_tree`).
"""

from typing import Literal, Self

from pydantic import model_validator

from ingestion.config_schema import Dated
from ingestion.config_types import Declared, Email, Id, Text

EntityType = Literal["organisation", "workspace", "team", "user", "agent", "application"]


class OwnerContact(Declared):
    """The person or group that answers for an entity, and where alerts reach them."""

    name: Text
    email: Email | None = None
    channel: Id | None = None  # an endpoint of webhooks.yaml


class DatedOwner(OwnerContact, Dated):
    """Who answers for an entity from when to when, half-open; an open end is left out."""


class DatedCostCenter(Dated):
    """Which cost centre pays for an entity from when to when, half-open."""

    cost_center: Text


class Parent(Dated):
    """One dated edge of a tree, half-open; an open end is left out."""

    parent: Id


class _Node(Declared):
    """What a node of either tree may say; of each pair one: for ever, or dated."""

    id: Id
    name: Text | None = None
    email: Email | None = None
    aliases: tuple[Text, ...] = ()  # other names and e-mail addresses it goes by
    owner: OwnerContact | None = None
    owners: tuple[DatedOwner, ...] = ()
    cost_center: Text | None = None
    cost_centers: tuple[DatedCostCenter, ...] = ()
    parent: Id | None = None
    parents: tuple[Parent, ...] = ()

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> Self:
        for one in ("parent", "owner", "cost_center"):
            if getattr(self, one) and getattr(self, f"{one}s"):
                raise ValueError(f"say either {one} or {one}s (dated), not both")
        return self


class Entity(_Node):
    """One node of the owner tree; the root is the one with neither `parent` nor `parents`."""

    type: EntityType


class Customer(_Node):
    """One node of the customer tree; without a parent it hangs under the root."""

    type: Literal["customer", "workspace", "user"] = "customer"


class Root(Declared):
    """The root of the customer tree."""

    id: Id = "customers"
    name: Text = "Customers"


class Feature(Declared):
    """Something a customer uses that spends on models."""

    id: Id
    name: Text | None = None
