"""
How many steps a search may need for each character of a text, at worst.

Two bounds are worked out and the lower one counts. Either each start is paid in
full, and starts lie as close together as the pattern's fixed head lets them. Or
a head has a character that the repeats behind it seldom match: then what one
start runs over can't hold many others, and what counts is the cost of each
character that is run over.
"""

from __future__ import annotations

import re._constants as ops  # type: ignore[import-not-found, unused-ignore]  # the parse tree has no public form
from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

from tierlog.redact._charsets import ALL, END, NEWLINE, UNITS, WORD, chars_of, is_pure
from tierlog.redact._steps import DONE, ONE, REPEAT, ZERO_WIDTH, Node, Places, Rest, fits, flat, period, rest_of, scan_steps


__all__ = ["Steps", "steps_per_char"]

_START, _FIRST = 5.0, 2.0
_MAX_HEADS = 32
_MAX_HEAD = 320
_MAX_SPREAD = 3


class Steps(NamedTuple):
    """
    Steps for each character of the worst text, and for each that one start runs over.
    """

    total: float
    each: float


def steps_per_char(nodes: Sequence[Node], *, restarts: bool = False, room: int = _MAX_HEADS) -> Steps:
    """
    Return an upper bound of what a search for *nodes* costs in any text.

    Args:
        nodes: The items of the pattern.

        restarts: Whether a search may go on inside of what was matched before.

        room: How many alternatives may be looked at one by one.
    """
    heads: list[Places] = [((_guard(nodes), _START),)]
    for index, node in enumerate(nodes):
        longer = _lengthened(heads, node)
        if longer is None:
            branches = _unrolled(node)
            if branches and len(branches) <= room:
                room //= len(branches)
                ways = [[*nodes[:index], *branch, *nodes[index + 1 :]] for branch in branches]
                return _summed([steps_per_char(way, restarts=restarts, room=room) for way in ways])
            return _with_heads(heads, nodes[index:], restarts=restarts)
        heads = longer
    return _with_heads(heads, [], restarts=restarts)


def _summed(parts: list[Steps]) -> Steps:
    return Steps(_START + sum(part.total - _START for part in parts), max(part.each for part in parts))


def _unrolled(node: Node) -> list[list[Node]]:
    op, value, flags = node
    return [list(flat(content, flags)) for content in value[1]] if op is ops.BRANCH else []


def _with_heads(heads: list[Places], tail: Sequence[Node], *, restarts: bool) -> Steps:
    masks = [tuple(mask for mask, _ in head) for head in heads]
    rest = rest_of(tail, DONE)
    gap = min(_shift(one, other) for one, other in product(masks, masks))
    at_once = max(sum(fits(one, other, 0) for other in masks) for one in masks)
    in_full = at_once * (rest.cost if restarts else rest.loss) / gap + rest.each
    run_over = _overlap(masks, tail) * rest.each
    return Steps(_head_steps(heads) + min(in_full, run_over), rest.each)


def _head_steps(heads: list[Places]) -> float:
    """
    Return what it costs to tell that no head is there: a place is looked at only
    where all before it fitted, which is the rarer the less a head fits itself.
    """
    begun = {tuple(mask for mask, _ in head[:size]): head[size - 1][1] for head in heads for size in range(1, len(head) + 1)}
    steps = 0.0
    for masks, cost in begun.items():
        quick = ONE - _FIRST if len(masks) == 2 else 0.0  # noqa: PLR2004 -- the guard and the first place
        steps += max(cost - quick, _FIRST) / (period(masks[:-1]) if len(masks) > 1 else 1)
    return steps


def _overlap(heads: list[tuple[int, ...]], tail: Sequence[Node]) -> float:
    """
    Return how many starts may run over one character.

    Each has one of the characters at a place of the head before the run; a run holds
    few of them if they fit few of its items.
    """
    best = float("inf")
    alike = max(sum(_fits_at_end(one, other) for other in heads) for one in heads)
    behind = 0
    for back in range(1, min(map(len, heads)) + 1):
        mark = 0
        for head in heads:
            mark |= head[-back]
        between = back if mark & behind else 1
        best = min(best, alike * (between + _how_many(tail, mark)))
        behind |= mark
    return best


def _how_many(nodes: Sequence[Node], mark: int) -> int:
    """
    Return how many characters of *mark* one match of *nodes* may hold.
    """
    count = 0
    for op, value, flags in nodes:
        if op in UNITS:
            count += bool(chars_of(op, value, flags).may & mark)
        elif op is ops.BRANCH:
            count += max(_how_many(list(flat(content, flags)), mark) for content in value[1])
        elif op is ops.ATOMIC_GROUP:
            count += _how_many(list(flat(value, flags)), mark)
        elif op not in ZERO_WIDTH and op is not ops.FAILURE:
            count += value[1] * _how_many(list(flat(value[2], flags)), mark)
    return count


