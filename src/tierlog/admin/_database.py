"""
Questions to the database of builds. One that hangs holds up nothing but these.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from anyio import to_thread

from tierlog.admin._endpoint import Asked
from tierlog.admin._problems import ProblemError


__all__ = ["answer_of"]

_T = TypeVar("_T")

_PATIENCE = 10.0  # seconds


async def answer_of(asked: Asked, question: Callable[[Any], _T]) -> _T:
    """
    Return what *question* returns, which is called in a thread with the database: an
    engine or a URL.

    Raises:
        ProblemError: There is none, or it doesn't answer.
    """
    engine = asked.service.builds
    if engine is None:
        raise ProblemError(404, "no database of builds is configured; create_app takes builds=, tierlog serve --builds")
    has_begun = False

    def call() -> _T:
        nonlocal has_begun
        has_begun = True
        return question(engine)

    asking = asyncio.ensure_future(to_thread.run_sync(call, limiter=asked.service.queries))
    asking.add_done_callback(_seen)
    try:
        await asyncio.wait([asking], timeout=_PATIENCE)
    finally:
        if not has_begun:  # what has keeps its thread: who comes next must not get one more
            asking.cancel()
    if not asking.done() or asking.cancelled():
        raise ProblemError(503, "the database of builds doesn't answer", headers={"Retry-After": "5"})
    return asking.result()


def _seen(asking: asyncio.Future[Any]) -> None:
    """
    Have asyncio not tell of an error that nobody waits for any more.
    """
    if not asking.cancelled():
        asking.exception()
