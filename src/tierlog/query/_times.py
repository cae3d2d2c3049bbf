"""
Points in time as people write them, in milliseconds since the epoch.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from tierlog.errors import QueryError


__all__ = ["parse_time"]

_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|min|m|h|d|w))+\Z", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|min|m|h|d|w)", re.ASCII)
_NUMBER = re.compile(r"\d{12,15}\Z", re.ASCII)
_MS = {"ms": 1, "s": 1_000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_LONGEST = 64  # characters
_MOST_MS = 253_402_300_799_999  # the last millisecond of the year 9999
_HINT = "give milliseconds, a datetime, ISO such as '2026-11-22T10:00:00Z', or a duration before now such as '2h'"


def parse_time(parameter: str, value: object, now_ms: int) -> int:
    """
    Return *value* in **milliseconds** since the epoch.

    What has no time zone is UTC, and a date is its first millisecond.

    Args:
        parameter: What errors call it.

        value: Milliseconds, a :class:`datetime.datetime` or :class:`datetime.date`, a
            text in ISO 8601, or how long before now, such as ``"2h"`` or ``"1h30m"``.

        now_ms: Milliseconds since the epoch.

    Raises:
        QueryError: It is none of these.

    >>> parse_time("since", "2023-11-14T22:13:20Z", 0)
    1700000000000
    >>> parse_time("since", "1h30m", 1_700_000_000_000)
    1699994600000
    """
    if isinstance(value, str):
        return _of_text(parameter, value.strip(), now_ms)
    if isinstance(value, date):
        return _of_date(parameter, value)
    if type(value) is int:
        return _checked(parameter, value)
    raise QueryError(parameter, f"{value!r} isn't a time; {_HINT}")


def _of_text(parameter: str, text: str, now_ms: int) -> int:
    if len(text) <= _LONGEST:
        if _NUMBER.match(text):
            return _checked(parameter, int(text))
        if _DURATION.match(text):
            before = sum(float(number) * _MS[unit] for number, unit in _PART.findall(text))
            return max(0, now_ms - round(min(before, _MOST_MS)))
        try:
            return _of_date(parameter, datetime.fromisoformat(text))
        except ValueError:
            pass
    raise QueryError(parameter, f"{text[:_LONGEST]!r} isn't a time; {_HINT}")


def _of_date(parameter: str, value: date) -> int:
    moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day, tzinfo=UTC)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return _checked(parameter, (since.days * 86_400 + since.seconds) * 1_000 + since.microseconds // 1_000)


def _checked(parameter: str, ms: int) -> int:
    if not 0 <= ms <= _MOST_MS:
        raise QueryError(parameter, f"{ms} is before 1970 or after the year 9999; times are milliseconds since the epoch")
    return ms
