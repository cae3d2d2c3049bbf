"""
One question, asked again while segments move away or turn out to be damaged meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from pathlib import Path
from secrets import token_hex
from shutil import rmtree
from tempfile import gettempdir
from typing import Any, NamedTuple, cast

from tierlog.analytics._dialects import DUCKDB
from tierlog.analytics._engine import Engine
from tierlog.analytics._events import events
from tierlog.analytics._files import Files
from tierlog.analytics._filters import check, conditions
from tierlog.analytics._frames import is_cut_off
from tierlog.errors import ObjectNotFoundError, QueryError, TierlogError
from tierlog.packing import UnpackingError, open_plain
from tierlog.query import LogStore, Problem
from tierlog.query._listing import Listed


__all__ = ["answered"]

_ATTEMPTS = 8
_CHUNK = 262_144
_BUILD_TIERS = frozenset(["build", "deploy"])


class _Mended(NamedTuple):
    """
    What is read instead of a segment, None for nothing, and why.
    """

    path: str | None
    problem: Problem


def answered(
    store: LogStore, query: str, asked: Mapping[str, Any], *, memory_limit: str, threads: int
) -> tuple[Engine, list[Problem], ExitStack]:
    """
    Return the engine that has the answer, what couldn't be read, and what is to be closed.

    Raises:
        QueryError: It can't be asked, or takes too much memory.

        TierlogError: Segments couldn't be read, and it isn't known which.
    """
    check(asked)
    with ExitStack() as closing:
        folder = closing.enter_context(_folder())
        mended: dict[tuple[str, str], _Mended] = {}
        whole: set[tuple[str, str]] = set()
        for attempt in range(_ATTEMPTS):
            with ExitStack() as trying:
                engine = Engine(memory_limit, threads, str(folder))
                trying.callback(engine.close)
                text = engine.check(query)
                problems: list[Problem] = []
                filters, sources = store.plan(problems, **asked)
                _look_at_ends((source.listed for source in sources), whole, mended, folder)
                files = Files()
                paths = _paths((source.listed for source in sources), files, mended)
                try:
                    alone, shared = _split(paths)
                    engine.lock(files, [*alone, *shared], events(alone, shared, conditions(filters, DUCKDB)))
                    engine.answer(text)
                except QueryError:
                    if not _moved(paths) or attempt == _ATTEMPTS - 1:
                        raise
                    continue
                except OSError as e:
                    if not _mend(paths, files, mended, folder) or attempt == _ATTEMPTS - 1:
                        raise TierlogError(f"segments can't be read: {e}; ask again") from e
                    continue
                if attempt < _ATTEMPTS - 1 and (any(_moved(paths)) or _mend_ends(paths, files, mended, folder)):
                    continue  # what was listed isn't what was read
                closing.push(trying.pop_all())
                there = {_who(listed) for listed in (source.listed for source in sources)}
                problems += [one.problem for who, one in mended.items() if who in there]
                return engine, problems, closing.pop_all()
    raise AssertionError  # the last attempt returns or raises


@contextmanager
def _folder() -> Generator[Path]:
    """
    Make a temporary folder that is gone again behind it, even if Ctrl-C comes in the
    moment in which it is made: a ``TemporaryDirectory`` is left then.
    """
    folder = Path(gettempdir(), f"tierlog-sql-{token_hex(8)}")
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        rmtree(folder, ignore_errors=True)


def _paths(listed: Iterable[Listed], files: Files, mended: Mapping[tuple[str, str], _Mended]) -> dict[str, Listed]:
    """
    Return the segments by the paths at which DuckDB finds them.
    """
    found = {}
    for one in listed:
        instead = mended.get(_who(one))
        if instead is not None:
            path = instead.path
        elif one.store is not None:
            path = files.add_object(one.store, one.name, one.size)
        else:
            path = f"{one.root}/{one.name}"
        if path is not None:
            found[path] = one
    return found


def _split(paths: Mapping[str, Listed]) -> tuple[list[str], list[str]]:
    """
    Return the paths of the segments that hold nothing which is in another one, and the
    others: a build's whole file and its parts.
    """
    builds: dict[tuple[str, str | None], list[str]] = {}
    alone: list[str] = []
    shared: list[str] = []
    for path, listed in paths.items():
        if listed.place.tier in _BUILD_TIERS:
            builds.setdefault((listed.place.tier, listed.place.id), []).append(path)
        else:
            alone.append(path)
    for group in builds.values():
        (alone if _is_apart([paths[path] for path in group]) else shared).extend(group)
    return alone, shared


def _is_apart(group: list[Listed]) -> bool:
    """
    Tell whether no record can be in two of a build's segments: all are parts, or there is
    one for each day.
    """
    days = {listed.place.day for listed in group if listed.store is None}
    return len(days) == len(group) or len(group) == 1 or all(listed.place.instance for listed in group)


def _mend(paths: Mapping[str, Listed], files: Files, mended: dict[tuple[str, str], _Mended], folder: Path) -> bool:
    """
    Find out which segments can't be read, and tell whether it is worth to ask again.
    """
    before, has_moved = len(mended), bool(_moved(paths))
    for path, listed in paths.items():
        problem = _problem(path, listed, files)
        if isinstance(files.failed.get(path), ObjectNotFoundError):
            has_moved = True
        elif problem is not None:
            mended[_who(listed)] = _Mended(None, Problem(listed.name, problem))
    if not has_moved and len(mended) == before:
        for listed in paths.values():
            if listed.place.packing is not None and _who(listed) not in mended:
                _salvage(listed, mended, folder)
    return has_moved or len(mended) > before


def _look_at_ends(
    listed: Iterable[Listed], whole: set[tuple[str, str]], mended: dict[tuple[str, str], _Mended], folder: Path
) -> None:
    """
    Find out which of the files that DuckDB would read as far as they go end too early;
    those that don't are in *whole* then.
    """
    for one in listed:
        if one.store is not None or one.place.packing != "zst" or _who(one) in whole or _who(one) in mended:
            continue
        try:
            if _is_cut_off(f"{one.root}/{one.name}"):
                _salvage(one, mended, folder)
        except OSError:
            continue  # that is told when it is read
        whole.add(_who(one))


def _is_cut_off(path: str) -> bool:
    with open(path, "rb") as file:
        fd = file.fileno()
        return is_cut_off(lambda size, offset: os.pread(fd, size, offset), os.fstat(fd).st_size)


def _mend_ends(paths: Mapping[str, Listed], files: Files, mended: dict[tuple[str, str], _Mended], folder: Path) -> bool:
    """
    Find out which objects ended too early when they were read, and tell whether there are any.
    """
    before = len(mended)
    for path in files.cut_off:
        _salvage(paths[path], mended, folder)
    return len(mended) > before


def _moved(paths: Mapping[str, Listed]) -> list[int]:
    """
    Return what is where files aren't any more: the inode of another file, 0 for none.
    """
    inodes = [(_inode(path), listed.inode) for path, listed in paths.items() if path == f"{listed.root}/{listed.name}"]
    return [now for now, before in inodes if now != before]


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0


def _problem(path: str, listed: Listed, files: Files) -> str | None:
    """
    Return why a segment can't even be opened.
    """
    if path in files.failed:
        return files.failed[path].problem
    if listed.store is None:
        try:
            open(path, "rb").close()
        except FileNotFoundError:
            return None
        except OSError as e:
            return f"can't be read: {e.strerror or e}"
    return None


def _salvage(listed: Listed, mended: dict[tuple[str, str], _Mended], folder: Path) -> None:
    """
    Note what can be read of a packed segment, if that isn't all of it.
    """
    path = folder / f"{len(mended)}.ndjson"
    packed = listed.store.open(listed.name) if listed.store is not None else open(f"{listed.root}/{listed.name}", "rb")  # noqa: SIM115 -- it is closed with what it holds
    with cast("BufferedReader", open_plain(packed, listed.place.packing)) as plain, path.open("wb") as copy:
        try:
            while data := plain.read1(_CHUNK):
                copy.write(data)
        except UnpackingError as e:
            mended[_who(listed)] = _Mended(str(path), Problem(listed.name, f"can't be read: {e}"))
            return
    path.unlink()


def _who(listed: Listed) -> tuple[str, str]:
    return listed.store.name if listed.store is not None else str(listed.root), listed.name
