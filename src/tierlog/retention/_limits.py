"""
What is old enough to go, and what is held all the same: decided here, done elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from tierlog.envelope import DAY_MS, valid_id
from tierlog.errors import ConfigError
from tierlog.kinds import TIERS
from tierlog.options import seconds


__all__ = ["DEFAULT", "Hold", "Limits", "day_end_ms", "parse_hold", "parse_retention"]

DEFAULT = "30d"
"""How long segments are kept if nothing else is said."""

_LEAST = 3600.0  # seconds: a segment may be open that long
_FOREVER = frozenset(["forever", "none"])
_REST = "default"


def parse_retention(setting: str, value: Any) -> Mapping[str, float | None]:
    """
    Return for how many **seconds** segments are kept, per tier; None: for ever.

    >>> parse_retention("sink.retention", {"build": "14d", "default": None})["build"]
    1209600.0

    Args:
        setting: What errors call it.

        value: A time such as ``"30d"``, or None or ``"forever"``, for all tiers; or a
            mapping of tiers to such, in which ``default`` is that of the tiers it
            doesn't name: :data:`DEFAULT` if it isn't there. A mapping may also be
            written ``"build=14d,default=90d"``.

    Raises:
        ConfigError: It is none of these, or less than an hour.
    """
    if isinstance(value, str) and "=" in value:
        value = {name.strip(): time.strip() for name, _, time in (part.partition("=") for part in value.split(","))}
    if not isinstance(value, Mapping):
        return dict.fromkeys(TIERS, _time(setting, value))
    for name in value:
        if name not in TIERS and name != _REST:
            raise ConfigError.unknown(f"{setting}.{name}", "there's no such tier", [*TIERS, _REST], given=str(name))
    rest = _time(f"{setting}.{_REST}", value.get(_REST, DEFAULT))
    return {tier: _time(f"{setting}.{tier}", value[tier]) if tier in value else rest for tier in TIERS}


def _time(setting: str, value: Any) -> float | None:
    if value is None or (isinstance(value, str) and value.strip().lower() in _FOREVER):
        return None
    return seconds(setting, value, least=_LEAST)


def parse_hold(setting: str, value: Any) -> frozenset[str]:
    """
    Return the projects of which nothing is deleted.

    >>> sorted(parse_hold("sink.hold", "shop,blog"))
    ['blog', 'shop']

    Args:
        setting: What errors call it.

        value: Ids, or one text of ids with commas between them.

    Raises:
        ConfigError: One of them can't be a project's id.
    """
    ids = [one.strip() for one in value.split(",") if one.strip()] if isinstance(value, str) else value
    if not isinstance(ids, Collection) or isinstance(ids, Mapping):
        raise ConfigError(setting, f"{value!r} isn't a list of project ids")
    for one in ids:
        if not isinstance(one, str) or not valid_id(one, "slug"):
            raise ConfigError(setting, f"{one!r} can't be a project's id; give the id as it stands in the logs")
    return frozenset(ids)


def day_end_ms(day: str) -> int | None:
    """
    Return when *day* is over, **milliseconds** since the epoch; None if there's no such day.

    >>> day_end_ms("1970-01-01"), day_end_ms("2026-02-31")
    (86400000, None)
    """
    try:
        return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1000 + DAY_MS
    except ValueError:
        return None


class Limits:
    """
    What is old, at one time.

    A clock that is ahead would make everything old, and what is deleted doesn't come
    back. So ages are counted from a day after the newest segment, if that is earlier
    than now. Where logging goes on it isn't; where it has stopped, deletion stops,
    too, until somebody says that the clock is right.

    Args:
        retention: What :func:`parse_retention` returns.

        now_ms: What the clock says, milliseconds since the epoch.

        newest_ms: When the newest segment was written or stored; None to believe the
            clock.

    Attributes:
        has_spared: Whether there was something that only the clock says is old.
    """

    def __init__(self, retention: Mapping[str, float | None], now_ms: int, newest_ms: int | None = None) -> None:
        believed = now_ms if newest_ms is None else min(now_ms, newest_ms + DAY_MS)
        self._limits = {tier: None if kept is None else believed - round(kept * 1000) for tier, kept in retention.items()}
        self._doubted_ms = now_ms - believed
        self.has_spared = False

    def before_ms(self, tier: str) -> int | None:
        """
        Return when a day must be over for its segments to be old; None: they never are.
        """
        return self._limits[tier]

    def is_old(self, tier: str, day: str | None) -> bool:
        """
        Tell whether the whole of *day* is further back than segments of *tier* are kept.
        """
        limit, end = self._limits[tier], None if day is None else day_end_ms(day)
        if limit is None or end is None:
            return False
        self.has_spared |= limit < end <= limit + self._doubted_ms
        return end <= limit


class Hold:
    """
    Projects of which nothing is deleted. An id that differs in its capitals only is
    held, too, and so is whatever may be of any project.

    Args:
        projects: Their ids.
    """

    def __init__(self, projects: Iterable[str]) -> None:
        self._projects = {one.casefold() for one in projects}

    def __bool__(self) -> bool:
        return bool(self._projects)

    def holds(self, projects: Iterable[str] | None) -> bool:
        """
        Tell whether one of *projects* is held; if they are None, they aren't known.
        """
        return bool(self) and (projects is None or any(one.casefold() in self._projects for one in projects))

    def holds_metadata(self, metadata: Mapping[str, str]) -> bool:
        """
        Tell whether an object with this *metadata* is held.
        """
        named = metadata.get("projects", "*")
        return self.holds(None if named == "*" else [one for one in named.split(",") if one])
