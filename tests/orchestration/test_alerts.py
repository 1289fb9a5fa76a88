"""The alert state machine, with numbers that can be checked on paper."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from orchestration.governance.alerts import (
    FRESH,
    Observation,
    State,
    Thresholds,
    level_of,
    next_state,
    pass_over,
    resolve_gone,
)

DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
IN_NOVEMBER = datetime(2026, 11, 23, 12, tzinfo=UTC)
LIMITS = Thresholds(info=Decimal(500), warning=Decimal(800), critical=Decimal(1000))


def seen(value: str | None, **changes: object) -> Observation:
    observation = Observation(
        value=None if value is None else Decimal(value),
        thresholds=LIMITS,
        period_end=DECEMBER,
        as_of=IN_NOVEMBER,
        first_evaluated_at=IN_NOVEMBER - timedelta(days=3),
        is_closed=False,
    )
    return replace(observation, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "level"),
    [("499.999999999999999", "ok"), ("500", "info"), ("800", "warning"), ("1000", "critical")],
)
def test_equality_fires(value: str, level: str) -> None:
    assert level_of(Decimal(value), LIMITS) == level


@pytest.mark.parametrize(
    ("value", "level"), [("50.01", "ok"), ("50", "info"), ("20", "warning"), ("0", "critical")]
)
def test_a_falling_balance_fires_below(value: str, level: str) -> None:
    below = Thresholds(Decimal(50), Decimal(20), Decimal(0), condition="below")
    assert level_of(Decimal(value), below) == level


def test_without_thresholds_nothing_fires() -> None:
    assert level_of(Decimal(10**9), Thresholds(None, None, None)) == "ok"


def test_a_jump_is_one_transition_that_names_every_crossed_level() -> None:
    state, moves = next_state(FRESH, seen("1200"))
    assert [(m.from_level, m.to_level, m.crossed) for m in moves] == [
        ("ok", "critical", ("info", "warning", "critical"))
    ]
    assert state == State(level="critical", announced="critical", seq=1, rolled=False)


def test_a_partial_recovery_lands_on_the_level_that_still_matches() -> None:
    state, _ = next_state(FRESH, seen("1200"))
    state, moves = next_state(state, seen("700"))
    assert (moves[0].from_level, moves[0].to_level, moves[0].seq) == ("critical", "info", 2)
    assert moves[0].crossed == ("critical", "warning")
    assert next_state(state, seen("700")) == (state, ())


def test_a_first_finding_is_a_baseline_and_a_first_ok_is_nothing() -> None:
    _, moves = next_state(None, seen("850", first_evaluated_at=None))
    assert [(m.to_level, m.baseline) for m in moves] == [("warning", True)]
    assert next_state(None, seen("10", first_evaluated_at=None))[1] == ()


def test_a_new_period_of_a_known_alert_is_no_baseline() -> None:
    _, moves = next_state(None, seen("850"))
    assert [m.baseline for m in moves] == [False]


@pytest.mark.parametrize("value", [None, "NaN", "Infinity", "-Infinity"])
def test_no_amount_is_neither_breach_nor_recovery(value: str | None) -> None:
    critical, _ = next_state(FRESH, seen("1200"))
    assert next_state(critical, seen(value)) == (critical, ())


def test_a_period_that_ends_above_ok_recovers_exactly_once() -> None:
    critical, _ = next_state(FRESH, seen("1200"))
    rolled, moves = next_state(critical, seen("1200", as_of=DECEMBER))
    assert [(m.from_level, m.to_level, m.cause) for m in moves] == [
        ("critical", "ok", "period_roll")
    ]
    assert next_state(rolled, seen("1200", as_of=DECEMBER))[1] == ()


def test_late_usage_moves_an_ended_period_up_and_says_so() -> None:
    warning, _ = next_state(FRESH, seen("900"))
    rolled, _ = next_state(warning, seen("900", as_of=DECEMBER))
    state, moves = next_state(rolled, seen("1001", as_of=DECEMBER))
    assert [(m.from_level, m.to_level, m.late, m.seq) for m in moves] == [
        ("ok", "critical", True, 3)
    ]
    assert next_state(state, seen("1001", as_of=DECEMBER))[1] == ()


def test_a_correction_down_in_an_ended_period_alarms_nobody() -> None:
    critical, _ = next_state(FRESH, seen("1200"))
    rolled, _ = next_state(critical, seen("1200", as_of=DECEMBER))
    assert next_state(rolled, seen("850", as_of=DECEMBER))[1] == ()


def test_a_closed_period_emits_nothing() -> None:
    rolled, _ = next_state(FRESH, seen("900", as_of=DECEMBER))
    state, moves = next_state(rolled, seen("1200", as_of=DECEMBER, is_closed=True))
    assert (state.level, moves) == ("critical", ())


def test_a_period_over_before_the_first_evaluation_is_recorded_and_never_told() -> None:
    old = seen("1200", as_of=DECEMBER, first_evaluated_at=None)
    state, moves = next_state(None, old)
    assert (state.level, state.announced, moves) == ("critical", "ok", ())
    again = replace(old, value=Decimal(5), first_evaluated_at=DECEMBER)
    assert next_state(state, again)[1] == ()
    assert next_state(state, replace(again, value=Decimal(1200)))[1] == ()


def test_time_going_back_does_not_reopen_a_period() -> None:
    critical, _ = next_state(FRESH, seen("1200"))
    rolled, _ = next_state(critical, seen("1200", as_of=DECEMBER))
    state, moves = next_state(rolled, seen("1200", as_of=DECEMBER - timedelta(hours=2)))
    assert (state, moves) == (rolled, ())


def test_a_raised_limit_recovers_and_a_lowered_one_jumps() -> None:
    warning, _ = next_state(FRESH, seen("900"))
    raised = Thresholds(Decimal(5000), Decimal(8000), Decimal(10000))
    ok, moves = next_state(warning, seen("900", thresholds=raised))
    assert [m.to_level for m in moves] == ["ok"]
    _, moves = next_state(ok, seen("900", thresholds=Thresholds(None, None, Decimal(900))))
    assert [(m.to_level, m.crossed) for m in moves] == [("critical", ("critical",))]


def test_a_deleted_budget_resolves_its_alert_once() -> None:
    warning, _ = next_state(FRESH, seen("900"))
    gone, moves = resolve_gone(warning, LIMITS, cause="deleted")
    assert [(m.to_level, m.cause) for m in moves] == [("ok", "deleted")]
    assert resolve_gone(gone, LIMITS, cause="deleted") == (gone, ())


@pytest.mark.parametrize(
    ("value", "level"),
    [
        # Warning holds down to 720, a tenth below 800; info down to 450.
        ("1000", "critical"),
        ("799", "warning"),
        ("720", "warning"),
        ("719.99", "info"),
        ("450", "info"),
        ("449.99", "ok"),
    ],
)
def test_a_level_is_left_only_well_below_its_threshold(value: str, level: str) -> None:
    at_warning = State(level="warning", announced="warning", seq=1, rolled=False)
    state, _ = next_state(at_warning, seen(value, hysteresis_ratio=Decimal("0.1")))
    assert state.level == level


def test_a_trembling_value_is_told_once() -> None:
    state, told = FRESH, []
    for value in ("800", "799", "801", "790", "800"):
        state, moves = next_state(state, seen(value, hysteresis_ratio=Decimal("0.05")))
        told += [(m.from_level, m.to_level) for m in moves]
    assert told == [("ok", "warning")]


def test_a_balance_rises_well_over_its_threshold_before_it_has_recovered() -> None:
    below = Thresholds(Decimal(50), Decimal(20), Decimal(0), condition="below")
    at_info = State(level="info", announced="info", seq=1, rolled=False)
    levels = [
        next_state(at_info, seen(v, thresholds=below, hysteresis_ratio=Decimal("0.2")))[0].level
        for v in ("60", "60.01")
    ]
    assert levels == ["info", "ok"]


def test_a_threshold_below_zero_moves_back_by_its_size() -> None:
    """Info at -10 with a tenth of it back ends below -11; critical at 0 has nothing to move by."""
    around_zero = Thresholds(Decimal(-10), None, Decimal(0))
    at_critical = State(level="critical", announced="critical", seq=1, rolled=False)
    levels = [
        next_state(at_critical, seen(v, thresholds=around_zero, hysteresis_ratio=Decimal("0.1")))[0]
        for v in ("0", "-0.01", "-10.5", "-11", "-11.01")
    ]
    assert [state.level for state in levels] == ["critical", "info", "info", "info", "ok"]


def test_a_paused_alert_hears_nothing_but_the_end_of_its_period() -> None:
    at_warning = State(level="warning", announced="warning", seq=1, rolled=False)
    assert pass_over(at_warning, seen("1200")) == (at_warning, ())
    state, moves = pass_over(at_warning, seen("1200", as_of=DECEMBER))
    assert state.rolled and [(m.to_level, m.cause) for m in moves] == [("ok", "period_roll")]
