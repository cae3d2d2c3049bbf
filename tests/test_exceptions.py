"""
An exception as data.
"""

from __future__ import annotations

import functools
import json
import logging

import pytest

from tierlog import ContextFilter, TierHandler
from tierlog.exceptions import exception_data
from tierlog.ndjson import dump_data
from tierlog.redact import Redactor
from tierlog.sinks import MemorySink


def raised(error, cause=None):
    """
    Return *error* after it was raised, so that it has a traceback.
    """
    try:
        if cause is not None:
            raise error from cause
        raise error
    except type(error) as e:
        return e


def of(error, **options):
    """
    Return an exception's data without its frames, which move.
    """

    def without(found):
        found.pop("frames", None)
        for name in ("cause", "context"):
            if name in found:
                without(found[name])
        any(map(without, found.get("exceptions", ())))

    found = exception_data(error, **options)
    without(found)
    return found


class Hostile(Exception):
    """
    An exception that can't be turned into text.
    """

    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


class TestWhatItSays:
    def test_type_module_and_message(self):
        """
        The type's name as written, where it is from, and the message.
        """

        class Nested(Exception):
            pass

        found = of(raised(Nested("bad")))

        assert found == {"type": Nested.__qualname__, "module": __name__, "message": "bad"}

    def test_frames_outermost_first(self):
        """
        Each frame says file, line and function, from where it was caught to where it was raised.
        """

        def inner():
            raise ValueError("bad")

        def outer():
            inner()

        try:
            outer()
        except ValueError as e:
            frames = exception_data(e)["frames"]

        name = "TestWhatItSays.test_frames_outermost_first"
        assert [frame["func"] for frame in frames] == [name, f"{name}.<locals>.outer", f"{name}.<locals>.inner"]
        assert {frame["file"] for frame in frames} == {__file__}
        first = inner.__code__.co_firstlineno
        assert (frames[2]["line"], set(frames[2])) == (first + 1, {"file", "line", "func"})

    def test_never_raised_has_no_frames(self):
        """
        An exception that was only made has none.
        """
        assert exception_data(ValueError("bad"))["frames"] == []

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            pytest.param(ValueError(), "", id="none"),
            pytest.param(KeyError("k"), "'k'", id="keyerror"),
            pytest.param(OSError(2, "No such file", "x"), "[Errno 2] No such file: 'x'", id="oserror"),
            pytest.param(KeyboardInterrupt(), "", id="not-an-exception"),
            pytest.param(SystemExit(3), "3", id="exit"),
            pytest.param(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), None, id="unicode"),
        ],
    )
    def test_message(self, error, expected):
        """
        The message is what str() gives.
        """
        assert exception_data(error)["message"] == (str(error) if expected is None else expected)

    def test_message_that_raises(self):
        """
        Where there is no text, the arguments stand for it.
        """
        assert exception_data(Hostile("bad", 7))["message"] == "['bad', 7]"

    def test_arguments_that_raise_too(self):
        """
        Where they have none either, the call returns all the same.
        """
        assert of(Hostile(Hostile()))["type"] == "Hostile"

    def test_notes(self):
        """
        What add_note() added is there, whatever it is.
        """
        error = ValueError("bad")
        error.add_note("one")
        error.__notes__ += [7, None]

        assert exception_data(error)["notes"] == ["one", "7", "None"]

    @pytest.mark.parametrize("notes", ["text", 7, None, [], {}])
    def test_notes_that_are_none(self, notes):
        """
        What isn't a list of notes isn't taken for one.
        """
        error = ValueError("bad")
        error.__notes__ = notes

        assert "notes" not in exception_data(error)

    def test_notes_that_raise(self):
        """
        An attribute that raises costs the notes, nothing else.
        """

        class Odd(Exception):
            @property
            def __notes__(self):
                raise RuntimeError("no")

        assert exception_data(Odd("bad"))["message"] == "bad"


