"""How a declared column is taken out of a row of Snowflake.

NUMBER arrives as int or Decimal, VARIANT, ARRAY and OBJECT as JSON text. Of QUERY_TAG only what is
a JSON object counts, and of METADATA single fields: both may hold what somebody wrote.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from ingestion.contracts import INTEGER, MONEY, TEXT, UTC_TIME, Column
from ingestion.json_text import inside, tags_text
from ingestion.snowflake_models import count, counts_of, decoded, split_tokens

# Ours, set on every record before it is picked.
ACCOUNT, TIME, USER, EMAIL = "OUR_ACCOUNT", "OUR_TIME", "OUR_USER", "OUR_EMAIL"
_MOST_TAG_LETTERS = 256

Field = tuple[Column, Callable[[Mapping[str, Any]], Any]]


def plain(column: Column, name: str) -> Field:
    return column, lambda record: record.get(name)


def text(name: str, field: str, *, required: bool = False) -> Field:
    """A name or id: some views number what others spell."""

    def pick(record: Mapping[str, Any]) -> Any:
        value = count(record.get(field))
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return str(value) if is_number else value

    return Column(name, TEXT, required=required), pick


def whole(name: str, field: str) -> Field:
    return Column(name, INTEGER), lambda record: count(record.get(field))


def money(name: str, field: str) -> Field:
    return Column(name, MONEY, required=True, signed=True), lambda record: record.get(field)


def time(name: str, *fields: str) -> Field:
    return Column(name, UTC_TIME), lambda record: next(
        (record[field] for field in fields if record.get(field) is not None), None
    )


def within(name: str, field: str, key: str, type: pa.DataType = TEXT) -> Field:
    return Column(name, type), lambda record: inside(decoded(record.get(field)), key)


def user_tags(record: Mapping[str, Any]) -> str | None:
    """Tags set on the user: lower-case name and value; the last level named wins."""
    listed = decoded(record.get("USER_TAGS"))
    tags = {}
    for tag in listed if isinstance(listed, list) else []:
        name, value = inside(tag, "tag_name"), inside(tag, "tag_value")
        if isinstance(name, str) and isinstance(value, str):
            tags[name.lower()] = value[:_MOST_TAG_LETTERS]
    return tags_text(tags)


def query_tags(record: Mapping[str, Any]) -> str | None:
    """The short texts of a query tag that is a JSON object, as by convention."""
    tags = decoded(record.get("QUERY_TAG"))
    if not isinstance(tags, dict):
        return None
    return tags_text(
        {
            name: value
            for name, value in tags.items()
            if isinstance(value, str) and len(value) <= _MOST_TAG_LETTERS
        }
    )


def first_role(record: Mapping[str, Any]) -> Any:
    """The first of ROLE_NAMES."""
    roles = decoded(record.get("ROLE_NAMES"))
    return roles[0] if isinstance(roles, list) and roles else None


def agent_name(record: Mapping[str, Any]) -> str | None:
    """database.schema.agent; None where the request had no agent of a name."""
    parts = [record.get(f"AGENT_{part}") for part in ("DATABASE_NAME", "SCHEMA_NAME", "NAME")]
    return ".".join(map(str, filter(None, parts))) if parts[-1] else None


def scanned_uses(record: Mapping[str, Any]) -> str:
    """Which tool uses a guardrail looked at: a request has a row for each of them."""
    results = decoded(record.get("GUARDRAIL_RESULTS"))
    uses = (
        [inside(result, "tool_use_id") for result in results] if isinstance(results, list) else []
    )
    return ",".join(use for use in uses if isinstance(use, str))


def metrics(record: Mapping[str, Any]) -> tuple[dict[str, Any], str | None, Any]:
    """Tokens by metric, and the one other unit (pages) with how many of it."""
    tokens: dict[str, Any] = {}
    unit, quantity = None, None
    listed = decoded(record.get("METRICS"))
    for metric in listed if isinstance(listed, list) else []:
        name, measured = inside(metric, "key", "metric"), inside(metric, "key", "unit")
        value = inside(metric, "value")
        if measured == "tokens" and isinstance(name, str):
            tokens[name] = tokens.get(name, 0) + count(value) if _is_count(value) else value
        elif isinstance(measured, str) and (unit is None or measured < unit):
            unit, quantity = measured, value
    return tokens, unit, quantity


def _is_count(value: Any) -> bool:
    return isinstance(count(value), int) and not isinstance(value, bool)


def metric_tokens(bucket: str) -> Callable[[Mapping[str, Any]], Any]:
    """A bucket of the metrics in tokens; null where the row counts none of any kind."""

    def pick(record: Mapping[str, Any]) -> Any:
        tokens, _, _ = metrics(record)
        odd = [value for value in tokens.values() if not _is_count(value)]
        if odd:
            return odd[0]
        return split_tokens(tokens)[bucket] if tokens else None

    return pick


def unplaced_tokens(record: Mapping[str, Any]) -> Any:
    """Tokens of a metric that no bucket is for."""
    tokens = {name: value for name, value in metrics(record)[0].items() if _is_count(value)}
    return sum(tokens.values()) - sum(split_tokens(tokens).values()) if tokens else None


def granular_tokens(bucket: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda record: split_tokens(counts_of(record.get("TOKENS_GRANULAR")))[bucket]
