"""
Packed segments: any tool reads them, one block can be had alone, and damage shows.
"""

from __future__ import annotations

import gzip
import io
import random
import shutil
import subprocess
import sys
import tracemalloc
import types

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from isal import isal_zlib

from children import run
from test_blocks import Dripping
from tierlog import packing
from tierlog.blocks import BLOCK_BYTES, blocks
from tierlog.errors import MissingExtraError, TierlogError
from tierlog.packing import UnpackingError, frame_sizes, open_plain, pack_file, unpack_frame
from tierlog.testing import event_line


SEGMENT = b"".join(event_line(seq=n, msg=f"record {n} " + "x" * (n % 700))[0] for n in range(1_500))
SMALL = b"".join(event_line(seq=n)[0] for n in range(3))
PACKINGS = pytest.mark.parametrize("packing", ["zst", "gz"])


def packed(content, packing):
    """
    Return *content*, packed.
    """
    out = io.BytesIO()
    pack_file(io.BytesIO(content), out, packing)
    return out.getvalue()


def plain(data, packing):
    """
    Return what *data* holds.
    """
    with open_plain(io.BytesIO(data), packing) as file:
        return file.read()


def until_it_fails(data):
    """
    Return what can be read of gzip's data, and the error behind it.
    """
    found = b""
    with open_plain(io.BytesIO(data), "gz") as file:
        try:
            while block := file.read1(5_000):
                found += block
        except UnpackingError as e:
            return found, str(e)
    return found, None


def by_tool(data, packing):
    """
    Return what other people's tools make of *data*: a command, or a library if there's none.
    """
    command = shutil.which("zstd" if packing == "zst" else "gzip")
    if command is not None:
        return subprocess.run([command, "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()


@PACKINGS
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(SMALL, id="one-block"),
        pytest.param(SEGMENT, id="blocks"),
        pytest.param(SEGMENT[:-30], id="torn-end"),
        pytest.param(b"x" * (3 * BLOCK_BYTES), id="one-long-line"),
        pytest.param(bytes(range(256)) * 4_000, id="no-text"),
    ],
)
def test_any_tool_reads_it(content, packing):
    """
    What was packed comes back whole, here and with the usual commands.
    """
    data = packed(content, packing)

    assert plain(data, packing) == content
    assert by_tool(data, packing) == content


class TestFrames:
    def test_a_frame_is_a_block(self):
        """
        With the stored sizes, each block is one range of bytes that is unpacked alone.
        """
        out = io.BytesIO()

        sizes = pack_file(io.BytesIO(SEGMENT), out, "zst")

        data, offset, found = out.getvalue(), 0, []
        for size in sizes:
            found.append(unpack_frame(data[offset : offset + size]))
            offset += size
        assert found == list(blocks(io.BytesIO(SEGMENT)))
        assert len(found) > 2
        assert offset == len(data)

    def test_a_frame_says_its_size_and_has_a_checksum(self):
        """
        A reader knows how much memory a frame needs, and damage is noticed.
        """
        data = packed(SMALL, "zst")

        found = zstandard.get_frame_parameters(data)

        assert (found.content_size, found.has_checksum) == (len(SMALL), True)

    def test_the_source_is_read_from_where_it_is(self):
        """
        What stands before isn't packed.
        """
        file, out = io.BytesIO(b"before" + SMALL), io.BytesIO()
        file.seek(6)

        pack_file(file, out, "zst")

        assert plain(out.getvalue(), "zst") == SMALL

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"", id="empty"),
            pytest.param(packed(SMALL, "zst")[:-1], id="cut"),
            pytest.param(packed(SMALL, "zst") * 2, id="two"),
            pytest.param(packed(SMALL, "gz"), id="gzip"),
        ],
    )
    def test_what_is_not_one_frame_is_refused(self, data):
        """
        A range that isn't a frame is an error, not other bytes.
        """
        with pytest.raises(UnpackingError):
            unpack_frame(data)

    @pytest.mark.parametrize("content", [SMALL, SEGMENT, b"x" * (3 * BLOCK_BYTES)])
    def test_sizes_can_be_told_later(self, content):
        """
        The sizes of frames are found again in the file, which stays open.
        """
        out = io.BytesIO()
        sizes = pack_file(io.BytesIO(content), out, "zst")
        out.seek(0)

        found = frame_sizes(out, "zst")

        assert found == sizes
        assert not out.closed

    @pytest.mark.parametrize(
        ("data", "packing"),
        [
            pytest.param(zstandard.compress(SEGMENT), "zst", id="one-frame"),
            pytest.param(zstandard.compress(SEGMENT[:1_000]) + zstandard.compress(SEGMENT[1_000:]), "zst", id="other-frames"),
            pytest.param(packed(SEGMENT, "gz"), "gz", id="gzip"),
            pytest.param(SEGMENT, None, id="plain"),
        ],
    )
    def test_other_frames_are_no_blocks(self, data, packing):
        """
        Of a file that something else has packed, or that isn't, no frame is a block.
        """
        assert frame_sizes(io.BytesIO(data), packing) == ()


