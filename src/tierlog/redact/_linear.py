"""
Telling before a pattern is used that it can't be made to run for long.

:mod:`re` tries one way after the other, and texts are written by strangers. So a
pattern's worst case is worked out from its parse tree: how much one start may
cost, and how many starts a text can hold. Costs are in steps; a step takes
about a nanosecond, by measuring each kind of item on 256 KiB of hostile text with
CPython 3.11. What is worked out is an upper bound: a pattern may be refused that
would have done, none is let through for lack of a hostile text.
"""

from __future__ import annotations

import re
import re._constants as ops  # type: ignore[import-not-found, unused-ignore]  # the parse tree has no public form
import re._parser as parser  # type: ignore[import-not-found, unused-ignore]
from collections.abc import Callable, Iterator
from typing import Any

from tierlog.redact._charsets import UNITS
from tierlog.redact._search import steps_per_char
from tierlog.redact._steps import Node, flat


__all__ = ["MAX_STEPS", "MAX_WIDTH", "problem"]

MAX_STEPS = 200
"""Steps a character may cost. The bound is two to three times what hostile texts are found to
take, so 256 KiB take some 20 ms at most."""
MAX_WIDTH = 16_384
"""Longest match in characters: what a match may span is held back by streams."""

_MAX_PATTERN = 4_096
_MAX_LOOK = 64
_REPEATS = (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT)
_BACKREFERENCES = (ops.GROUPREF, ops.GROUPREF_EXISTS)


def problem(pattern: str, flags: int = 0, *, restarts: bool = False) -> str | None:
    r"""
    Return why *pattern* may not be used, and what to write instead, or None.

    It is refused if it doesn't compile, can match the empty string, or could need
    more than :data:`MAX_STEPS` for each character of some text. Every repeat needs
    an upper bound, possessive ones too: they don't go back, but what one match
    spans must have an end.

    Args:
        pattern: As :mod:`re` takes it.

        flags: Those that it will be compiled with.

        restarts: Whether a search may go on inside of a match that was turned down.

    >>> problem(r"acme_[A-Za-z0-9]{20,64}")
    >>> problem(r"acme_\w+")
    'repeats without an upper bound; write one, such as {1,200} for + or {0,200} for *'
    """
    flags &= ~re.DEBUG  # it prints
    if len(pattern) > _MAX_PATTERN:
        return f"is longer than {_MAX_PATTERN} characters; make several rules of it"
    try:
        re.compile(pattern, flags)
        tree = parser.parse(pattern, flags)
        nodes = list(flat(tree, tree.state.flags))
        return _misuse(nodes) or _width(tree) or _cost(nodes, restarts=restarts)
    except re.error as error:
        return f"does not compile: {error}; mend it there"
    except (RecursionError, OverflowError):
        return "is nested too deeply or repeats too often; write it flatter"


def _misuse(nodes: list[Node]) -> str | None:
    for op, value in _everything(nodes):
        if op in _BACKREFERENCES:
            return "refers back to a group, which needs backtracking; write out what the group may hold"
        if op in _REPEATS and value[1] is ops.MAXREPEAT:
            return "repeats without an upper bound; write one, such as {1,200} for + or {0,200} for *"
        if op in _REPEATS and value[2].getwidth()[0] == 0:
            return "repeats what can be empty; make each turn of the repeat match at least one character"
        if op in {ops.ASSERT, ops.ASSERT_NOT} and _is_wide(value[1]):
            return f"looks around with a variable or long repeat; write a fixed look of at most {_MAX_LOOK} characters"
    return None


def _is_wide(content: Any) -> bool:
    if content.getwidth()[1] > _MAX_LOOK:
        return True
    return any(op in _REPEATS and value[0] != value[1] for op, value in _everything(flat(content, 0)))


def _width(tree: Any) -> str | None:
    shortest, longest = tree.getwidth()
    if shortest == 0:
        return "can match the empty string; make at least one character mandatory"
    if longest > MAX_WIDTH:
        return f"can match {longest} characters; lower its upper bounds to {MAX_WIDTH} in total"
    return None


def _cost(nodes: list[Node], *, restarts: bool) -> str | None:
    steps = steps_per_char(nodes, restarts=restarts)
    if steps.total <= MAX_STEPS:
        return None
    if steps.each <= MAX_STEPS:
        return (
            f"may need {_number(steps.total)} steps at each character, over {MAX_STEPS}, since it can start at every one; "
            r"begin it with a literal that its repeats can't match, or with \b or (?<![...]) of what its first repeat matches"
        )
    if _has_nested(nodes):
        return (
            f"needs backtracking, {_number(steps.total)} steps a character, over {MAX_STEPS}: a repeat inside a repeat can split "
            "the same text in many ways; give the inner one a fixed count, or make it possessive, as in {1,20}+"
        )
    return (
        f"needs backtracking, {_number(steps.total)} steps a character, over {MAX_STEPS}: a repeat and what follows it can "
        "match the same characters; put between them one that neither matches, or make the first possessive, as in {1,20}+"
    )


def _number(steps: float) -> str:
    return "millions of" if steps >= 1_000_000 else str(round(steps))  # noqa: PLR2004


def _has_nested(nodes: Any) -> bool:
    def is_variable(op: Any, value: Any) -> bool:
        return op in {ops.MAX_REPEAT, ops.MIN_REPEAT} and value[0] != value[1]

    return any(
        is_variable(op, value) and any(is_variable(*inner) for inner in _everything(flat(value[2], 0)))
        for op, value in _everything(nodes)
    )


def _everything(nodes: Any) -> Iterator[tuple[Any, Any]]:
    """
    Yield each item of *nodes* and of what lies in them.
    """
    for op, value, _ in nodes:
        yield op, value
        if op not in UNITS:
            for content in _CONTENTS.get(op, _nothing)(value):
                yield from _everything(flat(content, 0))


def _nothing(value: Any) -> list[Any]:  # noqa: ARG001
    return []


_CONTENTS: dict[Any, Callable[[Any], list[Any]]] = {
    **dict.fromkeys(_REPEATS, lambda value: [value[2]]),
    **dict.fromkeys([ops.ASSERT, ops.ASSERT_NOT], lambda value: [value[1]]),
    ops.ATOMIC_GROUP: lambda value: [value],
    ops.BRANCH: lambda value: value[1],
}
