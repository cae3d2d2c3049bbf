"""
What is in C says the same as Python does, or nothing; and it says it for the usual call.
"""

from __future__ import annotations

import os
import shutil
import sysconfig

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import OTHER_ULID, ULID
from strategies import any_text, data_values
from tierlog import parts
from tierlog.context import EMPTY, Context, muted
from tierlog.ndjson import LINE
from tierlog.pipeline import Pipeline
from tierlog.redact import Redactor
from tierlog.sinks import MemorySink


NOON = 1_764_072_000_000
DAY_MS = 86_400_000
SECRET = "npm_0123456789abcdefghijABCDEFGHIJ012345"
BUILD = Context(project_id=ULID, build_id=OTHER_ULID, tier="build")


class Text(str):
    """
    A text that may not be taken for what it is.
    """

    __slots__ = ()


def made(*, in_c, redactor=None):
    """
    Return a pipeline into the memory.
    """
    found = Pipeline(MemorySink(), name="app", instance_id="app-00000000", redactor=redactor or Redactor())
    if not in_c:
        found._known = None
    return found


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


def test_it_is_built():
    """
    Where there is a C compiler, it is built.
    """
    compiler = (sysconfig.get_config_var("CC") or "cl").split()[0]
    is_wanted = shutil.which(compiler) is not None and os.environ.get("TIERLOG_PURE") != "1"

    assert (parts.look_up is not None) == is_wanted


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
    numbers=st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**64 - 1)),
    texts=st.tuples(*[st.binary(max_size=80)] * 4),
)
def test_a_line_is_put_together_alike(numbers, texts):
    """
    The line is the one that its form says, whatever is in it.
    """
    given_parts = (numbers[0], texts[0], numbers[1], *texts[1:])

    assert parts.join(given_parts) == LINE % given_parts


@pytest.mark.parametrize(
    "given", [(), (1, b"", 2, b"", b""), (1, b"", 2, b"", b"", "text"), (1, b"", -2, b"", b"", b""), [1, b"", 2, b"", b"", b""]]
)
def test_wrong_parts_are_refused(given):
    """
    What can't be put together raises, and reads no memory that isn't its own.
    """
    with pytest.raises((TypeError, OverflowError)):
        if parts.look_up is None:
            raise TypeError
        parts.join(given)
