"""
Requests of a Flask application: :mod:`tierlog.wsgi`, with the routes that Flask finds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, got_request_exception, request

from tierlog.requests import Requests, current_request
from tierlog.typing import Clock
from tierlog.wsgi import TierlogMiddleware


__all__ = ["Tierlog"]


class Tierlog:
    """
    Bind the ids of each request for its whole length, and write its start and its end.

    Args:
        app: The application; :meth:`init_app` takes it later.

        user_id: Returns the user's id of Flask's ``request``, or None; it may use the
            session and ``g``. Called before the view, and after it if there was none yet.

        project_id: Likewise the project's.

        exclude: As for :class:`tierlog.asgi.TierlogMiddleware`, and so are *starts*,
            *header* and *clock*.

    Raises:
        ConfigError: An option can't work.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        user_id: Callable[[Any], Any] | None = None,
        project_id: Callable[[Any], Any] | None = None,
        exclude: Iterable[str] = (),
        starts: bool = True,
        header: str | None = "X-Request-ID",
        clock: Clock = time.monotonic_ns,
    ) -> None:
        self._functions = Requests(user_id=user_id, project_id=project_id).functions
        self._options: dict[str, Any] = {"exclude": exclude, "starts": starts, "header": header, "clock": clock}
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """
        Do so for *app*.
        """
        app.wsgi_app = TierlogMiddleware(app.wsgi_app, **self._options)  # type: ignore[method-assign, unused-ignore]
        app.before_request_funcs.setdefault(None, []).insert(0, self._before)
        app.after_request_funcs.setdefault(None, []).insert(0, self._after)  # the last to run
        got_request_exception.connect(_raised, app)

    def _before(self) -> None:
        ours = current_request()
        if ours is not None:
            ours.route = request.url_rule.rule if request.url_rule is not None else None
            ours.ask(self._functions, request)

    def _after(self, response: Any) -> Any:
        ours = current_request()
        if ours is not None:
            ours.ask(self._functions, request)
        return response


def _raised(_app: Flask, exception: BaseException, **_: Any) -> None:
    ours = current_request()
    if ours is not None:
        ours.error = exception
