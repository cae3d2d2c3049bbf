"""
Looking for secrets in files and folders.
"""

from __future__ import annotations

import codecs
import gzip
import io
import os
import stat
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import chain
from typing import Any, NamedTuple

from tierlog.cli._findings import Finding, LineScanner
from tierlog.typing import RedactsValues


__all__ = ["Found", "Tree", "scan", "shown_path"]

_HEAD = 8_192
_LINES_A_STEP = 512
_ZSTD_STEP = 1_024  # bytes at once: each may become thousands
_LONGEST = 4_194_304  # bytes of a line that is looked at as one
_GZIP, _ZSTD = b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Found(NamedTuple):
    """
    A finding and the file it is in.

    Attributes:
        path: The file, as it may be shown.

        finding: What is there.
    """

    path: str
    finding: Finding


class Tree:
    """
    The files below *paths*, each once.

    Links are followed only if they are named themselves. ``.git`` is left out, and
    what is neither a file nor a folder.

    Args:
        paths: Files and folders.

    Attributes:
        files: Paths and sizes in bytes, in order.

        skipped: How many were left out, by what they are.

        problems: Paths that couldn't be read, with the reason.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self.files: list[tuple[str, int]] = []
        self.skipped: Counter[str] = Counter()
        self.problems: list[tuple[str, str]] = []
        self._seen: set[str] = set()
        for path in paths:
            try:
                status = os.stat(path)
            except (OSError, ValueError) as e:
                self.failed(path, e)
            else:
                self._add(path, status)

    def failed(self, path: str, error: Exception) -> None:
        """
        Note that *path* couldn't be read.
        """
        self.problems.append((path, getattr(error, "strerror", None) or str(error) or type(error).__name__))

    def _add(self, path: str, status: os.stat_result) -> None:
        if stat.S_ISDIR(status.st_mode):
            self._walk(path)
        elif os.path.abspath(path) not in self._seen:
            self._seen.add(os.path.abspath(path))
            self.files.append((path, status.st_size))

    def _walk(self, folder: str) -> None:
        folders = [folder]
        while folders:
            inner: list[str] = []
            for entry in self._entries(folders.pop()):
                if entry.name == ".git":
                    self.skipped[".git"] += 1
                elif entry.is_symlink():
                    self.skipped["link"] += 1
                elif entry.is_dir(follow_symlinks=False):
                    inner.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    self._add(entry.path, entry.stat(follow_symlinks=False))
                else:
                    self.skipped["special"] += 1
            folders += reversed(inner)

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as e:
            self.failed(folder, e)
            return []


def scan(tree: Tree, redactor: RedactsValues, read: Callable[[int], None]) -> Iterator[Found]:
    """
    Yield what is found in the files of *tree*, and in their names.

    Args:
        tree: What couldn't be read, and what was no text, is noted in it.

        redactor: What finds secrets.

        read: Called with the bytes of the disk that each step has done.
    """
    named: set[str] = set()
    for path, size in tree.files:
        shown = shown_path(path, redactor)
        for finding in _in_names(path, redactor, named):
            yield Found(shown, finding)
        steps = _Steps(size, read)
        try:
            with _opened(path) as (raw, file):
                if file is None:
                    tree.skipped["binary"] += 1
                else:
                    steps.raw = raw
                    yield from (Found(shown, finding) for finding in _in_lines(file, redactor, tree, path, steps))
        except _unreadable() as e:
            tree.failed(path, e)
        steps.end()


def shown_path(path: str, redactor: RedactsValues) -> str:
    """
    Return *path* without secrets, as text that any output takes.
    """
    return redactor.text(path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))


class _NotReadableError(Exception):
    """
    The file needs something to be read that isn't there, or is damaged.
    """


class _Steps:
    """
    Tells how far the reading of a file is.
    """

    def __init__(self, size: int, read: Callable[[int], None]) -> None:
        self.raw: Any = None
        self._left = size
        self._done = 0
        self._read = read

    def step(self) -> None:
        if self.raw is not None and self.raw.seekable():
            place = self.raw.tell()
            step = min(place - self._done, self._left)
            self._done, self._left = place, self._left - step
            self._read(step)

    def end(self) -> None:
        self._read(self._left)


def _unreadable() -> tuple[type[Exception], ...]:
    zstandard = sys.modules.get("zstandard")
    own = (OSError, EOFError, zlib.error, _NotReadableError)
    return own if zstandard is None else (*own, zstandard.ZstdError)


def _in_names(path: str, redactor: RedactsValues, named: set[str]) -> Iterator[Finding]:
    """
    Yield what is in the names of *path* that aren't among *named* yet.
    """
    while path and path not in named:
        named.add(path)
        path, name = os.path.split(path)
        if not name:
            return
        for finding in LineScanner(redactor).line(0, os.fsencode(name)):
            yield finding._replace(line=None, column=None, field=None)


def _in_lines(file: Any, redactor: RedactsValues, tree: Tree, path: str, steps: _Steps) -> Iterator[Finding]:
    scanner = LineScanner(redactor)
    number = 0
    while line := file.readline(_LONGEST):
        number += 1
        if len(line) < _LONGEST or line.endswith(b"\n"):
            yield from scanner.line(number, line.rstrip(b"\r\n"))
        else:
            rest = iter(lambda: file.readline(_LONGEST), b"")
            yield from scanner.long(number, chain([line], _up_to_newline(rest)))
        if number % _LINES_A_STEP == 0 or len(line) == _LONGEST:
            steps.step()
    yield from scanner.close(number)
    tree.problems += [(path, f"line {one} couldn't be looked at") for one in scanner.unseen]


def _up_to_newline(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        if piece.endswith(b"\n"):
            return


@contextmanager
def _opened(path: str) -> Iterator[tuple[Any, Any]]:
    """
    Open a file, and give what is on the disk and what is in it; None if that is no text.
    """
    with open(path, "rb") as raw:
        head = raw.peek(_HEAD)
        file: Any = raw
        if head.startswith(_GZIP):
            file = gzip.GzipFile(fileobj=raw)
        elif head.startswith(_ZSTD):
            file = _zstd(raw)
        head = file.peek(_HEAD)[:_HEAD]
        if head.startswith(_UTF16):
            yield raw, _Recoded(file)
        else:
            yield raw, None if b"\x00" in head else file


def _zstd(raw: Any) -> Any:
    try:
        zstandard = import_module("zstandard")
    except ImportError:
        raise _NotReadableError("it is compressed with Zstandard; pip install zstandard") from None
    return io.BufferedReader(_Frames(raw, zstandard.ZstdDecompressor()))


class _Frames(io.RawIOBase):
    """
    What is in a file of Zstandard frames.

    A frame that is cut is an error. The library's own reader ends as if it were whole.
    """

    def __init__(self, raw: Any, decompressor: Any) -> None:
        self._raw = raw
        self._decompressor = decompressor
        self._frame: Any = None
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            is_between = self._frame is None or self._frame.eof
            chunk = (self._frame.unused_data if self._frame and is_between else b"") or self._raw.read(_ZSTD_STEP)
            if not chunk:
                if not is_between:
                    raise EOFError("it ends within a frame")
                return 0
            if is_between:
                self._frame = self._decompressor.decompressobj()
            self._ready = self._frame.decompress(chunk)
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size


class _Recoded:
    """
    The lines of a file in UTF-16 as UTF-8.
    """

    def __init__(self, file: Any) -> None:
        self._file = io.TextIOWrapper(file, "utf-16", errors="replace", newline="\n")

    def readline(self, limit: int) -> bytes:
        """
        Return the next line, or *limit* characters of it.
        """
        return self._file.readline(limit).encode("utf-8", "surrogatepass")
