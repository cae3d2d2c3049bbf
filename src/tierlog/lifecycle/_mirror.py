"""
Mirroring a table: what is committed is dispatched by a thread, soon.
"""

from __future__ import annotations

import atexit
import threading
import time
from typing import Any, Self

from sqlalchemy import Engine, event
from sqlalchemy.exc import SQLAlchemyError

from tierlog import _fork
from tierlog.errors import ConfigError
from tierlog.handler import TierHandler
from tierlog.lifecycle._ddl import install as install_on
from tierlog.lifecycle._ddl import is_installed
from tierlog.lifecycle._dispatch import Dispatcher
from tierlog.lifecycle._engine import application_engine, engine_of, is_in_memory, own_engine, problem_of, told
from tierlog.lifecycle._outbox import Outbox
from tierlog.lifecycle._target import Target, there
from tierlog.options import seconds
from tierlog.report import report
from tierlog.typing import Clock


__all__ = ["Mirror", "mirror"]

_MS_NS = 1_000_000
_GATHERING = 0.05  # seconds; what is committed meanwhile is one batch
_AGAIN = (0.2, 1.0)  # seconds; SQLAlchemy tells of a commit just before it is made
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 30.0  # seconds, after failures
_PRUNING = 3600.0  # seconds
_AT_EXIT = 2.0  # seconds


class Mirror:
    """
    What :func:`mirror` returns: it dispatches until it is closed. Also a context manager.

    Args:
        dispatcher: Goes from the outbox to the log.

        outbox: The outbox.

        engine: The application's engine, whose commits are listened to.

        own: The engine that the outbox is read with.

        interval: How often to look for what others have committed, **seconds**.

        keep: How long rows that are done are kept, **seconds**.
    """

    fork_order = 0  # as in a dispatch: before the sink

    def __init__(
        self, dispatcher: Dispatcher, outbox: Outbox, engine: Engine, own: Engine, *, interval: float, keep: float
    ) -> None:
        self._dispatcher = dispatcher
        self._outbox = outbox
        self._engine = engine
        self._own = own
        self._interval = interval
        self._keep = keep
        self._pruned: float | None = None
        self._has_thread = own is not engine  # one can't share a database in memory
        self._closing = threading.Event()
        self._begin_anew()
        # SQLite's commits are quick, and listening to them isn't: to connections that are given back, it is.
        self._listened = "checkin" if engine.dialect.name == "sqlite" else "commit"
        event.listen(engine, self._listened, self._on_commit)
        _fork.watch(self)
        atexit.register(self.close, _AT_EXIT)
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def flush(self, timeout: float = 5.0) -> bool:
        """
        Write the events of all that is committed by now, and return whether that is done;
        without a handler, it isn't.

        Args:
            timeout: For how many **seconds** to try.
        """
        end = time.monotonic() + timeout
        while not (is_done := self._look(max(0.0, end - time.monotonic()))):
            if time.monotonic() > end or self._dispatcher.log() is None:
                break
            time.sleep(_GATHERING)
        return is_done

    def close(self, timeout: float = 5.0) -> None:
        """
        Write what waits, and stop. Transitions are noted all the same: whoever mirrors the
        table next writes them.

        Args:
            timeout: For how many **seconds** to try.
        """
        if self._closing.is_set():
            return
        self._closing.set()
        self._wake.set()
        atexit.unregister(self.close)
        event.remove(self._engine, self._listened, self._on_commit)
        self.flush(timeout)
        if self._thread is not None:
            self._thread.join(timeout)
        if self._has_thread:
            self._own.dispose()

    def stats(self) -> dict[str, Any]:
        """
        Return ``written``: events; ``found``: rows whose event was in the log already, of
        a process that was killed; ``failures``; and ``last_error``.
        """
        return self._dispatcher.stats()

    def waiting(self) -> int:
        """
        Return how many transitions wait in the outbox.

        Raises:
            DatabaseError: The database didn't answer.
        """
        with told(self._own):
            return self._outbox.waiting()

    def fork_lock(self) -> _fork.Lock:
        """
        Return the lock to be held during a fork.
        """
        return self._lock

    def after_fork_in_child(self) -> None:
        """
        Begin anew: connections are the parent's, and its thread isn't here. The next
        commit starts one.
        """
        if self._has_thread:
            self._own.dispose(close=False)
        closing, self._closing = self._closing, threading.Event()
        if closing.is_set():
            self._closing.set()
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def _on_commit(self, *_: object) -> None:
        # All that a commit of the application's pays for.
        if not self._wake.is_set():
            self._wake.set()
            if self._thread is None:
                self._start()

    def _start(self) -> None:
        if self._has_thread:
            self._thread = threading.Thread(target=self._run, name="tierlog-lifecycle", daemon=True)
            try:
                self._thread.start()
            except RuntimeError as e:  # too many, or the interpreter ends; a commit must not fail for that
                self._thread = None
                self._wake.clear()
                report("lifecycle", f"transitions of builds wait in the outbox ({e}); the next commit tries it again")

    def _run(self) -> None:
        pauses = [0.0]  # first, what others have left
        failures = 0
        while not self._closing.is_set():
            if self._wake.wait(pauses.pop(0) if pauses else self._interval):
                self._closing.wait(_GATHERING)
                self._wake.clear()
                pauses = list(_AGAIN)
            before = self._dispatcher.failures
            if not self._look() and not pauses:
                pauses = list(_AGAIN[:1])
            failures = failures + 1 if self._dispatcher.failures > before else 0
            if failures:
                self._closing.wait(min(_FIRST_PAUSE * 2 ** min(failures, 10), _LONGEST_PAUSE))

    def _look(self, patience: float = 0.0) -> bool:
        if not self._lock.acquire(timeout=patience):  # somebody looks, who may wait for the database
            return False
        try:
            is_done = self._dispatcher.run(patience)
            if is_done and (self._pruned is None or time.monotonic() > self._pruned + _PRUNING):
                self._pruned = time.monotonic()
                self._dispatcher.attempt(lambda: self._outbox.prune(round(self._keep * 1000)))
            return is_done
        finally:
            self._lock.release()


