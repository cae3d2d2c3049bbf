"""
What is proven of whole blocks is what looking at each line says, and changes no answer.
"""

from __future__ import annotations

import random
from collections import Counter

import orjson
import pytest
import stringzilla

from conftest import ULID
from queried import DAY, HOUR, NOW, everything, files, lines_of, write
from tierlog.query import _forms, _memmem, _scan, open_store
from tierlog.query._count import _by_bytes
from tierlog.query._filters import filters
from tierlog.query._match import Matcher


HEAD = b'{"ts":%d,"instanceId":"web-1","tier":"system","kind":"log","lvl":"info","projectId":null,"buildId":null,'
REST = b'"userId":null,"reqId":null,"seq":%d,"src":"app","msg":"m","data":{"a":{}}}\n'
NESTED = (
    b'{"ts":%d,"instanceId":"web-1","tier":"system","kind":"log","lvl":"info","projectId":null,"buildId":null,"userId":null,"reqId":null,'
    b'"seq":1,"src":"app","msg":"m","data":{"tier":"system","kind":"log","lvl":"info","projectId":{}}}\n'
)


def line(ts, seq=1):
    """
    Return a line in the usual form.
    """
    return HEAD % ts + REST % seq


@pytest.fixture(name="root")
def _root(tmp_path):
    return tmp_path / "logs"


