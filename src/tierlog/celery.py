"""
Tasks of a Celery application: the sender's ids in the worker, and each task's start
and end.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

from celery import signals

from tierlog.context import IDS, current, to_env
from tierlog.errors import ConfigError
from tierlog.events import log_event
from tierlog.exceptions import exception_data
from tierlog.plain import text_of
from tierlog.steps import Enclosing, Step, contained, enclosing, milliseconds
from tierlog.typing import Clock


__all__ = ["instrument"]

_HEADER = "tierlog"
_VARIABLES = {f"TIERLOG_{name.upper()}": name for name in IDS}
_ENDS = {
    "success": ("info", "succeeded"),
    "failure": ("error", "failed"),
    "retry": ("warn", "will be tried again"),
    "cancelled": ("warn", "was cancelled"),
}
_instrumented: list[Any] = []


def instrument(app: Any, *, exclude: Iterable[str] = (), starts: bool = True, clock: Clock = time.monotonic_ns) -> None:
    """
    Carry ids from whoever sends a task of *app* to whoever runs it, and write the start
    and the end of each, in the tier ``system`` as ``job``; arguments and results never.

    Call it where the application is made, once: both sides need it. A task that comes
    without a request's id has its own as one.

    Args:
        app: The Celery application.

        exclude: Names of tasks without events.

        starts: Whether to write starts, too.

        clock: Counts **nanoseconds**.

    Raises:
        ConfigError: An option can't work.
    """
    if isinstance(exclude, str):
        raise ConfigError("exclude", f"{exclude!r} isn't a list of tasks' names")
    if any(one == app for one in _instrumented):
        return
    _instrumented.append(app)
    tasks = _Tasks(app, frozenset(exclude), starts=starts, clock=clock)
    for event, receiver in (
        (signals.before_task_publish, _send_ids),
        (signals.task_prerun, tasks.started),
        (signals.task_postrun, tasks.ended),
        (signals.task_failure, tasks.failed),
        (signals.task_revoked, tasks.revoked),
    ):
        event.connect(receiver, weak=False)


class _Run:
    """
    A task that runs in this thread.
    """

    def __init__(self, task_id: str, ids: Mapping[str, Any], started: int) -> None:
        self.here = Enclosing(task_id)
        self.context = current().replace(ids)
        self.started = started
        self.step = Step(self)


class _Tasks:
    """
    What becomes of the tasks of one application.
    """

    def __init__(self, app: Any, exclude: frozenset[str], *, starts: bool, clock: Clock) -> None:
        self._app = app
        self._exclude = exclude
        self._starts = starts
        self._clock = clock
        self._running: dict[str, list[_Run]] = {}

    def started(self, *, task_id: str, task: Any, **_: Any) -> None:
        if task.app != self._app:
            return
        ids = _ids_of(task.request)
        if ids.get("req_id") is None and current().req_id is None:
            ids["req_id"] = task_id
        run = _Run(task_id, ids, self._clock())
        self._running.setdefault(task_id, []).append(run)  # retried eagerly, it runs within itself
        around = enclosing.get()
        run.here.request = around.request if around is not None else None
        run.step.__enter__()
        if self._starts:
            self._write(task, task.request, "info", "start", "started", {})

    def ended(self, *, task_id: str, task: Any, state: str | None = None, retval: Any = None, **_: Any) -> None:
        runs = self._running.get(task_id)
        if task.app != self._app or not runs:
            return
        run = runs.pop()
        if not runs:
            del self._running[task_id]
        event, error, reason = _end_of(state, retval)
        ours: dict[str, Any] = {"durationMs": milliseconds(run.started, self._clock()), "reason": reason}
        if event == "failure" and error is not None and error is not run.here.logged:
            ours["exc"] = contained("an exception", lambda: exception_data(error))
        self._end(task, task.request, event, ours)
        run.step.__exit__()

    def failed(self, *, sender: Any, task_id: str, exception: BaseException | None = None, **_: Any) -> None:
        """
        Write the end of a task whose process is lost: where it ran, nobody can.
        """
        if sender.app != self._app or task_id in self._running:
            return
        request = sender.request if sender.request.id == task_id else {"id": task_id}
        self._end(sender, request, "failure", {"reason": text_of(exception)})

    def revoked(
        self, *, sender: Any, request: Any, terminated: bool = False, signum: Any = None, expired: bool = False, **_: Any
    ) -> None:
        """
        Write the end of a task that was called off. One that runs and is asked to end
        writes its own, see :meth:`ended`; one that is killed can't.
        """
        if sender.app != self._app or (terminated and _number(signum) == signal.SIGTERM):
            return
        reason = "terminated" if terminated else "expired" if expired else "revoked"
        self._end(sender, request, "cancelled", {"reason": reason})

    def _end(self, task: Any, request: Any, event: str, ours: dict[str, Any]) -> None:
        lvl, said = _ENDS[event]
        reason = ours.get("reason")
        self._write(task, request, lvl, event, f"{said}: {reason}" if reason else said, ours)

    def _write(self, task: Any, request: Any, lvl: str, event: str, said: str, ours: dict[str, Any]) -> None:
        if task.name in self._exclude:
            return
        task_id = request.get("id")
        own = {"job": task.name, "jobId": task_id, "event": event, "attempt": (request.get("retries") or 0) + 1}
        parent = request.get("parent_id")
        queue = (request.get("delivery_info") or {}).get("routing_key")
        own |= {"queue": queue, "parentId": parent if parent != task_id else None, **ours}  # a retry's is its own
        data = {name: value for name, value in own.items() if value is not None}
        inside = enclosing.get()
        ids = {} if inside is not None and inside.id == task_id else {"req_id": task_id, **_ids_of(request)}
        log_event("system", "job", lvl, f"{task.name} {said}", data, src=current().src or "celery", **ids)


def _number(signum: Any) -> int | None:
    named = getattr(signal, f"SIG{str(signum).upper().removeprefix('SIG')}", signum)
    return int(named) if isinstance(named, int) else None


def _send_ids(*, headers: dict[str, Any] | None = None, **_: Any) -> None:
    ids = to_env()
    if headers is not None and ids:
        headers[_HEADER] = ids


def _ids_of(request: Any) -> dict[str, Any]:
    given = request.get(_HEADER)
    if not isinstance(given, Mapping):
        return {}
    return {name: str(given[variable]) for variable, name in _VARIABLES.items() if given.get(variable)}


def _end_of(state: str | None, retval: Any) -> tuple[str, BaseException | None, str | None]:
    """
    Return how a task ended, with which exception, and why.
    """
    if state == "SUCCESS":
        return "success", None, None
    error = retval if isinstance(retval, BaseException) else sys.exception()
    if state == "RETRY":
        return "retry", None, text_of(getattr(error, "exc", None) or error)
    if state in {"IGNORED", "REJECTED"}:
        return "cancelled", None, state.lower()
    if error is not None and not isinstance(error, Exception):
        return "cancelled", None, type(error).__name__
    return "failure", error, text_of(error)
