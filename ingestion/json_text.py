"""Reading JSON as vendors write it."""

import json
from collections.abc import Mapping
from typing import Any

import orjson

_MOST_DIGITS = 40
_NO_FIELDS: Mapping[str, Any] = {}


def decode_json(text: bytes) -> Any:
    """The decoded value; raises ValueError where the text is not JSON.

    Some vendors write NaN or 1e400, which is not JSON: the slower reader takes them as floats that
    no column accepts, so that one bad value rejects its row and not the whole page.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            # A number of thousands of digits is refused by int(), so it becomes a float as well.
            return json.loads(text, parse_int=_whole_number)
        except RecursionError:
            raise ValueError("nested too deeply") from None


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


def tags_text(tags: Mapping[str, str]) -> str | None:
    """The tags as the text of a JSON object, sorted by name; None where there is none.

    A tag that is no Unicode text (half of a surrogate pair) is left out: usage still counts.
    """
    try:
        return orjson.dumps(tags, option=orjson.OPT_SORT_KEYS).decode() if tags else None
    except orjson.JSONEncodeError:
        return tags_text({name: value for name, value in tags.items() if _is_unicode(name + value)})


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def fields_of(value: Any) -> Mapping[str, Any]:
    """The fields of a nested object; none where there is no such object."""
    return value if isinstance(value, dict) else _NO_FIELDS


def inside(value: Any, *path: str) -> Any:
    """The value at a path of nested objects; None where there is no such object."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value
