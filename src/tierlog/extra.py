"""
What a record has beside its message: what fills the envelope, and what is data.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from tierlog.context import IDS
from tierlog.exceptions import exception_data, raised
from tierlog.filter import Stamp
from tierlog.kinds import LEVELS
from tierlog.plain import free_name


__all__ = ["LAST_STANDARD", "STANDARD_COUNT", "extras", "split_extra", "with_more"]

_STANDARD = tuple(logging.LogRecord("", 0, "", 0, "", (), None).__dict__)
STANDARD_COUNT = len(_STANDARD)
"""How many attributes every record has."""

LAST_STANDARD = _STANDARD[-1]
"""The last of them."""

_NOT_EXTRA = frozenset([*_STANDARD, "message", "asctime", "taskName", "_tierlog"])
_FIELDS = {name: name for name in (*IDS, "tier", "kind", "src")} | {
    "projectId": "project_id",
    "buildId": "build_id",
    "userId": "user_id",
    "reqId": "req_id",
}


def extras(attributes: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """
    Return those *attributes* of a record, of *names*, that aren't a record's own.
    """
    return {name: attributes[name] for name in names if name not in _NOT_EXTRA}


def split_extra(extra: Mapping[Any, Any]) -> tuple[dict[str, Any], Any]:
    """
    Return what of *extra* fills the envelope, and what is data.
    """
    fields: dict[str, Any] = {}
    rest: dict[Any, Any] = {}
    for key, value in extra.items():
        name = _FIELDS.get(key) if type(key) is str else None
        if name is None:
            rest[key] = value
        else:
            fields[name] = value
    data = rest.get("data")
    if isinstance(data, dict):
        del rest["data"]
        # What both name stays: the payload's under its name, the other beside it.
        rest = {**{free_name(data, key): value for key, value in rest.items()}, **data}
    return fields, rest or None


def with_more(record: logging.LogRecord, extra: Mapping[str, Any] | None, stamp: object, *, with_locals: bool) -> dict[str, Any]:
    """
    Return *extra* with what else a record may carry: a level of its own, an exception, a stack.
    """
    added: dict[str, Any] = {}
    if record.levelno not in LEVELS:
        added["level"] = record.levelname
    stack = record.stack_info
    if type(stamp) is Stamp and not record.exc_info and not stack:  # a queue has taken them
        stack = stamp.stack
        added |= {"exc": stamp.exc} if stamp.exc else {}
    elif record.exc_info and (error := raised(record.exc_info)) is not None:
        added["exc"] = exception_data(error, with_locals=with_locals)
    elif record.exc_text:
        added["exc"] = {"text": record.exc_text}
    if stack:
        added["stack"] = stack
    merged = dict(extra or {})
    own = merged.get("data")
    own = own if type(own) is dict else {} if own is None else {"data": own}
    merged["data"] = {**own, **added, **{free_name(own, name): own[name] for name in added if name in own}}
    return merged
