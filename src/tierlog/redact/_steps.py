"""
How many steps one start of a pattern may need, at worst.

A pattern is gone through from its end: what an item costs depends on what may
follow it, and on how often that is tried. After a repeat it is tried once for
each length, but comes far only where its first places can't hold what the repeat
runs over.
"""

from __future__ import annotations

import re
import re._constants as ops  # type: ignore[import-not-found, unused-ignore]  # the parse tree has no public form
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from tierlog.redact._charsets import ALL, END, NEWLINE, UNITS, WORD, chars_of, is_pure


__all__ = ["DONE", "ONE", "REPEAT", "ZERO_WIDTH", "Node", "Places", "Rest", "fits", "flat", "period", "rest_of", "scan_steps"]

Node = tuple[Any, Any, int]
"""An item of a parse tree, and the flags that hold there."""
Place = tuple[int, float]  # what a fixed place may hold, and what failing there costs
Places = tuple[Place, ...]

ONE, REPEAT, _TURN, _TRY, _QUICK_TRY, _LOOK, _AT, _BRANCH = 8.0, 12.0, 20.0, 18.0, 2.0, 12.0, 8.0, 4.0
_HOPELESS = 1e7
_MAX_LEAD = 64
_WORD_ENDS = (ops.AT_BOUNDARY,)


class Rest(NamedTuple):
    """
    What is known of the rest of a pattern, from one item on.

    Attributes:
        cost: Most steps it may need from one place of a text.

        each: Most steps for each character that it looks at.

        lead: Its first places, as far as they are fixed; none if it may be empty.

        loss: Most steps of those where it doesn't match in the end; none if it always does.

        is_literal: Whether it begins with one character, for which the engine has a short cut.

        is_edge: Whether it begins at the edge of a word.
    """

    cost: float = 0.0
    each: float = 0.0
    lead: Places = ()
    loss: float = 0.0
    is_literal: bool = False
    is_edge: bool = False

    @property
    def first(self) -> int:
        return self.lead[0][0] if self.lead else ALL

    @property
    def miss(self) -> float:
        return self.lead[0][1] if self.lead else 0.0


DONE = Rest()


def flat(content: Any, flags: int) -> Iterator[Node]:
    """
    Yield the items of *content*, those of groups in place of the groups.
    """
    for op, value in content:
        if op is ops.SUBPATTERN:
            _, added, removed, inner = value
            yield from flat(inner, (flags | added) & ~removed)
        else:
            yield op, value, flags


def rest_of(nodes: Sequence[Node], rest: Rest) -> Rest:
    for op, value, flags in reversed(nodes):
        rest = _one(op, value, flags, rest) if op in UNITS else _KINDS[op](value, flags, rest)
    return rest


def _behind(places: Places, rest: Places, cost: float) -> Places:
    return (*places, *((mask, steps + cost) for mask, steps in rest))[:_MAX_LEAD]


def scan_steps(op: Any, value: Any, flags: int) -> float:
    """
    Return the steps of each turn of the engine's quickest loop.
    """
    is_unicode = not flags & re.ASCII
    has_category = op is ops.IN and any(kind is ops.CATEGORY for kind, _ in value)
    letters = chars_of(op, value, flags).may & WORD & ~((1 << 65) - 1)
    if flags & re.IGNORECASE and op is not ops.ANY and letters and not (has_category and len(value) == 1):
        return 20.0 if op is ops.IN or is_unicode else 5.0
    if has_category:
        return 16.0 if is_unicode else 6.0
    return 5.0


def _one(op: Any, value: Any, flags: int, rest: Rest) -> Rest:
    is_literal = op is ops.LITERAL and not flags & re.IGNORECASE
    lead = _behind(((chars_of(op, value, flags).may, ONE),), rest.lead, ONE)
    return Rest(ONE + rest.cost, max(ONE, rest.each), lead, ONE + rest.loss, is_literal=is_literal)


def _at(value: Any, flags: int, rest: Rest) -> Rest:  # noqa: ARG001
    ends = {ops.AT_END: END | NEWLINE, ops.AT_END_STRING: END}.get(value, ALL)
    return _narrowed(rest, ends, _AT)._replace(is_edge=value in _WORD_ENDS)


def _narrowed(rest: Rest, mask: int, cost: float) -> Rest:
    """
    Return *rest* with a look of *cost* before it, that lets only *mask* pass.
    """
    lead = ((rest.first & mask, cost), *((place, steps + cost) for place, steps in rest.lead[1:]))
    return Rest(cost + rest.cost, cost + rest.each, lead, cost + rest.loss)


def _look(value: Any, flags: int, rest: Rest, *, is_not: bool) -> Rest:
    direction, content = value
    nodes = list(flat(content, flags))
    inner = rest_of(nodes, Rest())
    mask = ALL
    if direction > 0 and not is_not:
        mask = inner.first
    elif direction > 0 and len(nodes) == 1 and nodes[0][0] in UNITS:
        mask = ALL & ~chars_of(*nodes[0]).must
    return _narrowed(rest, mask, _LOOK + inner.cost)


def _atomic(content: Any, flags: int, rest: Rest) -> Rest:
    nodes = list(flat(content, flags))
    return _held(rest_of(nodes, DONE), rest_of(nodes, rest).lead, rest)


def _held(own: Rest, lead: Places, rest: Rest) -> Rest:
    """
    Return what matches in one way only, *own*, and then *rest*.
    """
    loss = own.cost + rest.loss if rest.loss else own.loss
    each = max(own.each, rest.each) + REPEAT * bool(not own.loss)
    return Rest(_BRANCH + own.cost + rest.cost, each, lead, loss and _BRANCH + loss)


