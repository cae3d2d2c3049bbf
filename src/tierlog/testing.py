"""
Tools for tests: events in memory, a clock that stands still, the contract of sinks,
and canaries: values that no file may have.

The product never imports this module.
"""

from __future__ import annotations

import gzip
import logging
import os
import secrets
import string
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, cast, overload

import orjson

from tierlog.envelope import KEYS, make_head
from tierlog.errors import ConfigError
from tierlog.filter import ContextFilter
from tierlog.handler import TierHandler, all_handlers, handlers
from tierlog.ndjson import LINE, dump_data, dump_text
from tierlog.options import choice
from tierlog.redact._known import forms
from tierlog.redact._rule import sample
from tierlog.redact._rules import RULES
from tierlog.redact._text import TextRedactor
from tierlog.segments import SegmentSink
from tierlog.sinks import MemorySink
from tierlog.typing import Sink


__all__ = ["Canaries", "Events", "FakeClock", "MemorySink", "SinkContract", "capture", "event_line"]

_ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
_WORD_CHARS = 24
_LEAST_RANDOM = 8  # characters that make a canary unlike any other text
_ATTEMPTS = 16
_GZIP = b"\x1f\x8b\x08"
_START_NS = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z


class FakeClock:
    """
    A clock that moves when it is told to.

    Args:
        ns: Where it begins, **nanoseconds** since the epoch.
    """

    def __init__(self, ns: int = _START_NS) -> None:
        self._start = ns
        self._ns = ns

    def time_ns(self) -> int:
        """
        Return the time, as :func:`time.time_ns` does: a ``clock=``.
        """
        return self._ns

    def monotonic(self) -> float:
        """
        Return the seconds since it began, as :func:`time.monotonic` does: a
        ``monotonic=``.
        """
        return (self._ns - self._start) / 1e9

    def advance(self, seconds: float) -> None:
        """
        Let *seconds* pass.
        """
        self._ns += round(seconds * 1e9)


class Events(Sequence[dict[str, Any]]):
    """
    What was logged, oldest first, as events with the envelope's keys.
    """

    def __init__(self, sink: MemorySink) -> None:
        self._sink = sink

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        return self._sink.events[index]

    def __len__(self) -> int:
        return len(self._sink.written)

    def __repr__(self) -> str:
        return repr(self._sink.events)

    def find(self, **fields: Any) -> list[dict[str, Any]]:
        """
        Return the events whose *fields* have these values.

        >>> with capture() as events:
        ...     logging.getLogger("app").warning("late")
        >>> [event["msg"] for event in events.find(lvl="warn", src="app")]
        ['late']
        """
        return [event for event in self if all(event[name] == value for name, value in fields.items())]

    def clear(self) -> None:
        """
        Forget what was logged so far.
        """
        self._sink.written.clear()


@contextmanager
def capture(level: int | str = logging.DEBUG, **options: Any) -> Iterator[Events]:
    """
    Collect what is logged in this block, by whichever logger that propagates.

    Args:
        level: Level of the root logger meanwhile.

        options: Of the :class:`tierlog.TierHandler`.
    """
    sink = MemorySink(id_format=options.pop("id_format", "ulid"))
    root = logging.getLogger()
    before = root.level
    handler = TierHandler(sink=sink, **{"instance_name": "test", **options})
    handler.addFilter(ContextFilter())
    root.addHandler(handler)
    root.setLevel(level)
    try:
        yield Events(sink)
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
        handler.close()
        all_handlers[:] = [one for one in all_handlers if one is not handler]


