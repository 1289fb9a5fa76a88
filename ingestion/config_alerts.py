"""What `alerts.yaml` may say: what is watched besides budgets, and from where it is told.

Belongs here: the shape of an alert, and rules that one alert can be judged by alone.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ingestion.config_budgets import (
    LEVELS,
    Hysteresis,
    Length,
    OnNoData,
    Recipients,
    length_of,
)
from ingestion.config_types import Declared, Id, Money

# The tree that a kind is of, where it is not both.
TREES = {"price_change": "owner", "negative_margin": "customer"}
OF_ENTITIES = ("burn_rate", "anomaly", *TREES)
Kind = Literal[
    "burn_rate",
    "anomaly",
    "forecast",
    "price_change",
    "negative_margin",
    "freshness",
    "unpriced_share",
    "unattributed_share",
]


class Levels(Declared):
    """From which value a level is reached; equality fires."""

    info: Money | None = None
    warning: Money | None = None
    critical: Money | None = None


class Alert(Declared):
    """One thing that is watched, of one entity, of each of a type, or of the whole."""

    id: Id
    kind: Kind
    entity: Id | None = None
    each: Literal["workspace", "team", "user", "agent", "application", "customer"] | None = None
    enabled: bool = True
    paused: bool = False
    window: Annotated[Length, Field(description="Whole quarters of an hour, at most 24h.")] = "1h"
    floor_usd: Money = Decimal(1)
    thresholds: Levels
    hysteresis: Hysteresis = Decimal(0)
    renotify_after: Length | None = None
    on_no_data: OnNoData = "hold"  # where too little is known to judge by
    actions: tuple[Literal["block"], ...] = ()  # burn_rate at critical; a person alone releases
    to: Recipients = ()  # left out: every endpoint that subscribed

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        is_placed = (self.entity is None) != (self.each is None)
        if self.kind in OF_ENTITIES and not is_placed:
            raise ValueError("say either entity or each")
        if self.kind not in OF_ENTITIES and (self.entity or self.each):
            raise ValueError(f"{self.kind} is of the whole: leave out entity and each")
        tree = TREES.get(self.kind)
        if self.each and tree and (self.each == "customer") != (tree == "customer"):
            raise ValueError(f"{self.kind} is of the {tree} tree")
        # What is usual is known by quarters of an hour.
        if length_of(self.window) % timedelta(minutes=15):
            raise ValueError("window must be quarters of an hour, for example 45m")
        if length_of(self.window) > timedelta(hours=24):
            raise ValueError("window is at most 24h")
        if self.floor_usd <= 0:
            raise ValueError("floor_usd is more than 0: what is less is no alarm")
        levels = (getattr(self.thresholds, name) for name in LEVELS)
        present = [level for level in levels if level is not None]
        if not present:
            raise ValueError("thresholds: an alert needs at least one")
        if self.thresholds.warning is not None and self.thresholds.critical is None:
            raise ValueError("thresholds: a warning needs a critical")
        if self.actions and (self.kind != "burn_rate" or self.thresholds.critical is None):
            raise ValueError("actions: only a burn_rate acts, at its critical threshold")
        if present != sorted(present):
            raise ValueError("thresholds: the order is info <= warning <= critical")
        return self
