"""Any repeats of usage events, in any order and over any loads and passes, are the set of them."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from collector_service import event
from hypothesis import given, settings
from hypothesis import strategies as st
from redelivered_usage import Delivery, Redelivery, Row
from spend_log_server import call

SPLIT = {"cached_tokens": 300, "cache_write_tokens": 200, "reasoning_tokens": 50}
PULLED = [
    call(1000),
    call(1001, at="2026-11-22T23:59:59.999+00:00", spend=0),
    call(1002, status="failure", completion_tokens=0, total_tokens=100, spend=0),
    call(1003, metadata={"usage_object": {"prompt_tokens_details": {"cached_tokens": 40}}}),
]
# The proxy pushed the first call as well: the row that was pulled says more of it.
PUSHED = [
    {"id": "call-1000", "litellm_call_id": "call-1000", "call_type": "acompletion",
     "status": "success", "startTime": 1795417200, "endTime": 1795417201, "model": "gpt-4o-mini",
     "custom_llm_provider": "openai", "prompt_tokens": 100, "completion_tokens": 10,
     "total_tokens": 110, "response_cost": 0.001, "metadata": {}},
]  # fmt: skip
EVENTS = [
    event("first-event", reported_cost=0.5),
    event("split-event", **SPLIT),
    event(None, input_tokens=7, output_tokens=3),  # without an id: it is what it says
    event("call-seen-from-the-program", request_id="call-1003"),
]


@pytest.fixture(scope="module")
def usage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redelivery]:
    usage = Redelivery(
        tmp_path_factory.mktemp("usage"), pulled=PULLED, pushed=PUSHED, events=EVENTS
    )
    yield usage
    usage.close()


# Of each act its tokens and what its source says it cost, by hand from the above.
WITHOUT_ID = "an event without an id"
HAND: dict[str, tuple[int, Decimal | None]] = {
    "call-1000": (110, Decimal("0.001")),
    "call-1001": (110, None),  # 0 for tokens that were used is no price
    "call-1002": (100, Decimal(0)),  # it failed
    "call-1003": (110, Decimal("0.001")),
    "first-event": (1_200, Decimal("0.5")),
    "split-event": (1_200, None),
    WITHOUT_ID: (10, None),
    "call-seen-from-the-program": (1_200, None),
}
ROWS = len(PULLED) + len(PUSHED) + len(EVENTS)


def name_of(act: Row) -> str:
    return act["source_record_id"] if act["source_record_id"] in HAND else WITHOUT_ID


@pytest.fixture(scope="module")
def names(usage: Redelivery) -> list[str]:
    """The act that each row is of."""
    assert len(usage.rows) == ROWS
    found = [usage.acts([Delivery(row, 0, 0)]) for row in range(ROWS)]
    return [name_of(act) for (act,) in found]


@pytest.fixture(scope="module")
def once(usage: Redelivery) -> dict[frozenset[int], list[Row]]:
    """The acts of each set of rows, loaded once by one load; kept."""
    return {}


deliveries = st.lists(
    st.builds(
        Delivery, row=st.integers(0, ROWS - 1), load=st.integers(0, 7), load_pass=st.integers(0, 2)
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(delivered=deliveries)
def test_any_repeats_are_the_set(
    usage: Redelivery,
    names: list[str],
    once: dict[frozenset[int], list[Row]],
    delivered: list[Delivery],
) -> None:
    # A load is taken up whole, by one pass.
    taken_up = {each.load: each.load_pass for each in delivered}
    delivered = [Delivery(each.row, each.load, taken_up[each.load]) for each in delivered]
    rows = frozenset(each.row for each in delivered)
    if rows not in once:
        once[rows] = usage.acts([Delivery(row, 0, 0) for row in sorted(rows)])
    found = usage.acts(delivered)
    assert found == once[rows]

    told = {names[row] for row in rows}
    assert sorted(name_of(act) for act in found) == sorted(told)
    assert {name_of(act): (act["total_tokens"], act["reported_cost_usd"]) for act in found} == {
        name: HAND[name] for name in told
    }
    # The program's event is of a call that the proxy tells as well, if it does.
    twice = {"call-seen-from-the-program"} if "call-1003" in told else set()
    carried = [act for act in found if not act["is_shadow"]]
    assert sum(act["total_tokens"] for act in carried) == sum(HAND[n][0] for n in told - twice)
    assert sum(act["reported_cost_usd"] or Decimal(0) for act in carried) == sum(
        HAND[name][1] or Decimal(0) for name in told
    )
