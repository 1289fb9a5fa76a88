"""The pushed `ai.usage` event: what of it is kept, and which one it is.

Only listed fields are picked, and each as a number, an id or a time, so that no prompt reaches the
disk. A raw key is kept as its HMAC and its last four characters.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any, get_args

from ingestion.batches import SetAside
from ingestion.collector.values import (
    Misfit,
    amount,
    hash_of,
    moment,
    refuse_deep,
    refused,
    tags,
    text,
    whole,
)
from ingestion.contracts import INTEGER, MONEY, TEXT, UTC_TIME, Column, Contract
from ingestion.source_config import EvidenceLayer

EVENT_NAME = "ai.usage"
_ALIAS_FROM = 12
_SHORT, _LARGE = 2_000, 2**53
COUNTS = (
    "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "cache_write_tokens",
    "cache_write_5m_tokens", "cache_write_30m_tokens", "cache_write_1h_tokens",
    "cache_write_12h_tokens", "audio_input_tokens", "audio_output_tokens",
)  # fmt: skip
AMOUNTS = ("quantity", "reported_cost")
TEXTS = (
    "event_id", "request_id", "provider", "model", "operation", "service_tier", "region", "unit",
    "session_id", "trace_id", "raw_organization", "raw_workspace", "raw_team", "raw_user",
    "raw_customer", "agent_id", "raw_application", "raw_feature",
)  # fmt: skip
MEASURES = frozenset({*COUNTS, *AMOUNTS})
LAYERS = get_args(EvidenceLayer)
_STATUSES = {
    "ok": "ok", "success": "ok", "succeeded": "ok",
    "error": "error", "failure": "error", "failed": "error",
}  # fmt: skip


def _one_of(*known: str) -> Callable[[Any], str]:
    def choose(value: Any) -> str:
        if not isinstance(value, str) or value not in known:
            raise Misfit("unknown_value")
        return value

    return choose


def _status(value: Any) -> str:
    found = _STATUSES.get(value.lower()) if isinstance(value, str) else None
    if found is None:
        raise Misfit("unknown_value")
    return found


_CLEAN: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(COUNTS, whole),
    **dict.fromkeys(AMOUNTS, amount),
    **dict.fromkeys(TEXTS, text),
    "timestamp": moment,
    "external_customer_id": text,
    "status": _status,
    "fidelity": _one_of("per_request", "aggregate"),
    "evidence_layer": _one_of(*LAYERS),
    "token_convention": _one_of("inclusive", "disjoint"),
    "tags": tags,
}


class NamesAnotherSource(Exception):
    """A payload that says it is of another source than the one that signed in."""


def event_row(
    payload: Any, *, instance: str, evidence_layer: str, pepper: bytes, above: int = 0
) -> dict[str, Any] | SetAside:
    """The columns of an event, bare or in a CloudEvents envelope; or why it is set aside.

    `above` is how many levels of JSON it stands in. Raises NamesAnotherSource where the event names
    a source that is not the sender's, TooDeep where it is nested beyond what is read.
    """
    event = payload
    if isinstance(payload, dict) and "specversion" in payload and "data" in payload:
        refuse_deep(payload, above=above)
        event, above = payload["data"], above + 1
        if isinstance(event, dict):
            event = {"event_id": payload.get("id"), "timestamp": payload.get("time")} | {
                name: value for name, value in event.items() if value is not None
            }
    if not isinstance(event, dict):
        refuse_deep(payload, above=above)
        return refused(payload, None, "not_an_object")
    if event.get("source") not in (None, "", instance, "collector"):
        raise NamesAnotherSource
    properties = event.get("properties") or {}
    if not isinstance(properties, dict):
        refuse_deep(properties, above=above + 1)
        return refused(payload, "properties", "not_an_object")
    if event.get("event_name") not in (None, EVENT_NAME):
        return refused(payload, "event_name", "unknown_value")
    row: dict[str, Any] = {"evidence_layer": evidence_layer}
    for fields in (properties, event):
        for name, value in fields.items():
            clean = _CLEAN.get(name)
            # What nearly every event holds is taken at once: a hundred of them wait for it.
            if clean is text and type(value) is str and 0 < len(value) < _SHORT:
                if value.isprintable():
                    row[name] = value
                    continue
            elif clean is whole and type(value) is int and 0 <= value < _LARGE:
                row[name] = value
                continue
            if type(value) in (dict, list) and value is not properties:
                refuse_deep(value, above=above + (2 if fields is properties else 1))
            if clean is None or value is None or value == "":
                continue
            try:
                cleaned = clean(value)
            except Misfit as misfit:
                return refused(payload, name, str(misfit))
            if cleaned is not None:
                row[name] = cleaned
    return _completed(row, properties.get("raw_key") or event.get("raw_key"), payload, pepper)


def _completed(
    row: dict[str, Any], raw_key: Any, payload: Any, pepper: bytes
) -> dict[str, Any] | SetAside:
    """The row with its customer, its key and its identity, if it says what was used and when."""
    if "timestamp" not in row:
        return refused(payload, "timestamp", "missing")
    if MEASURES.isdisjoint(row) and row.get("status") != "error":
        return refused(payload, None, "no_usage")
    row["occurred_at"] = row.pop("timestamp")
    customer = row.pop("external_customer_id", None)
    if customer is not None:
        row["raw_customer"] = customer
    if isinstance(raw_key, str) and raw_key:
        row["raw_key_hash"] = key_hash(raw_key, pepper)
        if len(raw_key) >= _ALIAS_FROM:
            row["raw_key_alias"] = f"...{raw_key[-4:]}"
    if "event_id" not in row and "request_id" not in row:
        row["payload_sha256"] = hash_of(payload)
    return row


def key_hash(raw_key: str, pepper: bytes) -> str:
    """What is kept of a raw key: the same for one key and pepper, whichever source names it."""
    return hmac.new(pepper, raw_key.encode(errors="replace"), hashlib.sha256).hexdigest()


_COLUMNS = (
    Column("event_id", TEXT),
    Column("request_id", TEXT),
    Column("payload_sha256", TEXT),
    Column("occurred_at", UTC_TIME, required=True),
    Column("evidence_layer", TEXT, required=True),
    Column("fidelity", TEXT),
    Column("token_convention", TEXT),
    Column("status", TEXT),
    *(Column(name, INTEGER) for name in COUNTS),
    *(Column(name, MONEY) for name in AMOUNTS),
    *(Column(name, TEXT) for name in TEXTS if name not in ("event_id", "request_id")),
    Column("raw_key_hash", TEXT),
    Column("raw_key_alias", TEXT),
    Column("tags", TEXT),
)


def contract_of(resource: str, columns: tuple[Column, ...]) -> Contract:
    """A contract over rows that were cleaned when they came in: a column is the field it names."""
    names = tuple(column.name for column in columns)
    return Contract(
        resource=resource,
        columns=columns,
        pick=lambda row: [row.get(name) for name in names],
        known_fields=frozenset(names),
    )


EVENTS = contract_of("events", _COLUMNS)
INBOX_EVENTS = contract_of("inbox_events", _COLUMNS)