class TestChain:
    def test_cause(self):
        """
        ``raise … from`` gives the cause.
        """
        found = of(raised(ValueError("outer"), cause=raised(KeyError("inner"))))

        assert (found["cause"]["type"], found["cause"]["message"], "context" in found) == ("KeyError", "'inner'", False)

    def test_context(self):
        """
        What was being handled is the context.
        """
        try:
            try:
                raise KeyError("inner")
            except KeyError:
                raise ValueError("outer")
        except ValueError as e:
            found = of(e)

        assert (found["context"]["type"], "cause" in found) == ("KeyError", False)

    def test_suppressed_context(self):
        """
        ``raise … from None`` leaves the context out, as Python does.
        """
        try:
            try:
                raise KeyError("inner")
            except KeyError:
                raise ValueError("outer") from None
        except ValueError as e:
            found = of(e)

        assert found == {"type": "ValueError", "module": "builtins", "message": "outer"}

    def test_several_links(self):
        """
        A chain is followed to its end.
        """
        error = functools.reduce(lambda cause, number: raised(ValueError(number), cause), range(5), None)

        found, messages = of(error), []
        while found is not None:
            messages.append(found["message"])
            found = found.get("cause")

        assert messages == ["4", "3", "2", "1", "0"]

    def test_long_chain_is_cut(self):
        """
        A chain of thousands ends early, and does not exhaust the stack.
        """
        error = functools.reduce(lambda cause, number: raised(ValueError(number), cause), range(5_000), None)

        found = dump_data(of(error))

        assert (b'"4999"' in found, b'"4900"' in found) == (True, False)

    @pytest.mark.parametrize("attribute", ["__cause__", "__context__"])
    def test_cycles_are_cut(self, attribute):
        """
        Exceptions that name each other are each there once.
        """
        one, other = ValueError("one"), KeyError("other")
        setattr(one, attribute, other)
        setattr(other, attribute, one)

        found = of(one)

        assert str(found).count("'one'") == 1
        assert found[attribute.strip("_")] == {"type": "KeyError", "module": "builtins", "message": "'other'"}

    def test_its_own_cause(self):
        """
        An exception that names itself is there once.
        """
        error = ValueError("one")
        error.__cause__ = error

        assert of(error) == {"type": "ValueError", "module": "builtins", "message": "one"}


class TestGroups:
    def test_members(self):
        """
        A group has its exceptions, each with frames and message.
        """
        found = exception_data(ExceptionGroup("many", [raised(ValueError("a")), KeyError("b")]))

        assert found["message"] == "many (2 sub-exceptions)"
        assert [(one["type"], len(one["frames"])) for one in found["exceptions"]] == [("ValueError", 1), ("KeyError", 0)]

    def test_nested(self):
        """
        Groups in groups keep their form.
        """
        inner = ExceptionGroup("inner", [ValueError("a")])

        found = of(ExceptionGroup("outer", [inner, KeyError("b")]))

        assert found["exceptions"][0]["exceptions"] == [{"type": "ValueError", "module": "builtins", "message": "a"}]

    def test_members_have_causes(self):
        """
        The chain of a member is followed.
        """
        found = of(ExceptionGroup("many", [raised(ValueError("a"), KeyError("b"))]))

        assert found["exceptions"][0]["cause"]["type"] == "KeyError"

    def test_large_group_is_cut(self):
        """
        Of thousands, the first are enough.
        """
        found = exception_data(ExceptionGroup("many", [ValueError(number) for number in range(5_000)]))

        assert 10 <= len(found["exceptions"]) <= 100

    def test_deep_group_is_cut(self):
        """
        Groups nested a thousand times don't exhaust the stack.
        """
        error = functools.reduce(lambda inner, number: ExceptionGroup(f"g{number}", [inner]), range(1_000), ValueError("a"))

        assert b'"g999 (1 sub-exception)"' in dump_data(exception_data(error))

    def test_group_of_base_exceptions(self):
        """
        Those that aren't of Exception are no different.
        """
        found = of(BaseExceptionGroup("many", [KeyboardInterrupt()]))

        assert found["exceptions"][0]["type"] == "KeyboardInterrupt"


class TestLongTracebacks:
    def test_middle_is_left_out(self):
        """
        Of a thousand frames the outermost and the innermost stay, and the gap has a number.
        """

        def recurse(depth):
            return recurse(depth - 1) if depth else 1 / 0

        try:
            recurse(900)
        except ZeroDivisionError as e:
            frames = exception_data(e)["frames"]

        (gap,) = (frame for frame in frames if "omitted" in frame)
        assert (len(frames) - 1 + gap["omitted"], len(frames) <= 101) == (902, True)
        assert frames[0]["func"].endswith("test_middle_is_left_out")

    def test_overflowed_stack(self):
        """
        A RecursionError is described like any other.
        """

        def recurse():
            recurse()

        try:
            recurse()
        except RecursionError as e:
            found = exception_data(e)

        assert (found["type"], len(found["frames"])) == ("RecursionError", 101)


