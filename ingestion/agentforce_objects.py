"""Which object and which columns of a Data Cloud hold what: the vendor names them in three ways.

One object is documented as `std__XDmo__dlm`, `ssot__X__dlm` and `X_std__dlm`, columns are
lower-cased by the engine, and `eventime` was seen where the documentation says EventTime. So names
are compared without their wrapping, and what is missing is named.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ingestion.http import SourceError

# Names that were seen with another spelling, by their bare form.
_SPELLINGS = {"eventime": "eventtime"}
_SAFE_NAME = re.compile(r"\w{1,128}", re.ASCII)


@dataclass(frozen=True)
class Role:
    """What a resource is read from: the bare name of its object, and of its columns."""

    resource: str
    documented_as: str
    columns: tuple[str, ...]
    required: frozenset[str]

    @property
    def bare_name(self) -> str:
        """The object's name without its wrapping."""
        return bare(self.documented_as)


@dataclass(frozen=True)
class FoundObject:
    """An object as this data space names it: its columns by their bare name."""

    name: str
    columns: Mapping[str, str]


def bare(name: str) -> str:
    """A name of an object or a column without namespace, suffix and case."""
    text = name.lower()
    for prefix in ("std__", "ssot__"):
        text = text.removeprefix(prefix)
    for suffix in ("__dlm", "__dll", "__c", "_std", "dmo"):
        text = text.removesuffix(suffix)
    return _SPELLINGS.get(text, text)


def find(entities: Iterable[Any], role: Role) -> FoundObject:
    """The object of a role among the listed ones; raises SourceError that names what is missing."""
    seen: list[str] = []
    for entity in entities:
        name, fields = _named(entity), _fields(entity)
        if bare(name) != role.bare_name:
            continue
        seen.append(name)
        columns = {bare(field): field for field in fields if bare(field) in role.columns}
        missing = sorted(role.required - columns.keys())
        if not missing:
            return FoundObject(name, columns)
        if len(seen) > 1:
            continue
        lacking = f"agentforce: {name} has no column {', '.join(missing)}"
    if seen:
        raise SourceError(lacking)
    raise SourceError(
        f"agentforce: the data space has no {role.documented_as}: add it there, or leave out "
        f"{role.resource} (without:)"
    )


def _named(entity: Any) -> str:
    name = entity.get("name") if isinstance(entity, dict) else None
    return name if isinstance(name, str) and _SAFE_NAME.fullmatch(name) else ""


def _fields(entity: Any) -> list[str]:
    fields = entity.get("fields") if isinstance(entity, dict) else None
    return [name for field in fields or () if (name := _named(field))]
