"""
What users and integrations do, as a start and an end, with what changed.
"""

from __future__ import annotations

from tierlog.spans import Span


__all__ = ["action"]


class action(Span):  # noqa: N801 -- used as a function, as contextlib's own are
    """
    Write the start and the end of an action, for ``with``, ``async with`` and as a
    decorator of functions, coroutines and generators; never raise.

    The block's ids are bound in it. An exception goes on as it is; the innermost
    action writes it. What ``with`` gives has ``update(**data)``,
    ``progress(done=, total=)``, ``fail(reason)`` and ``id``.

    Args:
        name: What is done, such as ``integration.connect``.

        project_id: Its project; the context's if None. Without one, the lines are
            kept in the system tier.

        build_id: Likewise.

        user_id: Likewise.

        req_id: Likewise.

        kind: Its kind in the tier ``action``. Of an ``env``, names are written,
            and never values.

        src: Who says so; the context's, else ``event``.

        before: What it changes, as it was: a mapping, or what returns one. Also
            taken by ``update``.

        after: Likewise as it is at the end.

        progress_interval: **Seconds** between two lines of progress.

        data: What start and end say.
    """

    noun = "action"
    tier = "action"
