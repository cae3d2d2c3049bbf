"""
Events as a person reads them: one line each, in columns that stay where they are.

Only what click has is used, as rich would take ten times as long, and a log is long.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

import orjson

from tierlog.cli._exception_text import exception_lines
from tierlog.cli._inert import inert, lines_of, without_colours


__all__ = ["BuildView", "EventView"]

Event = Mapping[str, Any]

_LEVELS = {"debug": "\x1b[2m", "info": "\x1b[32m", "warn": "\x1b[33m", "error": "\x1b[1;31m"}
_DIM, _BOLD, _PLAIN = "\x1b[2m", "\x1b[1m", "\x1b[0m"
_IDS = {"projectId": "project", "buildId": "build", "userId": "user", "reqId": "req"}
_LONGEST_ID = 8  # characters
_SRC = 14  # columns
_MOST_DATA = 300  # characters
_MOST_LINE = 2_000  # characters
_INDENT = " " * 4


class EventView:
    """
    Turns events into lines of text.

    Args:
        zone: The zone that times are shown in; the system's if None.

        is_coloured: Whether levels and the like have colours.

        is_full: Whether ids, data and long lines are shown whole, and the instance,
            too.

        has_tier: Whether the tier is shown.

        known: Names of filters: the ids that all events have aren't shown.
    """

    def __init__(
        self,
        *,
        zone: tzinfo | None = None,
        is_coloured: bool = False,
        is_full: bool = False,
        has_tier: bool = True,
        known: Collection[str] = (),
    ) -> None:
        self._zone = zone
        self._is_full = is_full
        self._is_coloured = is_coloured
        self._has_tier = has_tier
        self._ids = {key: name for key, name in _IDS.items() if is_full or f"{name}_id" not in known}
        self._day = ""
        self._second, self._clock = -1, ""

    def lines(self, event: Event) -> Iterator[str]:
        """
        Yield the lines of *event*; before them, where the day or the offset from UTC
        isn't that of the event before, one that says it.
        """
        second, ms = divmod(event["ts"], 1000)
        if second != self._second:  # most are of the second of the one before
            moment = _moment(second, self._zone)
            self._second, self._clock = second, f"{moment:%H:%M:%S}"
            day = _day(moment)
            if day != self._day:
                self._day = day
                yield self._styled(day, _BOLD)
        yield from self._lines(_formed(event), f"{self._clock}.{ms:03}")

    def _lines(self, event: Event, time: str) -> Iterator[str]:
        data = dict(event["data"])
        below = list(_below(data))
        first, *rest = map(self._line, lines_of(without_colours(event["msg"])))
        parts = [self._styled(time, _DIM), self._styled(f"{inert(event['lvl']):<5}", _LEVELS.get(event["lvl"], ""))]
        if self._has_tier:
            parts.append(f"{inert(event['tier']):<9}")
        parts += [self._styled(f"{_cut(inert(event['src'])):<{_SRC}}", _DIM), first]
        more = " ".join(self._more(event, data))
        if more:
            parts.append(self._styled(more, _DIM))
        yield " ".join(parts).rstrip(" ")
        for line in [*rest, *map(self._line, below)]:
            yield _INDENT + line

    def _more(self, event: Event, data: dict[str, Any]) -> Iterator[str]:
        if data:
            text = inert(orjson.dumps(data).decode())
            yield text if self._is_full or len(text) <= _MOST_DATA else f"{text[: _MOST_DATA - 1]}…"
        for key, name in self._ids.items():
            if event[key]:
                yield f"{name}={self._id(inert(str(event[key])))}"
        if self._is_full:
            yield f"kind={inert(event['kind'])} instance={inert(event['instanceId'])} seq={event['seq']}"

    def _line(self, text: str) -> str:
        more = len(text) - _MOST_LINE
        return text if self._is_full or more <= 0 else f"{text[:_MOST_LINE]}… and {more} characters more"

    def _id(self, text: str) -> str:
        return text if self._is_full or len(text) <= _LONGEST_ID else f"…{text[1 - _LONGEST_ID :]}"

    def _styled(self, text: str, style: str) -> str:
        return f"{style}{text}{_PLAIN}" if self._is_coloured and style else text


class BuildView(EventView):
    """
    Turns the events of a build into its log as the build printed it, with the times
    before it.
    """

    def _lines(self, event: Event, time: str) -> Iterator[str]:
        data = dict(event["data"])
        style = _LEVELS[event["lvl"]] if event["lvl"] in ("warn", "error") else ""
        stamp, margin = self._styled(time, _DIM), " " * len(time)
        for line in without_colours(event["msg"].replace("\r\n", "\n")).split("\n"):
            yield f"{stamp} {self._styled(inert(line), style)}".rstrip(" ")
            stamp = margin
        for line in _below(data):
            yield f"{margin} {line}"


def _formed(event: Event) -> Event:
    """
    Return *event* with an object as its data: somebody else may have written the line.
    """
    return event if type(event["data"]) is dict else {**event, "data": {"data": event["data"]}}


def _below(data: dict[str, Any]) -> Iterator[str]:
    """
    Take the exception and the stack out of *data*, and yield their lines.
    """
    if isinstance(data.get("exc"), dict):
        for line in exception_lines(data.pop("exc")):
            yield inert(line)
    if isinstance(data.get("stack"), str):
        yield from lines_of(data.pop("stack"))


def _moment(second: int, zone: tzinfo | None) -> datetime:
    """
    Return the time in a zone; in UTC where it would be in the year 10000 there.
    """
    moment = datetime.fromtimestamp(second, UTC)
    try:
        return moment.astimezone(zone)
    except (OverflowError, ValueError):
        return moment


def _day(moment: datetime) -> str:
    """
    Return the day, with the offset from UTC.
    """
    offset = f"{moment:%z}"
    return f"{moment:%a %Y-%m-%d} UTC{f'{offset[:3]}:{offset[3:]}' if moment.utcoffset() else ''}"


def _cut(text: str) -> str:
    return text if len(text) <= _SRC else f"…{text[1 - _SRC :]}"
