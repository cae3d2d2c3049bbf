"""
Actions: one start, one end, what changed, and the work itself unharmed.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import json
import logging
import warnings

import pytest

import tierlog
from conftest import OTHER_ULID, ULID
from tierlog import context
from tierlog.steps import contained


def told(events, **fields):
    return [(event["data"].get("action") or event["data"].get("job"), event["data"]["event"]) for event in events.find(**fields)]


class TestOutcome:
    def test_start_and_end(self, tierlog_events):
        """
        An action has a start and an end, with its ids, its data and its duration.
        """
        with tierlog.action("integration.connect", project_id=ULID, user_id="u-1", via="oauth") as a:
            a.update(provider="x")

        start, end = tierlog_events
        assert [start[name] for name in ("tier", "kind", "lvl", "projectId", "userId")] == [
            "action",
            "action",
            "info",
            ULID,
            "u-1",
        ]
        assert start["data"] == {"action": "integration.connect", "actionId": a.id, "event": "start", "via": "oauth"}
        assert (end["data"]["event"], end["data"]["provider"], end["data"]["via"]) == ("success", "x", "oauth")
        assert end["data"]["durationMs"] >= 0
        assert (start["msg"], end["msg"]) == ("integration.connect started", "integration.connect succeeded")

    @pytest.mark.parametrize(
        ("error", "event", "lvl"),
        [
            pytest.param(LookupError("gone"), "failure", "error", id="exception"),
            pytest.param(asyncio.CancelledError(), "cancelled", "warn", id="cancelled"),
            pytest.param(KeyboardInterrupt(), "cancelled", "warn", id="interrupted"),
            pytest.param(GeneratorExit(), "cancelled", "warn", id="generator-left"),
            pytest.param(SystemExit(0), "success", "info", id="exit"),
            pytest.param(SystemExit(3), "failure", "error", id="exit-with-a-code"),
        ],
    )
    def test_what_is_raised_goes_on(self, tierlog_events, error, event, lvl):
        """
        Whatever is raised says how the action ended, and goes on as it is.
        """
        with pytest.raises(type(error)) as raised, tierlog.action("a", project_id=ULID):
            raise error

        assert raised.value is error
        assert [(one["data"]["event"], one["lvl"]) for one in tierlog_events] == [("start", "info"), (event, lvl)]
        assert ("reason" in tierlog_events[-1]["data"]) == (event != "success")

    def test_fail_without_an_exception(self, tierlog_events):
        """
        A block can say that it failed.
        """
        with tierlog.action("a", project_id=ULID) as a:
            a.fail("no quota left")

        end = tierlog_events[-1]
        assert (end["lvl"], end["msg"], end["data"]["reason"]) == ("error", "a failed: no quota left", "no quota left")

    def test_an_exception_is_written_once(self, tierlog_events):
        """
        On its way through three actions an exception's frames are written by the innermost.
        """
        with pytest.raises(LookupError):
            with tierlog.action("outer", project_id=ULID), tierlog.action("middle"), tierlog.action("inner"):
                raise LookupError("gone")

        ends = [event for event in tierlog_events if event["data"]["event"] == "failure"]
        assert [(end["data"]["action"], "exc" in end["data"]) for end in ends] == [
            ("inner", True),
            ("middle", False),
            ("outer", False),
        ]

    def test_another_exception_is_written_again(self, tierlog_events):
        """
        What an outer action raises in the place of an inner one's is written, too.
        """
        with pytest.raises(RuntimeError):
            with tierlog.action("outer", project_id=ULID):
                try:
                    with tierlog.action("inner"):
                        raise LookupError("gone")
                except LookupError as e:
                    raise RuntimeError("no luck") from e

        ends = [event["data"]["exc"]["type"] for event in tierlog_events if event["data"]["event"] == "failure"]
        assert ends == ["LookupError", "RuntimeError"]


class TestContext:
    def test_ids_are_bound_inside_only(self, tierlog_events):
        """
        What is logged in the block has its ids, and what comes after hasn't.
        """
        with tierlog.action("a", project_id=ULID, user_id="u-1"):
            logging.getLogger("app").info("inside")
        logging.getLogger("app").info("after")

        assert [(one["projectId"], one["userId"], one["tier"]) for one in tierlog_events.find(src="app")] == [
            (ULID, "u-1", "system"),
            (None, None, "system"),
        ]

    def test_an_id_that_is_known_later(self, tierlog_events):
        """
        An action that creates a project belongs to it from its end on.
        """
        with tierlog.action("project.create", user_id="u-1") as a:
            a.update(project_id=OTHER_ULID)

        assert [(event["tier"], event["projectId"]) for event in tierlog_events] == [("system", None), ("action", OTHER_ULID)]

    def test_what_the_block_binds_is_at_its_end(self, tierlog_events):
        """
        An id bound inside stands at the end, and is gone after it.
        """
        with tierlog.action("a"):
            tierlog.bind(project_id=ULID)

        assert (tierlog_events[-1]["projectId"], context.current()) == (ULID, context.EMPTY)

    def test_nested(self, tierlog_events):
        """
        An action inside another names it, across tasks as well.
        """

        async def main():
            async with tierlog.action("outer", project_id=ULID) as outer:
                await asyncio.gather(*(inner(n) for n in range(3)))
            return outer.id

        @tierlog.action("inner")
        async def inner(n):
            await asyncio.sleep(0)

        outer_id = asyncio.run(main())

        inner_events = [event for event in tierlog_events if event["data"].get("action") == "inner"]
        assert {event["data"]["parentId"] for event in inner_events} == {outer_id}
        assert len({event["data"]["actionId"] for event in inner_events}) == 3
        assert {event["projectId"] for event in inner_events} == {ULID}

    def test_left_in_another_context(self, tierlog_events):
        """
        A block that is left in another context than entered, as frameworks do with
        dependencies, ends with its own ids, and leaves the other context's alone.
        """
        one = tierlog.action("a", project_id=ULID)
        entered, left = contextvars.copy_context(), contextvars.copy_context()
        entered.run(one.__enter__)
        entered.run(tierlog.bind, user_id="u-1", req_id="r-1")
        left.run(tierlog.bind, req_id="other")

        left.run(one.__exit__)

        assert [(event["projectId"], event["reqId"]) for event in tierlog_events] == [(ULID, None)] * 2
        assert left.run(context.current).req_id == "other"

    def test_entered_by_several_at_once(self, tierlog_events):
        """
        Blocks of one action that end in another order than they began have each its own end.
        """
        one = tierlog.action("a", project_id=ULID)

        async def use(n, turns):
            async with one as run:
                run.update(n=n)
                for _ in range(turns):
                    await asyncio.sleep(0)
            return n, run.id

        async def main():
            return await asyncio.gather(use(1, 5), use(2, 3), use(3, 1))

        ids = dict(asyncio.run(main()))

        assert {event["data"]["n"]: event["data"]["actionId"] for event in tierlog_events if "n" in event["data"]} == ids


class TestDecorator:
    def test_each_call_is_an_action(self, tierlog_events):
        """
        A decorated function keeps its name, its signature and its result.
        """

        @tierlog.action("add", project_id=ULID)
        def add(a: int, b: int = 2) -> int:
            return a + b

        results = [add(1), add(1, b=1)]

        assert results == [3, 2]
        assert (add.__name__, str(inspect.signature(add))) == ("add", "(a: 'int', b: 'int' = 2) -> 'int'")
        assert told(tierlog_events) == [("add", "start"), ("add", "success")] * 2

    def test_coroutine(self, tierlog_events):
        """
        A cancelled coroutine's action was cancelled, once.
        """

        @tierlog.action("wait", project_id=ULID)
        async def wait():
            await asyncio.Event().wait()

        async def main():
            task = asyncio.create_task(wait())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            return task.cancelled(), inspect.iscoroutinefunction(wait)

        assert asyncio.run(main()) == (True, True)
        assert told(tierlog_events, tier="action") == [("wait", "start"), ("wait", "cancelled")]

    def test_what_is_a_coroutine_behind_its_name(self, tierlog_events):
        """
        An object that can be called is over when the coroutine is.
        """

        class Import:
            async def __call__(self):
                tierlog.log_event("action", "action", "info", "inside")

        asyncio.run(tierlog.action("import", project_id=ULID)(Import())())

        assert [event["msg"] for event in tierlog_events.find(tier="action")] == ["import started", "inside", "import succeeded"]

    def test_generator(self, tierlog_events):
        """
        A generator takes what is sent and thrown, returns what it returns, and binds
        nothing between its steps.
        """

        @tierlog.action("count", project_id=ULID)
        def count():
            got = yield 1
            try:
                yield got
            except KeyError:
                tierlog.bind(user_id="u-1")
                yield "caught"
            logging.getLogger("app").info("last")
            return "done"

        generator = count()
        steps = [next(generator), generator.send(5), generator.throw(KeyError("k"))]
        between = context.current()
        with pytest.raises(StopIteration) as stop:
            next(generator)

        assert (steps, between, stop.value.value) == ([1, 5, "caught"], context.EMPTY, "done")
        assert inspect.isgeneratorfunction(count)
        (line,) = tierlog_events.find(src="app")
        assert (line["projectId"], line["userId"]) == (ULID, "u-1")
        assert told(tierlog_events, tier="action") == [("count", "start"), ("count", "success")]

    def test_async_generator(self, tierlog_events):
        """
        One that nobody wants more of was cancelled, and has cleaned up after itself.
        """
        cleaned = []

        @tierlog.action("stream", project_id=ULID)
        async def stream():
            try:
                for n in range(10):
                    logging.getLogger("app").info("step")
                    yield n
            finally:
                cleaned.append(context.current().project_id)

        async def main():
            items = stream()
            found = [await anext(items), await items.asend(None)]
            between = context.current()
            await items.aclose()
            return found, between

        assert asyncio.run(main()) == ([0, 1], context.EMPTY)
        assert (cleaned, inspect.isasyncgenfunction(stream)) == ([ULID], True)
        assert [event["projectId"] for event in tierlog_events.find(src="app")] == [ULID, ULID]
        assert told(tierlog_events, tier="action") == [("stream", "start"), ("stream", "cancelled")]

    def test_failing_generator(self, tierlog_events):
        """
        A generator that raises has failed, and the consumer gets what it raised.
        """

        @tierlog.action("g", project_id=ULID)
        def generate():
            yield 1
            raise LookupError("gone")

        with pytest.raises(LookupError):
            list(generate())

        assert told(tierlog_events) == [("g", "start"), ("g", "failure")]


class TestChanges:
    def test_only_what_changed(self, tierlog_events):
        """
        The end says what changed, by path, and nothing else of both sides.
        """
        settings = {"name": "shop", "limits": {"memory": 256, "cpu": 1}, "tags": ["a", "b"], "old": True}
        with tierlog.action("project.update", project_id=ULID, before=settings) as a:
            settings["limits"]["memory"] = 512  # in its place: what it was is remembered
            settings["tags"][1] = "c"
            del settings["old"]
            settings["new"] = None
            a.update(after=settings)

        data = tierlog_events[-1]["data"]
        assert data["changes"] == {
            "limits.memory": {"before": 256, "after": 512},
            "tags[1]": {"before": "b", "after": "c"},
            "old": {"before": True},
            "new": {"after": None},
        }
        assert "before" not in data and "after" not in data and "before" not in tierlog_events[0]["data"]

    def test_sides_are_remembered_when_given(self, tierlog_events):
        """
        What it was may be said later, and is what it was then.
        """
        state = {"n": 1}
        with tierlog.action("a", project_id=ULID) as a:
            a.update(before=state)
            state["n"] = 2
            a.update(after=state)

        assert tierlog_events[-1]["data"]["changes"] == {"n": {"before": 1, "after": 2}}

    def test_secrets_are_hidden(self, tierlog_events):
        """
        That a secret changed is there, what it was and is isn't, at any depth.
        """
        old, new = "old-" + "s3cr3t", "new-" + "s3cr3t"
        before = {"smtp": {"password": old, "port": 25}, "api_key": old}

        with tierlog.action("a", project_id=ULID, before=before, after={"smtp": {"password": new, "port": 26}, "api_key": new}):
            pass

        text = json.dumps(list(tierlog_events))
        assert "s3cr3t" not in text
        assert set(tierlog_events[-1]["data"]["changes"]) == {"smtp.password", "smtp.port", "api_key"}

    def test_sides_from_functions(self, tierlog_events):
        """
        A function is asked for each side when its time has come; one that raises
        leaves the work alone.
        """
        state = {"n": 1}

        @tierlog.action("a", project_id=ULID, before=lambda: state, after=lambda: state)
        def work():
            state["n"] = 2

        work()
        with tierlog.action("b", project_id=ULID, before=lambda: 1 / 0, after={"n": 3}):
            pass

        changes = [event["data"]["changes"] for event in tierlog_events if event["data"]["event"] == "success"]
        assert changes == [{"n": {"before": 1, "after": 2}}, {"n": {"after": 3}}]

    def test_coroutines_are_no_sides(self, tierlog_events):
        """
        What nobody awaits is no side: no difference is claimed, and Python has nothing to
        warn of.
        """

        async def later():
            return {"n": 1}

        with warnings.catch_warnings(action="error"), tierlog.action("a", project_id=ULID, before=later, after=later):
            pass

        assert "changes" not in tierlog_events[-1]["data"]

    def test_environment_by_names_only(self, tierlog_events):
        """
        Of environment variables no value reaches a record, however it is given.
        """
        old, new = "value-" + "one", "value-" + "two"
        with tierlog.action(
            "env.update",
            project_id=ULID,
            kind="env",
            before={"KEPT": old, "GONE": old, "CHANGED": old},
            after={"KEPT": old, "CHANGED": new, "ADDED": new},
            variables={"CHANGED": new},
            lines=[f"ADDED={new}"],
            pairs=[("CHANGED", new), ["ADDED", new]],
            items={"ADDED": new}.items(),
            value=new,
            environment="production",
        ) as a:
            a.progress(done=1, variables={"CHANGED": new}, line=f"ADDED={new}")

        end = tierlog_events[-1]
        assert end["kind"] == "env"
        assert end["data"]["changes"] == {"removed": ["GONE"], "changed": ["CHANGED"], "added": ["ADDED"]}
        assert (end["data"]["variables"], end["data"]["lines"], end["data"]["environment"]) == (
            ["CHANGED"],
            ["ADDED"],
            "production",
        )
        assert (end["data"]["pairs"], end["data"]["items"]) == (["CHANGED", "ADDED"], ["ADDED"])
        assert "value-" not in json.dumps(list(tierlog_events))


def test_a_users_failure_is_said_without_secrets(tierlog_events, capfd):
    """
    What a user's function raises goes to standard error, and may have a secret in it.
    """

    def unreachable():
        raise LookupError("no answer from postgres://bob:" + "s3cr3t" + "@db/shop")

    contained("the side of this test", unreachable)

    said = capfd.readouterr().err
    assert said.startswith("tierlog: the side of this test failed: LookupError: no answer from postgres://bob:[REDACTED")
    assert "s3cr3t" not in said


class Odd:
    """
    What raises wherever it can.
    """

    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __iter__ = __eq__ = __hash__ = __bool__ = __str__


class OddError(Exception):
    """
    An exception of which nothing may be asked.
    """

    def __getattribute__(self, name):
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda: tierlog.action(Odd()), id="name"),
        pytest.param(lambda: tierlog.action("a", project_id=Odd(), user_id=Odd()), id="ids"),
        pytest.param(lambda: tierlog.action("a", before=Odd(), after=Odd()), id="sides"),
        pytest.param(lambda: tierlog.action("a", kind=7, src=Odd(), x=Odd()), id="data"),
        pytest.param(lambda: tierlog.action("a", progress_interval="often"), id="interval"),
        pytest.param(lambda: tierlog.action("a", event="mine", action="mine", durationMs=1), id="names-of-ours"),
    ],
)
def test_never_raises(tierlog_events, use):
    """
    Whatever it is given, the block runs, and there are a start and an end.
    """
    ran = False
    with use() as a:
        a.update(more=Odd(), before=1)
        a.progress(done=Odd(), total=Odd())
        ran = True

    assert ran
    assert [event["data"]["event"] for event in tierlog_events] == ["start", "progress", "success"]


def test_any_exception_goes_on_as_it_is(tierlog_events):
    """
    Nothing that an exception's class does keeps it from going on, or the end from being written.
    """
    raised = None
    try:
        with tierlog.action("a", project_id=ULID):
            raise OddError
    except Exception as e:
        raised = type(e)

    assert raised is OddError
    assert [event["data"]["event"] for event in tierlog_events] == ["start", "failure"]
    assert tierlog_events[-1]["data"]["exc"]["type"] == "OddError"


def test_an_id_may_be_zero(tierlog_events):
    """
    An id that is 0 is one.
    """
    with tierlog.action("a", project_id=ULID, user_id="before") as a:
        a.update(user_id=0)

    assert tierlog_events[-1]["userId"] == "0"
