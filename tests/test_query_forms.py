"""
What is proven of whole blocks is what looking at each line says, and changes no answer.
"""

from __future__ import annotations

import random

import orjson
import pytest
import stringzilla

from conftest import ULID
from queried import DAY, HOUR, NOW, everything, files, lines_of, write
from tierlog.query import _forms, _memmem, _scan, open_store
from tierlog.query._count import _by_bytes


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
        pytest.param(line(NOW * 10), id="fourteen-digits"),
        pytest.param(line(NOW).replace(b'"ts":1', b'"ts": 1'), id="blank"),
        pytest.param(line(NOW).replace(b'"system"', b'"build"'), id="another-tier"),
        pytest.param(line(NOW).replace(b'"info"', b'"odd"'), id="another-level"),
        pytest.param(line(NOW).replace(b'"lvl":"info",', b""), id="no-level"),
    ],
)
def test_one_line_that_is_different(odd):
    """
    One line in another form is noticed wherever it is, also when another line has the bytes
    that it lacks twice, and a line that isn't whole yet is none.
    """
    plain = [line(NOW + n) for n in range(60)] + [NESTED % (NOW + 60)]
    tally = _forms.Tally("system", lambda block, tier: None, _forms.Forms())

    assert tally.count(b"".join(plain) + b'{"ts":1') == {(NOW // HOUR * HOUR, "info"): 61}
    for at in (0, 30, 61):
        assert tally.count(b"".join([*plain[:at], odd, *plain[at:]])) is None


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


def test_counts_across_hours_and_forms():
    """
    Lines of several hours, levels and kinds, not in order, are counted by hour and level.
    """
    rng = random.Random(2)
    lines = []
    for n in range(4_000):
        one = line(NOW + n * 4_000 - rng.randrange(9) * 1_000, n)
        one = one.replace(b'"info"', b'"%b"' % rng.choice([b"info", b"warn", b"error", b"debug"]))
        lines.append(one.replace(b'"log"', rng.choice([b'"log"', b'"audit2"'])))
    block = b"".join(lines)
    looked_at = []

    def look(part, tier):
        looked_at.append(part)
        return _by_bytes(part, tier)

    found = _forms.Tally("system", look, _forms.Forms()).count(block)

    assert found == _by_bytes(block, "system")
    assert sum(map(len, looked_at)) < len(block) / 4


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
