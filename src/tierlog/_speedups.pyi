from collections.abc import Callable, Mapping
from typing import Any

from tierlog.context import Context
from tierlog.envelope import Route
from tierlog.parts import Parts
from tierlog.typing import Clock, Commit

def current() -> Context: ...

class Emitter:
    clock: Clock
    _acquire: Callable[[], object]
    _release: Callable[[], object]
    _known: tuple[object, ...]
    _deferred: list[tuple[int, int, Parts]]
    _sink_write: Callable[[bytes, Route], Commit | None]
    _sink_meet: Callable[[], object]
    _seq: int
    _is_writing: bool

    def emit(
        self,
        ms: int | None,
        context: Context | None,
        lvl: str,
        src: str,
        msg: Any,
        args: Any,
        extra: Mapping[Any, Any] | None,
        data: Any,
        tier: str | None,
        kind: str | None,
        fields: Mapping[str, Any] | None,
        named_src: Any,
        /,
    ) -> None: ...
    def _write(self, ms: int, parts: Parts, /) -> None: ...

class Slot:
    key: str
    put: Callable[[bytes], int]
    put_held: Callable[[bytes], int] | None
    due: float
    limit: float
    used: float
    size: int

class Appender:
    _held_lines: int
    _is_busy: bool
    _keep: Any
    _last: Any
    _monotonic: Callable[[], float]

    def write_locked(self, event_line: bytes, route: Route, /) -> Commit | None: ...

def held_put(fd: int, /) -> Callable[[bytes], int]: ...
