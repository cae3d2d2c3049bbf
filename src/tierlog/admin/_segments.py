"""
Segments as they are stored: which there are, and their bytes.

A segment's id is where it is, and its name, in a form that is good for a URL. What isn't
a name that segments have isn't looked up, so that an id leads nowhere else.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from functools import partial
from heapq import nlargest

import orjson
from starlette.responses import Response

from tierlog.admin._about import json_response
from tierlog.admin._blob import Blob, FileBlob, ObjectBlob
from tierlog.admin._endpoint import Asked
from tierlog.admin._filters import asked_for, canonical
from tierlog.admin._problems import ProblemError
from tierlog.admin._ranges import blob_response
from tierlog.admin._streaming import in_thread
from tierlog.admin._tokens import Subject
from tierlog.layout import Place, parse_local, parse_remote
from tierlog.query import LogStore, Problem, Segment
from tierlog.segments import Journal


__all__ = ["blob_answer", "segment", "segments", "whole_build"]

_PURPOSE = "segments"
_DEFAULT_LIMIT = 500
_OWNED = ("action", "lifecycle")

_Order = tuple[str, str, str]


async def segments(asked: Asked) -> Response:
    """
    Return which segments there are, the newest day first.
    """
    values, signer = asked.values, asked.service.signer
    bound_to = f"{asked.subject.projects}{canonical(values)}"
    cursor = asked.cursor(_PURPOSE, bound_to)
    before: _Order | None = None if cursor is None else tuple(orjson.loads(_plain(cursor)))
    limit = values.get("limit", _DEFAULT_LIMIT)
    problems: list[Problem] = []
    found = await in_thread(partial(_page, asked, limit + 1, before, problems), asked.service.scans)
    more = None
    if len(found) > limit:
        found.pop()
        more = signer.sign(_PURPOSE, _encoded(orjson.dumps(_order(found[-1])).decode()), bound_to)
    places = _places(asked.service.store)
    items = [
        {
            "id": _encoded(f"{places[one.where]}:{one.name}"), "name": one.name, "where": one.where,
            "tier": one.tier, "day": one.day, "owner": one.id, "packing": one.packing,
            "bytes": one.stored_bytes, "open": one.is_open, "remote": one.is_remote,
        }
        for one in found
    ]  # fmt: skip
    is_found = any(one.id == values.get("projectId") for one in found)
    is_limited = asked.subject.projects is not None
    told = [{"name": "" if is_limited else one.name, "problem": one.problem} for one in problems]
    return json_response({"items": items, "next": more, "problems": told}, is_found=is_found)


async def segment(asked: Asked) -> Response:
    """
    Return the bytes of a segment.
    """
    where, name = _decoded(asked.values["segmentId"])
    place = parse_local(name) or parse_remote(name)
    if place is None or not _shows(asked.subject, place):
        raise _missing()
    try:
        blob = await in_thread(partial(_opened, asked.service.store, where, name), asked.service.scans, drop=_closed)
    except FileNotFoundError:
        raise _missing() from None
    return blob_answer(asked, blob)


async def whole_build(asked: Asked, tier: str) -> Blob | None:
    """
    Return a build's log as it lies there, if that is what is asked for: all of it, and it
    is one file that isn't compressed.
    """
    if len(asked.values) > 1 or asked.subject.projects is not None:
        return None
    ask = partial(_whole, asked.service.store, tier, asked.values["buildId"])
    return await in_thread(ask, asked.service.scans, drop=_closed)


def blob_answer(asked: Asked, blob: Blob) -> Response:
    """
    Return what is asked for of *blob*.
    """
    service = asked.service
    response: Response | None = None
    try:
        response = blob_response(
            blob, asked.request.method, asked.request.headers, service.scans, write_timeout=service.write_timeout
        )
    finally:
        if response is None or response.status_code == 304:  # noqa: PLR2004
            blob.close()
    return response


def _whole(store: LogStore, tier: str, build_id: str) -> Blob | None:
    found = list(store.segments(tiers=tier, build_id=build_id))
    if len(found) != 1 or found[0].packing is not None:
        return None
    try:
        return _opened(store, _places(store)[found[0].where], found[0].name)
    except FileNotFoundError:
        return None  # it moved just now; a search finds it


def _opened(store: LogStore, where: int, name: str) -> Blob:
    if where < len(store.roots):
        root = store.roots[where]
        place = parse_local(name)
        return FileBlob(root, name, is_open=place is not None and Journal(root).has(place))
    if where < len(store.roots) + len(store.stores):
        return ObjectBlob(store.stores[where - len(store.roots)], name)
    raise FileNotFoundError(name)


def _closed(blob: Blob | None) -> None:
    if blob is not None:
        blob.close()


def _page(asked: Asked, count: int, before: _Order | None, problems: list[Problem]) -> list[Segment]:
    found = (one for one in _all(asked, problems) if before is None or _order(one) < before)
    return nlargest(count, found, key=_order)


def _all(asked: Asked, problems: list[Problem]) -> Iterator[Segment]:
    given = asked_for({name: value for name, value in asked.values.items() if name not in {"limit", "cursor"}})
    store, projects = asked.service.store, asked.subject.projects
    if projects is None:
        yield from store.segments(problems=problems, **given)
        return
    own = tuple(tier for tier in _OWNED if tier in given.get("tiers", _OWNED))
    for project in projects if own else ():
        if given.get("project_id", project) == project:
            yield from store.segments(problems=problems, **{**given, "tiers": own, "project_id": project})


def _shows(subject: Subject, place: Place) -> bool:
    """
    Tell whether all that is in a segment may be seen: what a project owns is in its own.
    """
    return subject.projects is None or (place.tier in _OWNED and subject.sees(place.id))


def _order(one: Segment) -> _Order:
    return one.day or "9999", one.name, one.where


def _places(store: LogStore) -> dict[str, int]:
    return {name: number for number, name in enumerate([*map(str, store.roots), *(one.name for one in store.stores)])}


def _encoded(text: str) -> str:
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _plain(text: str) -> str:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()


def _decoded(text: str) -> tuple[int, str]:
    try:
        number, _, name = _plain(text).partition(":")
        if _encoded(f"{int(number)}:{name}") == text and int(number) >= 0:
            return int(number), name
    except ValueError:
        pass
    raise _missing()


def _missing() -> ProblemError:
    return ProblemError(404, "there's no such segment; /v1/admin/logs/segments lists them", parameter="segmentId")
