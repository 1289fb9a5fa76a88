"""The common case: an array of events of nothing but known fields, each of its type.

Such a body needs no cleaning before it is written, which is what makes the service fast; anything
else (another field, a number as text, a raw key) takes the way of `event_row`.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from ingestion.collector.events import (
    AMOUNTS,
    COUNTS,
    EVENT_NAME,
    LAYERS,
    MEASURES,
    TEXTS,
    NamesAnotherSource,
)

_DAY, _CLOCK = "[0-9]{4}-[0-9]{2}-[0-9]{2}", "[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?"
_TIME = f"^{_DAY}T{_CLOCK}(Z|[+-][0-9]{{2}}:[0-9]{{2}})$"
_Text = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
_Tag = Annotated[str, StringConstraints(min_length=1, max_length=128)]
_Count = Annotated[int, Field(ge=0, lt=2**63)]
_Amount = Annotated[int, Field(ge=0, lt=2**53)] | Annotated[float, Field(ge=0, lt=2**53)]
_PLAIN = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

_Properties = TypedDict(
    "_Properties",
    {
        **dict.fromkeys(COUNTS, _Count),
        **dict.fromkeys(AMOUNTS, _Amount),
        **dict.fromkeys([name for name in TEXTS if name != "event_id"], _Text),
        "status": Literal["ok", "error"],
        "fidelity": Literal["per_request", "aggregate"],
        "evidence_layer": Literal[LAYERS],
        "token_convention": Literal["inclusive", "disjoint"],
        "tags": Annotated[dict[_Tag, _Tag], Field(max_length=64)],
    },
    total=False,
)
_Properties.__pydantic_config__ = _PLAIN  # type: ignore[attr-defined]


class _Named(TypedDict, total=False):
    event_id: _Text
    event_name: Literal[EVENT_NAME]
    external_customer_id: _Text
    source: _Text


class _Event(_Named):
    timestamp: Annotated[str, StringConstraints(pattern=_TIME)]
    properties: _Properties


_Event.__pydantic_config__ = _PLAIN  # type: ignore[attr-defined]
_EVENTS = TypeAdapter(list[_Event])


def plain_events(body: bytes, *, instance: str) -> list[dict[str, Any]] | None:
    """The events of a body that may be written as they are; None where one needs a closer look.

    Raises NamesAnotherSource as `event_row` does.
    """
    try:
        events: list[Any] = _EVENTS.validate_json(body)
    except ValidationError:
        return None
    known = (None, instance, "collector")
    for event in events:
        properties = event["properties"]
        if event.get("source") not in known:
            raise NamesAnotherSource
        # One without an id is known by the hash of all that was sent.
        if "event_id" not in event and "request_id" not in properties:
            return None
        if MEASURES.isdisjoint(properties):
            return None
    return events
