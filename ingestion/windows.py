"""Closed time windows for sources that filter by inclusive bounds of whole seconds."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Window:
    """An inclusive range of times, to the second."""

    first_at: datetime
    last_at: datetime

    @property
    def name(self) -> str:
        """The range as text, for locators and messages."""
        return f"{window_text(self.first_at)}/{window_text(self.last_at)}"

    def halves(self) -> tuple["Window", "Window"]:
        """The two halves; they share the second in the middle."""
        middle = self.first_at + (self.last_at - self.first_at) // (2 * _SECOND) * _SECOND
        return Window(self.first_at, middle), Window(middle, self.last_at)


def closed_windows(first_at: datetime, last_at: datetime) -> Iterator[Window]:
    """Windows that cover the range: days, and hours for its last day; edges at second 59 (UTC).

    Neighbours share their boundary second: rows carry milliseconds, so a window that began a
    second later would lose the rows in between.
    """
    start = first_at
    while start < last_at:
        step = _HOUR if last_at - start <= _DAY + _HOUR else _DAY
        midnight = datetime(start.year, start.month, start.day, tzinfo=UTC)
        elapsed = (start + _SECOND - midnight) // step
        edge = midnight + (elapsed + 1) * step - _SECOND
        yield Window(start, min(edge, last_at))
        start = edge


def window_text(moment: datetime) -> str:
    """A time as `YYYY-MM-DD HH:MM:SS`."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")
