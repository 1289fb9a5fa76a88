"""Times as vendors write them, as text with a zone; what cannot be told stays as it is, to be
rejected where its column is checked."""

from datetime import UTC, datetime
from typing import Any

# A number of so many is of the unit named: seconds until the year 5138, then ms, µs, ns.
_UNITS = ((10**11, 1), (10**14, 10**3), (10**17, 10**6), (10**20, 10**9))


def epoch_text(value: Any) -> Any:
    """An epoch number of seconds, ms, µs or ns (told by its range) as ISO 8601 in UTC."""
    number = int(value) if isinstance(value, str) and value.isdecimal() else value
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < 10**20:
        return value
    per_second = next(unit for limit, unit in _UNITS if number < limit)
    seconds = int(number // per_second)
    microseconds = int((number - seconds * per_second) * 10**6 // per_second)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds).isoformat()


def utc_text(value: Any) -> Any:
    """A time text that its vendor writes without a zone and means as UTC, with the zone."""
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return value
    return moment.isoformat() if moment.tzinfo else moment.replace(tzinfo=UTC).isoformat()
