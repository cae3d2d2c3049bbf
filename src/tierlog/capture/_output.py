"""
One output stream of a command: from its bytes to records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from tierlog.capture._levels import Levels
from tierlog.capture._split import Piece, Splitter
from tierlog.envelope import MSG_MAX_BYTES, TRUNCATED
from tierlog.ndjson import truncate
from tierlog.redact import StreamRedactor
from tierlog.report import report
from tierlog.typing import RedactsValues


__all__ = ["WITHHELD", "Output", "Target"]

WITHHELD = "[WITHHELD]"
"""What stands for a text that couldn't be looked at."""

_LONG_CHARS = MSG_MAX_BYTES // 4  # no text this short is too many bytes
_UNSAFE_TAIL = 16_384  # no secret is longer
_STATES_WAIT = 1.0  # seconds
_MOST_STATES = 65_536  # characters
_HELD_WAIT = 5.0  # seconds


class Target(Protocol):
    """
    What writes records.
    """

    def __call__(self, lvl: str, src: str, texts: list[str], data: Mapping[str, Any], /, *, truncated: int = 0) -> int:
        """
        Write one record for each text, of which so many were *truncated*, and return
        how many were lost.
        """
        ...


class Output:
    """
    Makes records of what comes in one stream.

    Args:
        name: ``stdout`` or ``stderr``.

        src: The records' source; *name* if None.

        redactor: What hides secrets; None to hide nothing.

        target: What writes the records.

        monotonic: Returns seconds.

        levels: Whether lines that are marked as errors and warnings have such a level.

    Attributes:
        name: As above.

        lines: Lines that the command has written.

        bytes: Bytes of them.

        lost: Records that weren't kept.
    """

    def __init__(
        self,
        name: str,
        src: str | None,
        redactor: RedactsValues | None,
        target: Target,
        monotonic: Callable[[], float],
        *,
        levels: bool = True,
    ) -> None:
        self.name = name
        self.lines = self.bytes = self.lost = 0
        self._src = src or name
        self._data: dict[str, Any] = {} if src is None else {"stream": name}
        self._target = target
        self._monotonic = monotonic
        self._splitter = Splitter()
        self._levels = Levels() if levels else None
        self._stream = None if redactor is None else StreamRedactor(redactor)
        self._states: list[str] = []  # that were overwritten, and aren't written yet
        self._states_size = 0
        self._states_due = 0.0
        self._held_due = 0.0

    def feed(self, chunk: bytes) -> None:
        """
        Take the next chunk.
        """
        self.bytes += len(chunk)
        self._take(self._splitter.feed(chunk))
        self._held_due = self._monotonic() + _HELD_WAIT

    def close(self) -> None:
        """
        Write what is left.
        """
        self._take(self._splitter.close())
        if self._stream is not None:
            self._write(self._stream.close_lines())
        self._write_states()

    def due(self) -> float | None:
        """
        Return when :meth:`tick` is to be called if nothing comes, None for never.
        """
        due = [self._states_due] if self._states else []
        due += [self._held_due] if self._stream is not None and self._held_due else []
        return min(due, default=None)

    def tick(self) -> None:
        """
        Write what has waited long enough.
        """
        now = self._monotonic()
        if self._states and now >= self._states_due:
            self._write_states()
        if self._stream is not None and self._held_due and now >= self._held_due:
            self._held_due = 0.0
            self._write(self._stream.let_go_lines())

    def _take(self, pieces: list[Piece]) -> None:
        for piece in pieces:
            if piece.is_overwritten:
                self._keep_states(self._hidden(piece.texts))
                continue
            self.lines += len(piece.texts)
            texts = self._hidden(piece.texts)
            if self._states:
                if texts[:1] == [""]:  # the last state was cleared, and is the line
                    texts[0] = self._states.pop()
                self._write_states()
            self._write(texts, piece.dropped)

    def _hidden(self, texts: list[str]) -> list[str]:
        try:
            return texts if self._stream is None else self._stream.feed_lines(texts)
        except Exception as e:  # noqa: BLE001 -- not looked at means not written
            report("capture-redaction", f"output was withheld, since it couldn't be looked at: {e!r}")
            return [WITHHELD] * len(texts)

    def _keep_states(self, states: list[str]) -> None:
        if not self._states:
            self._states_due = self._monotonic() + _STATES_WAIT
        self._states += states
        self._states_size += sum(map(len, states))
        if self._states_size > _MOST_STATES:
            self._write_states()

    def _write_states(self) -> None:
        states, self._states, self._states_size = self._states, [], 0
        if states:
            self._put("info", ["\n".join(states)], {**self._data, "overwritten": len(states)})

    def _write(self, texts: list[str], dropped: int = 0) -> None:
        if dropped and texts:
            self._write(texts[:-1])
            (lvl, last), data = self._by_level(texts[-1:])[0], {**self._data, "dropped_bytes": dropped}
            self.lost += self._target(lvl, self._src, [_cut(last[0])], data, truncated=1)
        elif texts:
            for lvl, some in self._by_level(texts):
                self._put(lvl, some, self._data)

    def _by_level(self, texts: list[str]) -> list[tuple[str, list[str]]]:
        return [("info", texts)] if self._levels is None else self._levels.split(texts)

    def _put(self, lvl: str, texts: list[str], data: Mapping[str, Any]) -> None:
        truncated = 0
        if max(map(len, texts)) > _LONG_CHARS:
            whole, texts = texts, [truncate(text) for text in texts]
            truncated = sum(before is not after for before, after in zip(whole, texts, strict=True))
        self.lost += self._target(lvl, self._src, texts, data, truncated=truncated)


def _cut(text: str) -> str:
    """
    Return *text* cut to size and marked, however short it is: it went on, and a secret
    at its end may have been cut and not been known for one.
    """
    encoded = text.encode("utf-8", "backslashreplace")[:-_UNSAFE_TAIL][: MSG_MAX_BYTES - len(TRUNCATED)]
    return encoded.decode("utf-8", "ignore") + TRUNCATED