class TestGzip:
    def test_nothing_in_it_depends_on_the_day(self):
        """
        There's no time and no name in it: the same bytes make the same file.
        """
        header = packed(SMALL, "gz")[:10]

        assert header[:4] == b"\x1f\x8b\x08\x00"
        assert header[4:8] == bytes(4)

    def test_it_has_no_frames(self):
        """
        No sizes are told, since there are no parts.
        """
        assert pack_file(io.BytesIO(SEGMENT), io.BytesIO(), "gz") == ()

    def test_members_are_read_one_after_the_other(self):
        """
        Files that were joined are read to the end.
        """
        assert plain(gzip.compress(SMALL) + packed(SEGMENT, "gz"), "gz") == SMALL + SEGMENT


class TestTheQuickerLibrary:
    @pytest.fixture(autouse=True, name="made")
    def _made(self, monkeypatch):
        """
        Return the unpackers that it has made.
        """
        made = []
        module = types.SimpleNamespace(
            decompressobj=lambda window: made.append(isal_zlib.decompressobj(window)) or made[-1], error=isal_zlib.error
        )
        monkeypatch.setattr(packing, "_isal", lambda: module)
        return made

    def test_it_is_used_where_it_can_be(self, made):
        """
        It unpacks files, each member, and nothing that can't be read a second time.
        """
        data = packed(SEGMENT, "gz") + packed(SMALL, "gz")

        assert plain(data, "gz") == SEGMENT + SMALL
        assert len(made) == 2
        with open_plain(Dripping(data), "gz") as file:
            assert file.read() == SEGMENT + SMALL
        assert len(made) == 2

    def test_damage_is_what_it_is_without(self, monkeypatch, made):
        """
        Of a file that is cut off, changed, or has garbage in it, the same bytes are read before
        the same error.
        """
        rng = random.Random(3)
        content = SEGMENT[:180_000]
        data = packed(content, "gz") + packed(content, "gz")
        files = [data[: rng.randrange(len(data))] for _ in range(60)] + [data + rng.randbytes(9)]
        for _ in range(60):
            at = rng.randrange(10, len(data))  # some flags before are no concern of the quicker one
            files.append(data[:at] + rng.randbytes(rng.randrange(3)) + data[at + rng.randrange(30) :])
        found = [until_it_fails(one) for one in files]
        assert len(made) >= len(files)

        monkeypatch.setattr(packing, "_isal", lambda: None)

        assert found == [until_it_fails(one) for one in files]
        assert any(body and problem for body, problem in found)


def test_frames_of_others_are_read():
    """
    One large frame without its size, frames that are to be skipped, and many frames are all read.
    """
    stream = io.BytesIO()
    with zstandard.ZstdCompressor().stream_writer(stream, closefd=False) as writer:
        writer.write(SEGMENT)
    skipped = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"hello"

    found = plain(skipped + stream.getvalue() + skipped + packed(SMALL, "zst") + skipped, "zst")

    assert found == SEGMENT + SMALL


