"""
What is asked for, checked once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tierlog.errors import QueryError
from tierlog.kinds import LEVELS, TIERS, is_kind
from tierlog.query._cursor import Key, decode_cursor
from tierlog.query._text import Text, text_of
from tierlog.query._times import parse_time
from tierlog.query._where import Condition, conditions


__all__ = ["ORDERS", "Filters", "filters"]

ORDERS = ("asc", "desc")
"""Oldest first, newest first."""

_IDS = {"project_id": "projectId", "build_id": "buildId", "user_id": "userId", "req_id": "reqId"}
_LONGEST_ID = 512
_FIRST_MS, _LAST_MS = 0, 253_402_300_800_000


class Filters(NamedTuple):
    """
    What a record must be like to be delivered, and how.

    Attributes:
        tiers: Its ``tier``, one of these.

        kinds: Its ``kind``, one of these; any if None.

        levels: Its ``lvl``, one of these; any if None.

        ids: The ids that it must have, by their names in the envelope.

        since: Its lowest ``ts``, **milliseconds** since the epoch.

        until: What its ``ts`` is below, **milliseconds** since the epoch.

        text: What its ``msg`` must hold.

        where: What its ``data`` must be like.

        limit: How many to deliver; all if None.

        is_newest_first: Their order.

        after: The record behind which to begin.
    """

    tiers: tuple[str, ...] = TIERS
    kinds: tuple[str, ...] | None = None
    levels: tuple[str, ...] | None = None
    ids: Mapping[str, str] = {}
    since: int = _FIRST_MS
    until: int = _LAST_MS
    text: Text | None = None
    where: tuple[Condition, ...] = ()
    limit: int | None = None
    is_newest_first: bool = False
    after: Key | None = None

    @property
    def order(self) -> str:
        """
        The order's name.
        """
        return ORDERS[self.is_newest_first]

    @property
    def has_times(self) -> bool:
        """
        Whether the times are bounded at either end.
        """
        return self.since > _FIRST_MS or self.until < _LAST_MS


def filters(
    *,
    now_ms: int,
    tiers: object = None,
    kinds: object = None,
    levels: object = None,
    since: object = None,
    until: object = None,
    text: object = None,
    case: bool = True,
    regex: bool = False,
    where: object = None,
    limit: object = None,
    order: object = "asc",
    cursor: object = None,
    **ids: object,
) -> Filters:
    """
    Return what is asked for.

    Raises:
        QueryError: It can't be asked for.
    """
    for name in ids:
        if name not in _IDS:
            raise _unknown(
                name, "there's no such filter", name, [*_IDS, "tiers", "kinds", "levels", "since", "until", "text", "where"]
            )
    if order not in ORDERS:
        raise _unknown("order", f"there's no {order!r}", order, ORDERS)
    first = _FIRST_MS if since is None else parse_time("since", since, now_ms)
    last = _LAST_MS if until is None else parse_time("until", until, now_ms)
    if last < first:
        raise QueryError("until", "is before since; swap them")
    after = None if cursor is None else decode_cursor(cursor, str(order))
    if after is not None:
        first, last = (first, min(last, after.ts + 1)) if order == "desc" else (max(first, after.ts), last)
    if limit is not None and (type(limit) is not int or limit < 0):
        raise QueryError("limit", f"{limit!r} isn't a whole number of at least 0")
    found_tiers = _names("tiers", tiers, TIERS)
    return Filters(
        tiers=TIERS if found_tiers is None else found_tiers,
        kinds=_kinds(kinds),
        levels=_names("levels", levels, tuple(LEVELS.values())),
        ids={_IDS[name]: _id(name, value) for name, value in ids.items() if value is not None},
        since=first,
        until=max(first, last),
        text=None if text is None else text_of(text, case=case, regex=regex),
        where=conditions(where),
        limit=limit,
        is_newest_first=order == "desc",
        after=after,
    )


def _names(parameter: str, given: object, known: tuple[str, ...]) -> tuple[str, ...] | None:
    if given is None:
        return None
    names = [given] if isinstance(given, str) else list(given) if isinstance(given, Iterable) else [given]
    for name in names:
        if name not in known:
            raise _unknown(parameter, f"there's no {name!r}", name, known)
    if not names:
        raise QueryError(parameter, f"is empty; leave it out for any, or name some of {', '.join(known)}")
    return tuple(name for name in known if name in names)


def _kinds(given: object) -> tuple[str, ...] | None:
    if given is None:
        return None
    names: list[Any] = [given] if isinstance(given, str) else list(given) if isinstance(given, Iterable) else [given]
    for name in names:
        if not is_kind(name):
            raise QueryError("kinds", f"{name!r} can't be a kind: it is a lower-case name of at most 64 characters")
    if not names:
        raise QueryError("kinds", "is empty; leave it out for any")
    return tuple(dict.fromkeys(names))


def _id(parameter: str, value: object) -> str:
    if type(value) is not str or not 0 < len(value) <= _LONGEST_ID:
        raise QueryError(parameter, f"{value!r} isn't an id: it is a text of 1 to {_LONGEST_ID} characters")
    return value


def _unknown(parameter: str, problem: str, given: object, known: Iterable[str]) -> QueryError:
    import difflib  # noqa: PLC0415 -- 3 ms, and only on the way to an error

    names = list(known)
    near = difflib.get_close_matches(str(given), names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
    return QueryError(parameter, f"{problem}; {hint}")
