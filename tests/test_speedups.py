"""
What is in C writes the same as Python does, and the usual call by itself. Without it, there is
nothing to test here: ``tox -e py312`` runs the other tests so.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import OTHER_ULID, ULID
from strategies import any_text, data_values
from tierlog.context import EMPTY, Context, muted
from tierlog.emitter import Emitter, PlainEmitter
from tierlog.envelope import Route
from tierlog.ndjson import LINE
from tierlog.pipeline import Pipeline
from tierlog.redact import Redactor
from tierlog.segments import SegmentSink
from tierlog.segments._appender import PlainAppender
from tierlog.sinks import MemorySink


NOON = 1_764_072_000_000
ROUTE = Route("system", "2025-11-25", None, "app-00000000", "info", "system")
DAY_MS = 86_400_000
SECRET = "npm_0123456789abcdefghijABCDEFGHIJ012345"
BUILD = Context(project_id=ULID, build_id=OTHER_ULID, tier="build")


class Text(str):
    """
    A text that may not be taken for what it is.
    """

    __slots__ = ()


class PlainPipeline(PlainEmitter, Pipeline):
    """
    A pipeline that is Python's alone.
    """


class PlainSegmentSink(PlainAppender, SegmentSink):
    """
    A sink that is Python's alone.
    """


def made(*, in_c, redactor=None, sink=None):
    """
    Return a pipeline, into the memory if into nothing else.
    """
    kind = Pipeline if in_c else PlainPipeline
    return kind(sink or MemorySink(), name="app", instance_id="app-00000000", redactor=redactor or Redactor())


def lines(pipeline):
    """
    Return what was written.
    """
    return [one.line for one in pipeline.sink.written]


@pytest.fixture(scope="module", name="both")
def _both():
    """
    Two pipelines that remember what they have seen: one that looks it up in C, and one that doesn't.
    """
    return made(in_c=True), made(in_c=False)


@pytest.mark.parametrize(
    "call",
    [
        {"msg": "step %s of %d took %.1f s", "args": (3, 12, 0.25), "extra": {"data": {"step": "install", "ms": 1.5}}},
        {"msg": 'said "no"\n\\ and ünïcode', "data": {"cached": True, "by": None, "count": 3}},
        {"msg": "nothing else"},
        {"msg": "of a kind", "tier": "action", "kind": "deploy.start", "named_src": "cli"},
    ],
)
def test_a_usual_call_needs_no_more_than_c(call):
    """
    What was seen before, but for its numbers, is written without the Python code.
    """
    pipeline = made(in_c=True)
    pipeline.event(NOON, BUILD, "info", "app", **call)

    def fail(*given):
        raise AssertionError(given)

    pipeline.preparer.parts = fail
    pipeline.event(NOON, BUILD, "info", "app", **call)

    first, second = lines(pipeline)
    assert second == first.replace(b'"seq":0', b'"seq":1')


plain = st.none() | st.booleans() | st.integers() | st.floats() | any_text
messages = any_text | st.sampled_from(
    ["step %s", "%d of %d", "100 %", f"token {SECRET}", Text("own"), 12, None, "long " * 60, "ü" * 200]
)
payloads = (
    st.none()
    | st.dictionaries(st.sampled_from(["a", "b", "password", "value", "name"]) | any_text, plain, max_size=4)
    | st.just({"a": SECRET})
    | data_values
)
extras = (
    st.none()
    | st.just({})
    | payloads.map(lambda data: {"data": data})
    | st.dictionaries(st.sampled_from(["data", "tier", "kind", "src", "project_id", "x"]), plain, max_size=3)
)
texts = st.none() | st.sampled_from(["build", "action", "none", "", Text("build"), ULID])
usual = {
    "ms": st.sampled_from([NOON, NOON + 1]),
    "context": st.sampled_from([EMPTY, BUILD]),
    "lvl": st.sampled_from(["info", "error"]),
    "src": st.sampled_from(["app", "app.builds"]),
    "msg": st.sampled_from(["step %s", "took %s s", 'said "%s" \n', "ü %s", f"token {SECRET}%s", "password=%s"]),
    "args": st.tuples(st.integers() | st.floats() | st.sampled_from(["a", "hunter2hunter2", SECRET, None])),
    "data": st.none() | st.dictionaries(st.sampled_from("abc"), st.sampled_from([1, 2.5, True, None, "x", "y"]), max_size=3),
}
unusual = {
    "ms": st.sampled_from([NOON, NOON + 1, NOON + DAY_MS, 0, -1]),
    "context": st.sampled_from([EMPTY, BUILD, Context(src="ctx", user_id="u"), Context(tier="none")]),
    "lvl": st.sampled_from(["debug", "info", "warn", "error"]),
    "src": st.sampled_from(["app", "app.builds", "", "sch\x00ön"]),
    "msg": messages,
    "args": st.none() | st.lists(plain | st.just(Text("t")), max_size=3).map(tuple) | st.just({"a": 1}) | st.just([1]),
    "extra": extras,
    "data": payloads,
    "tier": texts,
    "kind": texts,
    "named_src": st.none() | st.sampled_from(["", "own", Text("src")]),
}
calls = st.fixed_dictionaries(usual) | st.fixed_dictionaries(unusual) | st.fixed_dictionaries({**unusual, **usual})


@given(call=calls)
def test_it_says_the_same(both, call):
    """
    Whatever is logged, and however often, the lines are those of the Python code.
    """
    for pipeline in both:
        del pipeline.sink.written[:]
        for _ in range(2):
            pipeline.event(**call)

    in_c, in_python = map(lines, both)
    assert in_c == in_python
    assert both[0].redactor.counts() == both[1].redactor.counts()


def test_what_is_learned_is_hidden_from_then_on():
    """
    A text that was known to be clean is looked at again when it becomes a secret.
    """
    redactor = Redactor()
    pipeline = made(in_c=True, redactor=redactor)
    for _ in range(2):
        pipeline.event(NOON, EMPTY, "info", "app", "plugh-xyzzy is the word", data={"word": "plugh-xyzzy"})

    redactor.add_known(["plugh-xyzzy"])
    pipeline.event(NOON, EMPTY, "info", "app", "plugh-xyzzy is the word", data={"word": "plugh-xyzzy"})

    *before, after = lines(pipeline)
    assert [line.count(b"plugh-xyzzy") for line in before] == [2, 2]
    assert b"plugh" not in after


def test_nothing_that_is_shared_is_changed():
    """
    The interpreter has one object for each short text and each byte: they are what they were.
    """
    pipeline = made(in_c=True)
    texts = ["", *map(chr, range(256)), *map(str, range(100))]
    for text in texts:
        pipeline.event(NOON, EMPTY, "info", "app", text, data={"a": text})

    assert texts == ["", *(bytes([code]).decode("latin-1") for code in range(256)), *(f"{number}" for number in range(100))]
    assert [bytes([code])[0] for code in range(256)] == list(range(256))
    assert b"".join(bytes([code]) for code in range(256)) == bytes(bytearray(range(256)))


def test_own_work_is_kept_out():
    """
    Records of tierlog's own work aren't written, and don't make others wait.
    """
    pipeline = made(in_c=True)
    pipeline._sink_meet = pytest.fail
    with muted():
        for _ in range(2):
            pipeline.event(NOON, Context(is_muted=True), "info", "app", "own")

    assert lines(pipeline) == []


@given(
    ms=st.integers(-(2**63), 2**63 - 1),
    seq=st.integers(0, 2**63 - 2),
    texts=st.tuples(*[st.binary(max_size=80)] * 4),
)
def test_a_line_is_put_together_alike(ms, seq, texts):
    """
    The line is the one that its form says, whatever is in it.
    """
    pipeline = made(in_c=True)
    pipeline._seq = seq
    middle, *others = texts

    pipeline._write(ms, ((middle, ROUTE), *others))

    assert lines(pipeline) == [LINE % (ms, middle, seq, *others)]


@pytest.mark.parametrize(
    "parts", [(), (1, 2, 3, 4), ((), b"", b"", b""), ((b"", ROUTE), b"", b""), [(b"", ROUTE), b"", b"", b""]]
)
def test_wrong_parts_are_refused(parts):
    """
    What can't be put together raises, and reads no memory that isn't its own.
    """
    pipeline = made(in_c=True)

    with pytest.raises((TypeError, ValueError, IndexError)):
        pipeline._write(1, parts)

    pipeline.event(NOON, EMPTY, "info", "app", "goes on")
    assert len(lines(pipeline)) == 1


def test_what_belongs_to_no_pipeline():
    """
    What is used without the rest of it raises, too.
    """
    for unfit in (Emitter(), Emitter.__new__(type("Part", (Emitter,), {}))):
        with pytest.raises((TypeError, AttributeError)):
            unfit._write(1, ((b"", ROUTE), b"", b"", b""))
        with pytest.raises((TypeError, AttributeError)):
            unfit.emit(*[None] * 12)
        with pytest.raises(TypeError):
            unfit.emit()


class Failing(MemorySink):
    """
    A sink that raises what it is told to.
    """

    def __init__(self):
        super().__init__()
        self.errors = []

    def write(self, event_line, route):
        if self.errors:
            raise self.errors.pop()
        return super().write(event_line, route)


@pytest.mark.parametrize("in_c", [True, False])
def test_a_sink_that_fails(in_c, capfd):
    """
    A line that the sink doesn't take is counted and shown, the next one is written; an
    interrupt goes on to who logs, and holds nothing up.
    """
    sink = Failing()
    pipeline = made(in_c=in_c, sink=sink)
    pipeline.event(NOON, EMPTY, "info", "app", "first")

    sink.errors = [OSError(28, "full")]
    pipeline.event(NOON, EMPTY, "info", "app", "lost 1")
    sink.errors = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        pipeline.event(NOON, EMPTY, "info", "app", "lost 2")
    pipeline.event(NOON, EMPTY, "info", "app", "last")

    assert [line.split(b'"msg":')[1][:8] for line in lines(pipeline)] == [b'"first",', b'"last","']
    stats = pipeline.stats()
    assert (stats["accepted"], stats["written"], stats["dropped"]) == (4, 2, {"enospc": 1, "KeyboardInterrupt": 1})
    assert capfd.readouterr().err.count('"msg":"lost') == 2


@pytest.mark.parametrize("in_c", [True, False])
def test_a_clock_that_fails(in_c):
    """
    Nothing raises, not even for want of a time.
    """

    def clock():
        raise RuntimeError("stopped")

    pipeline = made(in_c=in_c)
    pipeline.clock = clock

    pipeline.emit(None, None, "info", "app", "no time", None, None, None, None, None, None, None)

    assert pipeline.stats()["accepted"] == 0
    assert "stopped" in pipeline.stats()["last_error"]


@pytest.mark.parametrize("in_c", [True, False])
def test_a_clock_in_fractions(in_c):
    """
    A clock that gives no whole numbers costs no record.
    """
    pipeline = made(in_c=in_c)
    pipeline.clock = lambda: NOON * 1e6

    for _ in range(2):
        pipeline.emit(None, None, "info", "app", "now", None, None, None, None, None, None, None)

    assert [line[:20] for line in lines(pipeline)] == [b'{"ts":%d,' % NOON] * 2
    assert pipeline.stats()["dropped"] == {}


class Promising(MemorySink):
    """
    A sink whose promise is none.
    """

    def write(self, event_line, route):
        super().write(event_line, route)
        return 1, 2


@pytest.mark.parametrize("in_c", [True, False])
def test_a_promise_that_is_none(in_c):
    """
    What can't be kept is counted; the line is written once.
    """
    pipeline = made(in_c=in_c, sink=Promising())

    pipeline.event(NOON, EMPTY, "info", "app", "once")

    assert len(lines(pipeline)) == 1
    assert pipeline.stats()["sync_failures"] == 1


@pytest.mark.parametrize("kind", [SegmentSink, PlainSegmentSink])
def test_a_segment_that_ends_while_the_time_is_asked(tmp_path, kind):
    """
    A line goes to the next segment then.
    """

    def clock():
        sink.end_build(OTHER_ULID)
        return 0.0

    sink = kind(tmp_path, monotonic=lambda: 0.0)
    pipeline = made(in_c=kind is SegmentSink, sink=sink)
    pipeline.event(NOON, BUILD, "info", "app", "first")
    sink._monotonic = clock
    for _ in range(3):
        pipeline.event(NOON, BUILD, "info", "app", "next")
    sink.close()

    assert sum(path.read_bytes().count(b"\n") for path in tmp_path.rglob("*.ndjson")) == 4
    assert pipeline.stats()["dropped"] == {}


IMPORTED_AGAIN = """
import sys
import tierlog
for name in [name for name in sys.modules if name.partition(".")[0] == "tierlog"]:
    del sys.modules[name]