@PACKINGS
class TestDamage:
    def test_a_file_that_was_cut_off_is_an_error(self, packing):
        """
        However many bytes are left, reading doesn't end as if all were there.
        """
        data = packed(SMALL, packing)

        for size in range(len(data)):
            with pytest.raises(UnpackingError):
                plain(data[:size], packing)

    def test_what_was_whole_before_is_read(self, packing):
        """
        The end that is missing is noticed when it is reached, after all before it.
        """
        data = packed(SEGMENT, packing)

        with open_plain(io.BytesIO(data[:-3]), packing) as file:
            assert file.read(1_000) == SEGMENT[:1_000]
            with pytest.raises(UnpackingError):
                file.read()

    def test_garbage_behind_it_is_an_error(self, packing):
        """
        What stands behind the last frame isn't left out without a word.
        """
        with pytest.raises(UnpackingError):
            plain(packed(SMALL, packing) + b"garbage", packing)

    def test_another_format_is_an_error(self, packing):
        """
        A plain file, or one that was packed in the other way, isn't taken for empty.
        """
        for data in (SMALL, packed(SMALL, "gz" if packing == "zst" else "zst")):
            with pytest.raises(UnpackingError):
                plain(data, packing)

    @settings(max_examples=200, deadline=None)
    @given(at=st.integers(0, 10**6), bit=st.integers(0, 7))
    def test_a_flipped_bit_never_gives_other_bytes(self, packing, at, bit):
        """
        Whatever bit is wrong, what is read is right, or there's an error.
        """
        data = bytearray(packed(SMALL, packing))
        data[at % len(data)] ^= 1 << bit

        try:
            found = plain(bytes(data), packing)
        except UnpackingError:
            found = SMALL

        assert found == SMALL


@PACKINGS
class TestFile:
    def test_the_same_bytes_make_the_same_file(self, packing):
        """
        Two processes that pack one segment make one object of it; how the source drips doesn't matter.
        """
        out = io.BytesIO()

        pack_file(Dripping(SEGMENT), out, packing)

        assert out.getvalue() == packed(SEGMENT, packing)

    def test_closing_closes_the_file(self, packing):
        """
        Nobody has to remember what is below.
        """
        below = io.BytesIO(packed(SMALL, packing))

        open_plain(below, packing).close()

        assert below.closed

    def test_lines_can_be_read(self, packing):
        """
        It is buffered: lines, and some bytes, can be asked for.
        """
        file = open_plain(Dripping(packed(SEGMENT, packing)), packing)

        lines = [file.readline(), file.readline()]
        rest = file.read(10)

        assert lines == SEGMENT.splitlines(keepends=True)[:2]
        assert rest == SEGMENT[len(b"".join(lines)) :][:10]

    def test_memory_stays_small(self, packing):
        """
        Packing and unpacking 64 MiB has a few blocks in the memory, not the whole.
        """
        total = 64 * 1_048_576
        source = Repeated(SEGMENT, total)
        out = io.BytesIO()
        tracemalloc.start()
        try:
            pack_file(io.BufferedReader(source), out, packing)
            out.seek(0)
            size = sum(map(len, blocks(open_plain(out, packing))))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert size == total
        assert peak < 16 * 1_048_576


class Repeated(io.RawIOBase):
    """
    The same content over and over, *size* bytes of it.
    """

    def __init__(self, content, size):
        self._content = content
        self._left = size
        self._at = 0

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self._content[self._at : self._at + min(len(buffer), self._left)]
        buffer[: len(data)] = data
        self._left -= len(data)
        self._at = (self._at + len(data)) % len(self._content)
        return len(data)


class TestPlain:
    def test_what_is_not_packed_is_read_as_it_is(self):
        """
        Without packing, a buffered file is the file itself.
        """
        file = io.BytesIO(SMALL)

        assert open_plain(file, None) is file

    def test_a_raw_file_is_buffered(self):
        """
        A file that gives less than was asked for gives it all, and is closed with the other.
        """
        below = Dripping(SEGMENT)
        file = open_plain(below, None)

        assert file.read(100_000) == SEGMENT[:100_000]
        file.close()
        assert below.closed


class TestExtra:
    def test_without_the_library_it_says_what_to_install(self, monkeypatch):
        """
        Zstandard needs its extra, whichever function is called; gzip doesn't.
        """
        data = packed(SMALL, "zst")
        monkeypatch.setitem(sys.modules, "zstandard", None)

        for call in (
            lambda: packed(SMALL, "zst"),
            lambda: plain(data, "zst"),
            lambda: unpack_frame(data),
            lambda: frame_sizes(io.BytesIO(data), "zst"),
        ):
            with pytest.raises(MissingExtraError, match=r"tierlog\[zstd\]"):
                call()
        assert plain(packed(SMALL, "gz"), "gz") == SMALL

    def test_importing_loads_no_library(self):
        """
        Whoever packs nothing doesn't load it.
        """
        child = run("import sys, tierlog.packing\nprint('zstandard' in sys.modules)")

        assert (child.returncode, child.out) == (0, "False\n")


def test_an_error_is_one_of_ours():
    """
    What can't be unpacked is a value error of tierlog's.
    """
    assert issubclass(UnpackingError, TierlogError)
    assert issubclass(UnpackingError, ValueError)
