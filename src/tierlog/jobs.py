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

        project_id: Its project; the context's if None.

        build_id: Likewise.

        user_id: Likewise.

        req_id: Likewise.

        kind: Its kind in the tier ``system``.

        src: Who says so; the context's, else ``scheduler``.

        before: What it changes, as it was: a mapping, or what returns one. Also
            taken by ``update``.

        after: Likewise as it is at the end.

        progress_interval: **Seconds** between two lines of progress.

        data: What start and end say.
    """

    noun = "job"
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
            tier="system",
            kind=kind or "job",
            src=src,
            ids={"project_id": project_id, "build_id": build_id, "user_id": user_id, "req_id": req_id},
            progress_interval=progress_interval,
            before=before,
            after=after,
            facts={} if schedule is None else {"schedule": schedule},
            data=data,
        )
