"""
A command as a process group of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tierlog.errors import CommandError, CommandNotFoundError, ConfigError


__all__ = [
    "KILL",
    "checked_command",
    "checked_path",
    "end_at_once",
    "environment",
    "folder_of",
    "signal_group",
    "signal_name",
    "start",
]

KILL: int = getattr(signal, "SIGKILL", signal.SIGTERM)
"""The signal that nothing survives."""

_IS_WINDOWS = sys.platform == "win32"


def checked_command(command: Sequence[str | os.PathLike[str]]) -> list[str]:
    """
    Return *command* as a list of texts.

    Raises:
        ConfigError: It is none: a single text, or empty.
    """
    if isinstance(command, (str, bytes)):
        raise ConfigError("command", f"{command!r} is one text; give a list, such as ['npm', 'run', 'build']")
    if not isinstance(command, Iterable):
        raise ConfigError("command", f"{command!r} is no list of texts")
    found = [checked_path("command", part) for part in command]
    if not found or not found[0]:
        raise ConfigError("command", "is empty; name a program")
    return found


def checked_path(setting: str, given: Any) -> str:
    """
    Return a path, or another text that the system is given.

    Raises:
        ConfigError: It is none.
    """
    try:
        path = os.fsdecode(given)
        encoded = os.fsencode(path)
    except (TypeError, UnicodeError):
        raise ConfigError(setting, f"{given!r} is no text that a program can be given") from None
    if b"\0" in encoded:
        raise ConfigError(setting, "has a NUL character in it, which no program can be given")
    return path


def environment(given: Mapping[str, str] | None, ids: Mapping[str, str]) -> dict[str, str]:
    """
    Return the environment of a command: *given*, else this process's, with those of
    *ids* that a variable can have.

    Raises:
        ConfigError: It can't be one.
    """
    try:
        found = {**(os.environ if given is None else given), **{name: ids[name] for name in ids if _is_given(ids[name])}}
    except TypeError:
        raise ConfigError("env", f"{type(given).__name__} is no mapping of names to texts") from None
    for name, value in found.items():
        # Without the value, which may be a secret.
        if not isinstance(name, str) or not name or "=" in name or "\0" in name or not _is_given(value):
            raise ConfigError("env", f"{name!r} can't be given to a program: a name and its value are texts without NUL")
    return found


def _is_given(value: Any) -> bool:
    try:
        return b"\0" not in os.fsencode(value)
    except (TypeError, UnicodeError):
        return False


def folder_of(cwd: str | None) -> str | None:
    """
    Return the folder in which a command runs, None if this process's own is gone.
    """
    try:
        return os.path.abspath(cwd or "")
    except OSError:
        return None


def start(command: list[str], *, cwd: str | None, env: Mapping[str, str], stdin: Any) -> subprocess.Popen[bytes]:
    """
    Start *command* in a session of its own, so that all it starts can be ended.

    Raises:
        CommandNotFoundError: There is no such program, or no such folder.

        CommandError: It can't be started.

        ConfigError: There's nothing to read in *stdin*.
    """
    if type(stdin) is int and stdin == subprocess.PIPE:
        raise ConfigError("stdin", "nobody could write to a pipe; open a file, or os.pipe()")
    options: dict[str, Any] = {"start_new_session": True}
    if _IS_WINDOWS:  # pragma: no cover -- no Windows in the test matrix
        options = {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    try:
        return subprocess.Popen(
            command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, cwd=cwd, env=dict(env), **options
        )
    except OSError as e:
        raise _problem(command[0], cwd, e) from e
    except (AttributeError, TypeError):
        raise ConfigError("stdin", f"{type(stdin).__name__} is nothing that a program can read from; open a file") from None


def _problem(program: str, cwd: str | None, error: OSError) -> CommandError:
    if cwd is not None and not os.path.isdir(cwd):
        return CommandNotFoundError(program, f"can't be run in {cwd!r}: there's no such folder")
    if not isinstance(error, FileNotFoundError):
        return CommandError(program, f"can't be run ({error.strerror or error})", errno=error.errno)
    if os.sep in program and os.path.exists(os.path.join(cwd or "", program)):
        return CommandError(program, "can't be run: the interpreter that its first line names isn't there", errno=error.errno)
    return CommandNotFoundError(program, "isn't there" if os.sep in program else "isn't there: no folder of PATH has it")


def signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    """
    Send a signal to a command and all it has started; those that have ended don't mind.
    """
    try:
        if _IS_WINDOWS:  # pragma: no cover -- no Windows in the test matrix
            process.terminate()
        else:
            os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return


def end_at_once(process: subprocess.Popen[bytes]) -> None:
    """
    Kill a command and all it has started, and give up its pipes.
    """
    signal_group(process, KILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def signal_name(returncode: int) -> str | None:
    """
    Return the name of the signal that ended a process, None if none did.
    """
    if returncode >= 0:
        return None
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return f"SIG{-returncode}"
