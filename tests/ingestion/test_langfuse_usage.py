"""Usage maps fold into disjoint buckets; what the total does not explain is told, not hidden."""

from typing import Any

import pytest

from ingestion.langfuse_tree import AGENT_NAME, HAS_USAGE_BELOW, nodes_of, place
from ingestion.langfuse_usage import Usage, is_used, numbers_text, usage_of


def counts(usage: Usage) -> dict[str, Any]:
    """What is told, without what is not."""
    told = {name.removesuffix("_tokens"): value for name, value in vars(usage).items()}
    return {name: value for name, value in told.items() if value is not None}


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        # OpenAI's, rewritten by the server: 900 + 300 in, 180 + 64 out.
        (
            {"input": 900, "input_cached_tokens": 300, "output": 180,
             "output_reasoning_tokens": 64, "total": 1444},
            {"input": 900, "cache_read": 300, "output": 180, "reasoning": 64,
             "reported_total": 1444, "total_mismatch": 0},
        ),
        # LiteLLM: 5300 + 5000 + 8000 + 420 is 5000 more than 13720, which is what was written.
        (
            {"input": 5300, "output": 420, "total": 13720,
             "cache_creation_input_tokens": 5000, "cache_read_input_tokens": 8000},
            {"input": 300, "cache_read": 8000, "cache_write_unsplit": 5000, "output": 420,
             "reported_total": 13720, "total_mismatch": 0},
        ),
        # The input contains what was read: 1000 + 600 + 50 is 600 more than 1050.
        (
            {"input": 1000, "cache_read_input_tokens": 600, "output": 50, "total": 1050},
            {"input": 400, "cache_read": 600, "output": 50, "reported_total": 1050,
             "total_mismatch": 0},
        ),
        # The output contains what was thought: 100 + 80 + 30 is 30 more than 180.
        (
            {"input": 100, "output": 80, "output_reasoning": 30, "total": 180},
            {"input": 100, "output": 50, "reasoning": 30, "reported_total": 180,
             "total_mismatch": 0},
        ),
        # Vercel on Bedrock does not subtract what was written.
        (
            {"input": 900, "input_cache_write": 700, "output": 10, "total": 910},
            {"input": 200, "cache_write_unsplit": 700, "output": 10, "reported_total": 910,
             "total_mismatch": 0},
        ),
        # 100 + 600 + 50 is 650 more than 100: of nothing that is told, so it is left and flagged.
        (
            {"input": 100, "cache_read_input_tokens": 600, "output": 50, "total": 100},
            {"input": 100, "cache_read": 600, "output": 50, "reported_total": 100,
             "total_mismatch": -650},
        ),
        # What would be taken out is more than there is.
        (
            {"input": 100, "cache_read_input_tokens": 600, "total": 100},
            {"input": 100, "cache_read": 600, "reported_total": 100, "total_mismatch": -600},
        ),
        ({"input": 5, "total": 9}, {"input": 5, "reported_total": 9, "total_mismatch": 4}),
        ({"input": 5, "output": 2}, {"input": 5, "output": 2}),
        (
            {"input_cache_creation_5m": 10, "input_cache_creation_1h": 20, "input_cache_read": 7},
            {"cache_write_5m": 10, "cache_write_1h": 20, "cache_read": 7},
        ),
        (
            {"input_audio_tokens": 3, "output_audio_tokens": 4, "input_modality_image": 5,
             "input_modality_text": 6, "cached_modality_text": 2,
             "output_accepted_prediction_tokens": 8, "output_rejected_prediction_tokens": 1},
            {"audio_input": 3, "audio_output": 4, "image_input": 5, "input": 6, "cache_read": 2,
             "output": 9},
        ),
        # Custom units: in the total, or beside a total of tokens.
        (
            {"search_units": 3, "total": 3},
            {"reported_total": 3, "total_mismatch": 0, "unit": "search_units", "quantity": 3},
        ),
        (
            {"input": 10, "web_search_requests": 2, "total": 10},
            {"input": 10, "reported_total": 10, "total_mismatch": 0,
             "unit": "web_search_requests", "quantity": 2},
        ),
        ({"images": 2}, {"unit": "images", "quantity": 2}),
        ({"input_characters": 12.5}, {"unit": "input_characters", "quantity": 12.5}),
        ({"pages": 0, "search_units": 1, "tiles": 4}, {"unit": "search_units", "quantity": 1}),
        # ClickHouse may quote 64 bits.
        ({"input": "12", "total": "12"}, {"input": 12, "reported_total": 12, "total_mismatch": 0}),
        ({"input": None}, {}),
        ({}, {}),
        (None, {}),
        # No count: it stands where it would be rejected.
        ({"input": 5, "input_text_tokens": "many"}, {"input": "many"}),
        ({"input": -5, "total": 2}, {"input": -5, "reported_total": 2}),
    ],
)  # fmt: skip
def test_a_map_is_parted_into_buckets(details: Any, expected: dict[str, Any]) -> None:
    assert counts(usage_of(details)) == expected


def test_the_map_is_kept_as_numbers_by_name() -> None:
    details = {"total": "3", "b": 1.5, "a": 0, "text": "CANARY", "nan": float("nan"), "yes": True}
    assert numbers_text(details) == '{"a":0,"b":1.5,"total":3}'
    assert numbers_text({}) is None
    assert numbers_text(None) is None
    assert numbers_text([1]) == [1]


def test_what_counts_or_costs_something_is_used() -> None:
    assert is_used({"usageDetails": {"input": "4"}})
    assert is_used({"usageDetails": {}, "totalCost": 0.1})
    assert not is_used({"usageDetails": {"input": 0, "x": "many"}, "totalCost": None})


def span(id: str, parent: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"id": id, "parentObservationId": parent, "type": "SPAN", **fields}


def test_whatever_stands_above_usage_repeats_it_however_deep() -> None:
    tokens = {"usageDetails": {"input": 9}}
    records = [
        span("call", "step", **tokens),
        span("step", "agent"),
        span("agent", "gone", type="AGENT", name="planner", **tokens),
        span("alone", "agent", **tokens),
        span("empty", "alone"),
        ["no object"],
        span("loop a", "loop b", **tokens),
        span("loop b", "loop a"),
    ]
    place(records, around=())
    told = {record["id"]: record for record in records if isinstance(record, dict)}
    assert {id for id, record in told.items() if record[HAS_USAGE_BELOW]} == {
        "step", "agent", "loop a", "loop b",
    }  # fmt: skip
    assert {id: record[AGENT_NAME] for id, record in told.items()} == {
        "call": "planner", "step": "planner", "agent": "planner", "alone": "planner",
        "empty": "planner", "loop a": None, "loop b": None,
    }  # fmt: skip


def test_a_tree_reaches_into_the_days_around() -> None:
    before = nodes_of([span("agent", type="AGENT", name="planner")])
    after = nodes_of([span("late", "step", usageDetails={"input": 9})])
    records = [span("step", "agent")]
    place(records, around=[*before, *after])
    assert records[0] == span("step", "agent", agentName="planner", hasUsageBelow=True)
