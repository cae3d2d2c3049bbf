"""
What the commands that read have in common: where to look, what for, and how to show it.
"""

from __future__ import annotations

import glob
import os
import re
import sys
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click
import orjson

from tierlog.cli._errors import WrongUse
from tierlog.cli._event_view import EventView
from tierlog.cli._store_options import chosen, store_options
from tierlog.errors import ConfigError, MissingExtraError, QueryError
from tierlog.kinds import LEVELS, TIERS
from tierlog.query import LogStore, open_store


__all__ = [
    "PLACE",
    "Look",
    "asked",
    "filter_options",
    "ids_in",
    "levels_option",
    "look",
    "opened",
    "part_options",
    "place_options",
    "since_option",
    "time_options",
    "view_options",
    "wrong_use",
]

_F = TypeVar("_F", bound=Callable[..., Any])
_NAMES = tuple(LEVELS.values())
_CONDITION = re.compile(r"(?P<path>[^=!<>~]+)(?P<op>>=|<=|!=|==|=|<|>|~)(?P<value>.*)\Z", re.DOTALL)
_DAYS = 7
_OPERATORS = {"==": "=", "~": "contains"}
_COMPARISONS = ("=", "!=", "<", "<=", ">", ">=", "~")
_AGO = re.compile(r"\A-(?=\d+[a-z])|\s+ago\Z")  # -2h is what journalctl says, and so is 2 hours ago
_SPELT = re.compile(r"(\d+)\s*(seconds?|secs?|s|minutes?|mins?|m|hours?|h|days?|d|weeks?|w)\Z")
_OTHER_NAMES = {"warning": "warn", "critical": "error", "fatal": "error"}
_TIMES = ("since", "until")
_MS = re.compile(r"\d{12,15}")  # a number of eight digits is a date
_TIME_HINT = "give 2h, today, yesterday, 10:15, 2026-05-01, 2026-05-01T10:15, the same with a zone (…Z, …+02:00), or milliseconds"
_DAYS_AGO = {"today": 0, "yesterday": 1}
_OPTIONS = {
    "tiers": "--tier",
    "kinds": "--kind",
    "levels": "--level",
    "project_id": "--project",
    "build_id": "--build",
    "user_id": "--user",
    "req_id": "--req",
    "text": "TEXT",
}

PLACE = ("root", "bucket", "prefix", "endpoint_url", "catalog", "config")
"""The options of :func:`tierlog.cli._store_options.store_options`."""