class TestLocals:
    def fail(self, **values):
        password, number = "hunter2", 42
        try:
            raise ValueError(f"{number} {len(password)} {len(values)}")
        except ValueError as e:
            return e

    def test_are_left_out(self):
        """
        Nobody's variables are captured unasked.
        """
        assert "hunter2" not in str(exception_data(self.fail()))

    def test_are_there_when_asked_for(self):
        """
        Each frame has its variables as text.
        """
        found = exception_data(self.fail(), with_locals=True)["frames"][0]["locals"]

        assert (found["number"], found["password"]) == ("42", "hunter2")

    def test_of_other_frames_too(self):
        """
        Causes and groups have theirs.
        """
        found = exception_data(ExceptionGroup("many", [raised(ValueError("a"), self.fail())]), with_locals=True)

        assert found["exceptions"][0]["cause"]["frames"][0]["locals"]["number"] == "42"

    def test_are_redacted_under_their_names(self):
        """
        A variable that is called like a secret is hidden like one.
        """
        found = Redactor().data(exception_data(self.fail(), with_locals=True))

        assert found["frames"][0]["locals"]["password"] == "[REDACTED:key]"

    def test_hostile_and_huge_ones(self):
        """
        A variable without text, or with very much, is no problem.
        """
        found = exception_data(self.fail(odd=Hostile(), long="x" * 100_000), with_locals=True)

        assert len(str(found)) < 20_000


class TestThroughAHandler:
    @pytest.fixture(name="log")
    def _log(self):
        sink = MemorySink()
        logger = logging.getLogger("tests.exceptions")
        logger.propagate = False
        logger.addHandler(TierHandler(sink=sink))
        yield logger, sink
        logger.handlers.clear()
        logger.propagate = True

    def test_exception_is_data(self, log):
        """
        What logger.exception() catches is in ``data.exc``, beside the rest.
        """
        logger, sink = log

        try:
            raise ValueError("bad")
        except ValueError:
            logger.exception("failed %d times", 3, extra={"attempt": 3})

        (event,) = sink.events
        assert (event["msg"], event["lvl"], event["data"]["attempt"]) == ("failed 3 times", "error", 3)
        assert (event["data"]["exc"]["type"], event["data"]["exc"]["message"]) == ("ValueError", "bad")

    def test_text_of_an_exception_is_redacted(self, log):
        """
        A secret in a message, a note or a cause is hidden.
        """
        logger, sink = log
        error = raised(ValueError("password=hunter2"), KeyError("pwd=hunter2"))
        error.add_note("secret: hunter2")

        logger.error("failed", exc_info=error)

        assert b"hunter2" not in sink.written[0].line

    def test_context_and_data_stay_when_the_exception_is_hostile(self, log):
        """
        An exception that can't be described costs its description, nothing else.
        """

        class Odd(Exception):
            @property
            def __notes__(self):
                raise RuntimeError("no")

        logger, sink = log

        logger.error("failed %s", "badly", exc_info=raised(Odd("bad")), extra={"req_id": "r-1", "attempt": 3})

        (event,) = sink.events
        assert (event["msg"], event["reqId"], event["data"]["attempt"]) == ("failed badly", "r-1", 3)

    def test_deep_stack_is_still_one_line(self, log):
        """
        An overflow of the stack is logged from where it is caught.
        """
        logger, sink = log

        def recurse():
            recurse()

        try:
            recurse()
        except RecursionError:
            logger.exception("too deep")

        assert json.loads(sink.written[0].line)["data"]["exc"]["type"] == "RecursionError"


def _refuse(self, *_):
    raise LookupError("no")


@pytest.mark.parametrize(
    ("base", "names"),
    [
        pytest.param(Exception, ["__str__", "args"], id="text"),
        pytest.param(ExceptionGroup, ["exceptions"], id="group"),
        pytest.param(Exception, ["__cause__", "__context__", "__suppress_context__"], id="chain"),
        pytest.param(Exception, ["__traceback__", "__notes__", "__class__"], id="rest"),
    ],
)
def test_properties_that_raise(base, names):
    """
    What an exception's class says of itself isn't asked: all is there, and nothing is raised.
    """
    odd = type("Odd", (base,), {name: _refuse if name == "__str__" else property(_refuse) for name in names})
    try:
        try:
            raise KeyError("before")
        except KeyError as e:
            raise odd("bad", [ValueError("one")]) from e
    except Exception as e:
        error = e

    found = exception_data(error)

    assert found["type"] == "Odd"
    assert found["frames"][0]["func"] == "test_properties_that_raise"
    assert found["cause"]["message"] == "'before'"
    assert [one["message"] for one in found.get("exceptions", ())] == (["one"] if base is ExceptionGroup else [])


@pytest.mark.parametrize("exc_info", [(), (1, 2, 3), 7])
def test_an_exc_info_that_is_none(exc_info):
    """
    A record with something else in the place of its exception passes the filter and is kept.
    """
    sink = MemorySink()
    handler = TierHandler(sink=sink)
    handler.addFilter(ContextFilter(source=dict))

    handler.handle(logging.makeLogRecord({"msg": "hello", "levelno": logging.INFO, "exc_info": exc_info, "stack_info": "here"}))

    assert [event["data"] for event in sink.events] == [{"stack": "here"}]
