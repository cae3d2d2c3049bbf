"""
Work that runs by itself: scheduled, queued or in the background.
"""

from __future__ import annotations

from typing import Any

from tierlog.spans import Side, Span


__all__ = ["job"]


class job(Span):  # noqa: N801 -- used as a function, as contextlib's own are
    """
    Write the start, the progress and the end of a job, for ``with``, ``async with``
    and as a decorator of functions, coroutines and generators; never raise.

    The block's ids are bound in it; where no request id is, the run's own id is
    bound as one, so that whatever is logged in it is found by it. An exception goes
    on as it is; the innermost job or action writes it. What ``with`` gives has
    ``update(**data)``, ``progress(done=, total=)``, ``fail(reason)`` and ``id``.

    Args:
        name: Which job, such as ``daily-reset``.

        schedule: When it runs, for example ``0 2 * * *``.

        kind: Its kind in the tier ``system``.

        src: Who says so; the context's, else ``scheduler``.

        project_id: As for :class:`tierlog.action`, and so are the rest.
    """

    noun = "job"
    tier = "system"
    default_src = "scheduler"
    is_request = True

    def __init__(
        self,
        name: str,
        /,
        *,
        schedule: str | None = None,
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
        super().__init__(
            name,
            project_id=project_id,
            build_id=build_id,
            user_id=user_id,
            req_id=req_id,
            kind=kind,
            src=src,
            before=before,
            after=after,
            progress_interval=progress_interval,
            **data,
        )
        if schedule is not None:
            self.facts = {"schedule": schedule}