def _added(*options: Callable[[_F], _F]) -> Callable[[_F], _F]:
    def add(function: _F) -> _F:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def ids_in(folder: str) -> Callable[..., list[str]]:
    """
    Return what completes an id: those that lie in a folder of the root, of the last days.
    """

    def complete(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
        root = context.params.get("root") or Path("logs")
        days = sorted(root.glob(f"{folder}/*-*-*"), reverse=True)[:_DAYS]
        return sorted({path.name.partition(".")[0] for day in days for path in day.glob(f"{glob.escape(begun)}*")})

    return complete


def _names_of(known: Iterable[str]) -> Callable[..., list[str]]:
    return lambda _context, _parameter, begun: [name for name in known if name.startswith(begun)]


def place_options(function: _F) -> _F:
    """
    Add the options that say where to look; the command gets them for :func:`opened`.
    """
    add = _added(
        store_options,
        click.option(
            "--store",
            "stores",
            multiple=True,
            metavar="DIR|URL",
            help="Look here instead: a folder, or a URL such as r2://bucket/prefix?endpoint_url=https://…; may be repeated.",
        ),
        click.option("--local-only", is_flag=True, help="Look at the root alone, not at the bucket that it ships to."),
    )
    return add(function)


levels_option: Callable[[_F], _F] = click.option(
    "--level",
    "levels",
    multiple=True,
    metavar="LEVEL",
    help=f"{', '.join(_NAMES)}; warn+ for warn and above.",
    shell_complete=_names_of([*_NAMES, "info+", "warn+"]),
)
"""Add the levels alone."""

since_option: Callable[[_F], _F] = click.option(
    "--since",
    metavar="TIME",
    help="Not before this: 2h, today, 10:15, 2026-05-01, 2026-05-01T10:15, or with its zone …Z, …+02:00.",
)
"""Add the earlier bound of time."""

time_options = _added(since_option, click.option("--until", metavar="TIME", help="Before this."))
"""Add the bounds of time."""

part_options = _added(
    click.option("--tier", "tiers", multiple=True, metavar="TIER", help=f"{', '.join(TIERS)}.", shell_complete=_names_of(TIERS)),
    click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Such as line, auth, dns."),
    levels_option,
    click.option("--project", "project_id", metavar="ID", help="This projectId."),
    click.option("--build", "build_id", metavar="ID", help="This buildId."),
    click.option("--user", "user_id", metavar="ID", help="This userId."),
    click.option("--req", "req_id", metavar="ID", help="This reqId."),
)
"""Add the filters of whole parts of the envelope."""

filter_options = _added(
    part_options,
    click.option(
        "--where",
        multiple=True,
        metavar="PATH=VALUE",
        help="What stands in data, such as request.method=POST, 'status>=500' or path~login (contains); PATH alone: it is there.",
    ),
    click.option("-i", "--ignore-case", is_flag=True, help="TEXT in any case of letters."),
    click.option("-E", "--regex", is_flag=True, help="TEXT is a pattern."),
)
"""Add the filters, for :func:`asked`."""

view_options = _added(
    click.option(
        "--json/--text",
        "as_json",
        default=None,
        help="Lines as they were written, or for people.  [default: --text on a terminal]",
    ),
    click.option("--utc", is_flag=True, help="Show times in UTC, not in local time, and take those without a zone for UTC."),
    click.option("--full", is_flag=True, help="Show ids, data and long lines whole, and the instance, too."),
    click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        help="Colours; always is --text in a pipe, too, as for less -R.  [default: auto]",
    ),
)
"""Add the options of how to show events, for :func:`look`."""


class Look(NamedTuple):
    """
    How events are shown.

    Attributes:
        as_json: Whether as the lines that were written.

        is_coloured: Whether in colours.

        is_full: Whether with ids, data and lines as long as they are.

        is_utc: Whether times are in UTC.
    """

    as_json: bool
    is_coloured: bool
    is_full: bool
    is_utc: bool

    def view(self, kind: type[EventView] = EventView, **more: Any) -> EventView:
        """
        Return what makes text of events.
        """
        return kind(zone=UTC if self.is_utc else None, is_coloured=self.is_coloured, is_full=self.is_full, **more)


def look(given: dict[str, Any]) -> Look:
    """
    Take the values of the :data:`view_options` out of *given*, and return how to show
    events.
    """
    as_json, color = given.pop("as_json"), given.pop("color")
    is_terminal = sys.stdout.isatty()
    is_coloured = color == "always" or (color == "auto" and is_terminal and not os.environ.get("NO_COLOR"))
    is_json = as_json if as_json is not None else not is_terminal and color != "always"
    return Look(as_json=is_json, is_coloured=is_coloured, is_full=given.pop("full"), is_utc=given.pop("utc"))


@contextmanager
def wrong_use() -> Generator[None]:
    """
    Tell a question that can't be asked by the names of the options.

    Raises:
        WrongUse: It was asked in the block.
    """
    try:
        yield
    except QueryError as e:
        name, problem = e.parameter, e.problem
        if name in _TIMES and "isn't a time" in problem:  # more is taken here than there
            problem = f"{problem.partition(';')[0]}; {_TIME_HINT}"
        raise WrongUse(f"{_OPTIONS.get(name, f'--{name}')}: {problem}") from e


