"""Closed windows cover a range without a gap, and halves cover their window."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ingestion.windows import Window, closed_windows, window_text

SECOND = timedelta(seconds=1)


def at(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)


def test_a_range_is_cut_into_days_and_its_last_day_into_hours() -> None:
    windows = list(closed_windows(at("2026-11-20 09:59:59"), at("2026-11-22 02:30:59")))
    assert [window.name for window in windows[:2]] == [
        "2026-11-20 09:59:59/2026-11-20 23:59:59",
        "2026-11-20 23:59:59/2026-11-21 23:59:59",
    ]
    assert [window.name for window in windows[2:]] == [
        "2026-11-21 23:59:59/2026-11-22 00:59:59",
        "2026-11-22 00:59:59/2026-11-22 01:59:59",
        "2026-11-22 01:59:59/2026-11-22 02:30:59",
    ]


def test_hours_of_one_day_have_the_same_edges_in_every_run() -> None:
    names = [
        {window.name for window in closed_windows(at(f"2026-11-22 0{hour}:59:59"), last_at)}
        for hour, last_at in ((0, at("2026-11-22 05:10:59")), (2, at("2026-11-22 06:20:59")))
    ]
    assert names[0] & names[1] == {
        "2026-11-22 02:59:59/2026-11-22 03:59:59",
        "2026-11-22 03:59:59/2026-11-22 04:59:59",
    }


def test_a_range_that_is_over_before_it_begins_has_no_window() -> None:
    assert list(closed_windows(at("2026-11-22 02:00:00"), at("2026-11-22 02:00:00"))) == []
    assert list(closed_windows(at("2026-11-22 02:00:00"), at("2026-11-21 02:00:00"))) == []


@given(
    start=st.datetimes(datetime(2025, 12, 30), datetime(2026, 1, 2)),  # noqa: DTZ001
    seconds=st.integers(1, 400_000),
)
def test_windows_touch_each_other_and_cover_the_range(start: datetime, seconds: int) -> None:
    first_at = start.replace(microsecond=0, tzinfo=UTC)
    last_at = first_at + seconds * SECOND
    windows = list(closed_windows(first_at, last_at))
    assert windows[0].first_at == first_at
    assert windows[-1].last_at == last_at
    assert all(window.first_at < window.last_at for window in windows)
    for before, after in pairwise(windows):
        assert before.last_at == after.first_at


@given(seconds=st.integers(2, 100_000))
def test_halves_are_shorter_and_share_the_second_in_the_middle(seconds: int) -> None:
    whole = Window(at("2026-11-22 00:00:00"), at("2026-11-22 00:00:00") + seconds * SECOND)
    left, right = whole.halves()
    assert (left.first_at, right.last_at) == (whole.first_at, whole.last_at)
    assert left.last_at == right.first_at
    for half in (left, right):
        assert timedelta() < half.last_at - half.first_at < whole.last_at - whole.first_at


def test_a_time_is_told_to_the_second() -> None:
    assert window_text(datetime(2026, 3, 8, 2, 30, 5, 999_999, UTC)) == "2026-03-08 02:30:05"
