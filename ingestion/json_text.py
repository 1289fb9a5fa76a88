"""Reading JSON as vendors write it."""

import json
from typing import Any

import orjson


def decode_json(text: bytes) -> Any:
    """The decoded value; raises ValueError where the text is not JSON.

    Some vendors write NaN or 1e400, which is not JSON: the slower reader takes them as floats that
    no column accepts, so that one bad value rejects its row and not the whole page.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


def inside(value: Any, *path: str) -> Any:
    """The value at a path of nested objects; None where there is no such object."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value
