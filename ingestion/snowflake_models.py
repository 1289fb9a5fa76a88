"""A request that several models served, as one record a model; their credits are its credits.

Snowflake writes what each model used as an object of objects: by request and service at agents
and CoWork, by model alone at CoCo and the gateway. The parts always add up to the row: what no
model accounts for is a part of its own, without a model.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from ingestion.json_text import decode_json

Record = dict[str, Any]
# Granular credits are binary floats in Snowflake's VARIANT: less than this is their rounding.
_ROUNDING = Decimal("0.000001")
_KINDS = {
    "input": "INPUT",
    "input_tokens": "INPUT",
    "cache_read_input": "CACHE_READ_INPUT",
    "cache_read_input_tokens": "CACHE_READ_INPUT",
    "cache_write_input": "CACHE_WRITE_INPUT",
    "cache_write_input_tokens": "CACHE_WRITE_INPUT",
    "output": "OUTPUT",
    "output_tokens": "OUTPUT",
}
BUCKETS = ("INPUT", "CACHE_READ_INPUT", "CACHE_WRITE_INPUT", "OUTPUT")


def by_model(record: Mapping[str, Any], *, credits: str, tokens: str) -> list[Record]:
    """The record once a model that served it, with its part of the columns named.

    Each part has MODEL, MODEL_CREDITS, the four buckets and MISPLACED: how many tokens of the total
    no bucket holds, told on the first part.
    """
    amount = _exact(record.get(credits))
    spent = _credits_of(decoded(record.get("CREDITS_GRANULAR")))
    counted = dict(_leaves(decoded(record.get(tokens))))
    if amount is None:
        # Not an amount: the whole record is refused where its column is checked.
        return [{**record, "MODEL": None, "MODEL_CREDITS": record.get(credits)}]
    models = sorted(spent.keys() | counted.keys())
    rest = amount - sum(spent.values(), Decimal(0))
    if models and abs(rest) <= _ROUNDING:
        spent[models[0]] = spent.get(models[0], Decimal(0)) + rest
        rest = Decimal(0)
    parts = []
    for model in models:
        buckets = split_tokens(counted.get(model, {}))
        parts.append(
            {**record, "MODEL": model, "MODEL_CREDITS": spent.get(model, Decimal(0)), **buckets}
        )
    if rest or not parts:
        parts.append({**record, "MODEL": None, "MODEL_CREDITS": rest, **split_tokens({})})
    total = count(record.get("TOKENS"))
    if isinstance(total, int):
        parts[0]["MISPLACED"] = total - sum(part[bucket] for part in parts for bucket in BUCKETS)
    return parts


def split_tokens(counts: Mapping[str, int]) -> dict[str, int]:
    """The four disjoint buckets of an object of counts."""
    buckets = dict.fromkeys(BUCKETS, 0)
    for kind, tokens in counts.items():
        if kind in _KINDS:
            buckets[_KINDS[kind]] += tokens
    return buckets


def counts_of(value: Any) -> dict[str, int]:
    """The whole numbers of an object of counts."""
    found = decoded(value)
    if not isinstance(found, dict):
        return {}
    whole = {kind: count(tokens) for kind, tokens in found.items()}
    return {kind: tokens for kind, tokens in whole.items() if isinstance(tokens, int)}


def decoded(value: Any) -> Any:
    """What a VARIANT, ARRAY or OBJECT holds, which arrive as JSON text; None where it is none."""
    if not isinstance(value, str):
        return None
    try:
        return decode_json(value.encode())
    except ValueError:
        return None


def count(value: Any) -> Any:
    """A whole NUMBER as an int, whatever its scale; anything else as it is."""
    is_number = isinstance(value, Decimal | float) and not isinstance(value, bool)
    return int(value) if is_number and value % 1 == 0 else value


def _leaves(value: Any, model: str = "") -> Iterator[tuple[str, dict[str, int]]]:
    """Each model's counts, summed over the requests and services they are nested in."""
    summed: dict[str, dict[str, int]] = {}
    for name, counts in _objects(value, model):
        kinds = summed.setdefault(name, {})
        for kind, tokens in counts.items():
            whole = count(tokens)
            if isinstance(whole, int) and not isinstance(whole, bool):
                kinds[kind] = kinds.get(kind, 0) + whole
    yield from summed.items()


def _credits_of(value: Any) -> dict[str, Decimal]:
    """Each model's credits; at the gateway a model's credits are one number, not an object."""
    summed: dict[str, Decimal] = {}
    for name, kinds in _objects(value, ""):
        for kind, credits in kinds.items():
            model, amount = name or kind, _exact(credits)
            if amount is not None:
                summed[model] = summed.get(model, Decimal(0)) + amount
    return summed


def _objects(value: Any, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The innermost objects, which hold numbers, with the name each stands under."""
    if isinstance(value, list):
        for item in value:
            yield from _objects(item, name)
    elif isinstance(value, dict):
        inner = {key: item for key, item in value.items() if key != "start_time"}
        if any(isinstance(item, dict | list) for item in inner.values()):
            for key, item in inner.items():
                yield from _objects(item, key)
        elif inner:
            yield name, inner


def _exact(value: Any) -> Decimal | None:
    """An amount as it is written; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    try:
        amount = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None
