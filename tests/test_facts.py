"""
What is known of a finished segment.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

import strategies  # noqa: F401 -- loads the profile without deadlines
from conftest import OTHER_ULID, ULID
from tierlog import blocks
from tierlog.facts import BLOCK_BYTES, IDS, facts_of
from tierlog.testing import event_line


HOUR = 3_600_000


def line(seq, ms=0, msg="hello", **fields):
    return event_line(seq=seq, ms=1_700_000_000_000 + ms, msg=msg, **fields)[0]


def facts(*lines):
    return facts_of(io.BytesIO(b"".join(lines)))


def test_counts_and_spans():
    """
    Lines, times and numbers are those of the lines.
    """
    found = facts(line(3, 10), line(4, 20), line(5, 15))

    assert (found.lines, found.first_ts, found.last_ts) == (3, 1_700_000_000_010, 1_700_000_000_020)
    assert found.seqs == {"test-00000000": (3, 5, 3)}
    assert found.instance == "test-00000000"


def test_hashes_are_of_all_bytes():
    """
    The hashes and the size are of the file as it is, whatever its lines are.
    """
    content = line(0) + b"   " + line(1) + b"no envelope\n\n\n"

    found = facts_of(io.BytesIO(content))

    assert found.size == len(content)
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert found.md5 == hashlib.md5(content).hexdigest()
    assert found.lines == 2


def test_step_back():
    """
    The largest step back of the time is from the highest before.
    """
    assert facts(line(0, 100), line(1, 90), line(2, 95), line(3, 50), line(4, 200)).step_back == 50
    assert facts(line(0, 1), line(1, 1), line(2, 2)).step_back == 0


def test_levels_by_hour():
    """
    Lines are counted by hour and level.
    """
    start = 1_700_000_000_000 // HOUR * HOUR

    found = facts(
        line(0, start - 1_700_000_000_000),
        line(1, start - 1_700_000_000_000 + HOUR),
        line(2, start - 1_700_000_000_000 + HOUR + 1),
    )

    assert found.levels == {(start, "info"): 1, (start + HOUR, "info"): 2}


def test_blocks_cover_the_file_and_say_where_ids_stand():
    """
    The blocks are whole lines, one behind the other; an id's mask names its blocks.
    """
    first = [line(n, n, msg="x" * 1000, project_id=ULID) for n in range(300)]
    second = [line(300 + n, 300 + n, msg="x" * 1000, project_id=OTHER_ULID) for n in range(300)]
    content = b"".join(first + second)

    found = facts_of(io.BytesIO(content))

    assert sum(block.size for block in found.blocks) == len(content)
    assert all(block.offset == sum(one.size for one in found.blocks[:number]) for number, block in enumerate(found.blocks))
    assert all(content[block.offset + block.size - 1] == 10 and block.size >= BLOCK_BYTES for block in found.blocks[:-1])
    for name in (ULID, OTHER_ULID):
        mask = found.ids["projectId"][name]
        for number, block in enumerate(found.blocks):
            stands_there = name.encode() in content[block.offset : block.offset + block.size]
            assert bool(mask >> number & 1) == stands_there


@pytest.mark.parametrize(
    "foreign",
    [
        pytest.param(b'{"ts":17000,"seq":1,"x":2}\n', id="no-head"),
        pytest.param(b'{"ts":1700000000000,"instanceId":"a"}\n', id="no-seq"),
        pytest.param(b'{"ts":17000000000x0,"instanceId":"a","seq":1}\n', id="no-time"),
        pytest.param(b'{"a":1,"seq":zzz}\n', id="no-number"),
        pytest.param(b'\x00\xff,"seq":\n', id="binary"),
        pytest.param(line(7)[:80] + b"\n", id="torn"),
        pytest.param(line(7).replace(b'"seq":7,', b'"seq":x,'), id="seq-is-no-number"),
    ],
)
def test_what_is_no_envelope_is_left_out(foreign):
    """
    A line of something else changes nothing but the bytes.
    """
    found = facts(line(0), foreign, line(1))

    assert found.seqs["test-00000000"][:2] == (0, 1)
    assert found.first_ts == found.last_ts == 1_700_000_000_000


@pytest.mark.parametrize(
    "spelling",
    [
        pytest.param(lambda event: {**event, "ts": 1_000_500}, id="a clock that stands at 1970"),
        pytest.param(lambda event: {**event, "ts": 50_000_000_000_000}, id="the year 3554"),
        pytest.param(lambda event: {"ts": event["ts"], **dict(reversed(event.items()))}, id="another order"),
        pytest.param(lambda event: event, id="blanks between"),
    ],
)
@pytest.mark.parametrize("first", [b"", line(0, project_id=OTHER_ULID)], ids=["alone", "behind another"])
def test_an_envelope_in_another_spelling_counts(spelling, first):
    """
    What others have spelt, and what has more or fewer digits of time, counts as what the writer has spelt.
    """
    event = spelling(json.loads(line(1, project_id=ULID)))

    found = facts(first, json.dumps(event).encode() + b"\n")

    assert found.lines == bool(first) + 1
    assert (found.blocks[0].first_ts, found.blocks[0].last_ts) == (found.first_ts, found.last_ts)
    assert found.first_ts <= event["ts"] <= found.last_ts
    assert found.levels[event["ts"] // HOUR * HOUR, "info"] >= 1
    assert found.ids["projectId"][ULID] == 1
    assert found.seqs["test-00000000"] == (0 if first else 1, 1, found.lines)


@pytest.mark.parametrize("end", [b"\r\n", b"  \n"])
def test_what_stands_behind_a_line_is_no_part_of_it(end):
    """
    Lines that end as those of Windows, or with blanks, count as others do.
    """
    assert facts(line(0)[:-1] + end, line(1)).lines == 2


def test_a_line_without_its_end_is_no_envelope():
    """
    A line that was torn anywhere counts for the hashes alone, also where its head is whole.
    """
    whole = line(1)

    assert [size for size in range(1, len(whole) - 1) if facts(line(0), whole[:size] + b"\n").lines != 1] == []


def test_an_empty_file():
    """
    A file without any line has no times and no blocks.
    """
    found = facts()

    assert (found.size, found.lines, found.first_ts, found.blocks, found.instance) == (0, 0, 0, (), "")


@pytest.mark.parametrize(
    "field", [b'"lvl":["info"]', b'"lvl":7', b'"kind":[]', b'"tier":{}', b'"projectId":{"a":1}', b'"instanceId":null']
)
def test_a_line_of_others_is_no_envelope(field):
    """
    A line that has our keys and other values than ours counts for the hashes alone.
    """
    name = field.partition(b":")[0]
    line, _ = event_line()
    value = line[line.index(name) :].partition(b",")[0]

    found = facts_of(io.BytesIO(line.replace(value, field)))

    assert (found.lines, found.size > 0) == (0, True)


_LINES = st.builds(
    lambda seq, ms, msg, instance, lvl, ids: (
        line(seq, ms, msg, **ids)
        .replace(b"test-00000000", instance.encode(), 1)
        .replace(b'"lvl":"info"', b'"lvl":"%s"' % lvl.encode(), 1)
    ),
    st.integers(0, 10**9),
    st.sampled_from([0, 1, 2, HOUR, 30 * HOUR]),
    st.sampled_from(["hello", "two  words", 'a,"reqId":b', "x" * 500]),
    st.sampled_from(["web-1", "web-2"]),
    st.sampled_from(["info", "error"]),
    st.dictionaries(st.sampled_from(["project_id", "build_id", "user_id", "req_id"]), st.sampled_from("abc")),
)
_TORN = st.tuples(_LINES, st.integers(0, 300)).map(lambda both: both[0][: both[1]].rstrip(b"\n") + b"\n")
_SHIFTED = st.tuples(st.sampled_from([b" ", b"   ", b" " * 40, b"\t", b"abcdef", b" bcdef"]), _LINES).map(b"".join)
_BEGUN_OTHERWISE = st.tuples(st.sampled_from([b" abcde", b"abcdef"]), _LINES.map(lambda one: one[6:])).map(b"".join)
_FOREIGN = st.sampled_from([b"\n", b"\n\n", b"   \n", b"\x00\xff\n", b'{"ts":1}\n', b"no envelope\n"])


@given(
    st.lists(_LINES | _LINES | _TORN | _SHIFTED | _BEGUN_OTHERWISE | _FOREIGN, max_size=40),
    st.booleans(),
    st.sampled_from([300, 2_000, BLOCK_BYTES]),
)
def test_they_are_those_of_reading_each_line(lines, is_sorted, block_bytes):
    """
    Whatever stands between the envelopes, and in whichever order: what is found by whole blocks is what is found line by line.
    """
    content = b"".join(sorted(lines) if is_sorted else lines)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_BYTES", block_bytes)
        found = facts_of(io.BytesIO(content))
        cut = list(blocks.blocks(io.BytesIO(content)))

    expected = _line_by_line(cut)
    assert (found.lines, found.step_back, found.levels) == expected[:3]
    assert {name: dict(masks) for name, masks in found.ids.items()} == expected[3]
    assert [(block.size, block.first_ts, block.last_ts) for block in found.blocks] == expected[4]


def _line_by_line(cut):
    highest = step_back = 0
    levels, spans = Counter(), []
    ids = {name: defaultdict(int) for name in IDS}
    for block in cut:
        times = []
        for one in block.split(b"\n"):
            event = _envelope(one)
            if event is None:
                continue
            ts = event["ts"]
            highest, step_back = max(highest, ts), max(step_back, highest - ts)
            times.append(ts)
            levels[ts // HOUR * HOUR, event["lvl"]] += 1
            for name in IDS:
                if event[name] is not None:
                    ids[name][event[name]] |= 1 << len(spans)
        if times:
            spans.append((len(block), min(times), max(times)))
    return levels.total(), step_back, dict(levels), {name: dict(masks) for name, masks in ids.items()}, spans


def _envelope(one):
    """
    Return the head of a line, which ends as it should; None if that is none.
    """
    one = one.strip(b" \r")
    head, comma, _ = one.partition(b',"reqId":')
    if not comma or not one.startswith(b'{"ts":') or not one[6:19].isdigit() or not one.endswith(b"}}"):
        return None
    return {**json.loads(b'{"ts":0' + head[19:] + b"}"), "ts": int(one[6:19])}
