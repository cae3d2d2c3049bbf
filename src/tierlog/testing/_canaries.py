"""
Values that no file may have, and the search for them.
"""

from __future__ import annotations

import io
import os
import secrets
import string
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, cast

from tierlog.errors import ConfigError
from tierlog.handler import handlers
from tierlog.options import choice
from tierlog.packing import UnpackingError, open_plain
from tierlog.redact._known import forms
from tierlog.redact._rule import sample
from tierlog.redact._rules import RULES
from tierlog.redact._text import TextRedactor
from tierlog.segments import SegmentSink


__all__ = ["Canaries"]

_WORD_CHARS = 24
_LEAST_RANDOM = 8  # characters that make a canary unlike any other text
_ATTEMPTS = 16
_PACKED = {b"\x1f\x8b\x08": "gz", b"\x28\xb5\x2f\xfd": "zst"}


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
        JSON, URLs, HTML and shells, and in files that gzip or zstd has compressed.

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
        for magic, packing in _PACKED.items():
            if content.startswith(magic):
                content = open_plain(io.BytesIO(content), packing).read()
                break
    except (OSError, UnpackingError) as e:
        return [f"{path}: it couldn't be looked at ({e})"]
    return _in_bytes(content, looks, str(path))


def _in_bytes(content: bytes, looks: Iterable[tuple[bytes, str]], where: str) -> list[str]:
    places = sorted((at, name) for form, name in looks if (at := content.find(form)) >= 0)
    first: dict[str, int] = {}
    for at, name in places:
        first.setdefault(name, at)
    return [f"{name}: {where}, line {content.count(bytes([10]), 0, at) + 1}" for name, at in first.items()]
