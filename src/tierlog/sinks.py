"""
The sinks that need no disk of their own: a stream, the memory, several at once.
"""

from __future__ import annotations

import errno
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

from tierlog._fork import ForkSafeLock
from tierlog.envelope import ID_FORMATS, Route
from tierlog.errors import ConfigError
from tierlog.metrics import merged
from tierlog.ndjson import decode
from tierlog.options import choice, count
from tierlog.report import report
from tierlog.typing import Commit, Sink


__all__ = ["MemorySink", "StreamSink", "TeeSink", "Written"]

_OF_RECORDS = frozenset(["accepted", "written", "dropped"])  # one sink's loss is none where another has kept the line


class StreamSink:
    """
    Lines to standard output or standard error, for twelve-factor deployments.

    The stream is looked up at each write, so whoever replaces ``sys.stdout``
    gets the lines.

    Args:
        stream: ``stdout`` or ``stderr``.

        id_format: ``ulid`` or ``slug``: which ids are valid.
    """

    def __init__(self, stream: str = "stdout", *, id_format: str = "ulid") -> None:
        self._name = choice("sink.stream", stream, ("stdout", "stderr"))
        self.id_format = choice("sink.id_format", id_format, ID_FORMATS)

    def write(self, event_line: bytes, route: Route) -> None:  # noqa: ARG002 -- a stream is one place
        """
        Write the line, and flush it.
        """
        stream = getattr(sys, self._name)
        binary = getattr(stream, "buffer", None)
        if binary is None:
            stream.write(event_line.decode())
        else:
            stream.flush()
            _write_whole(binary, event_line)
        stream.flush()

    def flush(self) -> None:
        """
        Do nothing: each line is flushed as it is written.
        """

    def close(self) -> None:
        """
        Do nothing: the stream isn't ours to close.
        """


class Written(NamedTuple):
    """
    What a :class:`MemorySink` was given.

    Attributes:
        line: One envelope with its newline.

        route: What it is about.
    """

    line: bytes
    route: Route


class MemorySink:
    """
    Lines in a list, for tests.

    Args:
        max_lines: The oldest go when there are more; None keeps all.

        id_format: ``ulid`` or ``slug``: which ids are valid.

    Attributes:
        written: The lines, oldest first.
    """

    def __init__(self, max_lines: int | None = None, *, id_format: str = "ulid") -> None:
        self._max_lines = None if max_lines is None else count("sink.max_lines", max_lines)
        self.id_format = choice("sink.id_format", id_format, ID_FORMATS)
        self.written: list[Written] = []

    @property
    def events(self) -> list[dict[str, Any]]:
        """
        The lines as events, oldest first.
        """
        return [decode(one.line) for one in self.written]

    def write(self, event_line: bytes, route: Route) -> None:
        """
        Append the line.
        """
        self.written.append(Written(event_line, route))
        if self._max_lines is not None:
            del self.written[: -self._max_lines]

    def flush(self) -> None:
        """
        Do nothing: there's nowhere further to go.
        """

    def close(self) -> None:
        """
        Do nothing: what was written stays readable.
        """


class TeeSink:
    """
    Each line to several sinks; one that fails never stops the others.

    A line counts as kept if any of *sinks* kept it.

    Args:
        sinks: The sinks, first to last.
    """

    def __init__(self, sinks: Sequence[Sink]) -> None:
        if not sinks:
            raise ConfigError("sink.sinks", "a tee needs at least one sink")
        self.sinks = tuple(sinks)
        self.id_format = getattr(sinks[0], "id_format", "ulid")
        self._failures = [0] * len(self.sinks)
        self._lock = ForkSafeLock()

    def write(self, event_line: bytes, route: Route) -> Commit | None:
        """
        Write the line to each sink.

        Raises:
            Exception: None of them kept it; it is the last one's.
        """
        commits, error, kept = [], None, 0
        for number, sink in enumerate(self.sinks):
            try:
                commit = sink.write(event_line, route)
            except Exception as e:  # noqa: BLE001 -- isolated from the others
                error = e
                self._failed(number, "write", e)
            else:
                kept += 1
                commits += [commit] if commit is not None else []
        if error is not None and not kept:
            raise error
        return (lambda: _each(commits)) if commits else None

    def end_build(self, build_id: str) -> None:
        """
        Finish the files of a build in every sink that has such.
        """
        for number, sink in enumerate(self.sinks):
            self._guarded(number, sink, "end_build", build_id)

    def flush(self) -> None:
        """
        Flush each sink.
        """
        for number, sink in enumerate(self.sinks):
            self._guarded(number, sink, "flush")

    def close(self) -> None:
        """
        Close each sink.
        """
        for number, sink in enumerate(self.sinks):
            self._guarded(number, sink, "close")

    def drain(self, timeout: float) -> bool:
        """
        Wait, at most *timeout* **seconds**, until every sink that ships has shipped;
        tell whether all have.
        """
        end = time.monotonic() + timeout
        drained = [
            self._guarded(number, sink, "drain", max(0.0, end - time.monotonic()))
            for number, sink in enumerate(self.sinks)
            if hasattr(sink, "drain")
        ]
        return all(drained)

    def stats(self) -> Mapping[str, Any]:
        """
        Return ``tee_failures``: how often each sink failed, by its number and type; and
        what the sinks say of segments and of shipping, added up.
        """
        parts = [self._guarded(number, sink, "stats") or {} for number, sink in enumerate(self.sinks)]
        told = {name for part in parts for name in part} - _OF_RECORDS
        total = {name: value for name, value in merged(parts).items() if name in told}
        with self._lock:
            names = [f"{number}:{type(sink).__name__}" for number, sink in enumerate(self.sinks)]
            return {**total, "tee_failures": dict(zip(names, self._failures, strict=True))}

    def _guarded(self, number: int, sink: Sink, method: str, *args: object) -> Any:
        call = getattr(sink, method, None)
        try:
            return call(*args) if call is not None else None
        except Exception as e:  # noqa: BLE001 -- isolated from the others
            self._failed(number, method, e)
            return None

    def _failed(self, number: int, method: str, error: Exception) -> None:
        with self._lock:
            self._failures[number] += 1
        name = type(self.sinks[number]).__name__
        # Not what it says, which may be a secret, unless the system says it.
        what = f"{type(error).__name__}: {error.strerror}" if isinstance(error, OSError) else type(error).__name__
        report(f"tee {number} {method}", f"{method} of sink {number} of the tee ({name}) failed: {what}")


def _write_whole(binary: BinaryIO, line: bytes) -> None:
    """
    Write all of *line*: without a buffer, as under ``python -u``, a write that a signal
    interrupts takes a part of it.
    """
    rest = line
    while rest:
        written = binary.write(rest)
        if written is None:
            raise BlockingIOError(errno.EAGAIN, "the stream doesn't block, and is full")
        rest = rest[written:]


def _each(commits: Sequence[Commit]) -> None:
    """
    Wait for all, and fail with the last one that failed.
    """
    error = None
    for commit in commits:
        try:
            commit()
        except Exception as e:  # noqa: BLE001 -- isolated from the others
            error = e
    if error is not None:
        raise error