def opened(given: dict[str, Any]) -> LogStore:
    """
    Take the values of the :func:`place_options` out of *given*, and return what is
    searched.

    Raises:
        WrongUse: There's no such place.
    """
    stores, local_only = given.pop("stores"), given.pop("local_only")
    place = {name: given.pop(name) for name in PLACE}
    if not all(stores):
        raise WrongUse("--store: is empty; name a folder, or a URL such as r2://bucket")
    about = chosen(**place)
    where: list[Any] = list(stores)
    try:
        if not where or place["root"] is not None:
            where += _places(about.root, None if local_only or where else about.store())
        return open_store(where, catalog=about.options.get("catalog"))
    except MissingExtraError as e:
        raise WrongUse(f"{e}; or look at the root alone: --local-only") from e
    except QueryError as e:
        raise WrongUse(f"{'--store' if stores else '--root'}: {e.problem}" if e.parameter == "where" else str(e)) from e
    except ConfigError as e:
        name = e.setting.removeprefix("sink.")
        if not stores and place.get(name) is None:
            raise
        raise WrongUse(f"--{'store' if stores else name.replace('_', '-')}: {e.problem}") from e


def _places(root: Path, store: Any) -> list[Any]:
    """
    Return the root and the store, without a root that isn't there where there's a store.
    """
    if store is None:
        return [root]
    return [root, store] if root.is_dir() else [store]


def asked(given: Mapping[str, Any], *, is_utc: bool) -> dict[str, Any]:
    """
    Return what a search takes, of the values of the :data:`filter_options` and
    :data:`time_options`, and of others of its arguments.

    Raises:
        WrongUse: One of them can't be right.
    """
    found = {name: value for name, value in given.items() if value is not None and value != ()}
    for name in ("tiers", "kinds"):
        if name in found:
            found[name] = _parts(found[name])
    if "levels" in found:
        found["levels"] = [level for one in _parts(found["levels"]) for level in _levels(one)]
    for name in _TIMES:
        if name in found:
            found[name] = _local(found[name], is_utc=is_utc)
    if "where" in found:
        found["where"] = _conditions(found["where"])
    if "ignore_case" in found:
        found["case"] = not found.pop("ignore_case")
    return found


def _parts(given: Iterable[str]) -> list[str]:
    return [part.strip() for one in given for part in one.split(",")]


def _levels(given: str) -> list[str]:
    name = given.removesuffix("+").lower()
    name = _OTHER_NAMES.get(name, name)
    if given.endswith("+") and name in _NAMES:
        return list(_NAMES[_NAMES.index(name) :])
    return [name if name in _NAMES else given.lower()]


def _local(text: str, *, is_utc: bool) -> Any:
    """
    Return a time without a zone as one of the zone that times are shown in; what isn't
    a date, or a time of today, as it is.
    """
    text = _AGO.sub("", text.strip())
    if spelt := _SPELT.match(text):
        return f"{spelt[1]}{spelt[2][0]}"
    if _MS.fullmatch(text):
        return text
    zone = UTC if is_utc else None
    midnight = datetime.now(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    try:
        if text in _DAYS_AGO:
            moment = midnight - timedelta(days=_DAYS_AGO[text])
        elif ":" in text[:3]:
            moment = datetime.combine(midnight, time.fromisoformat(text))
        else:
            moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC) if is_utc else moment.astimezone()
    except (ValueError, OverflowError):  # the latter: before the first year or behind the last, in another zone
        return text
    return moment


def _conditions(where: Iterable[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in where:
        match = _CONDITION.match(one)
        path = (match["path"] if match else one).strip()
        if not path or (match is None and re.search("[=<>~!]", one)):
            raise WrongUse(f"--where: {one!r} isn't a condition, such as status=500, 'ms>=250' or path~login")
        if match and match["op"] == "=" and match["value"][:1] in {"<", ">", "~"}:
            said = f"there's no ={match['value'][0]}, only {' '.join(_COMPARISONS)}; put a text that begins so in \""
            raise WrongUse(f"--where: {one!r}: {said}")
        if path in found:
            raise WrongUse(f"--where: {path!r} is asked for twice; give one condition for each path")
        found[path] = (_OPERATORS.get(match["op"], match["op"]), _value(match["value"])) if match else ("exists", True)
    return found


def _value(text: str) -> Any:
    """
    Return a number, true, false, null or a quoted text as what it is, anything else as
    a text.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return text if isinstance(value, (list, dict)) else value
