"""
Work that goes on in steps, each of which finds its own ids bound, and what encloses it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Protocol

from tierlog.context import Context, current, restore, unbind
from tierlog.handler import all_handlers
from tierlog.plain import free_name, text_of
from tierlog.report import report


__all__ = ["Enclosing", "Resumable", "Step", "contained", "enclosing", "milliseconds", "new_id", "report_failure", "with_own"]

_NS_PER_MS = 1_000_000


class Enclosing:
    """
    What the spans inside need to know of the one around them.

    Attributes:
        id: Its id, None if it has none of its own.

        request: The request around it, if there is one.

        logged: The exception inside that was written last: it is on its way out,
            and needn't be written once more.
    """

    def __init__(self, id: str | None = None, request: Any = None) -> None:  # noqa: A002 -- the field's name
        self.id = id
        self.request = request
        self.logged: BaseException | None = None


enclosing: ContextVar[Enclosing | None] = ContextVar("tierlog.span", default=None)
"""What encloses this task or thread now."""


def new_id() -> str:
    """
    Return a new ULID.
    """
    from ulid import ULID  # noqa: PLC0415 -- 30 ms, and not for those who only log

    return str(ULID())


def milliseconds(started: int, ended: int) -> float:
    """
    Return the milliseconds between two readings of a clock, in **nanoseconds**.
    """
    return round((ended - started) / _NS_PER_MS, 3)


def contained(what: str, function: Callable[[], Any]) -> Any:
    """
    Return what *function*, which is a user's, returns; None if it raises, which is
    said on standard error.
    """
    try:
        return function()
    except Exception as e:  # noqa: BLE001 -- a log call never raises
        report_failure(what, e)
        return None


def report_failure(what: str, error: Exception) -> None:
    """
    Say on standard error that *what* failed, without secrets: a user's *error* may
    have some.
    """
    handler = next(reversed(all_handlers), None)
    said = type(error).__name__ if handler is None else handler.pipeline.redactor.text(text_of(error))
    report(what, f"{what} failed: {said}")


def with_own(own: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return *own* and what is *given*; of two that have the same name, the given one
    gets a number behind it.
    """
    both = dict(own)
    for name, value in given.items():
        both[free_name(both, name)] = value
    return both


class Resumable(Protocol):
    """
    What goes on in steps.

    Attributes:
        here: What the spans inside need to know of it.

        context: What is bound in it.
    """

    here: Enclosing
    context: Context


class Step:
    """
    One step of it: its context is put in place, and kept for the next step.
    """

    __slots__ = ("_around", "_of", "_token")

    def __init__(self, of: Resumable) -> None:
        self._of = of

    def __enter__(self) -> None:
        self._token = restore(self._of.context)
        self._around = enclosing.set(self._of.here)

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        if enclosing.get() is self._of.here:  # else it is left in another context than entered
            self._of.context = current()
        try:
            enclosing.reset(self._around)
            unbind(self._token)
        except ValueError:  # what is bound in another context isn't ours to undo
            return
