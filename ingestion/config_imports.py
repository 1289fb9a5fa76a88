"""Nodes of the owner tree out of a CSV file or a table of the warehouse, such as an HR export.

Belongs here: rows to declarations. They are then checked with those of `entities.yaml`, by the same
rules and with the line of the row. A table is read from the copy that `imported_tables` made of it.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, StringConstraints, ValidationError, model_validator

from ingestion.config_org import Entity, EntityType
from ingestion.config_schema import Dated
from ingestion.config_tree import Placed
from ingestion.config_types import Declared, Email, Id, Text
from ingestion.config_yaml import MAX_BYTES, Document, Problem

Column = Literal[
    "id", "type", "name", "email", "aliases", "parent", "owner", "owner_email", "owner_channel",
    "cost_center", "valid_from_at", "valid_to_at",
]  # fmt: skip
# Below config/, so that the last good configuration keeps a copy of it.
CsvName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_/-]*\.csv$")]
TableName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$")]


class Import(Declared):
    """A CSV file in config/ or a table of the warehouse, each row a node of the owner tree."""

    file: CsvName | None = None
    table: TableName | None = None
    # Our name -> theirs; left out: theirs are ours.
    columns: dict[Column, Text] = Field(default_factory=dict)
    type: EntityType | None = None  # of rows that say none
    parent: Id | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.file is None) == (self.table is None):
            raise ValueError("say either file or table")
        if self.columns and "id" not in self.columns:
            raise ValueError("columns must name the id's")
        return self


class _Row(Dated):
    """One row: a node from when to when."""

    id: Id
    type: EntityType
    name: Text | None = None
    email: Email | None = None
    aliases: tuple[Text, ...] = ()
    parent: Id | None = None
    owner: Text | None = None
    owner_email: Email | None = None
    owner_channel: Id | None = None
    cost_center: Text | None = None

    @model_validator(mode="after")
    def _of_an_owner(self) -> Self:
        if (self.owner_email or self.owner_channel) and not self.owner:
            raise ValueError("owner_email and owner_channel belong to an owner")
        return self


def imported_entities(
    imports: Sequence[Placed[Import]], *, folder: Path, tables: Path | None
) -> tuple[list[Placed[Entity]], list[Problem]]:
    """The nodes that the imports name, each placed at its first row, and every row's problems."""
    entities: list[Placed[Entity]] = []
    problems: list[Problem] = []
    for placed in imports:
        name = placed.value.file or f"{placed.value.table}.csv"
        path = (folder if placed.value.file else tables or folder) / name
        shown_as = placed.value.file or f"table {placed.value.table}"
        if not path.is_file():
            missing = "is not in config/" if placed.value.file else "has not been read yet"
            problems.append(placed.problem(f"{shown_as} {missing}"))
            continue
        found: list[tuple[int, _Row]] = []
        for line, row in _rows(path, placed.value):
            if isinstance(row, _Row):
                found.append((line, row))
            else:
                problems += [Problem(shown_as, line, text) for text in row]
        entities += _merged(found, shown_as)
    return entities, problems


def _rows(path: Path, said: Import) -> Iterator[tuple[int, _Row | list[str]]]:
    """Each row with its line, or what is wrong with it."""
    if path.stat().st_size > MAX_BYTES:
        yield 1, [f"larger than {MAX_BYTES} bytes"]
        return
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            wrong = _wrong_columns(reader.fieldnames or (), said)
            if wrong:
                yield 1, wrong
                return
            names = said.columns or {name: name for name in reader.fieldnames or ()}
            for row in reader:
                line = reader.line_num
                if None in row:
                    yield line, ["more values than columns"]
                    continue
                yield line, _row({ours: row[theirs] for ours, theirs in names.items()}, said)
    except (UnicodeDecodeError, csv.Error):
        yield 1, ["not CSV in UTF-8"]


def _wrong_columns(found: Sequence[str], said: Import) -> list[str]:
    if said.columns:
        theirs = said.columns.values()
        return [f"no column is called {each}" for each in theirs if each not in found]
    known = get_args(Column)
    unknown = [
        f"unknown column {each}; known: {', '.join(known)}" for each in found if each not in known
    ]
    return unknown if "id" in found else [*unknown, "no column is called id"]


def _row(values: Mapping[str, str | None], said: Import) -> _Row | list[str]:
    given: dict[str, Any] = {
        name: text.strip() for name, text in values.items() if text and text.strip()
    }
    if "aliases" in given:
        given["aliases"] = [each.strip() for each in given["aliases"].split(";") if each.strip()]
    for name in ("valid_from_at", "valid_to_at"):
        # A day, as HR writes it, begins at midnight UTC.
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", given.get(name, "")):
            given[name] += "T00:00:00Z"
    for name, default in (("type", said.type), ("parent", said.parent)):
        if default is not None:
            given.setdefault(name, default)
    try:
        return _Row.model_validate(given)
    except ValidationError as error:
        return [
            ": ".join([*map(str, detail["loc"][:1]), detail["msg"].removeprefix("Value error, ")])
            for detail in error.errors(include_url=False, include_context=False)
        ]


def _merged(rows: Sequence[tuple[int, _Row]], shown_as: str) -> list[Placed[Entity]]:
    """One node an id: several rows are its moves, in order of their dates.

    Whatever the first row says holds from the beginning, and the last's for ever: a node has a
    parent at every instant. Type, name, e-mail and aliases are the last row's.
    """
    by_id: dict[str, list[tuple[int, _Row]]] = {}
    for line, row in rows:
        by_id.setdefault(row.id, []).append((line, row))
    return [
        Placed(_entity([row for _, row in each]), Document(shown_as, {}, None, each[0][0]), ())
        for each in by_id.values()
    ]


def _entity(rows: Sequence[_Row]) -> Entity:
    rows = sorted(rows, key=lambda row: (row.valid_from_at is not None, row.valid_from_at))
    starts = [None, *(row.valid_from_at for row in rows[1:])]
    ends = [row.valid_to_at or after.valid_from_at for row, after in pairwise(rows)] + [None]
    dates = [
        {"valid_from_at": start, "valid_to_at": end}
        for start, end in zip(starts, ends, strict=True)
    ]
    dated = list(zip(rows, dates, strict=True))
    last = rows[-1]
    return Entity(
        id=last.id,
        type=last.type,
        name=last.name,
        email=last.email,
        aliases=last.aliases,
        parents=[{"parent": row.parent, **at} for row, at in dated if row.parent],
        owners=[
            {"name": row.owner, "email": row.owner_email, "channel": row.owner_channel, **at}
            for row, at in dated
            if row.owner
        ],
        cost_centers=[
            {"cost_center": row.cost_center, **at} for row, at in dated if row.cost_center
        ],
    )
