"""
The filters of the API: what may be asked for, and how a search asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from tierlog.admin._parameters import Parameter
from tierlog.admin._problems import ProblemError
from tierlog.kinds import LEVELS, TIERS
from tierlog.query._where import OPERATORS


__all__ = [
    "BUILD_ID", "CURSOR", "DATE", "FILTERS", "LIMIT", "META", "ORDER", "PROJECT_ID", "PROJECT_PATH", "SINCE", "TIER", "TIMES",
    "UNTIL", "asked_for", "canonical",
]  # fmt: skip

_TIME = (
    r"^(\d{12,15}|(\d{1,9}(\.\d{1,9})?(ms|s|min|m|h|d|w)){1,6}"
    r"|\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?)$"
)
_TIME_HINT = "a time: milliseconds, ISO such as 2026-11-22T10:00:00Z, or a duration before now such as 2h"
_ID: Mapping[str, Any] = {"type": "string", "minLength": 1, "maxLength": 512}
_CONDITION = re.compile(r"(?P<path>[^=!<>~]+)(?:(?P<op>>=|<=|!=|=|<|>|~)(?P<value>.*))?\Z", re.DOTALL)
_MOST_ROWS = 1_000_000


def _text(name: str, text: str, pattern: str, hint: str, *, longest: int = 64, place: str = "query") -> Parameter:
    schema = {"type": "string", "pattern": pattern, "maxLength": longest}
    return Parameter(name, text, schema, hint, place)


def _list(name: str, text: str, items: Mapping[str, Any], hint: str = "", *, has_commas: bool = True) -> Parameter:
    return Parameter(
        name, text, {"type": "array", "items": {"type": "string", **items}, "maxItems": 64}, hint, "query", has_commas
    )


SINCE = _text("since", "Not before this: milliseconds since the epoch, ISO 8601, or how long before now.", _TIME, _TIME_HINT)
UNTIL = _text("until", "Before this.", _TIME, _TIME_HINT)
TIMES = (SINCE, UNTIL)
TIER = _list("tier", "Any of these tiers; repeated, or separated by commas.", {"enum": list(TIERS)})
PROJECT_ID = Parameter("projectId", "This project.", _ID)
BUILD_ID = Parameter("buildId", "This build.", _ID)
LIMIT = Parameter("limit", "How many lines at most.", {"type": "integer", "minimum": 1, "maximum": _MOST_ROWS})
CURSOR = _text(
    "cursor", "Where to go on: what an answer to the same question gave.", r"^[A-Za-z0-9_.-]{1,8192}$", "a cursor", longest=8_192
)
ORDER = Parameter("order", "Oldest first (asc) or newest first (desc).", {"type": "string", "enum": ["asc", "desc"]})
META = Parameter("meta", "Whether one more line, the last, tells how it went.", {"type": "integer", "enum": [0, 1]})
FILTERS = (
    TIER,
    _list(
        "kind",
        "Any of these kinds.",
        {"pattern": "^[a-z][a-z0-9_.-]{0,63}$"},
        "a kind: a lower-case name of at most 64 characters",
    ),
    _list("lvl", "Any of these levels.", {"enum": list(LEVELS.values())}),
    PROJECT_ID,
    BUILD_ID,
    Parameter("userId", "This user.", _ID),
    Parameter("reqId", "This request.", _ID),
    Parameter("text", "What msg holds.", {"type": "string", "maxLength": 4_096}),
    Parameter("case", "Whether the case of text's letters matters.", {"type": "integer", "enum": [0, 1]}),
    Parameter("regex", "Whether text is a pattern.", {"type": "integer", "enum": [0, 1]}),
    _list(
        "where",
        f"What stands in data: path=value, or with one of {' '.join(OPERATORS[1:6])} or ~ (contains), or path alone; repeated.",
        {"pattern": "^[^=!<>~]", "maxLength": 1_024},
        "a condition such as request.status>=500",
        has_commas=False,
    ),
)
"""What events must be like, but for their time."""

DATE = _text("date", "A day, UTC.", r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$", "a day such as 2026-11-22", place="path")
PROJECT_PATH = Parameter("projectId", "The project.", _ID, place="path")

_PLURALS = {"tier": "tiers", "kind": "kinds", "lvl": "levels"}
_SAME = {
    "projectId": "project_id", "buildId": "build_id", "userId": "user_id", "reqId": "req_id",
    "since": "since", "until": "until", "text": "text", "order": "order",
}  # fmt: skip
_NOT_FILTERS = frozenset(["limit", "cursor", "meta"])


def asked_for(values: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return what :meth:`tierlog.query.LogStore.search` is to be called with.

    Raises:
        ProblemError: A condition can't be right.
    """
    asked: dict[str, Any] = {_PLURALS[name]: values[name] for name in _PLURALS if name in values}
    asked |= {_SAME[name]: values[name] for name in _SAME if name in values}
    if "case" in values:
        asked["case"] = values["case"] == 1
    if "regex" in values:
        asked["regex"] = values["regex"] == 1
    if "where" in values:
        asked["where"] = dict(_condition(text) for text in values["where"])
        if len(asked["where"]) < len(values["where"]):
            raise ProblemError(400, "has two conditions of one path", parameter="where")
    return asked


def canonical(values: Mapping[str, Any]) -> str:
    """
    Return the filters among *values* as one text, the same for the same question.
    """
    own = {
        name: sorted(value) if isinstance(value, list) else value for name, value in values.items() if name not in _NOT_FILTERS
    }
    return orjson.dumps(own, option=orjson.OPT_SORT_KEYS).decode()


def _condition(text: str) -> tuple[str, Any]:
    match = _CONDITION.match(text)
    if match is None:
        raise ProblemError(400, f"{text[:64]!r} isn't a condition such as request.status>=500", parameter="where")
    path, op, value = match.group("path").strip(), match["op"], match["value"]
    if op is None:
        return path, ("exists", True)
    if op == "~":
        return path, ("contains", value)
    return path, (op, _plain(value))


def _plain(text: str) -> Any:
    """
    Return a value as JSON has it; a text if it isn't JSON.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return text if isinstance(value, (dict, list)) else value
