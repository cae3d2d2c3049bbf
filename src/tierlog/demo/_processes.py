"""
The processes of the demo, as their parent sees them.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from queue import Empty, SimpleQueue
from typing import Any

import orjson

from tierlog.errors import TierlogError


__all__ = ["Child", "DemoError", "News", "wait_for"]

News = SimpleQueue[None]
"""Tells that something happened; what it was, the processes know."""

_KILLED = -getattr(signal, "SIGKILL", -1)  # Windows ends a process with exit code 1
_TICK = 0.1  # seconds between two calls of on_tick


class DemoError(TierlogError):
    """
    The demo could not be run to its end.
    """


class Child:
    """
    A process that logs and acknowledges.

    Args:
        name: Its name, and what it does.

        job: What it is told besides.

        news: Where it is said what happens.

        enough: How many acknowledged records are news.

    Attributes:
        instance: Its ``instanceId``, once it is ready.

        acknowledged: Numbers of the records whose log call has returned.

        redactions: Secrets it has hidden, by rule.

        said: What happened to it so far: ``ready``, ``enough``, ``ended``.
    """

    def __init__(self, name: str, job: Mapping[str, Any], news: News, enough: int) -> None:
        self.name = name
        self.instance = ""
        self.acknowledged: set[int] = set()
        self.redactions: dict[str, int] = {}
        self.said: set[str] = set()
        self._news = news
        self._enough = enough
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 -- closed with the process
        self._process = subprocess.Popen(
            # -P: a module of the folder one happens to be in must not stand in for the real one.
            [sys.executable, "-P", "-m", "tierlog.demo.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.tell(orjson.dumps({**job, "name": name, "script": name}))

    @property
    def exit_code(self) -> int:
        """
        How it ended; the number of the signal, negative, if it was killed.
        """
        return self._process.wait()

    @property
    def outcome(self) -> str:
        """
        How it ended, in words.
        """
        return {0: "clean", _KILLED: "killed"}.get(self.exit_code, f"exit code {self.exit_code}")

    @property
    def complaint(self) -> str:
        """
        The last line of what it wrote to standard error.
        """
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""

    def tell(self, line: bytes) -> None:
        """
        Send it a line; one that has ended doesn't mind.
        """
        try:
            if self._process.stdin is not None:
                self._process.stdin.write(line + b"\n")
                self._process.stdin.flush()
        except OSError:
            return

    def kill(self) -> None:
        """
        Kill it, if it lives, and take in what it had acknowledged.
        """
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def close(self) -> None:
        """
        End it, and give up the pipes.
        """
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:
                continue

    def _read(self) -> None:
        for line in self._process.stdout or ():
            if not line.endswith(b"\n"):
                break
            if line.startswith(b"{"):
                self._take(orjson.loads(line))
                continue
            self.acknowledged.add(int(line))
            if len(self.acknowledged) == self._enough:
                self._say("enough")
        self._say("ended")

    def _take(self, message: dict[str, Any]) -> None:
        self.redactions = message.get("redactions", self.redactions)
        if "ready" in message:
            self.instance = message["ready"]
            self._say("ready")

    def _say(self, what: str) -> None:
        self.said.add(what)
        self._news.put(None)


def wait_for(what: str, who: Iterable[Child], news: News, deadline: float, on_tick: Callable[[], None]) -> None:
    """
    Wait until each of *who* has said *what*.

    Args:
        what: What they are to say.

        who: The processes.

        news: Where it is told that something happened.

        deadline: Monotonic time by which it must be.

        on_tick: Called now and then.

    Raises:
        DemoError: One of them ended before, or time is over.
    """
    while missing := [child for child in who if what not in child.said]:
        for child in missing:
            if "ended" in child.said:
                raise DemoError(
                    f"{child.name} ended too early, with exit code {child.exit_code}: {child.complaint or 'no message'}"
                )
        if time.monotonic() > deadline:
            names = ", ".join(child.name for child in missing)
            raise DemoError(f"gave up waiting for {names} ({what}): is this machine very busy? try again")
        try:
            news.get(timeout=_TICK)
        except Empty:
            pass
        on_tick()
