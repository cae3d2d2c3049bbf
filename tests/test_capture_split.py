"""
Bytes into lines: whatever is in them, and however they are cut.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierlog.capture._split import KEPT_CHARS, Splitter


def split(*chunks):
    """
    Return the lines that are made of *chunks*, and the states that were overwritten.
    """
    splitter = Splitter()
    pieces = [piece for chunk in chunks for piece in splitter.feed(chunk)] + splitter.close()
    lines = [text for piece in pieces if not piece.is_overwritten for text in piece.texts]
    return lines, [text for piece in pieces if piece.is_overwritten for text in piece.texts]


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        pytest.param(b"a\nb\n", ["a", "b"], id="lines"),
        pytest.param(b"a\nb", ["a", "b"], id="no final newline"),
        pytest.param(b"", [], id="nothing"),
        pytest.param(b"\n\n", ["", ""], id="empty lines"),
        pytest.param(b"a\n\x1b[0m\x1b[?25h", ["a"], id="nothing that is seen at the end"),
        pytest.param(b"a\r\nb\r\r\n", ["a", "b"], id="carriage returns before newlines"),
        pytest.param(
            "a\u2028b\x0b\x0c\x1c\x85c\n".encode(), ["a\u2028b\x0b\x0c\x1c\x85c"], id="what Python calls a line end, too"
        ),
        pytest.param(b"a\xff\xfeb\xe2\x82\n", ["a\ufffd\ufffdb\ufffd"], id="no UTF-8"),
        pytest.param("a\nb".encode("utf-16-le"), ["a", "b"], id="UTF-16, whose NULs would hide a secret from being found"),
    ],
)
def test_lines(given, lines):
    """
    A line ends with a newline and with nothing else, and keeps what is seen of it.
    """
    assert split(given) == (lines, [])


@pytest.mark.parametrize(
    ("given", "line"),
    [
        pytest.param("\x1b[1;31mred\x1b[0m", "red", id="colours"),
        pytest.param("\x1b[38:2::255:0:0mred\x1b[m", "red", id="colours with colons"),
        pytest.param("\x1b[2K\x1b[1Gdone\x1b[?25h", "done", id="cursor"),
        pytest.param("\x1b]0;a title\x07text", "text", id="title"),
        pytest.param("\x1b]8;;https://x.example\x1b\\link\x1b]8;;\x1b\\", "link", id="link"),
        pytest.param("\x1b_bk;t=1\x07text", "text", id="mark of a CI system"),
        pytest.param("\x1b(B\x1b[mtext\x1b7\x1b8\x1b=", "text", id="character set and others"),
        pytest.param("100%\x1b", "100%", id="cut"),
        pytest.param("\x1b[" + ";" * 100_000, "[" + ";" * 100_000, id="endless"),
    ],
)
def test_escape_sequences(given, line):
    """
    What moves, colours and titles a terminal isn't part of the line.
    """
    assert split(given.encode() + b"\n") == ([line], [])


@pytest.mark.parametrize(
    ("given", "line", "overwritten"),
    [
        pytest.param(b"\r10%\r20%\r100%\n", "100%", ["10%", "20%"], id="begins with a return"),
        pytest.param(b"10%\r20%\r100%\r\n", "100%", ["10%", "20%"], id="ends with one"),
        pytest.param(b"10%\r20%", "20%", ["10%"], id="no final newline"),
        pytest.param(b"10%\r\x1b[K20%\x1b[K\r\n", "20%", ["10%"], id="clears the line"),
    ],
)
def test_progress(given, line, overwritten):
    """
    Of a line that is written again and again, the last state is the line.
    """
    assert split(given) == ([line], overwritten)


@given(text=st.text(alphabet="ab\r\n\x1b[m1;é\u2028😀", max_size=60), cuts=st.lists(st.integers(0, 200), max_size=8))
def test_cuts_change_nothing(text, cuts):
    """
    Lines and states are the same however the bytes are cut into chunks.
    """
    content = text.encode()
    places = sorted({min(cut, len(content)) for cut in cuts})
    chunks = [content[start:end] for start, end in zip([0, *places], [*places, len(content)], strict=True)]

    lines, overwritten = split(*chunks)

    # A state that was cleared at its end is one or the other, whichever is known first.
    whole_lines, whole_overwritten = split(content)
    assert sorted(filter(None, lines + overwritten)) == sorted(filter(None, whole_lines + whole_overwritten))
    assert len(lines) == len(whole_lines)


def test_a_line_beyond_measure():
    """
    The beginning of a line is kept and the rest is counted, and the next line is whole.
    """
    splitter = Splitter()

    pieces = [piece for _ in range(300) for piece in splitter.feed(b"x" * 65_536)]
    pieces += [*splitter.feed(b"x\r"), *splitter.feed(b"\nnext\n")]

    first, second = [piece for piece in pieces if piece.texts]
    assert len(first.texts[0]) == KEPT_CHARS
    assert len(first.texts[0]) + first.dropped == 300 * 65_536 + len(b"x\r")  # which came alone
    assert second.texts == ["next"]
