"""Values as senders write them, cleaned before anything is written: numbers, ids and times only.

What does not fit raises `Misfit` with a word for it; the value itself goes nowhere.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from ingestion.batches import SetAside, sha256_of
from ingestion.json_text import tags_text
from ingestion.times import epoch_text

MAX_TEXT_BYTES = 8192
DEPTH = 20
_NESTED = (dict, list)
_MAX_INTEGER = 2**63 - 1
_EXACT_FLOAT = 2**53
_PLAIN_LENGTHS = (20, 24, 27)
_MONEY_LIMIT = Decimal("1e23")
_MOST_TAGS, _TAG_NAME, _TAG_VALUE = 64, 128, 256


class Misfit(Exception):
    """A value that is not what its field declares; the message says why, in a word."""


class TooDeep(Exception):
    """A value that is nested deeper than twenty levels."""


def refuse_deep(value: Any, *, above: int = 0) -> None:
    """Raises TooDeep where the value, with so many levels above it, is nested too deeply."""
    level = [value] if type(value) in _NESTED else []
    for _ in range(DEPTH - above):
        level = [
            child
            for each in level
            for child in (each.values() if type(each) is dict else each)
            if type(child) in _NESTED
        ]
        if not level:
            return
    raise TooDeep


def refused(record: Any, column: str | None, reason: str) -> SetAside:
    """The record as set aside: where, why, and its hash."""
    return SetAside(column_name=column, reason=reason, sha256=hash_of(record))


def hash_of(record: Any) -> str:
    """A hash of a payload, the same however its fields are ordered."""
    try:
        data = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
    except (TypeError, orjson.JSONEncodeError):
        return sha256_of(record)
    return hashlib.sha256(data).hexdigest()


def whole(value: Any) -> int:
    """A count, also written as text; never negative."""
    if isinstance(value, str):
        digits = value.strip()
        if not digits.removeprefix("-").isascii() or not digits.removeprefix("-").isdecimal():
            raise Misfit("not_an_integer")
        value = int(digits) if len(digits) < 40 else _MAX_INTEGER + 1
    elif isinstance(value, float):
        if not value.is_integer() or abs(value) >= _EXACT_FLOAT:
            raise Misfit("not_an_integer")
        value = int(value)
    elif type(value) is not int:
        raise Misfit("not_an_integer")
    if value < 0:
        raise Misfit("negative")
    if value > _MAX_INTEGER:
        raise Misfit("out_of_range")
    return int(value)


def amount(value: Any) -> str:
    """An amount as the text it was written as, so that no digit is lost; never negative."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Misfit("not_an_amount")
    text = repr(value) if isinstance(value, float) else str(value).strip()
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise Misfit("not_an_amount") from None
    if not number.is_finite() or "_" in text or len(text) > 100:
        raise Misfit("not_an_amount")
    if number < 0:
        raise Misfit("negative")
    if number >= _MONEY_LIMIT:
        raise Misfit("out_of_range")
    return text


def text(value: Any) -> str | None:
    """An id or a name; one that is too long is dropped, since the usage still counts."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise Misfit("not_text")
    try:
        size = len(value) if value.isascii() else len(value.encode())
    except UnicodeEncodeError:
        raise Misfit("not_text") from None
    if size > MAX_TEXT_BYTES:
        return None
    return value.replace("\x00", "") or None


def moment(value: Any) -> str:
    """A time as ISO 8601 in UTC, from text with a zone or an epoch number."""
    if type(value) is str and len(value) in _PLAIN_LENGTHS and value[7] + value[10] == "-T":
        try:
            # As it stands: 2026-11-24T10:00:00Z, with milliseconds or microseconds.
            if value[-1] == "Z" and datetime.fromisoformat(value):
                return value
        except ValueError:
            raise Misfit("not_a_time_with_zone") from None
    value = epoch_text(value)
    if not isinstance(value, str):
        raise Misfit("not_a_time_with_zone")
    try:
        at = datetime.fromisoformat(value.strip())
        if at.tzinfo is None:
            raise Misfit("not_a_time_with_zone")
        return at.astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        raise Misfit("not_a_time_with_zone") from None


def tags(value: Any) -> str | None:
    """Tags as a JSON object of strings: of a list, `k=v` becomes k: v, any other tag: "true"."""
    found: dict[str, str] = {}
    if type(value) is dict and len(value) <= _MOST_TAGS and all(map(_is_plain, value.items())):
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode() if value else None
    if isinstance(value, list):
        for tag in value[:_MOST_TAGS]:
            if isinstance(tag, str):
                name, has_value, rest = tag.partition("=")
                _keep(found, name, rest if has_value else "true")
    elif isinstance(value, Mapping):
        for name, each in list(value.items())[:_MOST_TAGS]:
            if isinstance(each, bool):
                _keep(found, name, "true" if each else "false")
            elif isinstance(each, str | int | float):
                _keep(found, name, str(each))
    else:
        raise Misfit("not_an_object")
    return tags_text(found)


def _is_plain(tag: tuple[Any, Any]) -> bool:
    name, value = tag
    return (
        type(value) is str
        and 0 < len(name) <= _TAG_NAME
        and len(value) <= _TAG_VALUE
        and name.isprintable()
        and value.isprintable()
    )


def _keep(found: dict[str, str], name: str, value: str) -> None:
    if 0 < len(name) <= _TAG_NAME and len(value) <= _TAG_VALUE:
        found[name] = value.replace("\x00", "")
