"""
Work that has a start and one end, whatever happens in between: actions and jobs.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from functools import wraps
from types import TracebackType
from typing import Any, ClassVar, ParamSpec, Self, TypeVar, cast

from tierlog.changes import difference, names_only, remember, without_sides
from tierlog.context import IDS, current, id_text, restore, unbind
from tierlog.errors import ConfigError
from tierlog.events import log_event
from tierlog.exceptions import exception_data
from tierlog.options import seconds
from tierlog.plain import text_of
from tierlog.report import report
from tierlog.steps import Enclosing, Step, contained, enclosing, milliseconds, new_id, with_own


__all__ = ["Run", "Side", "Span"]

P = ParamSpec("P")
R = TypeVar("R")
Side = Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None


class Run:
    """
    One run of a span: what ``with`` gives.

    Attributes:
        id: A ULID of its own.

        here: What the spans inside need to know of it.

        context: What is bound in it.
    """

    def __init__(self, span: Span) -> None:
        self.id = contained("an id", new_id) or ""
        self._span = span
        self._data: dict[str, Any] = dict(span.data)
        self._ids = dict(span.ids)
        self._reason: str | None = None
        self._is_over = False
        self._progress: dict[str, Any] | None = None
        self._is_pending = False
        self._told: int | None = None
        self._around: Enclosing | None = None
        self.here = Enclosing(self.id)
        self.context = current()
        self._started = time.monotonic_ns()

    def update(self, **data: Any) -> None:
        """
        Add *data* to what the end says.

        Args:
            data: ``project_id``, ``build_id``, ``user_id`` and ``req_id`` become the
                end's ids; anything else is data.
        """
        self._ids.update({name: data.pop(name) for name in IDS if name in data})
        contained("before", lambda: remember(data))
        self._data.update(data)

    def fail(self, reason: object = "failed") -> None:
        """
        Say that it failed, without an exception.
        """
        self._reason = text_of(reason)

    def progress(self, done: float | None = None, total: float | None = None, **data: Any) -> None:
        """
        Say how far it is.

        It is written at most once in ``progress_interval``, but the first, the last
        and what completes it always are.

        Args:
            done: How much is done.

            total: Of how much.

            data: Anything else.
        """
        if self._is_over:
            return
        said = names_only(data) if self._span.is_env else data
        self._progress = {name: value for name, value in (("done", done), ("total", total)) if value is not None} | said
        self._is_pending = True
        now = time.monotonic_ns()
        is_complete = contained("progress", lambda: done is not None and total is not None and done >= total)
        if is_complete or self._told is None or now - self._told >= self._span.interval_ns:
            self._told = now
            self._tell_progress()

    def enter(self) -> None:
        """
        Write the start.
        """
        self._around = enclosing.get()
        self.here.request = self._around.request if self._around is not None else None
        contained("before", lambda: remember(self._data))
        self._started = time.monotonic_ns()
        self._write("info", "start", f"{self._span.name} started", self._data)

    def leave(self, error: BaseException | None) -> None:
        """
        Write the end, once.
        """
        if self._is_over:
            return
        if self._is_pending:
            self._tell_progress()
        self._is_over = True
        if issubclass(type(error), SystemExit) and not error.code:  # type: ignore[union-attr]
            error = None
        event, lvl = _outcome(error, self._reason)
        reason = self._reason if error is None else text_of(error)
        data = dict(self._data)
        ours: dict[str, Any] = {"durationMs": milliseconds(self._started, time.monotonic_ns())}
        if self._progress is not None:
            ours["progress"] = self._progress
        if reason is not None:
            ours["reason"] = reason
        ours |= contained("after", lambda: difference(data, only_names=self._span.is_env)) or {}
        if event == "failure" and error is not None and error is not self.here.logged:
            ours["exc"] = contained("an exception", lambda: exception_data(error))
        if self._around is not None and error is not None:
            self._around.logged = error
        ending = {"success": "succeeded", "failure": f"failed: {reason}", "cancelled": "was cancelled"}[event]
        self._write(lvl, event, f"{self._span.name} {ending}", data, ours)
        self.here.logged = None  # whoever keeps this context needn't keep the frames

    def step(self) -> Step:
        """
        Return a block in which what is bound is this run's own.
        """
        return Step(self)

    def _tell_progress(self) -> None:
        self._is_pending = False
        progress = self._progress or {}
        done, total = progress.get("done"), progress.get("total")
        far = "goes on" if done is None else f"{text_of(done)} done" if total is None else f"{text_of(done)} of {text_of(total)}"
        self._write("info", "progress", f"{self._span.name}: {far}", {}, {"progress": progress})

    def _write(self, lvl: str, event: str, msg: str, data: Mapping[str, Any], ours: Mapping[str, Any] = {}) -> None:
        span = self._span
        own = {span.noun: span.name, f"{span.noun}Id": self.id, "event": event, **span.facts, **ours}
        if self._around is not None and self._around.id is not None:
            own["parentId"] = self._around.id
        context = current() if enclosing.get() is self.here else self.context
        ids = {name: value for name, value in self._ids.items() if value is not None}
        src = span.src or context.src or span.default_src
        rest = without_sides(data, only_names=span.is_env)
        token = restore(context)  # whatever is bound where it ends
        try:
            contained("an event", lambda: log_event(span.tier, span.kind, lvl, msg, with_own(own, rest), **ids, src=src))
        finally:
            unbind(token)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None) -> None:
        self.leave(exc)


class Span:
    """
    What :class:`tierlog.action` and :class:`tierlog.job` have in common: a ``with``
    or ``async with`` block, or a decorator of functions, coroutines and generators
    of both kinds.

    Its arguments are described there.

    Attributes:
        noun: What such a span is called, and the kind of its lines by default.

        tier: Their tier.

        default_src: ``src`` where nobody says another one.

        is_request: Whether a run's id is bound as the request id where there is none.

        facts: What each line says.
    """

    noun: ClassVar[str]
    tier: ClassVar[str]
    default_src: ClassVar[str | None] = None
    is_request: ClassVar[bool] = False
    facts: Mapping[str, Any] = {}

    def __init__(
        self,
        name: str,
        /,
        *,
        project_id: object = None,
        build_id: object = None,
        user_id: object = None,
        req_id: object = None,
        kind: str | None = None,
        src: str | None = None,
        before: Side = None,
        after: Side = None,
        progress_interval: float | str = 1.0,
        **data: Any,
    ) -> None:
        self.name = text_of(name)
        self.kind = kind or self.noun
        self.src = id_text(src)
        self.ids = {"project_id": project_id, "build_id": build_id, "user_id": user_id, "req_id": req_id}
        self.interval_ns = _interval_ns(progress_interval)
        sides = {"before": before, "after": after}
        self.data = {**data, **{side: value for side, value in sides.items() if value is not None}}
        self.is_env = self.kind == "env"
        self._entered: list[tuple[Run, Step]] = []

    def start(self) -> Run:
        """
        Begin a run, and write that.
        """
        run = Run(self)
        ids = {name: value for name, value in self.ids.items() if value is not None}
        if self.is_request and run.context.req_id is None:
            ids = {"req_id": run.id, **ids}
        if ids:
            run.context = run.context.replace(ids)
        run.enter()
        return run

    def __enter__(self) -> Run:
        run = self.start()
        step = run.step()
        step.__enter__()
        self._entered.append((run, step))
        return run

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        here = enclosing.get()  # tasks and threads may enter one and leave it in another order
        entered = next((pair for pair in reversed([*self._entered]) if pair[0].here is here), self._entered[-1])
        self._entered.remove(entered)
        run, step = entered
        step.__exit__()
        run.leave(exc)

    async def __aenter__(self) -> Run:
        return self.__enter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.__exit__(exc_type, exc, traceback)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """
        Return *function* so that each call of it is such a block; of a generator,
        each iteration.
        """
        import inspect  # noqa: PLC0415 -- 8 ms, and only to decorate

        forms = (function, type(function).__call__)  # of an object that can be called, its class tells
        wrap = _wrap_function
        if any(map(inspect.iscoroutinefunction, forms)):
            wrap = _wrap_coroutine
        elif any(map(inspect.isasyncgenfunction, forms)):
            wrap = _wrap_async_generator
        elif any(map(inspect.isgeneratorfunction, forms)):
            wrap = _wrap_generator
        return cast("Callable[P, R]", wraps(function)(wrap(self, function)))


def _wrap_function(span: Span, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        with span.start() as run, run.step():
            return function(*args, **kwargs)

    return call


def _wrap_coroutine(span: Span, function: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        with span.start() as run, run.step():
            return await function(*args, **kwargs)

    return call


def _wrap_generator(span: Span, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with span.start() as run:
            generator = function(*args, **kwargs)
            advance: Callable[[], Any] = generator.__next__
            while True:
                try:
                    with run.step():
                        value = advance()
                except StopIteration as e:
                    return e.value
                try:
                    sent = yield value
                except GeneratorExit:
                    with run.step():
                        generator.close()
                    raise
                except BaseException as e:  # noqa: BLE001 -- the generator's to handle
                    advance = _thrower(generator.throw, e)
                else:
                    advance = _sender(generator.send, sent)

    return call


def _wrap_async_generator(span: Span, function: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        with span.start() as run:
            generator = function(*args, **kwargs)
            advance: Callable[[], Any] = generator.__anext__
            while True:
                try:
                    with run.step():
                        value = await advance()
                except StopAsyncIteration:
                    return
                try:
                    sent = yield value
                except GeneratorExit:
                    with run.step():
                        await generator.aclose()
                    raise
                except BaseException as e:  # noqa: BLE001 -- the generator's to handle
                    advance = _thrower(generator.athrow, e)
                else:
                    advance = _sender(generator.asend, sent)

    return call


def _sender(send: Callable[[Any], Any], value: Any) -> Callable[[], Any]:
    return lambda: send(value)


def _thrower(throw: Callable[[BaseException], Any], error: BaseException) -> Callable[[], Any]:
    return lambda: throw(error)


def _outcome(error: BaseException | None, reason: str | None) -> tuple[str, str]:
    """
    Return how it ended, and the level of that.
    """
    if error is None:
        return ("success", "info") if reason is None else ("failure", "error")
    return ("failure", "error") if isinstance(error, (Exception, SystemExit)) else ("cancelled", "warn")


def _interval_ns(value: float | str) -> int:
    try:
        return int(seconds("progress_interval", value) * 1e9)
    except ConfigError as e:
        report("progress_interval", f"{e}; it is 1 second")
        return 1_000_000_000