def _fits_at_end(one: Sequence[int], other: Sequence[int]) -> bool:
    return fits(one[::-1], other[::-1], 0)


def _shift(one: Sequence[int], other: Sequence[int]) -> int:
    """
    Return how far behind the start of *one* the next start of *other* may be.
    """
    return next((shift for shift in range(1, len(one)) if fits(one, other, shift)), max(1, len(one) - 1))


def _lengthened(heads: list[Places], node: Node) -> list[Places] | None:
    """
    Return *heads*, each with each way in which *node* matches; None if those are
    too many or not fixed.
    """
    variants = _variants(node)
    if variants is None or len(heads) * len(variants) > _MAX_HEADS:
        return None
    heads = [_narrowed(head, node) for head in heads]
    joined = list(dict.fromkeys(_joined(head, variant) for head in heads for variant in variants))
    return None if max(map(len, joined)) > _MAX_HEAD else joined


def _narrowed(head: Places, node: Node) -> Places:
    """
    Return *head* with only what *node*, if it looks behind, lets stand there.
    """
    op, value, flags = node
    if op not in {ops.ASSERT, ops.ASSERT_NOT} or value[0] > 0:
        return head
    items = list(flat(value[1], flags))
    if len(items) > len(head) or any(kind not in UNITS for kind, _, _ in items):
        return head
    looked = [chars_of(*item) for item in items]
    masks = [mask for mask, _ in head]
    behind = range(len(head) - len(looked), len(head))
    if op is ops.ASSERT:
        for at, chars in zip(behind, looked, strict=True):
            masks[at] &= chars.may | END
    else:
        # Where all others surely fit, the one left surely doesn't.
        open_ = [(at, chars) for at, chars in zip(behind, looked, strict=True) if masks[at] & ~chars.must]
        if len(open_) == 1:
            masks[open_[0][0]] &= ~open_[0][1].must
    return tuple((mask, cost) for mask, (_, cost) in zip(masks, head, strict=True))


def _joined(head: Places, variant: Places) -> Places:
    for mask, cost in variant:
        # What takes no character is paid for together with the place before it.
        head = (*head, (mask, cost)) if mask else (*head[:-1], (head[-1][0], head[-1][1] + cost))
    return head


def _variants(node: Node) -> list[Places] | None:
    op, value, flags = node
    if op in UNITS:
        return [((chars_of(op, value, flags).may, ONE),)]
    if op in ZERO_WIDTH:
        return [((0, rest_of([node], Rest()).miss),)]
    if op is ops.BRANCH:
        return _branch_variants(_unrolled(node))
    if op in {ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT}:
        return _repeat_variants(value, flags)
    return None


def _repeat_variants(value: Any, flags: int) -> list[Places] | None:
    low, high, content = value
    nodes = list(flat(content, flags))
    if len(nodes) != 1 or nodes[0][0] not in UNITS or high - low > _MAX_SPREAD or high > _MAX_HEAD:
        return None
    place = (chars_of(*nodes[0]).may, scan_steps(*nodes[0]))
    return [(place,) * count or ((0, REPEAT),) for count in range(low, high + 1)]


def _branch_variants(branches: list[list[Node]]) -> list[Places] | None:
    found: list[Places] = []
    for branch in branches:
        heads: list[Places] | None = [((0, 0.0),)]
        for node in branch:
            heads = _lengthened(heads, node) if heads is not None else None
        if heads is None:
            return None
        found += heads
    if all(mask == 0 for head in found for mask, _ in head):
        return [((0, sum(cost for head in found for _, cost in head)),)]
    return found


def _guard(nodes: Sequence[Node]) -> int:
    """
    Return which characters may stand before a match.
    """
    mask = ALL
    for op, value, flags in nodes:
        if op is ops.AT and value is ops.AT_BOUNDARY:
            first = rest_of(nodes, DONE).lead
            mask &= _other_side(first[0][0] if first else ALL)
        elif op in ZERO_WIDTH or op is ops.BRANCH:
            mask &= _looked_behind(op, value, flags)
        if op not in ZERO_WIDTH:
            break
    return mask


def _other_side(first: int) -> int:
    if not is_pure(first & ~END):
        return ALL
    return ALL & ~WORD if first & WORD else WORD


def _looked_behind(op: Any, value: Any, flags: int) -> int:
    if op is ops.BRANCH:
        mask = 0
        for branch in _unrolled((op, value, flags)):
            mask |= _looked_behind(*branch[0]) if len(branch) == 1 and branch[0][0] in ZERO_WIDTH else ALL
        return mask
    if op is ops.AT:
        return NEWLINE if value in {ops.AT_BEGINNING, ops.AT_BEGINNING_STRING} else ALL
    direction, content = value
    inner = list(flat(content, flags))
    if direction > 0 or not inner or inner[-1][0] not in UNITS:
        return ALL
    chars = chars_of(*inner[-1])
    if op is ops.ASSERT:
        return chars.may
    return ALL & ~chars.must if len(inner) == 1 else ALL
