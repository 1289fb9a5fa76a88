"""What `budgets.yaml` may say: what is counted, over which time, and what happens at which level.

Belongs here: the shape of a budget, and rules that one budget can be judged by alone.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from ingestion.config_schema import Dated
from ingestion.config_types import Declared, Id, Money, Text

LEVELS = ("info", "warning", "critical")
# Written like 15m, 24h, 30d.
Length = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,4}[mhd]$")]
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def length_of(text: str) -> timedelta:
    """A length of time as written, for example 30d."""
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


def _plain(text: str) -> str:
    # Values are held in one text between bars, so that every engine finds them alike.
    if "|" in text:
        raise ValueError("must not contain |")
    return text


Value = Annotated[Text, AfterValidator(_plain)]


# What nothing to judge by stands for: a use of 0, the level as it was, or that with a message.
OnNoData = Literal["zero", "hold", "notify"]
# How far a value must come back over a threshold before its level ends: a share of the threshold.
Hysteresis = Annotated[Decimal, Field(ge=0, lt=1, max_digits=6, decimal_places=6)]
Action = Literal["block", "zero_budget", "cap_to_remaining", "rate_limit"]


class Thresholds(Declared):
    """Levels of a budget, as shares of its amount or in what it counts; equality fires."""

    unit: Literal["share", "absolute", "usd"] = "share"
    info: Money | None = None
    warning: Money | None = None
    critical: Money | None = None


class Filter(Declared):
    """The use that counts: of each field that is given, one of its values."""

    source: tuple[Value, ...] = ()  # a source instance
    provider: tuple[Value, ...] = ()
    model: tuple[Value, ...] = ()  # a canonical id, for example openai/gpt-4o
    operation: tuple[Value, ...] = ()
    application: tuple[Value, ...] = ()  # the key of an entity
    feature: tuple[Value, ...] = ()
    tag: Value | None = None  # written key=value


# Who is told: the dated owner of the entity, by the endpoint its channel names, or these endpoints.
Recipients = Literal["owner"] | tuple[Value, ...]


class Increase(Dated):
    """More to spend for a time: added to the amount while it lasts."""

    amount: Money


class Budget(Dated):
    """What an entity may spend in a period, and what happens on the way there."""

    id: Id
    entity: Id | None = None
    each: Literal["workspace", "team", "user", "agent", "application", "customer"] | None = None
    enabled: bool = True
    paused: bool = False
    scope: Literal["individual", "consolidated"] = "consolidated"
    measure: Literal["cost", "charged", "tokens", "requests", "quantity"] = "cost"
    unit: Value | None = None
    filter: Filter = Filter()
    condition: Literal["above", "below"] = "above"
    period: Literal["hour", "day", "week", "month", "quarter", "year", "lifetime", "rolling"]
    length: Length | None = None
    anchor_day: Annotated[int, Field(ge=1, le=28)] = 1
    timezone: str = "UTC"
    amount: Money
    increases: tuple[Increase, ...] = ()
    thresholds: Thresholds = Thresholds()
    hysteresis: Hysteresis = Decimal(0)
    renotify_after: Length | None = None
    on_no_data: OnNoData = "zero"  # where a period has no use, or none any more
    to: Recipients = ()  # left out: every endpoint that subscribed
    mode: Literal["observe", "soft", "hard"] = "observe"
    actions: tuple[Action, ...] = ()
    requests_per_minute: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.entity is None) == (self.each is None):
            raise ValueError("say either entity or each")
        if self.timezone not in available_timezones():
            raise ValueError(f"timezone is not an IANA name: {self.timezone}")
        if (self.measure == "quantity") != (self.unit is not None):
            raise ValueError("measure: quantity counts a unit, for example unit: credits")
        if (self.period == "rolling") != (self.length is not None):
            raise ValueError("period: rolling has a length, for example length: 30d")
        if self.length is not None and length_of(self.length) % timedelta(minutes=15):
            raise ValueError("length must be quarters of an hour, for example 45m")
        if self.anchor_day != 1 and self.period not in ("month", "quarter"):
            raise ValueError("anchor_day is the first day of a month or quarter")
        if self.filter.tag is not None and "=" not in self.filter.tag:
            raise ValueError("filter: a tag is written key=value")
        return self

    @model_validator(mode="after")
    def _alerting(self) -> Self:
        if self.condition == "below":
            raise ValueError("a spend budget alerts above its thresholds, never below")
        levels = (getattr(self.thresholds, name) for name in LEVELS)
        present = [level for level in levels if level is not None]
        if self.enabled and not present:
            raise ValueError(
                "thresholds: an enabled budget needs at least one (or say enabled: false)"
            )
        if self.thresholds.warning is not None and self.thresholds.critical is None:
            raise ValueError("thresholds: a warning needs a critical")
        if present != sorted(present):
            raise ValueError("thresholds: the order is info <= warning <= critical")
        if self.thresholds.unit == "usd" and self.counted_in != "usd":
            raise ValueError(f"thresholds: this budget counts {self.counted_in}, not usd")
        if self.thresholds.unit != "share" and self.increases:
            raise ValueError("thresholds: only shares of the amount follow an increase")
        return self

    @model_validator(mode="after")
    def _acting(self) -> Self:
        if len(self.actions) > 1:
            raise ValueError("actions: one limit a budget")
        if self.actions and self.mode == "observe":
            raise ValueError("actions belong to mode: hard, or soft for a limit from warning on")
        if self.actions and self.thresholds.critical is None:
            raise ValueError("actions start at critical: thresholds has none")
        if self.actions and self.mode == "soft" and self.thresholds.warning is None:
            raise ValueError("actions of mode: soft start at warning: thresholds has none")
        if ("rate_limit" in self.actions) != (self.requests_per_minute is not None):
            raise ValueError("actions: rate_limit has requests_per_minute, for example 10")
        if "cap_to_remaining" in self.actions and (self.measure != "cost" or self.mode != "hard"):
            raise ValueError("actions: cap_to_remaining needs measure: cost and mode: hard")
        return self

    @property
    def counted_in(self) -> str:
        """The unit of its amount and its use."""
        return self.unit or {"tokens": "tokens", "requests": "requests"}.get(self.measure, "usd")
