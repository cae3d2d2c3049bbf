"""
Real processes for the tests: started, read, killed, and never left behind.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple


__all__ = ["FOLDER", "Finished", "finish", "run", "start", "until"]

FOLDER = Path(__file__).parent
"""Where the longer child programs are."""

_PATIENCE = 120.0  # seconds: for what hangs, not for what is slow


class Finished(NamedTuple):
    """
    A process that has ended.

    Attributes:
        returncode: As :class:`subprocess.Popen` has it.

        out: Its standard output.

        err: Its standard error.
    """

    returncode: int
    out: str
    err: str


def start(program: str | Path, *args: object, before: Sequence[str] = (), **options: Any) -> subprocess.Popen[bytes]:
    """
    Start a Python program, given as source or as a file.

    Args:
        program: The program.

        args: Its arguments.

        before: The command that runs it, for example ``strace …``.

        options: Of :class:`subprocess.Popen`.
    """
    code = [str(program)] if isinstance(program, Path) else ["-c", dedent(program)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "start_new_session": True, **options}
    # Signals that end a hanging process say where it hangs.
    command = [*before, sys.executable, "-X", "faulthandler", *code, *map(str, args)]
    return subprocess.Popen(command, **options)


def finish(process: subprocess.Popen[bytes], *, patience: float = _PATIENCE) -> Finished:
    """
    Wait for the end of *process*.

    Raises:
        AssertionError: It hangs; it says where.
    """
    try:
        out, err = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGABRT)
        try:
            _, err = process.communicate(timeout=2)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            _, err = process.communicate()
        raise AssertionError(f"the process hangs:\n{(err or b'').decode('utf-8', 'replace')[-6000:]}") from None
    return Finished(process.returncode, (out or b"").decode("utf-8", "replace"), (err or b"").decode("utf-8", "replace"))


def run(program: str | Path, *args: object, before: Sequence[str] = (), patience: float = _PATIENCE, **options: Any) -> Finished:
    """
    Run a Python program to its end; as :func:`start` and :func:`finish`.
    """
    return finish(start(program, *args, before=before, **options), patience=patience)


def until(condition: Callable[[], Any], *, patience: float = 60.0) -> Any:
    """
    Return what *condition* returns once that is true.

    Raises:
        AssertionError: It wasn't in time.
    """
    end = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < end, "what was waited for didn't come"
        time.sleep(0.005)
    return found
