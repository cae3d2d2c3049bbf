"""
Events that need no logger, and builds, which end.
"""

from __future__ import annotations

import asyncio
import logging
import logging.handlers
import queue

import pytest

import tierlog
from conftest import OTHER_ULID, ULID
from tierlog.handler import TierHandler, all_handlers
from tierlog.sinks import MemorySink


class TestLogEvent:
    def test_all_fields(self, tierlog_events):
        """
        An event has what it was given.
        """
        tierlog.log_event("deploy", "dns", "info", "propagated", {"ttl": 60}, project_id=ULID, build_id=OTHER_ULID, src="api")

        event = tierlog_events[0]
        fields = ("tier", "kind", "lvl", "msg", "data", "projectId", "buildId", "src")
        assert [event[name] for name in fields] == ["deploy", "dns", "info", "propagated", {"ttl": 60}, ULID, OTHER_ULID, "api"]

    def test_context_fills_what_is_not_given(self, tierlog_events):
        """
        Ids of the context are there, those given stand instead.
        """
        with tierlog.bound(project_id=ULID, req_id="r-1", src="scheduler"):
            tierlog.log_event("system", "job", "info", "done", req_id="r-2")

        event = tierlog_events[0]
        assert (event["projectId"], event["reqId"], event["src"]) == (ULID, "r-2", "scheduler")

    @pytest.mark.parametrize(
        ("given", "lvl", "level"),
        [
            pytest.param("warn", "warn", None, id="warn"),
            pytest.param("warning", "warn", None, id="warning"),
            pytest.param("critical", "error", "CRITICAL", id="critical"),
            pytest.param("ERROR", "error", None, id="upper-case"),
            pytest.param("Fatal", "error", "CRITICAL", id="fatal"),
            pytest.param(40, "error", None, id="number"),
            pytest.param(7, "debug", "Level 7", id="odd-number"),
        ],
    )
    def test_levels(self, tierlog_events, given, lvl, level):
        """
        Any of the stdlib's levels is taken; what isn't one of the four is kept in the data.
        """
        tierlog.log_event("system", "log", given, "hello")

        assert (tierlog_events[0]["lvl"], tierlog_events[0]["data"].get("level")) == (lvl, level)

    @pytest.mark.parametrize(
        ("given", "written"),
        [
            pytest.param("LOUD", "LOUD", id="word"),
            pytest.param(None, "None", id="none"),
            pytest.param(True, "True", id="bool"),
        ],
    )
    def test_no_level(self, tierlog_events, given, written):
        """
        What is no level becomes info, and is noted among what isn't valid.
        """
        tierlog.log_event("system", "log", given, "hello", {"a": 1})

        event = tierlog_events[0]
        assert (event["lvl"], event["data"]) == ("info", {"a": 1, "_tierlog": {"invalid": {"lvl": written}}})

    def test_no_level_and_no_id(self, tierlog_events):
        """
        A level and an id that aren't valid are both noted.
        """
        tierlog.log_event("system", "log", "err", "hello", project_id="bad")

        assert tierlog_events[0]["data"]["_tierlog"]["invalid"] == {"lvl": "err", "projectId": "bad"}

    @pytest.mark.parametrize("data", [pytest.param(None, id="none"), pytest.param([1], id="list"), pytest.param("x", id="text")])
    def test_any_data(self, tierlog_events, data):
        """
        Data that isn't a dict is kept under its name.
        """
        tierlog.log_event("system", "log", "info", "hello", data)

        assert tierlog_events[0]["data"] == ({} if data is None else {"data": data})

    @pytest.mark.parametrize(
        "tier", [pytest.param("moon", id="unknown"), pytest.param(None, id="none"), pytest.param([], id="list")]
    )
    def test_never_raises(self, tierlog_events, tier):
        """
        A tier that there isn't is no reason to lose an event.
        """
        tierlog.log_event(tier, "log", "info", "hello")

        assert tierlog_events[0]["tier"] == "system"

    def test_the_handlers_level_and_filters_count(self):
        """
        An event passes the same gates as a record.
        """
        sink = MemorySink()
        handler = TierHandler(logging.WARNING, sink=sink)
        handler.addFilter(lambda record: "no" not in record.getMessage())

        tierlog.log_event("system", "log", "info", "too low")
        tierlog.log_event("system", "log", "warn", "no")
        tierlog.log_event("system", "log", "warn", "yes")

        assert [event["msg"] for event in sink.events] == ["yes"]

    def test_without_a_handler_it_is_an_ordinary_record(self):
        """
        Where tierlog has no handler, an event comes out wherever records do.
        """
        all_handlers.clear()
        records = queue.SimpleQueue()
        logging.getLogger().addHandler(logging.handlers.QueueHandler(records))

        tierlog.log_event("system", "log", "warn", "hello", {"a": 1})

        record = records.get_nowait()
        assert (record.name, record.msg, record.data) == ("tierlog.event", "hello", {"a": 1})


class TestBuild:
    def test_records_belong_to_the_build(self, tierlog_events):
        """
        What is logged in the block has the build's ids and tier.
        """
        with tierlog.build(ULID, project_id=OTHER_ULID):
            logging.getLogger("app").info("compiling")
        logging.getLogger("app").info("after")

        events = [(event["tier"], event["kind"], event["buildId"], event["projectId"]) for event in tierlog_events]
        assert events == [("build", "line", ULID, OTHER_ULID), ("system", "log", None, None)]

    def test_its_file_ends_with_it(self, tmp_path):
        """
        Leaving the block finishes the build's file.
        """
        tierlog.configure(root=tmp_path, process_events=False)

        with tierlog.build(ULID):
            logging.getLogger("app").info("compiling")
            during = list((tmp_path / ".tierlog" / "open").iterdir())
        after = list((tmp_path / ".tierlog" / "open").iterdir())

        assert (len(during), len(after)) == (1, 0)

    def test_async(self, tierlog_events):
        """
        It works in coroutines.
        """

        async def run():
            async with tierlog.build(ULID):
                logging.getLogger("app").info("compiling")

        asyncio.run(run())

        assert tierlog_events.find(buildId=ULID, tier="build")