def mirror(
    target: Any,
    *,
    engine: Any,
    handler: TierHandler | None = None,
    install: bool = True,
    interval: float | str = 1.0,
    lease: float | str | None = 3600.0,
    keep: float | str = "90d",
    dispatch_engine: Any = None,
    clock: Clock = time.time_ns,
) -> Mirror:
    """
    Write one ``lifecycle`` event for each committed transition of a table's builds.

    A transition is a new row, or a change of ``status``, ``attempt_number`` or
    ``build_id``; one with the same three as another is told once. Call it in each process
    that changes the table, once the table is there.

    Args:
        target: A class mapped by SQLAlchemy, a Core table, or the name of one, with the
            columns of ``project_build_metrics``.

        engine: The engine that the application uses, also an ``AsyncEngine``; or a URL.

        handler: Where events go; the handler made last if None. While there is none,
            they wait.

        install: Whether to make the outbox and the triggers where they are missing.

        interval: How often to look for what other programs have committed, **seconds**.

        lease: After how many **seconds** a host may write what another one, which is gone,
            had begun to; None: never.

        keep: How long the outbox remembers what was told, **seconds**.

        dispatch_engine: The engine to read the outbox with; if None, one of its own, made
            from the URL of *engine*.

        clock: Returns nanoseconds since the epoch.

    Raises:
        ConfigError: There's no such table, it lacks columns, or it can't be watched.

        DatabaseError: The database didn't answer.

        MissingExtraError: The database's driver for threads isn't installed.
    """
    every = seconds("interval", interval, least=0.01)
    lease_ms = None if lease is None else round(seconds("lease", lease, least=1.0) * 1000)
    kept = seconds("keep", keep)
    app = application_engine(engine)
    own = engine_of(dispatch_engine) if dispatch_engine is not None else app if is_in_memory(app) else own_engine(app)
    try:
        with told(own):
            found = there(target, own)
            _prepare(own, found, may_install=install)
    except BaseException:
        if own is not app:
            own.dispose()
        raise

    def now_ms() -> int:
        return clock() // _MS_NS

    outbox = Outbox(own, found, now_ms)
    dispatcher = Dispatcher(outbox, handler=handler, lease_ms=lease_ms, now_ms=now_ms)
    return Mirror(dispatcher, outbox, app, own, interval=every, keep=kept)


def _prepare(engine: Engine, target: Target, *, may_install: bool) -> None:
    with engine.connect() as connection:
        if is_installed(connection, target):
            return
    if not may_install:
        raise ConfigError(
            "install", f"{target.shown} isn't watched as this version needs it: run the statements of tierlog.lifecycle.ddl()"
        )
    try:
        with engine.begin() as connection:
            install_on(connection, target)
    except SQLAlchemyError as e:
        problem = f"the outbox and the triggers of {target.shown} can't be made ({problem_of(e, engine)})"
        raise ConfigError("install", f"{problem}; let a user who may run the statements of tierlog.lifecycle.ddl()") from e
