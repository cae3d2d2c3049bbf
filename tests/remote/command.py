"""
A command, run in this process: a new one takes a second to begin.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from children import Finished
from tierlog.cli._app import run
from tierlog.report import report


__all__ = ["tierlog"]

_left: list[threading.Thread] = []


def tierlog(*arguments: object, **variables: str) -> Finished:
    """
    Run a command with its output on files, and nothing of this process's in its environment.

    Args:
        arguments: The command's.

        variables: What is in its environment beside what everybody has.
    """
    report._last.clear()  # a new process would say it, too
    for thread in _left:
        thread.join()  # no process leaves one behind that holds a segment
    before, threads = dict(os.environ), set(threading.enumerate())
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            for name in before:
                if name.startswith("TIERLOG_") or name == "COLUMNS":
                    del os.environ[name]
            os.environ.update(variables)
            with _outputs(out.fileno(), err.fileno()):
                code = run([*map(str, arguments)])
        finally:
            os.environ.clear()
            os.environ.update(before)
            _left[:] = set(threading.enumerate()) - threads
        return Finished(code, _text(out), _text(err))


@contextmanager
def _outputs(*files: int) -> Iterator[None]:
    """
    Have what is written to standard output and standard error go to *files*.
    """
    streams, saved = (sys.stdout, sys.stderr), (os.dup(1), os.dup(2))
    for stream in streams:
        stream.flush()
    try:
        for number, file in enumerate(files, 1):
            os.dup2(file, number)
        sys.stdout, sys.stderr = (os.fdopen(os.dup(file), "w", encoding="utf-8") for file in files)
        try:
            yield
        finally:
            for own in (sys.stdout, sys.stderr):
                own.close()
    finally:
        sys.stdout, sys.stderr = streams
        for number, file in enumerate(saved, 1):
            os.dup2(file, number)
            os.close(file)


def _text(file) -> str:
    file.seek(0)
    return file.read().decode("utf-8")
