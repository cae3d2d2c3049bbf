"""
What a command prints, byte for byte, where its caller prints.
"""

from __future__ import annotations

import codecs
import io
import os
import select
import stat
import sys
from collections.abc import Callable
from typing import Any

from tierlog.errors import ConfigError
from tierlog.report import report


__all__ = ["Show", "console_writers"]

_LOOK_MS = 100  # how often to ask, while nobody reads what is shown
_AT_ONCE = getattr(select, "PIPE_BUF", 512)  # bytes that a pipe takes without a wait if it takes any

MayWait = Callable[[], bool]
Show = Callable[[bytes, MayWait], None]
"""Writes a chunk. While nobody takes it, it asks again and again whether to wait."""


def console_writers(console: Any) -> tuple[Show | None, Show | None]:
    """
    Return what writes chunks of standard output and of standard error.

    Args:
        console: True for this process's own, False for none, or two open files, each
            of bytes or of text, or None.

    Raises:
        ConfigError: It is nothing of that.
    """
    if console is True:
        console = (sys.stdout, sys.stderr)
    elif console is False or console is None:
        console = (None, None)
    if not isinstance(console, tuple) or len(console) != 2 or not all(one is None or hasattr(one, "write") for one in console):  # noqa: PLR2004
        raise ConfigError("console", f"{console!r} is none of true, false and two open files")
    out, err = (None if one is None else _Guarded(one) for one in console)
    return out, err


class _Guarded:
    """
    Writes to one file until that fails: a command's records don't depend on who watches.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        try:
            self._write = _writer(file)
        except Exception as e:  # noqa: BLE001 -- as below
            self._give_up(e)

    def __call__(self, chunk: bytes, may_wait: MayWait) -> None:
        if self._file is None:
            return
        try:
            self._write(chunk, may_wait)
        except Exception as e:  # noqa: BLE001 -- nobody reads it any more, it is closed, or it isn't ours
            self._give_up(e)

    def _give_up(self, error: Exception) -> None:
        self._file = None
        report("console", f"output can't be shown any more ({error}); it is still logged")


def _writer(file: Any) -> Show:
    """
    Return what writes bytes to *file*, past its buffers: nothing is left in them when it fails.
    """
    binary = getattr(file, "buffer", None)
    if binary is None and hasattr(file, "encoding"):  # text that has no bytes below it
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        return lambda chunk, _: _write(file, decode(chunk))
    file.flush()  # what was printed before comes first
    binary = file if binary is None else binary
    target = getattr(binary, "raw", binary)
    if not _may_be_full(target):
        return lambda chunk, _: _write(target, chunk)
    poll = select.poll()
    poll.register(target, select.POLLOUT)
    return lambda chunk, may_wait: _write_in_turn(target, chunk, poll, may_wait)


def _may_be_full(file: Any) -> bool:
    """
    Tell whether *file* is a pipe, a terminal or a socket, which somebody has to read.
    """
    try:
        return hasattr(select, "poll") and not stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except (AttributeError, OSError):
        return False


def _write(file: Any, content: Any) -> None:
    rest = content
    while rest:
        written = file.write(rest)
        rest = rest[len(rest) if written is None else written :]
    file.flush()


def _write_in_turn(file: Any, content: bytes, poll: select.poll, may_wait: MayWait) -> None:
    rest = content
    while rest:
        if poll.poll(_LOOK_MS):
            written = file.write(rest[:_AT_ONCE])
            if written is None:  # a raw file that doesn't block took nothing, any other all of it
                written = 0 if isinstance(file, io.RawIOBase) else _AT_ONCE
            rest = rest[written:]
        elif not may_wait():
            raise TimeoutError("nobody reads it")
    file.flush()
