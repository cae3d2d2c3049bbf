"""
A segment's bytes to pieces, whose times are known, and a piece to its lines.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from tierlog.errors import CatalogError, ObjectNotFoundError, StoreError, TierlogError
from tierlog.query._filters import Filters
from tierlog.query._forms import Forms
from tierlog.query._horizon import Horizon
from tierlog.query._index import Inside
from tierlog.query._lines import ordered, raw, spanned, ts_of
from tierlog.query._listing import Listed
from tierlog.query._match import Matcher
from tierlog.query._open import Content, Spool, Spooled, opened
from tierlog.query._problem import Problem, note
from tierlog.query._sources import Source, Sources
from tierlog.stores import Store


__all__ = ["Piece", "Scan"]

_CACHED_BYTES = 16_777_216
_LET_GO_BYTES = 1_048_576  # at once: else the GNU allocator gives back the pages of each block, and asks for the next one's
_LINE_BYTES = 64  # of a line, beside its own
_MOST_OPEN = 64
_MOST_MOVES = 8
_AT_ONCE_BYTES = 1_048_576  # are read in less time than their parts are told apart


class Piece(NamedTuple):
    """
    A run of lines.

    Attributes:
        source: The segment.

        first_ts: Lowest ``ts`` of the lines that may be asked for.

        last_ts: Highest one.

        offset: Where it begins in the segment, uncompressed.

        size: Bytes.

        frame: Where it is stored, and how many bytes there.

        lines: The lines, in order; None if they must be read.

        spooled: Where it is kept meanwhile, and not at *offset* of the segment.
    """

    source: Source
    first_ts: int
    last_ts: int
    offset: int
    size: int
    frame: tuple[int, int] = (-1, -1)
    lines: list[bytes] | None = None
    spooled: Spooled | None = None


class Scan:
    """
    Reads segments.

    Args:
        sources: Where to look for those that moved.

        filters: What is asked for.

        matcher: Finds lines.

        problems: Where it is noted what can't be read.

        horizon: How far the answer reaches; None if it has no limit.

    Attributes:
        skipped: Torn and foreign lines that were met.

        moved: Segments that were found elsewhere, to be read next.

        is_proven: Whether all lines so far are known to be canonical, with their ends.

        is_stopped: Whether nothing more is to be read; any thread may say so.
    """

    def __init__(
        self,
        sources: Sources,
        filters: Filters,
        matcher: Matcher,
        problems: list[Problem],
        horizon: Horizon | None = None,
    ) -> None:
        self._sources = sources
        self._filters = filters
        self._matcher = matcher
        self._problems = problems
        self._horizon = horizon
        self._is_plain = matcher.is_exact and horizon is None
        self._cached = 0
        bytearray(_LET_GO_BYTES)
        self._moves: dict[str, int] = {}
        self._looked_around: set[object] = set()
        self._spool = Spool()
        self._forms = Forms()
        self._ahead: Any = None
        self._contents: OrderedDict[tuple[object, str, int], Content] = OrderedDict()
        self.skipped = 0
        self.moved: list[Source] = []
        self.is_proven = True
        self.is_stopped = False

    def pieces(self, source: Source) -> Iterator[Source | Piece]:
        """
        Yield the pieces of a segment; it is read, unless the catalog knows them. A
        build's object whose times aren't known yet is yielded once more, with them.
        """
        if self.is_stopped:
            return
        try:
            if source.held is None and source.listed.store is not None and not source.is_known:
                yield from self._narrowed(source, source.listed.store)
                return
            inside = None if self._is_read_at_once(source) else self.inside(source)
            if inside is not None and (inside.is_whole or self._matcher.is_selective) and _is_seekable(source, inside):
                # What is told from its bytes is found in less time than a piece costs.
                is_joined = self._matcher.is_selective and source.listed.store is None and source.listed.place.packing is None
                yield from _known(source, inside, _AT_ONCE_BYTES if is_joined else 0)
                return
            yield from self._survey(source._replace(held=None))
        except (OSError, TierlogError, ValueError, EOFError) as e:
            self._failed(source, e)

    def inside(self, source: Source) -> Inside | None:
        """
        Return which parts of a segment may hold what is asked for; None if the catalog
        doesn't know, or it is damaged there, which is noted.
        """
        if source.held is None:
            return None
        try:
            return source.held.inside()
        except CatalogError as e:
            note(self._problems, e.catalog, e.problem)
            return None

    def lines(self, piece: Piece) -> list[bytes]:
        """
        Return the lines of a piece that may be asked for, in the order of time.
        """
        if piece.lines is not None:
            self._cached -= piece.size
            return piece.lines
        if self.is_stopped:
            return []
        try:
            if piece.spooled is not None:
                block = piece.spooled.read(piece.offset, piece.size)
            elif _is_fetched(piece):
                block = self._fetching().take(_block(piece))
            else:
                block = self._content(piece.source).read(piece.offset, piece.size, piece.frame)
        except (OSError, TierlogError, ValueError) as e:
            self._failed(piece.source, e)
            return []
        if not block.endswith(b"\n"):
            block += b"\n"  # the last line of a file may have none
        start, end = self._matcher.window(block)
        lines, skipped = self._found(block[start:end], piece.source)
        if piece.source.held is not None:
            self.skipped += skipped  # else it was counted at first sight
        return lines

    @property
    def has_ahead(self) -> bool:
        """
        Whether it is of use to say what is read next.
        """
        return self._ahead is not None

    def ahead(self, pieces: Iterable[Piece]) -> None:
        """
        Begin to fetch what of *pieces*, which are read next, is in a store.
        """
        if self._ahead is not None:
            self._ahead.begin(_block(one) for one in pieces if _is_fetched(one))

    def blocks(self, source: Source) -> Iterator[bytes]:
        """
        Yield what a segment holds, from its beginning to its end, as far as it can be
        read; what isn't there any more is in :attr:`moved` then.
        """
        try:
            yield from self._content(source).blocks()
        except (OSError, TierlogError, ValueError, EOFError) as e:
            self._failed(source, e)

    def close(self) -> None:
        """
        Let go of all files.
        """
        while self._contents:
            self._contents.popitem()[1].close()
        if self._ahead is not None:
            self._ahead.close()

    def _fetching(self) -> Any:
        if self._ahead is None:
            from tierlog.query._ahead import Ahead  # noqa: PLC0415 -- 10 ms, and only where there's a store

            self._ahead = Ahead()
        return self._ahead

    def _is_read_at_once(self, source: Source) -> bool:
        """
        Tell whether to know the parts of a segment would be of no use.
        """
        held, listed = source.held, source.listed
        is_near = listed.store is None and listed.place.packing is None
        return held is not None and held.is_all and held.size <= _AT_ONCE_BYTES and is_near and self._matcher.is_selective

    def _narrowed(self, source: Source, store: Store) -> Iterator[Source]:
        stored = store.head(source.listed.name)
        if stored is None:
            raise ObjectNotFoundError(f"{source.listed.name}: there's no such object", code="NoSuchKey", status=404)
        known = source._replace(is_known=True)
        first, last = stored.metadata.get("first-ts", ""), stored.metadata.get("last-ts", "")
        if stored.metadata.get("state") == "done" and first.isdecimal() and last.isdecimal():
            known = known._replace(first_ts=int(first), last_ts=int(last))
        if known.first_ts < self._filters.until and known.last_ts >= self._filters.since:
            yield known

    def _survey(self, source: Source) -> Iterator[Piece]:
        content = self._content(source)
        listed = source.listed
        is_near = listed.store is None and listed.place.packing is None
        offset = 0
        for block in content.blocks():
            if self.is_stopped:
                return
            start, end = self._matcher.window(block)
            if end:
                yield from self._pieces(source, block[start:end], offset + start, is_near=is_near)
            offset += block.rfind(b"\n") + 1

    def _pieces(self, source: Source, block: bytes, offset: int, *, is_near: bool) -> Iterator[Piece]:
        size = block.rfind(b"\n") + 1
        is_kept = not is_near or self._cached + 2 * size <= _CACHED_BYTES
        span = self._forms.span(block) if self._is_plain and not is_kept else None
        if span is not None:  # it is read again, and lines are made of it then
            if span[0] < self._filters.until and span[1] >= self._filters.since:
                yield Piece(source, *span, offset, size)
            return
        lines, skipped = self._found(block, source)
        self.skipped += skipped
        if lines:
            yield self._piece(source, size, offset, lines, is_near=is_near)

    def _piece(self, source: Source, size: int, offset: int, lines: list[bytes], *, is_near: bool) -> Piece:
        """
        Return a piece whose lines were read just now: they are kept in the memory, else
        on the disk, unless they can be read again at little cost.
        """
        first, last = ts_of(lines[0]), ts_of(lines[-1])
        cost = sum(map(len, lines)) + _LINE_BYTES * len(lines)
        if self._cached + cost <= _CACHED_BYTES:
            self._cached += cost
            return Piece(source, first, last, offset, cost, lines=lines)
        if is_near:
            return Piece(source, first, last, offset, size)
        body = b"\n".join(map(raw, lines)) + b"\n"
        spooled, at = self._spool.keep(body)
        return Piece(source, first, last, at, len(body), spooled=spooled)

    def _found(self, block: bytes, source: Source) -> tuple[list[bytes], int]:
        horizon, filters = self._horizon, self._filters
        times = horizon.beginnings(source.first_ts, source.last_ts) if horizon is not None else []
        lines, skipped = self._matcher.lines(block, times), 0
        if lines and not self._matcher.is_selective and self._forms.is_canonical(block, len(lines)):
            self.is_proven = self.is_proven and self._forms.is_whole(block, len(lines))
            lines.sort()
        elif lines:
            self.is_proven = False
            lines, skipped = ordered(lines)
        if filters.has_times:
            lines = spanned(lines, filters.since, filters.until)
        return horizon.within(lines) if horizon is not None else lines, skipped

    def _content(self, source: Source) -> Content:
        listed = source.listed
        who = (listed.root or id(listed.store), listed.name, listed.inode)
        content = self._contents.get(who)
        if content is None:
            content = self._contents[who] = opened(listed)
            if listed.inode and listed.place.instance is None and content.is_changed and who not in self._looked_around:
                # It may have been taken away, and another one be there, with the same inode.
                self._looked_around.add(who)
                self.moved += self._sources.parts(source)
            if len(self._contents) > _MOST_OPEN:
                self._contents.popitem(last=False)[1].close()
        else:
            self._contents.move_to_end(who)
        return content

    def _failed(self, source: Source, error: Exception) -> None:
        """
        Look elsewhere for what isn't there any more, and note what can't be read.
        """
        name = source.listed.name
        if isinstance(error, (FileNotFoundError, ObjectNotFoundError)) and self._moves.get(name, 0) < _MOST_MOVES:
            self._moves[name] = self._moves.get(name, 0) + 1
            try:
                found = self._sources.moved(source)
            except StoreError as e:
                self._problems.append(Problem(name, e.problem))
                return
            self.moved += found
            if found:
                return
            self._problems.append(Problem(name, "was taken away while it was searched"))
            return
        what = getattr(error, "problem", None) or getattr(error, "strerror", None) or str(error) or type(error).__name__
        self._problems.append(Problem(name, f"can't be read: {what}"))


def _block(piece: Piece) -> tuple[Listed, int, int, tuple[int, int]]:
    return piece.source.listed, piece.offset, piece.size, piece.frame


def _known(source: Source, inside: Inside, most: int) -> Iterator[Piece]:
    """
    Yield a segment's blocks as pieces, those that are side by side as one of at most so many bytes.
    """
    joined: Piece | None = None
    for offset, size, first, last, at, stored in inside.blocks():
        if joined is not None and joined.offset + joined.size == offset and joined.size + size <= most:
            times = min(joined.first_ts, first), max(joined.last_ts, last)
            joined = Piece(source, *times, joined.offset, joined.size + size)
            continue
        if joined is not None:
            yield joined
        joined = Piece(source, first, last, offset, size, (at, stored))
    if joined is not None:
        yield joined


def _is_seekable(source: Source, inside: Inside) -> bool:
    packing = source.listed.place.packing
    return packing is None or (packing == "zst" and all(block[5] >= 0 for block in inside.blocks()))


def _is_fetched(piece: Piece) -> bool:
    return piece.lines is None and piece.spooled is None and piece.source.listed.store is not None
