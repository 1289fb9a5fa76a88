"""What each file of `config/` may say: one frozen model a declaration, unknown fields refused.

Belongs here: shapes, and rules that one declaration can be judged by alone. Does not belong here:
anything that needs a second declaration (`config_checks`), reading files (`config_loader`).
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

import pyarrow as pa
import pyarrow.compute
from pydantic import (
    AfterValidator,
    AwareDatetime,
    StringConstraints,
    model_validator,
)

from ingestion.config_types import (
    AnyField,
    Declared,
    Dimension,
    Id,
    Text,
)


def _quarter_hour(at: datetime) -> datetime:
    # Roll-ups are by 15 minutes (DESIGN D23): a range that starts between two could not be summed.
    at = at.astimezone(UTC)
    if at.minute % 15 or at.second or at.microsecond:
        raise ValueError("must fall on a quarter of an hour, for example 2026-11-02T00:15:00Z")
    return at


Moment = Annotated[AwareDatetime, AfterValidator(_quarter_hour)]


class Dated(Declared):
    """What holds for a half-open range of time; an open end is left out."""

    valid_from_at: Moment | None = None
    valid_to_at: Moment | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.valid_from_at and self.valid_to_at and self.valid_from_at >= self.valid_to_at:
            raise ValueError("valid_from_at must be before valid_to_at")
        return self


class Identity(Declared):
    """One rule from a source's identifier to a node: by value, pattern, id or e-mail."""

    dimension: Dimension = "owner"
    source: Id | Literal["*"] = "*"
    field: AnyField
    value: Text | tuple[Text, ...] | None = None
    pattern: Text | None = None
    match: Literal["same_id", "email"] | None = None
    prefix: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,40}$")] | None = None
    target: Id | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(way is not None for way in (self.value, self.pattern, self.match)) != 1:
            raise ValueError("say exactly one of value, pattern and match")
        if (self.target is None) != (self.match is not None):
            raise ValueError("value and pattern need a target; match finds its own")
        if self.prefix is not None and self.match != "same_id":
            raise ValueError("prefix belongs to match: same_id")
        if self.pattern is not None:
            _refuse_unsafe(self.pattern)
        return self


def _refuse_unsafe(pattern: str) -> None:
    # RE2 answers in linear time: no look-around, no back reference. The warehouse runs it too.
    if re.search(r"\(\?[^:]", pattern):
        raise ValueError("pattern: of the (?…) groups only (?:…) means the same everywhere")
    try:
        pa.compute.match_substring_regex(pa.array(["x"]), pattern=f"^(?:{pattern})$")
    except pa.ArrowInvalid:
        raise ValueError("pattern is not a regular expression in RE2 syntax") from None


class ModelAlias(Dated):
    """A model name as a source writes it, and the catalogue's name for it."""

    provider: Text
    model: Text
    target_provider: Text
    target_model: Text
