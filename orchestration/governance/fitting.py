"""What a message says, cut to fit: long names end in …, `<list>_left_out` counts the rest."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

MOST_LISTED = 50
# How much of each list and of each text is kept: ever less, until the message fits. No amount and
# no id of ours is as long as the shortest.
_CUTS = ((MOST_LISTED, 400), (20, 200), (5, 100), (0, 100))


def listed(name: str, values: Sequence[Any]) -> dict[str, Any]:
    """The first of a list, and how many more there are."""
    more = len(values) - MOST_LISTED
    shown = {name: list(values[:MOST_LISTED])}
    return {**shown, f"{name}_left_out": more} if more > 0 else shown


def fitted(data: Mapping[str, Any], *, fits: Callable[[Mapping[str, Any]], bool]) -> dict[str, Any]:
    """The data, cut as little as it takes; in the end whole fields go, the longest first."""
    found = dict(data)
    # A key, an approval and what approves it are no use cut.
    whole = {name: said for name, said in data.items() if isinstance(said, str)}
    for items, characters in _CUTS:
        if fits(found):
            return found
        found = {**cut(found, items=items, characters=characters), **whole}
    gone: list[str] = []
    while not fits(found) and len(found) > 1:
        longest = max(found.keys() - {"fields_left_out"}, key=lambda name: len(str(found[name])))
        gone.append(longest)
        found = {name: said for name, said in found.items() if name != longest}
        found["fields_left_out"] = gone
    return found


def cut(value: Any, *, items: int, characters: int) -> Any:
    """A value of JSON with no list and no text in it longer than this."""
    if isinstance(value, str):
        return value if len(value) <= characters else f"{value[: characters - 1]}…"
    if isinstance(value, Mapping):
        found = {
            name: cut(said, items=items, characters=characters) for name, said in value.items()
        }
        for name, said in value.items():
            if isinstance(said, list | tuple) and len(said) > items:
                counted = f"{name}_left_out"
                found[counted] = value.get(counted, 0) + len(said) - items
        return found
    if isinstance(value, list | tuple):
        return [cut(each, items=items, characters=characters) for each in value[:items]]
    return value
