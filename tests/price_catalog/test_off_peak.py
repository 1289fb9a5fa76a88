"""Cheaper hours become minutes of the week, Monday 00:00 UTC being 0."""

import pytest

from price_catalog.off_peak import OffPeakError, week_ranges


def test_hours_of_weekdays_and_whole_weekends_meet_across_midnight() -> None:
    document = {
        "windows": [
            {"hours_utc": ["00:00-01:00", "10:00-00:00"], "weekdays": [1, 2, 3, 4, 5]},
            {"hours_utc": "00:00-00:00", "weekdays": [6, 7]},
        ]
    }
    ranges = week_ranges(document)
    # Monday 00:00-01:00; 10:00 to Tuesday 01:00; ... ; Friday 10:00 to the end of Sunday.
    assert ranges[:2] == ((0, 60), (600, 1440 + 60))
    assert ranges[-1] == (4 * 1440 + 600, 10_080)
    assert len(ranges) == 6


def test_weekdays_may_be_those_of_another_zone() -> None:
    # 16:00 UTC on Sunday is midnight of Monday in Shanghai.
    document = {
        "weekday_timezone": "Asia/Shanghai",
        "windows": [{"hours_utc": "15:00-17:00", "weekdays": [1]}],
    }
    assert week_ranges(document) == ((900, 960), (6 * 1440 + 960, 6 * 1440 + 1020))


def test_hours_past_midnight_go_on_in_the_morning() -> None:
    ranges = week_ranges({"windows": [{"hours_utc": "23:00-01:00"}]})
    assert ranges[0] == (0, 60)
    assert ranges[1] == (1380, 1500)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({}, "no windows"),
        ({"windows": [{"hours_utc": "9-17"}]}, "HH:MM"),
        ({"windows": [{"hours_utc": "09:00-17:00", "weekdays": [0]}]}, "1 to 7"),
        ({"windows": [{}], "weekday_timezone": "Mars/Olympus"}, "unknown"),
        ({"windows": [{}], "weekday_timezone": "Europe/Berlin"}, "daylight saving"),
    ],
)
def test_windows_that_cannot_be_read_are_refused(document: dict[str, object], reason: str) -> None:
    with pytest.raises(OffPeakError, match=reason):
        week_ranges(document)
