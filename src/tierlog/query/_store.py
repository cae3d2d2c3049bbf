"""
What is searched: folders and stores as one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Never

from tierlog.errors import QueryError
from tierlog.query._count import Counts, counted, fields_of
from tierlog.query._filters import Filters, filters
from tierlog.query._handles import Handles
from tierlog.query._listing import wanted
from tierlog.query._problem import Problem
from tierlog.query._search import Search
from tierlog.query._sources import Source, Sources
from tierlog.query._tail import Tail
from tierlog.stores import Store
from tierlog.typing import Clock


__all__ = ["LogStore", "Segment"]

_MS_NS = 1_000_000


class Segment(NamedTuple):
    """
    A segment that there is.

    Attributes:
        name: Its path below the root, or its key in the store.

        where: The folder, or what people know the store by.

        tier: Its tier.

        day: Its day; None if its name doesn't say.

        id: Its build's or project's id.

        instance: The ``instanceId`` of its writer; None for a build's one file.

        packing: How it is compressed.

        stored_bytes: Bytes, as stored.

        is_remote: Whether it is in a store.

        is_open: Whether it may still grow.
    """

    name: str
    where: str
    tier: str
    day: str | None
    id: str | None
    instance: str | None
    packing: str | None
    stored_bytes: int
    is_remote: bool
    is_open: bool


class LogStore:
    """
    Folders and stores, read as one. Safe to share between threads.
    """

    def __init__(self, sources: Sources, *, clock: Clock = time.time_ns) -> None:
        self._sources = sources
        self._clock = clock
        self._handles = Handles()

    def __repr__(self) -> str:
        names = [*map(str, self._sources.roots), *(store.name for store in self._sources.stores)]
        return f"<LogStore {', '.join(names)}>"

    @property
    def roots(self) -> tuple[Path, ...]:
        """
        The folders.
        """
        return self._sources.roots

    @property
    def stores(self) -> tuple[Store, ...]:
        """
        The stores.
        """
        return self._sources.stores

    def search(
        self,
        *,
        tiers: str | Iterable[str] | None = None,
        kinds: str | Iterable[str] | None = None,
        levels: str | Iterable[str] | None = None,
        project_id: str | None = None,
        build_id: str | None = None,
        user_id: str | None = None,
        req_id: str | None = None,
        since: Any = None,
        until: Any = None,
        text: str | None = None,
        case: bool = True,
        regex: bool = False,
        where: Any = None,
        limit: int | None = None,
        order: str = "asc",
        cursor: str | None = None,
        **other: Never,
    ) -> Search:
        """
        Return the events that meet all that is given.

        Args:
            tiers: Any of these tiers.

            kinds: Any of these kinds.

            levels: Any of ``debug``, ``info``, ``warn`` and ``error``.

            project_id: This ``projectId``.

            build_id: This ``buildId``.

            user_id: This ``userId``.

            req_id: This ``reqId``.

            since: Not before this: **milliseconds** since the epoch, a datetime, a text
                in ISO 8601, or how long before now, such as ``"2h"``. What has no time
                zone is UTC.

            until: Before this.

            text: What ``msg`` holds.

            case: Whether the case of letters matters.

            regex: Whether *text* is a pattern, in Hyperscan's syntax, which is that of
                Perl as far as it can be matched in linear time.

            where: Dotted paths in ``data``, each with a value, or with a pair of an
                operator (``= != < <= > >= contains exists``) and a value.

            limit: How many events at most.

            order: ``asc``: oldest first, or ``desc``: newest first.

            cursor: Where to go on: :attr:`Search.cursor` of a search with the same
                filters.

            other: What isn't a filter is refused, and the nearest that is one is named.

        Raises:
            QueryError: It can't be asked for.
        """
        given = {"project_id": project_id, "build_id": build_id, "user_id": user_id, "req_id": req_id}
        return Search(
            self._sources,
            filters(
                now_ms=self._clock() // _MS_NS,
                tiers=tiers,
                kinds=kinds,
                levels=levels,
                since=since,
                until=until,
                text=text,
                case=case,
                regex=regex,
                where=where,
                limit=limit,
                order=order,
                cursor=cursor,
                **given,
                **other,
            ),
        )

    def build(self, build_id: str, **more: Any) -> Search:
        """
        Return the log of a build; *more* as for :meth:`search`.
        """
        return self.search(**{"tiers": "build", **more, "build_id": build_id})

    def deploy(self, build_id: str, **more: Any) -> Search:
        """
        Return the log of a build's deploy; *more* as for :meth:`search`.
        """
        return self.search(**{"tiers": "deploy", **more, "build_id": build_id})

    def project(self, project_id: str, since: Any = None, until: Any = None, **more: Any) -> Search:
        """
        Return what was done in a project, and what became of it; *more* as for
        :meth:`search`.
        """
        own = {"tiers": ("action", "lifecycle"), "since": since, "until": until}
        return self.search(**{**own, **more, "project_id": project_id})

    def timeline(self, project_id: str, **more: Any) -> Search:
        """
        Return everything of a project, of all tiers; *more* as for :meth:`search`.
        """
        return self.search(**{**more, "project_id": project_id})

    def count(self, by: str | Iterable[str] = ("tier", "lvl"), **asked: Any) -> Counts:
        """
        Return how many events there are, by their values of some fields.

        Args:
            by: Any of ``tier``, ``kind``, ``lvl``, ``src``, ``instance``, the ids such as
                ``project_id``, ``hour`` (its first millisecond since the epoch) and
                ``day``. By ``tier``, ``lvl``, ``hour`` and ``day`` it is quick: the
                catalog has the numbers.

            asked: What is counted, as for :meth:`search`, without ``limit``, ``order``
                and ``cursor``.

        Raises:
            QueryError: It can't be asked for.
        """
        for name in ("limit", "order", "cursor"):
            if name in asked:
                raise QueryError(name, "isn't for counting; leave it out")
        return counted(self._sources, filters(now_ms=self._clock() // _MS_NS, **asked), fields_of(by))

    def tail(
        self,
        *,
        cursor: str | None = None,
        since: Any = None,
        poll: float = 0.2,
        store_poll: float = 30.0,
        stop: threading.Event | None = None,
        **asked: Any,
    ) -> Tail:
        """
        Follow what is written from now on, by any process of the host, and what appears
        in stores; :class:`Tail` says what is promised of each.

        Args:
            cursor: Where to go on instead: :attr:`Tail.cursor` of one with the same
                filters.

            since: From when on to begin instead, as for :meth:`search`.

            poll: How long to wait, when nothing was new, before looking again, **seconds**.

            store_poll: How long to wait from one listing of the stores to the next, at
                least, **seconds**.

            stop: Ends the iteration when it is set.

            asked: What is delivered, as for :meth:`search`, without ``until``, ``limit``
                and ``order``.

        Raises:
            QueryError: It can't be asked for.
        """
        for name in ("until", "limit", "order"):
            if name in asked:
                raise QueryError(name, "isn't for following what is written; leave it out")
        return Tail(
            self._sources,
            filters(now_ms=self._clock() // _MS_NS, since=since, **asked),
            cursor,
            is_from_now=since is None,
            poll=poll,
            store_poll=store_poll,
            stop=stop,
            handles=self._handles,
        )

    def plan(self, problems: list[Problem], **asked: Any) -> tuple[Filters, list[Source]]:
        """
        Return what is asked for, checked, and the segments that may hold it: for those
        who read them by themselves.

        Args:
            problems: Where it is noted which store or catalog didn't answer.

            asked: As for :meth:`search`.

        Raises:
            QueryError: It can't be asked for.
        """
        found = filters(now_ms=self._clock() // _MS_NS, **asked)
        return found, self._sources.sources(found, problems)

    def segments(self, *, problems: list[Problem] | None = None, **asked: Any) -> Iterator[Segment]:
        """
        Yield the segments whose names meet what is given, on the disk first.

        Args:
            problems: Where it is noted which store didn't answer.

            asked: ``tiers``, ``project_id``, ``build_id``, ``since`` and ``until`` as for
                :meth:`search`.

        Raises:
            QueryError: It can't be asked for.
        """
        for name in asked:
            if name not in {"tiers", "project_id", "build_id", "since", "until"}:
                raise QueryError(name, "isn't in the names of segments; there are tiers, project_id, build_id, since, until")
        found = filters(now_ms=self._clock() // _MS_NS, **asked)
        for one in self._sources.listed(wanted(found), [] if problems is None else problems):
            place = one.place
            where = one.store.name if one.store is not None else str(one.root)
            names = (place.tier, place.day, place.id, place.instance, place.packing)
            yield Segment(one.name, where, *names, one.size, one.store is not None, one.is_open)
