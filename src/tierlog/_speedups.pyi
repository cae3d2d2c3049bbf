from collections.abc import Mapping
from typing import Any

from tierlog.context import Context
from tierlog.envelope import Head
from tierlog.typing import RedactsValues

def look_up(
    known: tuple[object, Mapping[str, bytes], RedactsValues],
    ms: int,
    context: Context,
    lvl: str,
    src: str,
    msg: Any,
    args: Any,
    extra: Mapping[Any, Any] | None,
    data: Any,
    tier: str | None,
    kind: str | None,
    named_src: Any,
    /,
) -> tuple[Head, bytes, bytes, bytes] | None: ...
def join(parts: tuple[int, bytes, int, bytes, bytes, bytes], /) -> bytes: ...