def event_line(seq: int = 0, msg: str = "hello", *, ms: int = _START_NS // 1_000_000, **fields: Any) -> tuple[bytes, Any]:
    """
    Return a line and its route, to be written to a sink.

    Args:
        seq: Its ``seq``.

        msg: Its ``msg``.

        ms: Its ``ts``.

        fields: Ids, ``tier`` and ``kind``.
    """
    head = make_head(ms, "test-00000000", fields, "info", default_tier="system", id_format="ulid", redact=lambda text: text)
    return LINE % (ms, head.middle, seq, b',"src":"test"', dump_text(msg), dump_data({})), head.route


class Canaries:
    """
    Values that were never anywhere before, and the search for them in files.

    The fixture ``tierlog_canaries`` is one that looks by itself, when the test ends,
    through the roots of all segments.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._sinks: list[SegmentSink] = []
        self._watched: list[Path] = []
        self._files = 0

    def new(self, name: str = "canary", *, like: str | None = None) -> str:
        """
        Return a new random value.

        Args:
            name: What the failure calls it.

            like: Name of the rule that must know it, such as ``github-token``. If
                that rule goes by what stands before a secret, write that before it.
                If None, it is a word that no rule knows: for fields, and for
                :func:`tierlog.redact.hide_value`.

        Raises:
            ConfigError: There's no such rule.
        """
        value = "".join(secrets.choice(string.ascii_lowercase) for _ in range(_WORD_CHARS)) if like is None else _sample_of(like)
        self._names[value] = name
        return value

    def watch(self, *paths: str | os.PathLike[str]) -> None:
        """
        Look through these files and folders, too, when the test ends.
        """
        self._watched += map(Path, paths)

    def check(self, *paths: str | os.PathLike[str]) -> None:
        """
        Pass if none of the values is in a file, or in a file's name, below *paths*.

        They are also looked for as base64, in hexadecimal digits and escaped as in
        JSON, URLs, HTML and shells, and in files that gzip has compressed.

        Raises:
            AssertionError: One is; it says which, in which file and line, but not
                its value. Or there was nothing to look for, or no file.
        """
        assert self._names, "no canary was made, so nothing can be found: call new(), and log what it returns"
        looks = [(form.encode("utf-8", "surrogatepass"), name) for value, name in self._names.items() for form in forms(value)]
        files, found = 0, []
        for root in dict.fromkeys(Path(path).absolute() for path in paths):
            for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
                found += _in_bytes(os.fsencode(path.relative_to(root.parent)), looks, f"the name of {path.name!r} in {root}")
                if path.is_file():
                    files += 1
                    found += _in_file(path, looks)
        assert not found, "secrets reached a file:\n" + "\n".join(dict.fromkeys(found))
        where = ", ".join(map(str, paths)) or "no segment was open, and no path was given to watch()"
        assert files, f"nothing was checked, because there is no file: {where}"
        self._files += files

    @contextmanager
    def recording(self) -> Iterator[None]:
        """
        Remember the segment sinks that are open, and those that are made in this block.
        """
        make = SegmentSink.__init__

        @wraps(make)
        def remembered(sink: SegmentSink, *args: Any, **options: Any) -> None:
            make(sink, *args, **options)
            self._sinks.append(sink)

        for handler in handlers():
            self._sinks += _segment_sinks(handler.pipeline.sink)
        SegmentSink.__init__ = cast("Any", remembered)  # type: ignore[method-assign]  # a sink that is closed and gone left files, too
        try:
            yield
        finally:
            SegmentSink.__init__ = make  # type: ignore[method-assign]

    def check_recorded(self, *, is_whole: bool = True) -> None:
        """
        Do what :meth:`check` does for all that was recorded or is watched.

        Args:
            is_whole: Whether it is an error if there's nothing to look at, and
                nothing was checked before; it is none if the test was broken off.

        Raises:
            AssertionError: As :meth:`check`.
        """
        for sink in self._sinks:
            sink.flush()
        paths = [*(sink.root for sink in self._sinks), *self._watched]
        has_files = any(path.is_file() or next(path.rglob("*"), None) for path in paths)
        if (self._names and has_files) or (is_whole and not self._files):
            self.check(*paths)


def _segment_sinks(sink: Any) -> list[SegmentSink]:
    inner = [one for part in getattr(sink, "sinks", ()) for one in _segment_sinks(part)]
    return [sink, *inner] if isinstance(sink, SegmentSink) else inner


def _sample_of(name: str) -> str:
    """
    Return a random secret of the rule *name*.
    """
    choice("like", name, sorted({rule.name for rule in RULES if rule.positive}))
    for rule in (rule for rule in RULES if rule.name == name):
        texts = TextRedactor([rule])
        for template in rule.positive * _ATTEMPTS:
            text, parts = sample(template, secrets.randbits(64))
            for start, end, _ in texts.find(text):
                secret = text[start:end]
                if sum(len(part) for part in parts if part in secret) >= _LEAST_RANDOM:
                    return secret
    raise ConfigError("like", f"the rule {name!r} has no sample of its own; use new() without it")


def _in_file(path: Path, looks: Iterable[tuple[bytes, str]]) -> list[str]:
    try:
        content = path.read_bytes()
        if content.startswith(_GZIP):
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as e:
        return [f"{path}: it couldn't be looked at ({e})"]
    return _in_bytes(content, looks, str(path))


def _in_bytes(content: bytes, looks: Iterable[tuple[bytes, str]], where: str) -> list[str]:
    places = sorted((at, name) for form, name in looks if (at := content.find(form)) >= 0)
    first: dict[str, int] = {}
    for at, name in places:
        first.setdefault(name, at)
    return [f"{name}: {where}, line {content.count(bytes([10]), 0, at) + 1}" for name, at in first.items()]


class SinkContract:
    """
    What every sink promises. Inherit from it, and give it the fixture ``sink``.

    It checks what can be seen from outside: that a sink takes what the handler
    gives it. A sink whose lines can be read back says so by the method
    ``lines(sink)``, and then they are compared.
    """

    def lines(self, sink: Sink) -> list[bytes] | None:  # noqa: ARG002 -- to be overridden
        """
        Return the lines that *sink* has kept, in order; None if nobody can tell.
        """
        return None

    def test_takes_a_line(self, sink: Sink) -> None:
        """
        A line is kept as it is, once.
        """
        line, route = event_line()

        _settled(sink, line, route)
        sink.flush()

        assert self.lines(sink) in (None, [line])

    def test_keeps_order(self, sink: Sink) -> None:
        """
        Lines stand in the order in which they were written.
        """
        pairs = [event_line(seq) for seq in range(50)]

        for line, route in pairs:
            _settled(sink, line, route)
        sink.flush()

        assert self.lines(sink) in (None, [line for line, _ in pairs])

    def test_takes_every_tier(self, sink: Sink) -> None:
        """
        A line of any tier is taken.
        """
        for number, tier in enumerate(["system", "build", "deploy", "action", "lifecycle"]):
            line, route = event_line(number, tier=tier, project_id=_ID, build_id=_ID)

            _settled(sink, line, route)

        sink.flush()

    def test_takes_the_largest_line(self, sink: Sink) -> None:
        """
        A line of nearly 2 MiB is taken.
        """
        line, route = event_line(msg="x" * 2_000_000)

        _settled(sink, line, route)
        sink.flush()

        assert self.lines(sink) in (None, [line])

    def test_flush_and_close_may_be_repeated(self, sink: Sink) -> None:
        """
        Flushing and closing twice is no error.
        """
        sink.flush()
        sink.flush()
        sink.close()
        sink.close()

    def test_a_line_after_close_is_kept(self, sink: Sink) -> None:
        """
        What is logged while a program ends isn't refused.
        """
        line, route = event_line()
        sink.close()

        _settled(sink, line, route)
        sink.flush()

        assert self.lines(sink) in (None, [line])


def _settled(sink: Sink, line: bytes, route: Any) -> None:
    assert list(orjson.loads(line)) == list(KEYS)
    commit = sink.write(line, route)
    if commit is not None:
        commit()
