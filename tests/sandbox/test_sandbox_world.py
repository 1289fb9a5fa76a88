"""The generated world: determinism, realism, and the exact cost of its calls."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow.compute as pc
import pytest

from sandbox.catalogue import MODELS, Model, cost_of_call
from sandbox.company import KEYS, TEAM_ALIASES, TEAMS, UNKNOWN_MODEL, agent_by_id, key_by_alias
from sandbox.world import World, build_world, milliseconds

AS_OF = datetime(2026, 11, 23, 18, tzinfo=UTC)


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(seed=7, as_of=AS_OF, events=20_000, days=45)


def model_named(system: str, name: str) -> Model:
    (model,) = (each for each in MODELS if each.system == system and each.name == name)
    return model


def test_the_same_seed_makes_the_same_world() -> None:
    first, second = (build_world(seed=7, as_of=AS_OF, events=2_000) for _ in range(2))

    assert first.litellm.equals(second.litellm)
    assert first.bedrock.equals(second.bedrock)


def test_another_seed_makes_another_world() -> None:
    first, second = (build_world(seed=seed, as_of=AS_OF, events=2_000) for seed in (7, 8))

    assert not first.litellm.equals(second.litellm)


def test_a_naive_end_of_time_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        build_world(seed=7, as_of=datetime(2026, 11, 23), events=10)  # noqa: DTZ001


def test_every_event_lies_within_the_days_and_before_the_last_two_minutes(world: World) -> None:
    starts = world.litellm.column("start_ms").to_pylist()
    delivered = world.bedrock.column("delivered_ms").to_pylist()

    assert starts == sorted(starts)
    assert starts[0] >= milliseconds(AS_OF - timedelta(days=45))
    assert starts[-1] <= milliseconds(AS_OF - timedelta(minutes=2))
    assert delivered == sorted(delivered)
    assert delivered[-1] < milliseconds(AS_OF)
    assert world.litellm.num_rows + world.bedrock.num_rows == 20_000


def test_ids_are_unique(world: World) -> None:
    for table, column in (
        (world.litellm, "call_id"),
        (world.litellm, "request_id"),
        (world.bedrock, "request_id"),
    ):
        assert len(pc.unique(table.column(column))) == table.num_rows


def test_the_world_holds_every_kind_of_call(world: World) -> None:
    calls = world.litellm.to_pylist()

    assert any(call["cache_hit"] == "True" and call["prompt_tokens"] > 0 for call in calls)
    assert any(call["status"] == "failure" and call["prompt_tokens"] > 0 for call in calls)
    assert any(call["status"] == "failure" and call["prompt_tokens"] == 0 for call in calls)
    assert any(call["call_type"] == "aembedding" and call["total_tokens"] == 0 for call in calls)
    assert any(call["cache_write_5m_tokens"] for call in calls)
    assert any(call["cache_write_1h_tokens"] for call in calls)
    assert any(call["reasoning_tokens"] for call in calls)
    assert any(call["is_fallback"] for call in calls)
    assert any(call["model"].endswith(UNKNOWN_MODEL) for call in calls)
    assert {call["key_alias"] for call in calls} == {key.alias for key in KEYS}
    assert {call["team_id"] for call in calls} == set(TEAM_ALIASES)


def test_what_is_unknown_is_about_one_percent(world: World) -> None:
    calls = world.litellm.num_rows

    for column, value in (("team_id", "team-contractors"), ("customer", "acquired-co")):
        count = pc.sum(pc.equal(world.litellm.column(column), value)).as_py()
        assert 0.005 * calls < count < 0.02 * calls


def test_hedy_calls_for_search_until_she_moves(world: World) -> None:
    moved_at = milliseconds(datetime(2026, 11, 2, tzinfo=UTC))
    calls = [
        call for call in world.litellm.to_pylist() if call["user_email"] == "hedy@acme.example"
    ]

    assert {call["team_id"] for call in calls if call["start_ms"] < moved_at} == {"team-search"}
    assert {call["team_id"] for call in calls if call["start_ms"] >= moved_at} == {"team-assist"}


def test_a_working_hour_is_busier_than_a_weekend_hour(world: World) -> None:
    moments = [
        datetime.fromtimestamp(ms // 1000, UTC)
        for ms in world.litellm.column("start_ms").to_pylist()
    ]
    working = sum(moment.weekday() < 5 and 9 <= moment.hour < 17 for moment in moments) // (32 * 8)
    weekend = sum(moment.weekday() >= 5 for moment in moments) // (13 * 24)

    assert working > 5 * weekend


def test_token_parts_never_exceed_their_whole(world: World) -> None:
    for call in world.litellm.to_pylist():
        written = call["cache_write_5m_tokens"] + call["cache_write_1h_tokens"]
        if call["status"] == "success":
            assert call["cache_read_tokens"] + written < call["prompt_tokens"]
        assert call["reasoning_tokens"] <= call["completion_tokens"]


def test_spend_is_the_catalogue_cost_or_zero(world: World) -> None:
    for call in world.litellm.to_pylist():
        read = call["cache_read_tokens"]
        five, hour = call["cache_write_5m_tokens"], call["cache_write_1h_tokens"]
        expected = cost_of_call(
            model_named("litellm", call["model"]),
            input_tokens=call["prompt_tokens"] - read - five - hour,
            output_tokens=call["completion_tokens"],
            cache_read_tokens=read,
            cache_write_5m_tokens=five,
            cache_write_1h_tokens=hour,
        )
        is_free = call["status"] == "failure" or call["cache_hit"] == "True"
        assert call["spend_usd"] == (0 if is_free else expected)


def test_list_cost_of_an_invocation_is_the_catalogue_cost(world: World) -> None:
    for row in world.bedrock.to_pylist():
        expected = cost_of_call(
            model_named("bedrock", row["model_id"]),
            input_tokens=row["input_tokens"],
            output_tokens=row["output_tokens"],
            cache_read_tokens=row["cache_read_tokens"],
            cache_write_5m_tokens=row["cache_write_5m_tokens"],
            cache_write_1h_tokens=row["cache_write_1h_tokens"],
        )
        assert row["list_usd"] == (0 if row["error_code"] else expected)


def test_cost_of_a_plain_call() -> None:
    # 1,000,000 x 0.15 and 500,000 x 0.60 per million.
    model = model_named("litellm", "openai/gpt-4o-mini")

    assert cost_of_call(model, input_tokens=1_000_000, output_tokens=500_000) == Decimal("0.45")


def test_cost_of_a_call_with_cache_of_both_lifetimes() -> None:
    # 120 x 3 + 8,000 x 0.3 + 1,000 x 3.75 + 500 x 6 + 410 x 15 = 15,660 millionths.
    assert cost_of_call(
        model_named("litellm", "claude-sonnet-4-5-20250929"),
        input_tokens=120,
        output_tokens=410,
        cache_read_tokens=8_000,
        cache_write_5m_tokens=1_000,
        cache_write_1h_tokens=500,
    ) == Decimal("0.01566")


def test_cost_of_a_long_prompt_is_at_the_higher_tier_throughout() -> None:
    model = model_named("litellm", "gemini/gemini-2.5-pro")

    # 200,000 x 1.25 + 1,000 x 10; one token more: 200,001 x 2.5 + 1,000 x 15.
    assert cost_of_call(model, input_tokens=200_000, output_tokens=1_000) == Decimal("0.26")
    assert cost_of_call(model, input_tokens=200_001, output_tokens=1_000) == Decimal("0.5150025")


def test_an_unknown_model_costs_nothing_it_could_claim() -> None:
    model = model_named("litellm", f"hosted_vllm/{UNKNOWN_MODEL}")

    assert cost_of_call(model, input_tokens=5_000, output_tokens=5_000) == 0


def test_counts_tie_out_with_the_rows(world: World) -> None:
    counts = world.counts()
    calls, rows = world.litellm.to_pylist(), world.bedrock.to_pylist()

    assert counts["litellm"]["prompt_tokens"] == sum(call["prompt_tokens"] for call in calls)
    assert Decimal(counts["litellm"]["spend_usd"]) == sum(call["spend_usd"] for call in calls)
    assert sum(world.spend_by("key_alias").values()) == sum(call["spend_usd"] for call in calls)
    assert counts["bedrock"]["output_tokens"] == sum(
        row["output_tokens"] for row in rows if not row["error_code"]
    )


def test_the_company_has_thirty_people_in_six_teams_and_an_own_key_an_agent() -> None:
    assert len({name for team in TEAMS for name in team.members}) == 30
    assert len(TEAMS) == 6
    assert key_by_alias("agent-coder-key").team_id == agent_by_id("coder").team_id
    with pytest.raises(KeyError, match="no key"):
        key_by_alias("nobody")
    with pytest.raises(KeyError, match="no agent"):
        agent_by_id("nobody")
