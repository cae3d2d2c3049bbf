"""
Many lines at once that share all but their message.

What a command prints comes in chunks of hundreds of lines. They need one head, one
turn with the lock and one write, where the calls of a program need one each.
"""
# ruff: noqa: SLF001 -- the other half of the pipeline: the same lock, numbers and counters

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import orjson

from tierlog.context import Context
from tierlog.envelope import Head, Route
from tierlog.ndjson import dump_data, dump_text
from tierlog.pipeline import Pipeline
from tierlog.typing import Commit


__all__ = ["write_lines"]

_BETWEEN = "\x7f"
_AT_ONCE = 512  # lines: others wait for the lock meanwhile
_MOST_BYTES = 1_048_576  # of one write, which is taken back as a whole where it can't be finished


def write_lines(
    pipeline: Pipeline,
    context: Context,
    lvl: str,
    src: str,
    texts: Sequence[str],
    data: Mapping[str, Any],
    *,
    tier: str | None = None,
    kind: str | None = None,
    truncated: int = 0,
    ms: int | None = None,
) -> int:
    """
    Write one record for each of *texts*, in order; never raise.

    Args:
        pipeline: Where to.

        context: The ids bound where they were made.

        lvl: One of the four.

        src: Their source.

        texts: Their messages, **redacted** and cut to size already.

        data: The payload of each, as it is to be written.

        tier: Their tier; the context's, or the default, if None.

        kind: Their kind; the context's, or the tier's default, if None.

        truncated: How many of them were cut.

        ms: Their time, milliseconds since the epoch; now if None.

    Returns:
        How many of them the sink didn't keep.
    """
    lost = 0
    ms = pipeline.now_ms() if ms is None else ms
    preparer = pipeline.preparer
    preparer.count_truncated(truncated)
    for start in range(0, len(texts), _AT_ONCE):
        some = texts[start : start + _AT_ONCE]
        try:
            head, source = preparer.head(ms, context, lvl, tier, kind), preparer.source(src)
            body = dump_data(preparer.noted(dict(data), head.notes, len(some)))
            written = _written(pipeline, _template(ms, head, source, body), _messages(some), head.route)
            if written is None:
                later = [(head, source, dump_text(text), body) for text in some]
                pipeline._deferred += [(pipeline._generation + 1, ms, parts) for parts in later]
            else:
                lost += written
        except Exception as e:  # noqa: BLE001 -- a log call never raises
            pipeline._salvage(ms, lvl, "\n".join(some), None, e)
    return lost


def _template(ms: int, head: Head, source: bytes, body: bytes) -> bytes:
    """
    Return a line that lacks its number and its message.
    """
    fixed = (b'{"ts":%d%b' % (ms, head.middle), b'%b,"msg":"' % source, b'","data":%b}\n' % body)
    return b"%b%%d%b%%b%b" % tuple(part.replace(b"%", b"%%") for part in fixed)


def _messages(texts: Sequence[str]) -> list[bytes]:
    """
    Return each text as JSON, without its quotes.
    """
    try:
        # All at once. JSON leaves this character as it is, and hardly a text has it.
        found = orjson.dumps(_BETWEEN.join(texts))[1:-1].split(_BETWEEN.encode())
    except TypeError:  # lone surrogates
        found = []
    return found if len(found) == len(texts) else [dump_text(text)[1:-1] for text in texts]


def _written(pipeline: Pipeline, template: bytes, messages: list[bytes], route: Route) -> int | None:
    """
    Write the lines of *messages*, and return how many of them were lost; None if this
    thread is in the middle of a write, and was interrupted.
    """
    with pipeline._lock:
        if pipeline.is_writing:
            return None
        try:
            pipeline._is_writing = True
            numbers = range(pipeline._seq, pipeline._seq + len(messages))
            block = template * len(messages) % tuple(chain.from_iterable(zip(numbers, messages, strict=True)))
            pipeline._seq = numbers.stop
            commits, lost = _put(pipeline, block, route)
        finally:
            pipeline._is_writing = False
    for commit in commits:
        pipeline._commit(commit)
    pipeline._afterwards(None)
    return lost


def _put(pipeline: Pipeline, block: bytes, route: Route) -> tuple[list[Commit], int]:
    """
    Give the lines of *block* to the sink: together if it takes them, else one by one.
    """
    room = getattr(pipeline.sink, "room_locked", None)
    if room is not None and len(block) <= min(room(route), _MOST_BYTES):
        try:
            commit = pipeline._sink_write(block, route)
        except OSError:
            pass  # nothing of it is left, and some of its lines may still find room
        else:
            return [commit] if commit is not None else [], 0
    commits, lost = [], 0
    for line in block.splitlines(keepends=True):
        try:
            commit = pipeline._sink_write(line, route)
        except Exception as e:  # noqa: BLE001 -- counted, as for a single line
            pipeline._lost(line, route, e)
            lost += 1
        else:
            commits += [commit] if commit is not None else []
    return commits[-1:], lost
