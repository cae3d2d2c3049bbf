"""
What may stand in a request: each parameter's schema, from which both its check and the
OpenAPI document come.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from tierlog.admin._problems import ProblemError


__all__ = ["TICKET", "Parameter", "read_parameters"]

_SHOWN = 64  # characters of what was given
_MOST = 64  # values of one parameter
TICKET = "ticket"
"""The parameter that stands in a header's place."""


class Parameter(NamedTuple):
    """
    A parameter.

    Attributes:
        name: As it stands in the URL.

        text: What it is for.

        schema: JSON Schema: ``string`` with ``enum``, ``pattern``, ``minLength`` and
            ``maxLength``, ``integer`` with ``minimum``, ``maximum`` and ``enum``, or an
            ``array`` of strings, which may be repeated.

        hint: What would be right, if it isn't.

        place: ``query``, ``path`` or ``header``.

        has_commas: Whether a list's values may also be separated by commas.
    """

    name: str
    text: str
    schema: Mapping[str, Any]
    hint: str = ""
    place: str = "query"
    has_commas: bool = False


def read_parameters(known: Sequence[Parameter], path: Mapping[str, str], query: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """
    Return the values of the parameters that were given, checked.

    Raises:
        ProblemError: One isn't known, or can't be right.
    """
    by_name = {one.name: one for one in known if one.place == "query"}
    given: dict[str, list[str]] = {}
    for name, value in query:
        if name == TICKET:
            continue
        if name not in by_name:
            raise _unknown(name, list(by_name))
        given.setdefault(name, []).append(value)
    values = {name: _value(by_name[name], texts) for name, texts in given.items()}
    for one in known:
        if one.place == "path":
            values[one.name] = _value(one, [path[one.name]])
    return values


def _value(parameter: Parameter, texts: list[str]) -> Any:
    schema = parameter.schema
    if schema["type"] == "array":
        if parameter.has_commas:
            texts = [part for text in texts for part in text.split(",")]
        if len(texts) > schema.get("maxItems", _MOST):
            raise _wrong(parameter, f"has more than {schema.get('maxItems', _MOST)} values")
        return [_text(parameter, schema["items"], text) for text in texts]
    if len(texts) > 1:
        raise _wrong(parameter, "is given more than once")
    if schema["type"] == "integer":
        return _integer(parameter, texts[0])
    return _text(parameter, schema, texts[0])


def _integer(parameter: Parameter, text: str) -> int:
    schema = parameter.schema
    least, most = schema.get("minimum", 0), schema.get("maximum", 2**53)
    if not text.isascii() or not text.isdigit() or len(text) > len(str(most)) or not least <= int(text) <= most:
        raise _wrong(parameter, f"{text[:_SHOWN]!r} isn't a whole number from {least} to {most}")
    if int(text) not in schema.get("enum", [int(text)]):
        raise _wrong(parameter, f"{text!r} isn't one of {', '.join(map(str, schema['enum']))}")
    return int(text)


def _text(parameter: Parameter, schema: Mapping[str, Any], text: str) -> str:
    if "enum" in schema and text not in schema["enum"]:
        raise _wrong(parameter, f"there's no {text[:_SHOWN]!r}; there are {', '.join(schema['enum'])}")
    if not schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", 4_096):
        what = parameter.hint or f"a text of {schema.get('minLength', 0)} to {schema.get('maxLength', 4_096)} characters"
        raise _wrong(parameter, f"isn't {what}")
    if "\x00" in text:
        raise _wrong(parameter, "has a NUL in it")
    if "pattern" in schema and not _compiled(schema["pattern"]).search(text):
        raise _wrong(parameter, f"{text[:_SHOWN]!r} isn't {parameter.hint}")
    return text


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("$", r"\Z"), re.ASCII)


def _wrong(parameter: Parameter, problem: str) -> ProblemError:
    return ProblemError(400, problem, parameter=parameter.name)


def _unknown(name: str, known: list[str]) -> ProblemError:
    import difflib  # noqa: PLC0415 -- 3 ms, and only on the way to an error

    near = difflib.get_close_matches(name[:_SHOWN], known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known) or 'none here'}"
    return ProblemError(400, f"there's no parameter {name[:_SHOWN]!r} here; {hint}", parameter=name[:_SHOWN])