def _repeat(value: Any, flags: int, rest: Rest, *, is_lazy: bool = False) -> Rest:
    low, high, content = value
    nodes = list(flat(content, flags))
    if len(content) == 1 and content[0][0] in UNITS:
        return _simple_repeat(nodes[0], low, high, rest, is_lazy=is_lazy)
    return _turns(nodes, low, high, rest)


def _possessive(value: Any, flags: int, rest: Rest) -> Rest:
    return _held(_repeat(value, flags, DONE), _repeat(value, flags, rest).lead, rest)


def _simple_repeat(node: Node, low: int, high: int, rest: Rest, *, is_lazy: bool) -> Rest:
    may, scan = chars_of(*node).may, scan_steps(*node)
    places = tuple((may, REPEAT + scan * count) for count in range(min(low, _MAX_LEAD)))
    run = REPEAT + scan * high
    if low == high:
        each = max(REPEAT + scan, rest.each)
        return Rest(run + rest.cost, each, _behind(places, rest.lead, run), run + rest.loss)
    lead = (*places, (may | rest.first, run))[:_MAX_LEAD]
    if not rest.loss:
        return Rest(run + rest.cost, REPEAT + max(scan, rest.each), lead, (REPEAT + scan * low) * bool(low))
    tries, attempt = high - low + 1, _TRY if is_lazy or not rest.is_literal else _QUICK_TRY
    at = _first_apart(may, rest)
    fixed = [mask for mask, _ in rest.lead]
    if at is not None:
        passes = at // period(fixed[: at + 1]) + 1 + rest.is_edge * (low == 0)
        fail = _QUICK_TRY if attempt == _QUICK_TRY and not at else _TRY + max(rest.lead[at][1] - ONE, 0.0)
        each = REPEAT + max(scan + fail, rest.each * passes)
    else:
        gap = period(fixed)
        passes = (tries - 1) // gap + 1
        fail = _TRY + (rest.lead[-1][1] if fixed else 0.0)
        each = REPEAT + scan + fail + rest.loss / gap + rest.each
    loss = run + tries * fail + passes * rest.loss
    return Rest(loss - rest.loss + rest.cost, each, lead, loss)


def _first_apart(may: int, rest: Rest) -> int | None:
    """
    Return which place of *rest* no character of the repeat before it fits.
    """
    if rest.is_edge and is_pure(may):
        return 0
    return next((at for at, (mask, _) in enumerate(rest.lead) if not mask & may), None)


def _turns(nodes: list[Node], low: int, high: int, rest: Rest) -> Rest:
    found = rest
    for turn in range(1, high + 1):
        via = rest_of(nodes, found._replace(each=0.0))
        via = via._replace(cost=via.cost + _TURN, each=via.each + _TURN, loss=via.loss + _TURN, lead=_behind((), via.lead, _TURN))
        via = via._replace(is_literal=False, is_edge=False)
        is_optional = turn <= high - low
        each, found_each = via.each, found.each
        if is_optional:
            each += rest.loss if via.first & rest.first else 0.0
            via = _either([via, rest])
        found = via._replace(each=max(each + _BRANCH, found_each))
        if found.cost > _HOPELESS:
            break
    return found


def _branch(value: Any, flags: int, rest: Rest) -> Rest:
    return _either([rest_of(list(flat(content, flags)), rest) for content in value[1]])


def _either(ways: Sequence[Rest]) -> Rest:
    atoms = [ALL]
    for way in ways:
        atoms = [part for atom in atoms for part in (atom & way.first, atom & ~way.first) if part]
    misses = sum(_BRANCH + way.miss for way in ways)
    cost = max(sum(way.cost for way in ways if way.first & atom) for atom in atoms)
    each = max(sum(way.each for way in ways if way.first & atom) for atom in atoms)
    lead = []
    for places in zip(*(way.lead for way in ways), strict=False):
        mask = 0
        for place in places:
            mask |= place[0]
        lead.append((mask, _BRANCH * len(ways) + sum(place[1] for place in places)))
    loss = max(sum(way.loss for way in ways if way.first & atom) for atom in atoms)
    can_fail = all(way.loss for way in ways)
    return Rest(misses + cost, misses + each, tuple(lead), misses + loss if can_fail else 0.0)


def _failure(value: Any, flags: int, rest: Rest) -> Rest:  # noqa: ARG001
    return Rest(ONE, ONE, ((0, ONE),), ONE)


_KINDS: dict[Any, Callable[[Any, int, Rest], Rest]] = {
    ops.AT: _at,
    ops.ASSERT: lambda value, flags, rest: _look(value, flags, rest, is_not=False),
    ops.ASSERT_NOT: lambda value, flags, rest: _look(value, flags, rest, is_not=True),
    ops.ATOMIC_GROUP: _atomic,
    ops.BRANCH: _branch,
    ops.FAILURE: _failure,
    ops.MAX_REPEAT: _repeat,
    ops.MIN_REPEAT: lambda value, flags, rest: _repeat(value, flags, rest, is_lazy=True),
    ops.POSSESSIVE_REPEAT: _possessive,
}
ZERO_WIDTH = (ops.AT, ops.ASSERT, ops.ASSERT_NOT)


def fits(one: Sequence[int], other: Sequence[int], shift: int) -> bool:
    """
    Tell whether both may fit one text, *other* beginning *shift* places behind *one*.
    """
    return all(left & right for left, right in zip(one[shift:], other, strict=False))


def period(masks: Sequence[int]) -> int:
    """
    Return how far behind a place where *masks* fit they may fit again.
    """
    return next((shift for shift in range(1, len(masks)) if fits(masks, masks, shift)), max(1, len(masks)))
