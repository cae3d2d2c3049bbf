"""
An answer: events in order, read as they are asked for.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import compress, islice
from operator import eq, itemgetter
from types import TracebackType
from typing import Any, Self

from tierlog.query._cursor import Key, encode_cursor
from tierlog.query._filters import Filters
from tierlog.query._horizon import Horizon
from tierlog.query._lines import event_of, raw
from tierlog.query._match import Matcher
from tierlog.query._merge import merged
from tierlog.query._problem import Problem
from tierlog.query._scan import Scan
from tierlog.query._sources import Source, Sources


__all__ = ["Search"]

_HEAD = slice(0, 19)
_END = slice(-2, None)
_LAST, _LAST_BUT_ONE = itemgetter(-1), itemgetter(-2)
_BRACE = ord("}")
_RUN = 512  # lines; more at once would be new pages each time


class Search(Iterator[dict[str, Any]]):
    """
    Events in the order of ``(ts, instanceId, seq)``, each once, in constant memory. It
    begins to read with the first one that is asked for, and may be left at any time.

    Args:
        sources: Where to look.

        filters: What is asked for.

        only: The segments to read; those that may hold what is asked for if None.

    Attributes:
        problems: Segments, stores and catalogs that couldn't be read; everything else
            was.
    """

    def __init__(self, sources: Sources, filters: Filters, *, only: list[Source] | None = None) -> None:
        self.problems: list[Problem] = []
        self._only = only
        self._filters = filters
        self._matcher = Matcher(filters)
        self._sources = sources
        horizon = None
        if filters.limit:
            horizon = Horizon(filters.limit, self._is_ahead, is_newest_first=filters.is_newest_first)
        self._scan = Scan(sources, filters, self._matcher, self.problems, horizon)
        self._torn = 0
        self._last: Key | dict[str, Any] | bytes | None = filters.after
        self._events = self._found()

    @property
    def skipped(self) -> int:
        """
        Torn and foreign lines that were met so far; where others are known not to be
        asked for, they aren't looked at.
        """
        return self._scan.skipped + self._torn

    @property
    def cursor(self) -> str | None:
        """
        Where it stands: a search with this ``cursor=``, and the same filters, goes on
        behind the last event that was delivered. None if there was none yet.
        """
        last = self._last
        if isinstance(last, bytes):
            last = event_of(last)
        if isinstance(last, dict):
            last = Key(last["ts"], last["instanceId"], last["seq"])
        return None if last is None else encode_cursor(last, self._filters.order)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> dict[str, Any]:
        _, event = next(self._events)
        self._last = event
        return event

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def lines(self) -> Iterator[bytes]:
        """
        Yield the same as bytes: runs of lines as they were written, each with its
        newline. It is for exports: where nothing but tiers and times is asked for, lines
        aren't parsed, only checked for having their beginning and their end.
        """
        if self._matcher.is_exact and self._filters.limit is None and self._filters.after is None:
            yield from self._unparsed()
            return
        for line, event in self._events:
            self._last = event
            yield raw(line) + b"\n"

    def stop(self) -> None:
        """
        Have it end soon, where it is read in another thread; what that thread still
        gets isn't everything.
        """
        self._scan.is_stopped = True

    def close(self) -> None:
        """
        Let go of all files.
        """
        self._events.close()
        self._scan.close()

    def _found(self) -> Generator[tuple[bytes, dict[str, Any]]]:
        limit = self._filters.limit
        if limit == 0:
            return
        for number, one in enumerate(self._matching(), 1):
            yield one
            if number == limit:
                break
        self._scan.close()

    def _matching(self) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """
        Yield what is asked for, in order.
        """
        last: Key | None = None
        for group in self._groups():
            for line, event in group:
                key = Key(event["ts"], event["instanceId"], event["seq"])
                if key == last:
                    continue  # it was read in two places
                last = key
                if self._is_ahead(event):
                    yield line, event

    def _is_ahead(self, event: dict[str, Any]) -> bool:
        """
        Tell whether *event* is asked for, and not behind where the search begins.
        """
        filters, after = self._filters, self._filters.after
        if not filters.since <= event["ts"] < filters.until:
            return False
        if after is not None:
            key = (event["ts"], event["instanceId"], event["seq"])
            if key >= after if filters.is_newest_first else key <= after:
                return False
        return self._matcher.accepts(event)

    def _groups(self) -> Iterator[list[tuple[bytes, dict[str, Any]]]]:
        """
        Yield the events of one time together, in their order.
        """
        is_newest_first = self._filters.is_newest_first
        for lines in self._chunks():
            if is_newest_first:
                lines.reverse()
            group: list[tuple[bytes, dict[str, Any]]] = []
            head = b""
            for line in lines:
                event = event_of(line)
                if event is None:
                    self._torn += 1
                    continue
                if line[_HEAD] != head:
                    yield _sorted(group, is_newest_first=is_newest_first)
                    group, head = [], line[_HEAD]
                group.append((line, event))
            yield _sorted(group, is_newest_first=is_newest_first)

    def _unparsed(self) -> Iterator[bytes]:
        """
        Yield all lines of the segments, in order.
        """
        is_newest_first = self._filters.is_newest_first
        for lines in self._chunks():
            is_proven = self._scan.is_proven
            whole = _resolved(lines if is_proven or _have_ends(lines) else self._whole(lines))
            if not whole:
                continue
            if is_newest_first:
                whole.reverse()
            if not is_proven and set(map(type, whole)) != {bytes}:
                whole = [raw(line) for line in whole]
            for start in range(0, len(whole), _RUN):
                run = whole[start : start + _RUN]
                self._last = run[-1]
                yield b"\n".join([*run, b""])
        self._scan.close()

    def _whole(self, lines: list[bytes]) -> list[bytes]:
        whole: list[bytes] = []
        for line in lines:
            if type(line) is bytes and line[_END] == b"}}":
                whole.append(line)
                continue
            event = event_of(line)  # there may be a blank behind it, or the carriage return of another system
            if event is None:
                self._torn += 1
            elif self._filters.since <= event["ts"] < self._filters.until:
                whole.append(line)
        return whole

    def _chunks(self) -> Iterator[list[bytes]]:
        sources = self._sources.sources(self._filters, self.problems) if self._only is None else self._only
        yield from merged(self._scan, sources, is_newest_first=self._filters.is_newest_first)


def _sorted(group: list[tuple[bytes, dict[str, Any]]], *, is_newest_first: bool) -> list[tuple[bytes, dict[str, Any]]]:
    if len(group) > 1:
        group.sort(key=_key, reverse=is_newest_first)
    return group


def _key(one: tuple[bytes, dict[str, Any]]) -> tuple[int, str, int]:
    return one[1]["ts"], one[1]["instanceId"], one[1]["seq"]


def _have_ends(lines: list[bytes]) -> bool:
    return {_BRACE} == set(map(_LAST, lines)) == set(map(_LAST_BUT_ONE, lines))


def _resolved(lines: list[bytes]) -> list[bytes]:
    """
    Return the sorted lines with those of one time in the order of instance and number,
    each once.
    """
    heads = [line[_HEAD] for line in lines]
    alike = list(compress(range(len(lines)), map(eq, heads, islice(heads, 1, None))))
    while alike:  # from the last on, so that places stay right
        end = alike[-1] + 2
        start = alike.pop()
        while alike and alike[-1] == start - 1:
            start = alike.pop()
        group = lines[start:end]
        events = {(event["ts"], event["instanceId"], event["seq"]): one for one in group if (event := event_of(one)) is not None}
        lines[start:end] = [events[key] for key in sorted(events)]
    return lines
