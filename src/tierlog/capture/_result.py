"""
How a command ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tierlog.capture._process import signal_name


__all__ = ["Result", "short"]

_SIGNALLED = 128
_SHOWN = 200  # characters


def short(command: str) -> str:
    """
    Return a command as it stands in a message.
    """
    return command if len(command) <= _SHOWN else f"{command[:_SHOWN]}…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """
    How a command ended.

    Attributes:
        command: The command, redacted, as one would type it.

        pid: Its process id.

        returncode: Its exit code; the signal's number, negative, if one ended it.

        duration_ms: How long it ran, in **milliseconds**.

        stdout_lines: Lines on its standard output.

        stderr_lines: Lines on its standard error.

        bytes: Bytes of both.

        lost: Records of its lines that the sink didn't keep.

        merged: Entries of its own output file that became records.

        timed_out: Whether it was ended because its time was over.

        stopped: Whether it was ended because its caller was.

        held_open: The streams that something it had started kept open; what came
            there later wasn't read.
    """

    command: str
    pid: int
    returncode: int
    duration_ms: int
    stdout_lines: int
    stderr_lines: int
    bytes: int
    lost: int
    merged: int = 0
    timed_out: bool = False
    stopped: bool = False
    held_open: tuple[str, ...] = ()

    @property
    def lines(self) -> int:
        """
        Lines on both streams.
        """
        return self.stdout_lines + self.stderr_lines

    @property
    def signal(self) -> str | None:
        """
        The signal that ended it, such as ``SIGKILL``; None if none did.
        """
        return signal_name(self.returncode)

    @property
    def exit_code(self) -> int:
        """
        What a shell would say: the exit code, or 128 and the signal's number.
        """
        return self.returncode if self.returncode >= 0 else _SIGNALLED - self.returncode

    def summary(self) -> str:
        """
        Return it in one line.
        """
        how = f"was ended by {self.signal}" if self.signal else f"ended with exit code {self.returncode}"
        why = ", its time was over" if self.timed_out else ", as it was told to" if self.stopped else ""
        return f"{short(self.command)} {how} after {self.duration_ms / 1000:.1f} s{why}"

    def facts(self) -> Mapping[str, Any]:
        """
        Return it as the payload of an event.
        """
        facts: dict[str, Any] = {
            "event": "end",
            "command": self.command,
            "pid": self.pid,
            "exit_code": self.exit_code,
            "duration_ms": self.duration_ms,
            "lines": {"stdout": self.stdout_lines, "stderr": self.stderr_lines},
            "bytes": self.bytes,
        }
        more = {
            "signal": self.signal,
            "lost": self.lost,
            "merged": self.merged,
            "timed_out": self.timed_out,
            "stopped": self.stopped,
            "held_open": list(self.held_open),
        }
        return facts | {name: value for name, value in more.items() if value}
