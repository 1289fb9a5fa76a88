"""A YAML file as plain values, with the line each one came from.

Belongs here: reading hostile or mistyped YAML safely. Only plain scalars, lists and mappings are
built; a number with a point is a `Decimal` made from its text; dates stay text for the schema to
check. Does not belong here: what the values mean (`config_schema`, `config_checks`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

MAX_BYTES = 8_000_000
MAX_NESTING = 24
MAX_ALIASES = 100
MAX_EXPANDED_NODES = 1_000_000

_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, order=True)
class Problem:
    """One refusal: file, line and what to change."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


class ConfigError(Exception):
    """The configuration was refused whole; `problems` names every file and line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True)
class Document:
    """One file: its values and, through `line`, where each stands.

    A row of another kind of file stands in `first_line`, whatever part of it is asked for.
    """

    file: str
    value: Any
    root: yaml.Node | None
    first_line: int = 1

    def line(self, location: Sequence[str | int] = ()) -> int:
        """The line of the deepest part of `location` that is there (a missing key: its mapping)."""
        node = self.root
        found = node.start_mark.line + 1 if node is not None else self.first_line
        for part in location:
            step = _step(node, part)
            # The schema puts names of its own into locations (a union's tag): not in the file.
            if step is None:
                continue
            node, found = step
        return found


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML's plain scalars without its surprises: `no` is text, `1:30` is text, `010` is ten."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012


_SCALARS = (
    ("bool", r"^(?:true|false)$", "tf"),
    ("null", r"^(?:null|~|)$", ["n", "~", ""]),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    (
        "float",
        r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$",
        "-+.0123456789",
    ),
)
for _name, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(_pattern), list(_first))


def read_yaml(path: Path, *, shown_as: str) -> Document:
    """The file's values; raises `ConfigError` with the line for anything but plain, finite YAML."""
    text = _text(path, shown_as)
    try:
        _refuse_bombs(text, shown_as)
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        raise ConfigError([Problem(shown_as, line, f"not YAML: {error.problem}")]) from None
    except yaml.YAMLError:
        raise ConfigError(
            [Problem(shown_as, 1, "not YAML: a character it does not allow")]
        ) from None
    if root is None:
        return Document(shown_as, {}, None)
    if _expanded(root, {}, ()) > MAX_EXPANDED_NODES:
        raise ConfigError([Problem(shown_as, 1, "aliases expand to too much")])
    problems: list[Problem] = []
    value = _value(root, shown_as, problems)
    if problems:
        raise ConfigError(problems)
    return Document(shown_as, value, root)


def _text(path: Path, shown_as: str) -> str:
    if path.stat().st_size > MAX_BYTES:
        raise ConfigError([Problem(shown_as, 1, f"larger than {MAX_BYTES} bytes")])
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(shown_as, line, "not UTF-8 text")]) from None


def _refuse_bombs(text: str, file: str) -> None:
    """Reads events only, which takes no recursion, so that the composer never meets a bomb."""
    depth = aliases = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
        if depth > MAX_NESTING:
            raise ConfigError([Problem(file, line, f"nested deeper than {MAX_NESTING} levels")])
        if aliases > MAX_ALIASES:
            raise ConfigError([Problem(file, line, f"more than {MAX_ALIASES} aliases")])


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _expanded(node: yaml.Node, known: dict[int, int], above: tuple[int, ...]) -> int:
    """How many nodes there are with aliases written out; an alias to its own parent: too many."""
    if id(node) in above:
        return MAX_EXPANDED_NODES + 1
    if id(node) not in known:
        inside = (*above, id(node))
        known[id(node)] = 1 + sum(_expanded(child, known, inside) for child in _children(node))
    return known[id(node)]


def _value(node: yaml.Node, file: str, problems: list[Problem]) -> Any:
    line = node.start_mark.line + 1
    tag = node.tag.removeprefix(_TAG)
    if isinstance(node, yaml.SequenceNode) and tag == "seq":
        return [_value(child, file, problems) for child in node.value]
    if isinstance(node, yaml.MappingNode) and tag == "map":
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key_line = key_node.start_mark.line + 1
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode):
                problems.append(Problem(file, key_line, "a key must be plain text"))
            elif key == "<<":
                problems.append(Problem(file, key_line, "merge keys (<<) are not supported"))
            elif key in mapping:
                problems.append(Problem(file, key_line, f"duplicate key: {key}"))
            else:
                mapping[key] = _value(value_node, file, problems)
        return mapping
    if isinstance(node, yaml.ScalarNode) and tag in ("str", "int", "float", "bool", "null"):
        return _scalar(
            node.value, tag, Problem(file, line, "a number this long is a mistake"), problems
        )
    problems.append(Problem(file, line, f"the tag {node.tag} is not allowed: plain values only"))
    return None


def _scalar(text: str, tag: str, too_long: Problem, problems: list[Problem]) -> Any:
    if tag == "str":
        return text
    if tag == "null":
        return None
    if tag == "bool":
        return text == "true"
    if len(text) > 40 or not re.fullmatch(r"[-+0-9.eE]+", text):
        problems.append(too_long)
        return None
    return int(text) if tag == "int" else Decimal(text)


def _step(node: yaml.Node | None, part: str | int) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == part:
                return value, key.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        child = node.value[part]
        return child, child.start_mark.line + 1
    return None
