"""
A command that runs, and the thread that reads what it prints.

One thread reads both streams, so that neither can fill up while the other is waited
for, and sees to it that the command ends when it has to. A second one waits for the
end itself, since a pipe that is at its end doesn't tell it, nor one that isn't.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tierlog.capture._console import Show
from tierlog.capture._output import Output
from tierlog.capture._output_file import OutputFile
from tierlog.capture._process import KILL, signal_group
from tierlog.capture._result import Result, short
from tierlog.capture._target import Records
from tierlog.context import restore
from tierlog.errors import TierlogError
from tierlog.report import report


__all__ = ["Limits", "Running"]

_CHUNK = 65_536
_LOOK = 0.2  # seconds
_LAST_CHUNKS = 16  # what a pipe may hold when its time is over


class Limits(NamedTuple):
    """
    How long a command may take, in **seconds**.

    Attributes:
        timeout: It is ended after this; None for never.

        kill_grace: It is killed so long after it was told to end.

        drain_timeout: So long after its end, what it has started may still print.
    """

    timeout: float | None
    kill_grace: float
    drain_timeout: float


class Running:
    """
    A command that runs; see :func:`tierlog.capture.start`.

    Attributes:
        pid: Its process id.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        command: str,
        records: Records,
        outputs: Sequence[tuple[Output, Show | None]],
        limits: Limits,
        file: OutputFile | None,
        facts: Mapping[str, Any],
    ) -> None:
        self.pid = process.pid
        self._process = process
        self._command = command
        self._records = records
        self._outputs = outputs
        self._limits = limits
        self._file = file
        self._facts = facts
        self._began = time.monotonic()
        self._ended: float | None = None
        self._end_by = float("inf") if limits.timeout is None else self._began + limits.timeout
        self._kill_at = float("inf")
        self._drained_at = float("inf")
        self._timed_out = self._stopped = False
        self._result: Result | None = None
        self._lock = threading.RLock()  # of the pipe that wakes the thread; a signal handler may stop, too
        self._wake, self._waker = os.pipe()
        self._is_done = threading.Event()
        self._when_done: list[Callable[[], object]] = []
        try:
            threading.Thread(target=self._wait_for_exit, name=f"tierlog-wait-{self.pid}", daemon=True).start()
            threading.Thread(target=self._run, name=f"tierlog-capture-{self.pid}").start()
        except BaseException:
            self._give_up_waking()
            raise

    def wait(self) -> Result:
        """
        Wait for the end, and return how it was.

        An exception that comes meanwhile, such as ``KeyboardInterrupt``, ends the
        command; it goes on when that is done. A second one kills it.
        """
        try:
            self._wait()
        except BaseException:
            self.end()
            raise
        if self._result is None:
            raise TierlogError(f"the output of {short(self._command)} couldn't be read to its end; see standard error")
        return self._result

    def end(self) -> None:
        """
        Stop it, and wait until that is done; an exception that comes meanwhile kills it.
        """
        self.stop()
        try:
            self._wait()
        finally:
            self.stop(now=True)
            self._wait()

    def send_signal(self, number: int) -> None:
        """
        Send a signal to the command and to all that it has started.
        """
        if not self._is_done.is_set():
            signal_group(self._process, number)

    def stop(self, *, number: int = signal.SIGTERM, now: bool = False) -> None:
        """
        Tell the command to end, and kill it after the grace.

        Args:
            number: The signal that tells it.

            now: Kill it without grace.
        """
        with self._lock:
            if self._waker < 0:
                return
            self._stopped = True
            self._tell_to_end(number)
            if now:
                self.send_signal(KILL)
            self._rouse()

    def when_done(self, call: Callable[[], object]) -> None:
        """
        Call *call* after the end, in a thread of its own; at once if it is over.
        """
        with self._lock:
            if self._waker >= 0:
                self._when_done.append(call)
                return
        call()

    def _wait(self) -> None:
        while not self._is_done.wait(_LOOK):  # a signal that comes just before a wait doesn't end it
            pass

    # -- the threads ---------------------------------------------------------------

    def _tell_to_end(self, number: int) -> None:
        self._end_by = float("inf")
        self._kill_at = min(self._kill_at, time.monotonic() + self._limits.kill_grace)
        self.send_signal(number)

    def _rouse(self) -> None:
        if self._waker >= 0:
            os.write(self._waker, b"!")

    def _give_up_waking(self) -> None:
        with self._lock:
            os.close(self._wake)
            os.close(self._waker)
            self._waker = -1

    def _wait_for_exit(self) -> None:
        self._process.wait()
        self._ended = time.monotonic()
        with self._lock:
            self._rouse()

    def _run(self) -> None:
        restore(self._records.context)
        try:
            self._records.event("info", f"started: {short(self._command)}", self._facts)
            open_still = self._read()
            for output, _ in self._outputs:
                output.close()
            self._finish(open_still)
        except Exception as e:  # noqa: BLE001 -- nobody else would hear of it
            report("capture", f"the output of a command couldn't be read any more: {e!r}")
        finally:
            self._close()

    def _close(self) -> None:
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        self._process.wait()
        if self._file is not None:
            self._file.remove()
        self._give_up_waking()
        # Without the lock: a signal handler that stops may have come in the middle of a wait for this.
        self._is_done.set()
        for call in self._when_done:
            try:
                call()
            except Exception as e:  # noqa: BLE001 -- an event loop may have been closed, for example
                report("capture-done", f"whoever waited for the end of a command can't be told: {e!r}")

    def _finish(self, held_open: Sequence[str]) -> None:
        if self._stopped or self._timed_out:
            self.send_signal(KILL)  # what it has started, and has outlived it
        merged = self._file.merge(self._records) if self._file is not None else 0
        out, err = (output for output, _ in self._outputs)
        result = Result(
            command=self._command,
            pid=self.pid,
            returncode=self._process.returncode,
            duration_ms=int(((self._ended or time.monotonic()) - self._began) * 1000),
            stdout_lines=out.lines,
            stderr_lines=err.lines,
            bytes=out.bytes + err.bytes,
            lost=out.lost + err.lost,
            merged=merged,
            timed_out=self._timed_out,
            stopped=self._stopped,
            held_open=tuple(held_open),
        )
        self._records.event("error" if result.returncode else "info", result.summary(), result.facts())
        self._result = result

    def _read(self) -> list[str]:
        """
        Read until the command and its streams have ended; return those that haven't.
        """
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake, selectors.EVENT_READ)
            pipes = (self._process.stdout, self._process.stderr)
            for pipe, (output, console) in zip(pipes, self._outputs, strict=True):
                selector.register(pipe, selectors.EVENT_READ, (output, console))  # type: ignore[arg-type]
            late = 0
            while self._process.returncode is None or len(selector.get_map()) > 1:
                is_late = time.monotonic() >= self._drained_at
                ready = selector.select(0 if is_late else self._until_due())
                if is_late and (not ready or late == _LAST_CHUNKS):
                    break
                late += is_late
                for key, _ in ready:
                    self._take(selector, key)
                self._see_to_it()
            return [key.data[0].name for key in selector.get_map().values() if key.data is not None]

    def _take(self, selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
        """
        Read one chunk.
        """
        chunk = os.read(key.fd, _CHUNK)
        if key.data is None:
            return
        if not chunk:
            selector.unregister(key.fileobj)
            return
        output, console = key.data
        if console is not None:
            console(chunk, self._may_wait)
        output.feed(chunk)

    def _may_wait(self) -> bool:
        """
        Do what is due while nobody takes what is shown, and tell whether to wait for them.
        """
        self._see_to_it()
        return time.monotonic() < self._drained_at or not (self._timed_out or self._stopped)

    def _until_due(self) -> float | None:
        """
        Return how many seconds there's nothing to do but to read, None for ever.
        """
        due = [at for output, _ in self._outputs if (at := output.due()) is not None]
        due += [self._end_by, self._kill_at, self._drained_at]
        first = min(due)
        return None if first == float("inf") else max(0.0, first - time.monotonic())

    def _see_to_it(self) -> None:
        """
        Do what is due.
        """
        now = time.monotonic()
        for output, _ in self._outputs:
            output.tick()
        has_ended = self._process.returncode is not None
        if has_ended:
            self._end_by = float("inf")
        if now >= self._end_by:
            self._timed_out = True
            self._tell_to_end(signal.SIGTERM)
        if now >= self._kill_at:
            self._kill_at = float("inf")
            self.send_signal(KILL)
        if has_ended and self._drained_at == self._kill_at == float("inf"):
            self._drained_at = now + self._limits.drain_timeout
