"""
The ids bound to a task or thread, and how they get elsewhere.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from tierlog import context
from tierlog.context import EMPTY, Context, bind, bound, carry, current, unbind


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Hostile:
    """
    An id that can't be turned into text.
    """

    def __str__(self):
        raise RuntimeError("no text")


class HostileStr(str):
    """
    A string that can't be turned into text.
    """

    __slots__ = ()

    def __str__(self):
        raise RuntimeError("no text")


class TestBind:
    def test_adds_to_what_is_bound(self):
        """
        Ids that were bound before stay, and a later one wins.
        """
        bind(project_id="p", req_id="r-1")

        bind(req_id="r-2", user_id="u")

        assert current().fields() == {"project_id": "p", "user_id": "u", "req_id": "r-2"}

    def test_takes_all_seven_names(self):
        """
        The four ids, tier, kind and src can be bound.
        """
        names = ["project_id", "build_id", "user_id", "req_id", "tier", "kind", "src"]

        bind(**{name: name.upper() for name in names})

        assert current().fields() == {name: name.upper() for name in names}

    def test_none_takes_an_id_away(self):
        """
        None means that the id isn't bound any more.
        """
        bind(project_id="p", req_id="r")

        bind(req_id=None)

        assert current().fields() == {"project_id": "p"}

    def test_unknown_name_raises(self):
        """
        A misspelt id is the caller's mistake, and binds nothing.
        """
        with pytest.raises(TypeError, match="there's no id 'projectid'; did you mean 'project_id'"):
            bind(req_id="r", projectid="p")

        assert current() == EMPTY

    def test_never_changes_a_context(self):
        """
        Who holds a context keeps what it was.
        """
        bind(req_id="r-1")
        held = current()

        bind(req_id="r-2")

        assert held.req_id == "r-1"


class TestUnbind:
    def test_token_undoes_one_bind(self):
        """
        What was bound before that call is back.
        """
        bind(req_id="r-1")
        token = bind(req_id="r-2", user_id="u")

        unbind(token)

        assert current().fields() == {"req_id": "r-1"}

    def test_name_takes_one_id_away(self):
        """
        The others stay.
        """
        bind(req_id="r", user_id="u", project_id="p")

        unbind("req_id", "user_id")

        assert current().fields() == {"project_id": "p"}

    def test_unknown_name_raises(self):
        """
        A misspelt name is the caller's mistake.
        """
        with pytest.raises(TypeError, match="reqid"):
            unbind("reqid")

    def test_token_of_another_context_raises(self):
        """
        Another thread's binding can't be undone here.
        """
        tokens = []
        thread = threading.Thread(target=lambda: tokens.append(bind(req_id="r")))
        thread.start()
        thread.join()

        with pytest.raises(ValueError, match="different Context"):
            unbind(tokens[0])


class TestBound:
    def test_ids_end_with_the_block(self):
        """
        Ids are there inside the with block and gone after it.
        """
        with bound(req_id="r-1"):
            inside = current().req_id

        assert (inside, current()) == ("r-1", EMPTY)

    def test_gives_the_context(self):
        """
        What ``as`` names is the context of the block.
        """
        with bound(req_id="r-1") as given:
            assert given is current()

    def test_ids_end_when_the_block_raises(self):
        """
        An exception passes through, and takes the ids with it.
        """
        with pytest.raises(ZeroDivisionError), bound(req_id="r-1"):
            raise ZeroDivisionError

        assert current() == EMPTY

    def test_nests(self):
        """
        An inner block adds and overrides; leaving it puts the outer one back.
        """
        seen = []

        with bound(project_id="p", req_id="r-1"):
            with bound(req_id="r-2", user_id="u"):
                seen.append(current().fields())
            seen.append(current().fields())

        assert seen == [{"project_id": "p", "user_id": "u", "req_id": "r-2"}, {"project_id": "p", "req_id": "r-1"}]

    def test_none_hides_an_outer_id(self):
        """
        None takes an id away for the length of the block.
        """
        with bound(project_id="p", req_id="r"):
            with bound(project_id=None):
                inside = current().fields()
            after = current().fields()

        assert (inside, after) == ({"req_id": "r"}, {"project_id": "p", "req_id": "r"})

    def test_one_object_nests_in_itself(self):
        """
        The same object may be entered again before it is left.
        """
        block = bound(req_id="r")

        with block:
            with block:
                pass
            inside = current().req_id

        assert (inside, current()) == ("r", EMPTY)

    def test_unknown_name_raises_and_binds_nothing(self):
        """
        A misspelt id is the caller's mistake.
        """
        with pytest.raises(TypeError, match="buildid"), bound(req_id="r", buildid="b"):
            pass

        assert current() == EMPTY

    def test_works_as_async_context_manager(self):
        """
        Ids hold over an await, and end with the block.
        """

        async def run():
            async with bound(req_id="r-1") as given:
                await asyncio.sleep(0)
                inside = current()
            return given is inside, inside.req_id, current()

        assert asyncio.run(run()) == (True, "r-1", EMPTY)

    def test_left_in_another_context_does_not_raise(self):
        """
        A generator that is closed by another thread leaves its block there.
        """

        def numbers():
            with bound(req_id="r-1"):
                yield 1

        generator = numbers()
        next(generator)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(generator.close).result()
            elsewhere = pool.submit(current).result()

        assert elsewhere == EMPTY


class TestBoundSeveralTimes:
    def test_by_tasks_at_once(self):
        """
        Tasks that share one block, and leave it in another order than they entered it, have
        its ids inside and never after it.
        """
        one = bound(req_id="r-1")

        async def use(turns):
            async with one:
                for _ in range(turns):
                    await asyncio.sleep(0)
                inside = current().req_id
            return inside, current().req_id

        async def main():
            return await asyncio.gather(use(1), use(3), use(2))

        assert asyncio.run(main()) == [("r-1", None)] * 3

    def test_one_inside_the_other(self):
        """
        A block may be entered again inside itself.
        """
        one = bound(req_id="r-1")

        with one, bound(req_id="r-2"), one:
            inside = current().req_id

        assert (inside, current()) == ("r-1", EMPTY)


class TestBoundAsDecorator:
    def test_binds_for_each_call(self):
        """
        Ids are there during every call, and gone after it.
        """

        @bound(req_id="r-1")
        def function():
            return current().req_id

        assert [function(), function(), current().req_id] == ["r-1", "r-1", None]

    def test_passes_arguments_and_result(self):
        """
        The function is called as it was, and answers as it did.
        """

        @bound(req_id="r-1")
        def function(*args, **kwargs):
            return args, kwargs

        assert function(1, a=2) == ((1,), {"a": 2})

    def test_keeps_the_name(self):
        """
        The function still says what it is.
        """

        @bound(req_id="r-1")
        def function():
            """
            What it does.
            """

        assert (function.__name__, function.__doc__.strip()) == ("function", "What it does.")

    def test_binds_for_an_async_call(self):
        """
        A coroutine function stays one, and its ids hold over an await.
        """

        @bound(req_id="r-1")
        async def function():
            await asyncio.sleep(0)
            return current().req_id

        async def run():
            return [await function(), await function(), current().req_id]

        assert (inspect.iscoroutinefunction(function), asyncio.run(run())) == (True, ["r-1", "r-1", None])

    def test_async_calls_do_not_mix(self):
        """
        Calls that run at the same time keep to their own ids.
        """

        @bound(src="worker")
        async def function(req_id):
            bind(req_id=req_id)
            await asyncio.sleep(0)
            return current().fields()

        async def run():
            return await asyncio.gather(*map(function, ["a", "b", "c"]))

        assert asyncio.run(run()) == [{"req_id": name, "src": "worker"} for name in "abc"]

    def test_recursion_nests(self):
        """
        A function that calls itself leaves as often as it entered.
        """

        @bound(req_id="r-1")
        def function(depth):
            return function(depth - 1) if depth else current().req_id

        assert (function(5), current()) == ("r-1", EMPTY)


class TestContext:
    def test_equal_when_the_ids_are(self):
        """
        Contexts compare, and hash, by what is bound.
        """
        one, other = Context(req_id="r", tier="build"), Context(tier="build", req_id="r")

        assert (one == other, hash(one) == hash(other), one == Context(req_id="r"), one == "r") == (True, True, False, False)

    def test_repr_names_what_is_bound(self):
        """
        A context shows its ids, and nothing that isn't bound.
        """
        assert repr(Context(req_id="r")) == "Context({'req_id': 'r'})"

    @pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
    def test_pickles(self, protocol):
        """
        A context gets to another process as it is.
        """
        given = Context(project_id="p", req_id="r", tier="build", kind="line", src="api")

        assert pickle.loads(pickle.dumps(given, protocol)) == given

    def test_empty_one_pickles(self):
        """
        So does the one in which nothing is bound.
        """
        assert pickle.loads(pickle.dumps(EMPTY)) == EMPTY


class TestSnapshot:
    def test_restores_elsewhere(self):
        """
        What was bound here is bound there.
        """
        bind(project_id="p", req_id="r")
        taken = context.snapshot()

        def run():
            context.restore(taken)
            return current().fields()

        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(run).result() == {"project_id": "p", "req_id": "r"}

    def test_restore_replaces_what_is_bound(self):
        """
        Nothing of the ids before it stays, until they are put back.
        """
        bind(user_id="u")

        token = context.restore(Context(req_id="r"))
        during = current().fields()
        unbind(token)

        assert (during, current().fields()) == ({"req_id": "r"}, {"user_id": "u"})


class TestIdText:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            pytest.param("r-1", "r-1", id="str"),
            pytest.param(42, "42", id="int"),
            pytest.param(0, "0", id="zero"),
            pytest.param(None, None, id="none"),
            pytest.param("", None, id="empty"),
            pytest.param("x" * 1_000_000, "x" * 8_192, id="a-million-characters"),
            pytest.param(Hostile(), "<Hostile>", id="str-raises"),
            pytest.param(HostileStr("x"), "<HostileStr>", id="subclass-of-str-raises"),
            pytest.param(10**5000, "<int>", id="more-digits-than-python-prints"),
        ],
    )
    def test_any_value_becomes_text(self, value, expected):
        """
        Whatever is bound becomes a string of at most 8 192 characters, or none.
        """
        with bound(req_id=value) as inside:
            assert inside.req_id == expected

    def test_text_is_exactly_str(self):
        """
        No subclass of str gets further than this.
        """

        class Text(str):
            __slots__ = ()

        with bound(req_id=Text("r")) as inside:
            assert type(inside.req_id) is str


class TestEnvironment:
    def test_child_process_carries_on(self):
        """
        A child that reads its environment has the ids of its parent.
        """
        code = "import json; from tierlog import context; context.from_env(); print(json.dumps(context.current().fields()))"

        with bound(project_id="p", build_id="b", user_id="u", req_id="r", tier="build"):
            environ = {**os.environ, **context.to_env()}
            found = subprocess.run([sys.executable, "-c", code], env=environ, check=True, capture_output=True)

        assert json.loads(found.stdout) == {"project_id": "p", "build_id": "b", "user_id": "u", "req_id": "r"}

    def test_names_of_the_variables(self):
        """
        The variables are TIERLOG_ and the id's name, and only for bound ids.
        """
        with bound(project_id="p", build_id="b", user_id="u", req_id="r", src="api"):
            found = context.to_env()

        assert found == {"TIERLOG_PROJECT_ID": "p", "TIERLOG_BUILD_ID": "b", "TIERLOG_USER_ID": "u", "TIERLOG_REQ_ID": "r"}

    def test_nothing_bound_is_no_variable(self):
        """
        An empty context adds nothing to an environment.
        """
        assert context.to_env() == {}

    def test_other_prefix(self):
        """
        The prefix is the caller's choice, on both sides.
        """
        with bound(req_id="r"):
            environ = context.to_env("ACME_")

        token = context.from_env({**environ, "TIERLOG_REQ_ID": "other"}, "ACME_")

        assert (environ, current().fields()) == ({"ACME_REQ_ID": "r"}, {"req_id": "r"})
        unbind(token)

    def test_missing_variables_leave_what_is_bound(self):
        """
        Reading adds to the context, and can be undone.
        """
        bind(user_id="u")

        token = context.from_env({"TIERLOG_REQ_ID": "r", "HOME": "/"})
        during = current().fields()
        unbind(token)

        assert (during, current().fields()) == ({"user_id": "u", "req_id": "r"}, {"user_id": "u"})


class TestHeaders:
    def test_request_id_goes_out(self):
        """
        A request id that isn't a trace id is one header.
        """
        with bound(req_id="r-1"):
            assert context.to_headers() == {"X-Request-ID": "r-1"}

    def test_trace_id_goes_out_as_traceparent_too(self):
        """
        A request id in the form of a trace id makes a valid traceparent.
        """
        with bound(req_id=TRACE):
            headers = context.to_headers()

        version, trace, parent, flags = headers["traceparent"].split("-")
        assert (headers["X-Request-ID"], version, trace, len(parent), flags) == (TRACE, "00", TRACE, 16, "01")

    @pytest.mark.parametrize("req_id", ["0" * 32, TRACE.upper(), TRACE + "0", TRACE + "\n"])
    def test_what_is_no_trace_id_makes_no_traceparent(self, req_id):
        """
        Only 32 lower-case hexadecimal digits that aren't all zero are one.
        """
        with bound(req_id=req_id):
            assert "traceparent" not in context.to_headers()

    def test_nothing_bound_is_no_header(self):
        """
        Without a request id there's nothing to send.
        """
        assert context.to_headers() == {}

    @pytest.mark.parametrize(
        ("headers", "expected"),
        [
            pytest.param({"X-Request-ID": "r-1"}, "r-1", id="request-id"),
            pytest.param({"x-request-id": "r-1"}, "r-1", id="lower-case"),
            pytest.param({"X-REQUEST-ID": " r-1 "}, "r-1", id="upper-case-and-spaces"),
            pytest.param({"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, TRACE, id="traceparent"),
            pytest.param({"TraceParent": f"00-{TRACE}-00f067aa0ba902b7-00"}, TRACE, id="traceparent-any-case"),
            pytest.param({"traceparent": f"cc-{TRACE}-00f067aa0ba902b7-01-later"}, TRACE, id="traceparent-of-a-later-version"),
            pytest.param(
                {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "X-Request-ID": "r-1"}, "r-1", id="request-id-comes-first"
            ),
            pytest.param({"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "X-Request-ID": ""}, TRACE, id="empty-request-id"),
            pytest.param({"traceparent": f"00-{'0' * 32}-00f067aa0ba902b7-01"}, None, id="all-zeros"),
            pytest.param({"traceparent": f"00-{TRACE.upper()}-00f067aa0ba902b7-01"}, None, id="upper-case-trace"),
            pytest.param({"traceparent": f"00-{TRACE[1:]}-00f067aa0ba902b7-01"}, None, id="too-short"),
            pytest.param({"traceparent": "rubbish"}, None, id="rubbish"),
            pytest.param({"X-Request-ID": "x" * 129}, None, id="too-long"),
            pytest.param({"X-Request-ID": "a b"}, None, id="malformed"),
            pytest.param({"X-Request-ID": "a", "x-request-id": "b"}, None, id="twice"),
            pytest.param({"traceparent": f"00-{TRACE}-{'0' * 16}-01"}, None, id="no-parent"),
            pytest.param({"Accept": "*/*"}, None, id="neither"),
            pytest.param({}, None, id="none"),
        ],
    )
    def test_request_id_comes_in(self, headers, expected):
        """
        X-Request-ID, else traceparent, becomes the request id, if it is well-formed.
        """
        context.from_headers(headers)

        assert current().req_id == expected

    def test_comes_back_as_it_went_out(self):
        """
        Two services that use tierlog share the request id.
        """
        with bound(req_id=TRACE):
            headers = context.to_headers()
        del headers["X-Request-ID"]

        context.from_headers(headers)

        assert current().req_id == TRACE

    def test_can_be_undone(self):
        """
        What a request brought leaves with it.
        """
        token = context.from_headers({"X-Request-ID": "r-1"})

        unbind(token)

        assert current() == EMPTY


class TestCarry:
    def test_into_a_thread(self):
        """
        A thread has the ids of who started it.
        """
        seen = []
        with bound(req_id="r-1"):
            thread = threading.Thread(target=carry(lambda: seen.append(current().req_id)))
        thread.start()
        thread.join()

        assert seen == ["r-1"]

    def test_thread_without_it_has_nothing(self):
        """
        A plain thread begins with no ids, where Python doesn't inherit them.
        """
        seen = []
        with bound(req_id="r-1"):
            thread = threading.Thread(target=lambda: seen.append(current().req_id))
            thread.start()
            thread.join()

        inherits = getattr(sys.flags, "thread_inherit_context", 0)
        assert seen == ["r-1" if inherits else None]

    def test_into_a_thread_pool(self):
        """
        Each job has the ids of who submitted it.
        """
        jobs = []
        with ThreadPoolExecutor(2) as pool:
            for name in "abc":
                with bound(req_id=name):
                    jobs.append(pool.submit(carry(lambda: current().req_id)))
            found = [job.result() for job in jobs]

        assert found == ["a", "b", "c"]

    def test_does_not_leak_to_the_next_job(self):
        """
        The thread that ran a job knows nothing of its ids afterwards.
        """
        with ThreadPoolExecutor(1) as pool:
            with bound(req_id="r-1"):
                pool.submit(carry(lambda: bind(user_id="u"))).result()
            after = pool.submit(current).result()

        assert after == EMPTY

    def test_does_not_leak_from_a_job_that_fails(self):
        """
        Neither does one that raised; its exception passes through.
        """
        with ThreadPoolExecutor(1) as pool:
            with bound(req_id="r-1"):
                job = pool.submit(carry(lambda: 1 / 0))
            error = job.exception()
            after = pool.submit(current).result()

        assert (type(error), after) == (ZeroDivisionError, EMPTY)

    def test_into_a_process_pool(self):
        """
        A job in another process has the ids of who submitted it, and the next has none.
        """
        processes = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=processes) as pool:
            with bound(project_id="p", req_id="r-1"):
                during = pool.submit(carry(context.to_env)).result(60)
            after = pool.submit(context.to_env).result(60)

        assert (during, after) == ({"TIERLOG_PROJECT_ID": "p", "TIERLOG_REQ_ID": "r-1"}, {})

    def test_pickles(self):
        """
        A carried function is as good after pickling as before.
        """
        with bound(req_id="r-1"):
            carried = carry(context.to_env)

        assert pickle.loads(pickle.dumps(carried))() == {"TIERLOG_REQ_ID": "r-1"}

    def test_passes_arguments_and_result(self):
        """
        The function is called as it was, and answers as it did.
        """
        carried = carry(lambda *args, **kwargs: (args, kwargs))

        assert carried(1, a=2) == ((1,), {"a": 2})

    def test_replaces_the_ids_of_the_caller(self):
        """
        During the call only the carried ids hold, and afterwards the caller's.
        """
        with bound(req_id="r-1"):
            carried = carry(lambda: current().fields())

        with bound(user_id="u"):
            assert (carried(), current().fields()) == ({"req_id": "r-1"}, {"user_id": "u"})


class TestAsyncio:
    def test_tasks_inherit(self):
        """
        A task has the ids of who created it, as of then.
        """

        async def run():
            with bound(req_id="r-1"):
                task = asyncio.create_task(asyncio.to_thread(lambda: current().req_id))
            return await task

        assert asyncio.run(run()) == "r-1"

    def test_tasks_do_not_change_their_parent(self):
        """
        What a task binds is its own.
        """

        async def child():
            bind(req_id="child")

        async def run():
            bind(req_id="parent")
            await asyncio.create_task(child())
            return current().req_id

        assert asyncio.run(run()) == "parent"

    def test_task_group_keeps_siblings_apart(self):
        """
        Each of the tasks of a group sees the group's ids and its own.
        """

        async def child(name):
            with bound(req_id=name):
                await asyncio.sleep(0)
                return current().fields()

        async def run():
            with bound(project_id="p"):
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(child(name)) for name in "abc"]
            return [task.result() for task in tasks], current()

        assert asyncio.run(run()) == ([{"project_id": "p", "req_id": name} for name in "abc"], EMPTY)

    def test_to_thread_follows_by_itself(self):
        """
        ``asyncio.to_thread`` needs no help, and brings nothing back.
        """

        def work():
            found = current().req_id
            bind(req_id="thread")
            return found

        async def run():
            with bound(req_id="r-1"):
                return await asyncio.to_thread(work), current().req_id

        assert asyncio.run(run()) == ("r-1", "r-1")

    def test_next_request_begins_empty(self):
        """
        A request that binds and forgets to unbind leaves nothing to the one after it.
        """

        async def request(name):
            before = current()
            bind(req_id=name)
            await asyncio.sleep(0)
            return before

        async def serve():
            return [await asyncio.create_task(request(name)) for name in "ab"]

        assert asyncio.run(serve()) == [EMPTY, EMPTY]


class TestMuted:
    def test_marks_the_block(self):
        """
        Inside, records are tierlog's own; afterwards they are the program's.
        """
        with context.muted():
            inside = current().is_muted

        assert (inside, current().is_muted) == (True, False)

    def test_stays_when_ids_are_bound(self):
        """
        Binding inside doesn't let records out.
        """
        with context.muted(), bound(req_id="r") as inside:
            assert inside.is_muted
