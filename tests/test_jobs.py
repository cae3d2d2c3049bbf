"""
Jobs: their schedule, their progress, and what is logged in them.
"""

from __future__ import annotations

import asyncio
import logging

import pytest

import tierlog
from conftest import ULID
from tierlog.sinks import MemorySink


def progress_of(events):
    return [event["data"]["progress"]["done"] for event in events if event["data"].get("event") == "progress"]


def test_start_and_end(tierlog_events):
    """
    A job is in the system tier, with its schedule and an id of its own.
    """
    with tierlog.job("daily-reset", schedule="0 2 * * *") as j:
        pass

    assert [(e["tier"], e["kind"], e["src"], e["data"]["event"]) for e in tierlog_events] == [
        ("system", "job", "scheduler", "start"),
        ("system", "job", "scheduler", "success"),
    ]
    assert {(e["data"]["job"], e["data"]["jobId"], e["data"]["schedule"]) for e in tierlog_events} == {
        ("daily-reset", j.id, "0 2 * * *")
    }


def test_its_id_finds_what_is_logged_in_it(tierlog_events):
    """
    Where no request is, the job's id is the request's id of all that is logged in it.
    """
    with tierlog.job("a") as j:
        logging.getLogger("app").info("inside")
    with tierlog.bound(req_id="r-1"), tierlog.job("b"):
        logging.getLogger("app").info("inside")

    assert [event["reqId"] for event in tierlog_events] == [j.id] * 3 + ["r-1"] * 3


class TestProgress:
    def test_is_throttled(self, tierlog_events):
        """
        Of a thousand steps there are the first and the last.
        """
        with tierlog.job("a", progress_interval="1h") as j:
            for n in range(1, 1001):
                j.progress(done=n, total=1000)

        assert progress_of(tierlog_events) == [1, 1000]

    def test_the_last_is_written_whatever_happens(self, tierlog_events):
        """
        How far it came is known of a job that failed, too.
        """
        with pytest.raises(LookupError), tierlog.job("a", progress_interval="1h") as j:
            for n in range(1, 8):
                j.progress(done=n, total=1000, table="users")
            raise LookupError("gone")

        assert progress_of(tierlog_events) == [1, 7]
        assert tierlog_events[-1]["data"]["progress"] == {"done": 7, "total": 1000, "table": "users"}

    def test_of_any_interval(self, tierlog_events):
        """
        With an interval of nothing each step is there, with what it says.
        """
        with tierlog.job("a", progress_interval=0) as j:
            j.progress(1, 3)
            j.progress(2)
            j.progress(step="cleaning")

        assert [event["msg"] for event in tierlog_events if event["data"]["event"] == "progress"] == [
            "a: 1 of 3",
            "a: 2 done",
            "a: goes on",
        ]


def test_what_it_changed():
    """
    A job says what changed, as an action does, and of an environment names only.
    """
    sink = MemorySink()
    tierlog.configure(sink=sink, process_events=False)

    with tierlog.job("a", before={"users": 5, "rows": 1}) as j:
        j.update(after={"users": 4, "rows": 1})
    with tierlog.job("b", kind="env", before={"A": "1"}, after={"A": "2"}):
        pass

    changes = [event["data"]["changes"] for event in sink.events if event["data"]["event"] == "success"]
    assert changes == [{"users": {"before": 5, "after": 4}}, {"changed": ["A"]}]


def test_an_action_in_a_job(tierlog_events):
    """
    An action names the job it is a part of, and is found by the same id.
    """

    @tierlog.job("nightly")
    async def nightly():
        async with tierlog.action("project.archive", project_id=ULID):
            pass

    asyncio.run(nightly())

    (job_id,) = {event["data"]["jobId"] for event in tierlog_events if event["data"].get("job")}
    actions = tierlog_events.find(tier="action")
    assert [(event["data"]["parentId"], event["reqId"]) for event in actions] == [(job_id, job_id)] * 2


def test_without_a_handler_it_is_an_ordinary_record(caplog_records):
    """
    Where tierlog has no handler, a job comes out wherever records do.
    """
    with tierlog.job("a"):
        pass

    assert [(record.name, record.msg) for record in caplog_records] == [
        ("tierlog.event", "a started"),
        ("tierlog.event", "a succeeded"),
    ]


@pytest.fixture(name="caplog_records")
def _caplog_records():
    records = []

    class Keep(logging.Handler):
        def emit(self, record):
            records.append(record)

    root = logging.getLogger()
    root.addHandler(Keep())
    root.setLevel(logging.INFO)
    return records