@pytest.fixture(name="is_proven", params=[True, False], ids=["proven", "looked-at"])
def _is_proven(request, monkeypatch):
    if not request.param:
        monkeypatch.setattr(_forms, "_library", None)
    return request.param


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(b"not ours\n", id="foreign"),
        pytest.param(b"\n", id="empty"),
        pytest.param(line(NOW)[:-3] + b"\n", id="torn"),
        pytest.param(line(NOW // 1_000), id="ten-digits"),
        pytest.param(line((NOW + 1_000_000) // 10).replace(b"web-1", b"web-12"), id="twelve-digits"),
        pytest.param(line(NOW * 10), id="fourteen-digits"),
        pytest.param(line(NOW).replace(b'"ts":1', b'"ts": 1'), id="blank"),
        pytest.param(line(NOW).replace(b'"system"', b'"build"'), id="another-tier"),
        pytest.param(line(NOW).replace(b'"info"', b'"odd"'), id="another-level"),
        pytest.param(line(NOW).replace(b'"lvl":"info",', b""), id="no-level"),
    ],
)
@pytest.mark.parametrize("step", [1, 60_000, 600_000], ids=["one-hour", "two-hours", "hours"])
def test_one_line_that_is_different(odd, step, is_proven):
    """
    One line in another form is noticed wherever it is, also when another line has the bytes
    that it lacks twice, and a line that isn't whole yet is none.
    """
    plain = [line(NOW + n * step) for n in range(60)] + [NESTED % (NOW + 60 * step)]
    tally = _forms.Tally("system", _by_bytes, _forms.Forms())

    assert sum(tally.count(b"".join(plain) + b'{"ts":1').values()) == 61
    for at in (0, 30, 47, 61):  # the next hour begins with the 47th
        assert tally.count(b"".join([*plain[:at], odd, *plain[at:]])) is None


def test_one_line_of_another_hour(is_proven):
    """
    A line counts for its own hour, also where those before and behind it are of another.
    """
    hour = NOW // HOUR * HOUR
    tally = _forms.Tally("system", _by_bytes, _forms.Forms())

    for at in (hour - 1, hour + HOUR, hour + 9 * HOUR):
        block = line(hour) * 20 + line(at) + line(hour + HOUR - 1) * 20
        assert tally.count(block) == {(hour, "info"): 40, (at // HOUR * HOUR, "info"): 1}


@pytest.mark.parametrize("before", [1, 20])
@pytest.mark.parametrize("behind", [1, 20])
def test_a_block_in_which_an_hour_ends(before, behind):
    """
    It is cut there, and no line is looked at, unless one is on the wrong side.
    """
    hour = NOW // HOUR * HOUR
    lines = [line(hour - 5_000 * n) for n in range(before, 0, -1)] + [line(hour + 100_000 * n) for n in range(behind)]
    lines[-1] = lines[-1].replace(b'"info"', b'"warn"')
    expected = {(hour - HOUR, "info"): before, (hour, "info"): behind - 1, (hour, "warn"): 1}
    tally = _forms.Tally("system", None, _forms.Forms())

    assert Counter(tally.count(b"".join(lines))) == Counter(expected)

    tally = _forms.Tally("system", _by_bytes, _forms.Forms())
    for at in range(len(lines)):
        turned = [*lines[:at], line(hour + 1), line(hour - 1), *lines[at:]]
        assert Counter(tally.count(b"".join(turned))) == Counter(expected) + Counter(
            {(hour - HOUR, "info"): 1, (hour, "info"): 1}
        )


def test_spans():
    """
    A span has all times of a block, also of those that step back; none is told of lines in
    another form.
    """
    rng = random.Random(1)
    forms = _forms.Forms()
    for step in (1, 1_000, 100_000):
        times = [NOW + n * step - rng.randrange(3) * step for n in range(200)]
        span = forms.span(b"".join(map(line, times)))
        assert span is None or span[0] <= min(times) <= max(times) <= span[1]
    assert forms.span(line(NOW) * 9 + b'{"ts":1') is not None
    assert forms.span(line(NOW) + line(NOW // 1_000) + line(NOW)) is None
    assert forms.span(b"no newline") is None


@pytest.mark.parametrize("step", [10, 1_000, 60_000])
def test_windows(step, monkeypatch):
    """
    What is cut out of a block has all of its lines of a span, whatever their order and whatever
    stands between them; where there's none near, nothing is cut out.
    """
    rng = random.Random(4)
    times = [NOW + rng.randrange(-60, 260) * step for _ in range(80)]
    lines = [rng.choice([line(at), NESTED % at, line(at)[:-9] + b"\n", b'"{\\"ts\\":%d' % at + b"\n"]) for at in times]
    block = b"".join(lines) + line(NOW)[:-1]
    asked = [(NOW + 40 * step, NOW + n * step) for n in (41, 60, 200)] + [(NOW, NOW + 1), (NOW - 9 * DAY, NOW - 8 * DAY)]
    for first, last in [(_memmem._first, _memmem._last), (bytes.find, bytes.rfind), (_memmem._memmem(), bytes.rfind)]:
        monkeypatch.setattr(_memmem, "_first", first)
        monkeypatch.setattr(_memmem, "_last", last)
        for since, until in asked:
            start, end = Matcher(filters(now_ms=NOW, since=since, until=until)).window(block)
            cut = block[start:end]
            assert start == 0 or block[start - 1 : start] == b"\n"
            assert [one for one in cut.splitlines() if one in wanted(block, since, until)] == wanted(block, since, until)
    assert not cut
    assert Matcher(filters(now_ms=NOW, since=NOW, text="m")).window(block) == (0, len(block))


def wanted(block, since, until):
    """
    Return the whole lines of a span.
    """
    found = block[: block.rfind(b"\n")].splitlines()
    return [one for one in found if one.startswith(b'{"ts":') and since <= int(one[6:19]) < until]


def test_counts_across_hours_and_forms(is_proven):
    """
    Lines of one hour and of several, of several levels and kinds, and not in order, are
    counted by hour and level.
    """
    rng = random.Random(2)
    lines = []
    for n in range(4_000):
        one = line(NOW + n * 4_000 - rng.randrange(9) * 1_000, n)
        one = one.replace(b'"info"', b'"%b"' % rng.choice([b"info", b"warn", b"error", b"debug"]))
        lines.append(one.replace(b'"log"', rng.choice([b'"log"', b'"audit2"'])))
    events = [orjson.loads(one) for one in lines]
    tally = _forms.Tally("system", _by_bytes, _forms.Forms())

    for size in (1, 100, 700, 4_000):
        for start in range(0, 4_000, size * 7):
            expected = Counter((event["ts"] // HOUR * HOUR, event["lvl"]) for event in events[start : start + size])
            assert tally.count(b"".join(lines[start : start + size])) == expected


@pytest.mark.parametrize("find", [stringzilla.find, _memmem._memmem()], ids=["extra", "without"])
@pytest.mark.parametrize("needle", [b"near", b"far", b"at the end", b"nowhere", b"x", b"no" * 9])
def test_finding(find, needle):
    """
    What is found first is what ``bytes.find`` finds, whatever finds it.
    """
    block = b"x" * 300 + b"near" + b"\0" * 20_000 + b"far" * 3 + b"at the end"

    assert find(block, needle) == block.find(needle)


def test_exports_and_counts_are_the_same(root, is_proven, monkeypatch):
    """
    An export is the same bytes in both orders, and the numbers are the same, however little
    memory there is, with torn lines and with times that are odd.
    """
    monkeypatch.setattr(_scan, "_CACHED_BYTES", 2_000)
    events = [
        (NOW + n * 3_571 % (3 * HOUR), "system", "info", {"project_id": ULID}, f"record {n} {'x' * 200}", {"n": n, "deep": {}})
        for n in range(3_000)
    ]
    write(root, events, max_bytes=400_000)
    expected = everything(root)
    with files(root)[0].open("ab") as file:
        file.write(b'{"ts":12345\n' + orjson.dumps({**expected[0], "ts": NOW // 1_000, "seq": 10**6}) + b"\n")
    early = {**expected[0], "ts": NOW // 1_000, "seq": 10**6}
    search = open_store(root, catalog=False).search()

    assert b"".join(search.lines()) == lines_of([early, *expected])
    assert search.skipped == 1
    assert b"".join(open_store(root, catalog=False).search(order="desc").lines()) == lines_of([early, *expected][::-1])
    since = NOW + 1_234_567
    some = [event for event in expected if since <= event["ts"] < since + HOUR]
    assert b"".join(open_store(root, catalog=False).search(since=since, until=since + HOUR).lines()) == lines_of(some)
    assert sum(open_store(root, catalog=False).count("hour", until=NOW + DAY).values()) == 3_001


@pytest.mark.parametrize("cached", [2_000, 10**7], ids=["read-twice", "kept"])
def test_a_part_of_a_sorted_file(root, is_proven, cached, monkeypatch):
    """
    A span from the middle of blocks is exported as it was written, in both orders, whether or
    not it is read again when its time comes.
    """
    monkeypatch.setattr(_scan, "_CACHED_BYTES", cached)
    write(
        root, [(NOW + n * 10_000, "system", "info", {}, f"record {n} {'x' * 200}", {}) for n in range(2_000)], max_bytes=400_000
    )
    expected = everything(root)
    store = open_store(root, catalog=False)

    for first, last in [(5, 9), (700, 800), (300, 1_900), (1_990, 2_100), (2_100, 2_200)]:
        asked = {"since": NOW + first * 10_000, "until": NOW + last * 10_000}
        assert b"".join(store.search(**asked).lines()) == lines_of(expected[first:last])
        assert b"".join(store.search(order="desc", **asked).lines()) == lines_of(expected[first:last][::-1])
