"""
Blocks are whole lines, and the same wherever a segment is cut.
"""

from __future__ import annotations

import io

import pytest

from tierlog.blocks import BLOCK_BYTES, blocks
from tierlog.facts import facts_of
from tierlog.testing import event_line


LINE = b"x" * 1_023 + b"\n"


class Dripping(io.RawIOBase):
    """
    A file that gives less than it was asked for, as sockets do.
    """

    def __init__(self, content):
        self._file = io.BytesIO(content)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._file.readinto(memoryview(buffer)[:7_001])


def test_a_block_ends_with_the_line_that_fills_it():
    """
    A line that ends exactly at the size is the last of its block; one that goes beyond it is, too.
    """
    exact = LINE * (BLOCK_BYTES // 1_024)
    beyond = LINE[1:] + LINE * (BLOCK_BYTES // 1_024)

    assert list(blocks(io.BytesIO(exact + LINE))) == [exact, LINE]
    assert list(blocks(io.BytesIO(beyond + LINE))) == [beyond, LINE]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"no newline", id="no-newline"),
        pytest.param(b"\n" * (BLOCK_BYTES * 2 + 1), id="newlines"),
        pytest.param(b"x" * (BLOCK_BYTES * 2) + b"\n" + LINE, id="a-line-longer-than-a-block"),
        pytest.param(LINE * 600 + b"torn", id="torn-end"),
    ],
)
def test_blocks_are_all_there_is(content):
    """
    Joined, they are the file; each but the last ends with a newline and is full.
    """
    found = list(blocks(io.BytesIO(content)))

    assert b"".join(found) == content
    assert all(block.endswith(b"\n") and len(block) >= BLOCK_BYTES for block in found[:-1])
    assert all(block.rfind(b"\n", 0, -1) + 1 < BLOCK_BYTES for block in found)


def test_a_file_that_drips_has_the_same_blocks():
    """
    How much a file gives at once doesn't matter.
    """
    content = LINE * 600

    assert list(blocks(Dripping(content))) == list(blocks(io.BytesIO(content)))


def test_facts_have_the_same_blocks():
    """
    What is known of a block is of the same bytes.
    """
    content = b"".join(event_line(seq=n, msg="x" * (n % 900))[0] for n in range(2_000))

    found = facts_of(io.BytesIO(content)).blocks

    assert [block.size for block in found] == [len(block) for block in blocks(io.BytesIO(content))]
