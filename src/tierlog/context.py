"""
Ids that every record of a task or thread carries.

They live in one immutable :class:`Context` in one ``ContextVar``. Binding
replaces it and never changes it, so a child task inherits its parent's ids and
can't alter them, and what is worked out from it can be kept beside it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar, Token
from functools import wraps
from types import TracebackType
from typing import Any, Generic, ParamSpec, TypeVar, cast

from tierlog.request_ids import request_id


__all__ = [
    "EMPTY",
    "IDS",
    "Carried",
    "Context",
    "bind",
    "bound",
    "carry",
    "current",
    "from_env",
    "from_headers",
    "id_text",
    "muted",
    "restore",
    "snapshot",
    "to_env",
    "to_headers",
    "unbind",
]

P = ParamSpec("P")
R = TypeVar("R")

IDS = ("project_id", "build_id", "user_id", "req_id")
"""Names of the correlation ids."""

_FIELDS = (*IDS, "tier", "kind", "src")
_MAX_CHARS = 8_192
_TRACE_ID = re.compile(r"[0-9a-f]{32}\Z")


def id_text(value: object) -> str | None:
    """
    Return *value* as an id: a string of at most 8 192 characters, None if empty.

    What is written is shorter, but is cut only after it was redacted.

    It never raises: a value that can't be turned into text becomes the name of
    its type.
    """
    if value is None:
        return None
    if type(value) is not str:
        try:
            value = str.__str__(str(value))
        except Exception:  # noqa: BLE001 -- whatever a user's __str__ does
            value = f"<{type(value).__name__}>"
    return value[:_MAX_CHARS] or None


class Context:
    """
    An immutable set of ids, with optional ``tier``, ``kind`` and ``src``.

    Attributes:
        heads: Work that depends on this context alone, kept by those who did
            it (:mod:`tierlog.pipeline`); never pickled, never compared.

        is_muted: Whether records made here are tierlog's own and kept out.
    """

    __slots__ = ("build_id", "heads", "is_muted", "kind", "project_id", "req_id", "src", "tier", "user_id")

    project_id: str | None
    build_id: str | None
    user_id: str | None
    req_id: str | None
    tier: str | None
    kind: str | None
    src: str | None
    heads: dict[Any, Any]
    is_muted: bool

    def __init__(
        self,
        *,
        project_id: object = None,
        build_id: object = None,
        user_id: object = None,
        req_id: object = None,
        tier: object = None,
        kind: object = None,
        src: object = None,
        is_muted: bool = False,
    ) -> None:
        self.project_id = id_text(project_id)
        self.build_id = id_text(build_id)
        self.user_id = id_text(user_id)
        self.req_id = id_text(req_id)
        self.tier = id_text(tier)
        self.kind = id_text(kind)
        self.src = id_text(src)
        self.is_muted = is_muted
        self.heads = {}

    def replace(self, ids: Mapping[str, Any]) -> Context:
        """
        Return a context with *ids* on top of this one's; None takes one away.

        Raises:
            TypeError: An id isn't one of the known ones.
        """
        try:
            return Context(**{**self.fields(), "is_muted": self.is_muted, **ids})
        except TypeError:
            raise TypeError(_unknown(next(name for name in ids if name not in _FIELDS))) from None

    def fields(self) -> dict[str, Any]:
        """
        Return what is bound, without what isn't.
        """
        return {name: value for name in _FIELDS if (value := getattr(self, name)) is not None}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Context) and self.fields() == other.fields()

    def __hash__(self) -> int:
        return hash(tuple(self.fields().items()))

    def __repr__(self) -> str:
        return f"Context({self.fields()!r})"

    def __reduce__(self) -> tuple[Callable[[dict[str, Any]], Context], tuple[dict[str, Any]]]:
        return _unpickled, (self.fields(),)


def _unknown(name: object) -> str:
    import difflib  # noqa: PLC0415 -- 3 ms, and only on the way to an error

    near = difflib.get_close_matches(str(name), _FIELDS, n=1)
    return f"there's no id {name!r}; {f'did you mean {near[0]!r}?' if near else 'there are ' + ', '.join(_FIELDS)}"


def _unpickled(fields: dict[str, Any]) -> Context:
    return Context(**fields)


EMPTY = Context()
"""The context in which nothing is bound."""

_current: ContextVar[Context] = ContextVar("tierlog.context", default=EMPTY)

current = _current.get
"""Return the :class:`Context` of this task or thread."""


def bind(**ids: object) -> Token[Context]:
    """
    Add *ids* (``project_id``, ``build_id``, ``user_id``, ``req_id``, ``tier``,
    ``kind``, ``src``) to this context; later ones win, None takes one away.

    Returns:
        What :func:`unbind` takes to undo exactly this call.

    Raises:
        TypeError: An id isn't one of the known ones.
    """
    return _current.set(_current.get().replace(ids))


def unbind(*what: Token[Context] | str) -> None:
    """
    Undo the :func:`bind` that returned a token, or take ids away by name.

    Raises:
        ValueError: A token is from another context.
    """
    for item in what:
        if isinstance(item, str):
            bind(**{item: None})
        else:
            _current.reset(item)


def snapshot() -> Context:
    """
    Return this context, to be handed to :func:`restore` elsewhere; it pickles.
    """
    return _current.get()


def restore(context: Context) -> Token[Context]:
    """
    Make *context* the current one.

    Returns:
        What :func:`unbind` takes to undo it.
    """
    return _current.set(context)


class bound:  # noqa: N801 -- used as a function, as contextlib's own are
    """
    Bind ids for the length of a ``with`` or ``async with`` block, or of each call
    of a decorated function.

    >>> with bound(req_id="r-1"):
    ...     current().req_id
    'r-1'
    >>> current().req_id is None
    True
    """

    __slots__ = ("_ids", "_previous")

    def __init__(self, **ids: object) -> None:
        self._ids = ids
        self._previous: list[Token[Context]] = []

    def __enter__(self) -> Context:
        context = _current.get().replace(self._ids)
        self._previous.append(_current.set(context))
        return context

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        for token in self._previous[::-1]:  # tasks and threads may enter one and leave it in another order
            try:
                _current.reset(token)
            except ValueError:
                continue
            self._previous.remove(token)
            return
        # Left in another context than entered, as a generator may be that
        # is finished elsewhere: what is bound there is not ours to undo.
        del self._previous[:1]

    async def __aenter__(self) -> Context:
        return self.__enter__()

    async def __aexit__(self, *exc: object) -> None:
        self.__exit__()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """
        Return *function* so that each call of it is such a block.
        """
        from inspect import iscoroutinefunction  # noqa: PLC0415 -- 8 ms, and only to decorate

        if iscoroutinefunction(function):
            coroutine = cast("Callable[P, Awaitable[Any]]", function)

            @wraps(function)
            async def call_async(*args: P.args, **kwargs: P.kwargs) -> object:
                with bound(**self._ids):
                    return await coroutine(*args, **kwargs)

            return cast("Callable[P, R]", call_async)

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            with bound(**self._ids):
                return function(*args, **kwargs)

        return call


class Carried(Generic[P, R]):
    """
    A function that runs in the context in which it was wrapped; it pickles if
    the function does.
    """

    __slots__ = ("_context", "_function")

    def __init__(self, function: Callable[P, R], context: Context) -> None:
        self._function = function
        self._context = context

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """
        Call the function.
        """
        token = restore(self._context)
        try:
            return self._function(*args, **kwargs)
        finally:
            unbind(token)


def carry(function: Callable[P, R]) -> Carried[P, R]:
    """
    Return *function* so that it runs with today's ids, wherever it is called:
    in a thread, a thread pool or a process pool.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with bound(req_id="r-2"), ThreadPoolExecutor(1) as pool:
    ...     pool.submit(carry(lambda: current().req_id)).result()
    'r-2'
    """
    return Carried(function, snapshot())


class muted:  # noqa: N801 -- as above
    """
    Keep out the records that tierlog's own work causes, in this block.

    The libraries that shipping uses log through the same root logger: without
    this, each upload would write records that need an upload.
    """

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        self._token = _current.set(Context(is_muted=True))

    def __exit__(self, *exc: object) -> None:
        _current.reset(self._token)


def to_env(prefix: str = "TIERLOG_") -> dict[str, str]:
    """
    Return the bound ids as environment variables for a child process, for
    example ``TIERLOG_BUILD_ID``.
    """
    context = current()
    return {f"{prefix}{name.upper()}": value for name in IDS if (value := getattr(context, name))}


def from_env(environ: Mapping[str, str] | None = None, prefix: str = "TIERLOG_") -> Token[Context]:
    """
    Bind the ids that :func:`to_env` gave to this process; missing ones stay.

    Args:
        environ: What to read; this process's environment if None.

        prefix: What the names begin with.

    Returns:
        What :func:`unbind` takes to undo it.
    """
    given = os.environ if environ is None else environ
    return bind(**{name: value for name in IDS if (value := given.get(f"{prefix}{name.upper()}"))})


def to_headers() -> dict[str, str]:
    """
    Return the request id as HTTP headers for a call to another service.

    ``X-Request-ID`` always; W3C ``traceparent`` too where the request id is a
    trace id, that is, 32 lower-case hexadecimal digits.
    """
    req_id = current().req_id
    if req_id is None or not (req_id.isascii() and req_id.isprintable()):
        return {}  # what isn't a header's value must not become two
    headers = {"X-Request-ID": req_id}
    if _TRACE_ID.match(req_id) and req_id.strip("0"):
        headers["traceparent"] = f"00-{req_id}-{os.urandom(8).hex()}-01"
    return headers


def from_headers(headers: Mapping[str, str]) -> Token[Context]:
    """
    Bind the request id of an incoming request: ``X-Request-ID``, else the trace
    id of ``traceparent``, if it is well-formed: at most 128 letters, digits and
    ``._:/+=@-``, there once. Names are compared without regard to case.

    Returns:
        What :func:`unbind` takes to undo it.
    """
    values: dict[str, list[str]] = {}
    for name, value in headers.items():
        values.setdefault(name.lower(), []).append(value)
    found = request_id(values.get("x-request-id", ()), values.get("traceparent", ()))
    return bind(**({} if found is None else {"req_id": found}))