import tierlog
handler = tierlog.configure(sink={"type": "stream"}, process_events=False)
for _ in range(2):
    with tierlog.bound(req_id="req-7"):
        tierlog.log_event("system", "log", "info", "again")
"""


def test_it_is_imported_again():
    """
    What was built is of use to those who imported it first; others don't read the ids of these.
    """
    done = subprocess.run([sys.executable, "-c", IMPORTED_AGAIN], capture_output=True, text=True, check=True)

    assert (done.stdout + done.stderr).count('"reqId":"req-7"') == 2


@pytest.mark.parametrize("writer", ["append", "mmap"])
def test_segments_are_the_same(tmp_path, writer):
    """
    Lines go to the same segments, which end at the same sizes and ages.
    """
    now = 0.0
    options = {"writer": writer, "max_bytes": 700, "max_age": 9.0, "max_open_segments": 2, "monotonic": lambda: now}
    pipelines = [
        made(in_c=True, sink=SegmentSink(tmp_path / "c", **options)),
        made(in_c=False, sink=PlainSegmentSink(tmp_path / "python", **options)),
    ]
    builds = [Context(project_id=ULID, build_id=build, tier="build") for build in (ULID, OTHER_ULID)]
    for n in range(60):
        now += 0.4
        for pipeline in pipelines:
            pipeline.event(NOON + n, [EMPTY, EMPTY, *builds][n % 7 % 4], "info", "app", "x" * (n % 50), data={"n": n})
    for pipeline in pipelines:
        pipeline.sink.close()

    found = [sorted(path.read_bytes() for path in (tmp_path / name).rglob("*.ndjson")) for name in ("c", "python")]
    assert len(found[0]) > 5
    assert found[0] == found[1]
