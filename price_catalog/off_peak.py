"""Cheaper hours of a price file as minutes of the week (UTC), and nothing else.

A week has 10,080 minutes from Monday 00:00. Hours are UTC and their end is exclusive; 00:00 as an
end is midnight. Weekdays (1 is Monday) are those of `weekday_timezone` where a document names one,
else of UTC: a zone with daylight saving has no fixed week and is refused.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAY = 24 * 60
WEEK = 7 * DAY
_HOURS = re.compile(r"^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$")


class OffPeakError(ValueError):
    """The windows cannot be read; the message says why."""


def week_ranges(document: Mapping[str, object]) -> tuple[tuple[int, int], ...]:
    """The half-open ranges of minutes that the windows cover, merged, in order."""
    windows = document.get("windows")
    if not isinstance(windows, list) or not windows:
        raise OffPeakError("no windows")
    shift = _shift(document.get("weekday_timezone"))
    covered = [False] * WEEK
    for window in windows:
        if not isinstance(window, dict):
            raise OffPeakError("a window is not an object")
        days = _weekdays(window.get("weekdays"))
        for start, end in _spans(window.get("hours_utc")):
            for day in range(7):
                for minute in range(day * DAY + start, day * DAY + end):
                    if (minute + shift) % WEEK // DAY + 1 in days:
                        covered[minute] = True
    return tuple(_runs(covered))


def _shift(zone: object) -> int:
    """Minutes that the zone is ahead of UTC."""
    if zone is None:
        return 0
    try:
        place = ZoneInfo(str(zone))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise OffPeakError("unknown weekday_timezone") from error
    ahead = {
        datetime(2026, month, 1, tzinfo=UTC).astimezone(place).utcoffset() for month in range(1, 13)
    }
    offset = ahead.pop()
    if ahead or offset is None:
        raise OffPeakError("weekday_timezone has daylight saving")
    return int(offset.total_seconds()) // 60


def _weekdays(given: object) -> frozenset[int]:
    if given is None:
        return frozenset(range(1, 8))
    if not isinstance(given, list) or any(day not in range(1, 8) for day in given):
        raise OffPeakError("weekdays are not numbers from 1 to 7")
    return frozenset(given)


def _spans(given: object) -> Iterator[tuple[int, int]]:
    for text in given if isinstance(given, list) else [given]:
        found = _HOURS.match(str(text))
        if found is None:
            raise OffPeakError("hours_utc is not HH:MM-HH:MM")
        start = int(found[1]) * 60 + int(found[2])
        end = int(found[3]) * 60 + int(found[4]) or DAY
        if end > start:
            yield start, end
        else:
            # Past midnight: the rest of the day, and the beginning of one.
            yield start, DAY
            yield 0, end


def _runs(covered: list[bool]) -> Iterator[tuple[int, int]]:
    start = None
    for minute, is_covered in enumerate([*covered, False]):
        if is_covered and start is None:
            start = minute
        elif not is_covered and start is not None:
            yield start, minute
            start = None
