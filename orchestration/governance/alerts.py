"""The alert state machine: given what was and what the facts say, what state follows and who hears.

Pure: no clock, no store, no message. Time is the snapshot's (`as_of`), never `now`.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Literal

Level = Literal["ok", "info", "warning", "critical"]
Condition = Literal["above", "below"]
Cause = Literal["usage", "period_roll", "moved", "deleted"]

LEVELS: tuple[Level, ...] = ("ok", "info", "warning", "critical")


@dataclass(frozen=True)
class Thresholds:
    """What each level needs; None = that level is not used."""

    info: Decimal | None
    warning: Decimal | None
    critical: Decimal | None
    condition: Condition = "above"

    def at(self, level: Level) -> Decimal | None:
        """The threshold of a level."""
        return {
            "ok": None,
            "info": self.info,
            "warning": self.warning,
            "critical": self.critical,
        }[level]


@dataclass(frozen=True)
class State:
    """Where one alert stands in one period.

    `level` is what the value says, `announced` what the last transition said. They part where a
    period ended (its end is announced as `ok`) and where nothing may be announced.
    """

    level: Level
    announced: Level
    seq: int
    rolled: bool


FRESH = State(level="ok", announced="ok", seq=0, rolled=False)


@dataclass(frozen=True)
class Observation:
    """What one snapshot says of one alert in one period."""

    value: Decimal | None
    thresholds: Thresholds
    period_end: datetime
    as_of: datetime
    first_evaluated_at: datetime | None  # of the alert; None = never before
    is_closed: bool  # the books of this period are closed
    hysteresis_ratio: Decimal = Decimal(0)  # how far back over a threshold before a level falls
    is_edited: bool = False  # declared otherwise than when it was seen last


@dataclass(frozen=True)
class Move:
    """One transition: a change of state that is recorded and told."""

    seq: int
    from_level: Level
    to_level: Level
    crossed: tuple[Level, ...]
    cause: Cause
    late: bool
    baseline: bool


def kind_of(alert_id: str) -> str:
    """The kind that an alert's id begins with, for example budget."""
    return alert_id.partition(":")[0]


def severity(level: Level) -> int:
    """0 for ok to 3 for critical."""
    return LEVELS.index(level)


def is_data_error(value: Decimal | None) -> bool:
    """True for what is no amount (nothing, NaN, infinity): neither a breach nor a recovery."""
    return value is None or not value.is_finite()


def level_of(value: Decimal, thresholds: Thresholds) -> Level:
    """The most severe level that matches; equality fires."""
    for level in reversed(LEVELS):
        threshold = thresholds.at(level)
        if threshold is None:
            continue
        if thresholds.condition == "above" and value >= threshold:
            return level
        if thresholds.condition == "below" and value <= threshold:
            return level
    return "ok"


def settled_level(value: Decimal, thresholds: Thresholds, *, at: Level, ratio: Decimal) -> Level:
    """The level a value settles at, coming from another: it falls only well clear of a threshold.

    Getting worse it is the level that matches; getting better, the one that matches thresholds
    moved back by a share of their size (lower for `above`, higher for `below`), so that a value
    that trembles at a threshold is told once. A threshold of 0 stays where it is.
    """
    level = level_of(value, thresholds)
    if not ratio or severity(level) >= severity(at):
        return level
    back = -ratio if thresholds.condition == "above" else ratio
    moved = {
        name: None if (at_level := thresholds.at(name)) is None else at_level + abs(at_level) * back
        for name in LEVELS
    }
    relaxed = replace(
        thresholds, info=moved["info"], warning=moved["warning"], critical=moved["critical"]
    )
    return min(at, level_of(value, relaxed), key=severity)


def next_state(state: State | None, seen: Observation) -> tuple[State, tuple[Move, ...]]:
    """The state after this observation and the transitions on the way, oldest first."""
    ended = seen.period_end <= seen.as_of or (state is not None and state.rolled)
    moves: list[Move] = []
    current = state or FRESH
    if ended and not current.rolled:
        current, roll = roll_period(current, seen.thresholds)
        moves += roll
    if is_data_error(seen.value):
        return current, tuple(moves)
    assert seen.value is not None
    level = settled_level(
        seen.value, seen.thresholds, at=current.level, ratio=seen.hysteresis_ratio
    )
    first = seen.first_evaluated_at
    ended_before_first_seen = seen.period_end <= (first or seen.as_of)
    # Late is what usage brings: what an edit makes of a period that is over is recorded alone.
    if ended_before_first_seen or seen.is_closed or (ended and seen.is_edited):
        return replace(current, level=level), tuple(moves)
    if _is_news(current, level):
        move = _move(
            current, level, seen.thresholds, cause="usage", late=ended, baseline=first is None
        )
        current = replace(current, announced=level, seq=move.seq)
        moves.append(move)
    return replace(current, level=level), tuple(moves)


def pass_over(state: State | None, seen: Observation) -> tuple[State, tuple[Move, ...]]:
    """What follows while an alert is paused: nothing, but for the end of its period."""
    current = state or FRESH
    if seen.period_end <= seen.as_of and not current.rolled:
        return roll_period(current, seen.thresholds)
    return current, ()


def roll_period(state: State, thresholds: Thresholds) -> tuple[State, tuple[Move, ...]]:
    """The period's end: exactly one recovery if it ended in another state than ok."""
    if state.rolled or state.announced == "ok":
        return replace(state, rolled=True), ()
    move = _move(state, "ok", thresholds, cause="period_roll", late=False, baseline=False)
    return replace(state, announced="ok", seq=move.seq, rolled=True), (move,)


def resolve_gone(
    state: State, thresholds: Thresholds, *, cause: Cause
) -> tuple[State, tuple[Move, ...]]:
    """The end of what is no more: one recovery if it stood in another state.

    `deleted`: the alert is gone; `moved`: its period now begins at another time.
    """
    resolved = replace(state, level="ok")
    if state.announced == "ok":
        return resolved, ()
    move = _move(state, "ok", thresholds, cause=cause, late=False, baseline=False)
    return replace(resolved, announced="ok", seq=move.seq), (move,)


def _is_news(state: State, level: Level) -> bool:
    """Whether `level` differs from what was told.

    A rolled period has been told as `ok` though its value may stand at any level: until late usage
    raises it further there is nothing to tell. Later levels of it count from where it stands.
    """
    if not state.rolled:
        return level != state.announced
    if state.announced == "ok":
        return severity(level) > severity(state.level)
    return level not in (state.level, state.announced)


def _move(
    state: State,
    to_level: Level,
    thresholds: Thresholds,
    *,
    cause: Cause,
    late: bool,
    baseline: bool,
) -> Move:
    low, high = sorted((severity(state.announced), severity(to_level)))
    crossed = [level for level in LEVELS[low + 1 : high + 1] if thresholds.at(level) is not None]
    if severity(to_level) < severity(state.announced):
        crossed.reverse()
    return Move(
        seq=state.seq + 1,
        from_level=state.announced,
        to_level=to_level,
        crossed=tuple(crossed),
        cause=cause,
        late=late,
        baseline=baseline,
    )
