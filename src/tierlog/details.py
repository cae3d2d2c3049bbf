r"""
What is known of one segment's inside, in one BLOB: the byte ``\x01``, and then JSON
that zlib has compressed::

    instance  of the first line
    seqs      [[instance, lowest, highest, lines], …]
    levels    [[hour, lvl, lines], …]
    ids       {name: [[value, …], [mask in hexadecimal digits, …]]}
    blocks    [[gap before], [size], [first ts behind the segment's], [last ts behind the first]]
    frames    [stored size, …]; may be missing

Lists of like things pack best, as do small numbers: 64 blocks and 200 ids come to
about 5 KB. Readers leave alone what they don't know. This is apart from the catalog
so that reading it needs no SQL library.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from tierlog.blocks import Block


if TYPE_CHECKING:
    from tierlog.facts import Facts


__all__ = ["Details", "hash_of", "pack", "unpack"]

_VERSION = 1


class Details(NamedTuple):
    """
    What the BLOB holds. For its fields, see :class:`tierlog.facts.Facts`.
    """

    instance: str
    seqs: Mapping[str, tuple[int, int, int]]
    levels: Mapping[tuple[int, str], int]
    ids: Mapping[str, Mapping[str, int]]
    blocks: tuple[Block, ...]
    frames: tuple[int, ...]


def pack(facts: Facts, frames: tuple[int, ...]) -> bytes:
    """
    Return the BLOB.
    """
    ends = [0, *(block.offset + block.size for block in facts.blocks)]
    content = {
        "instance": facts.instance,
        "seqs": [[instance, *span] for instance, span in facts.seqs.items()],
        "levels": [[hour, lvl, lines] for (hour, lvl), lines in facts.levels.items()],
        "ids": {name: [list(masks), [f"{mask:x}" for mask in masks.values()]] for name, masks in facts.ids.items()},
        "blocks": [
            [block.offset - end for block, end in zip(facts.blocks, ends, strict=False)],
            [block.size for block in facts.blocks],
            [block.first_ts - facts.first_ts for block in facts.blocks],
            [block.last_ts - block.first_ts for block in facts.blocks],
        ],
        "frames": frames,
    }
    return bytes([_VERSION]) + zlib.compress(orjson.dumps(content))


def unpack(blob: bytes, first_ts: int, only: Mapping[str, str] | None = None) -> Details:
    """
    Return what *blob* holds.

    Args:
        blob: What :func:`pack` returned.

        first_ts: Lowest ``ts`` of the segment.

        only: One id for each name, of which alone to return where it stands; of all if
            None.

    Raises:
        ValueError: It holds something else.
    """
    if blob[:1] != bytes([_VERSION]):
        raise ValueError(f"its details are of a version that isn't known: {blob[:1]!r}")
    try:
        content: dict[str, Any] = orjson.loads(zlib.decompress(memoryview(blob)[1:]))
        return Details(
            instance=content["instance"],
            seqs={instance: (first, last, lines) for instance, first, last, lines in content["seqs"]},
            levels={(hour, lvl): lines for hour, lvl, lines in content["levels"]},
            ids={
                name: _masks(values, masks, None if only is None else only.get(name, ""))
                for name, (values, masks) in content["ids"].items()
            },
            blocks=_blocks(content["blocks"], first_ts),
            frames=tuple(content.get("frames", ())),
        )
    except (zlib.error, KeyError, TypeError, IndexError, AttributeError) as e:
        raise ValueError(f"its details can't be read ({e})") from e


def _masks(values: list[str], masks: list[str], only: str | None) -> dict[str, int]:
    if only is None:
        return {value: int(mask, 16) for value, mask in zip(values, masks, strict=True)}
    return {only: int(masks[values.index(only)], 16)} if only in values else {}


def hash_of(name: str, value: str | None) -> int:
    """
    Return what an id is found by; of None, what segments are found by where it isn't
    known which ids of this name stand in them.
    """
    import hashlib  # noqa: PLC0415 -- 7 ms, and most searches have no ids

    text = name if value is None else f"{name}\0{value}"
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big", signed=True)


def _blocks(columns: list[list[int]], first_ts: int) -> tuple[Block, ...]:
    blocks, end = [], 0
    for gap, size, after, span in zip(*columns, strict=True):
        blocks.append(Block(end + gap, size, first_ts + after, first_ts + after + span))
        end += gap + size
    return tuple(blocks)
