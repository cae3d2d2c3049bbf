"""
LogRecords at half the price have everything that LogRecords have.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import pickle
import threading

import pytest

from tierlog.record import FastRecord, install_record_factory


ARGUMENTS = ("app", logging.INFO, "/srv/app/views.py", 12, "hello %s", ("you",), None, "view", None)
TIMES = {"created", "msecs", "relativeCreated"}


def both(*arguments):
    return logging.LogRecord(*arguments).__dict__, FastRecord(*arguments).__dict__


def test_same_attributes_in_the_same_order():
    """
    Whoever reads a record's dict finds what the standard library puts there.
    """
    expected, actual = both(*ARGUMENTS)

    assert list(actual) == list(expected)
    assert {k: v for k, v in actual.items() if k not in TIMES} == {k: v for k, v in expected.items() if k not in TIMES}


def test_same_times():
    """
    Both read the same clock, to the same unit.
    """
    expected, actual = both(*ARGUMENTS)

    assert actual["created"] - expected["created"] < 1
    assert actual["relativeCreated"] - expected["relativeCreated"] < 1000
    assert 0 <= actual["msecs"] < 1000


@pytest.mark.parametrize(
    "args", [pytest.param(({"a": 1},), id="mapping"), pytest.param(({},), id="empty"), pytest.param((), id="none")]
)
def test_mapping_as_the_only_argument(args):
    """
    One mapping becomes the arguments themselves, as ever.
    """
    expected, actual = both("app", 20, "x.py", 1, "m", args, None)

    assert actual["args"] == expected["args"]


def test_thread_and_process_names():
    """
    Names are those of the moment.
    """
    found = []

    thread = threading.Thread(target=lambda: found.append(both(*ARGUMENTS)), name="worker-7")
    thread.start()
    thread.join()

    expected, actual = found[0]
    assert actual["threadName"] == expected["threadName"] == "worker-7"
    assert actual["processName"] == multiprocessing.current_process().name


def test_task_name():
    """
    On Pythons whose records have a task's name, it is there.
    """

    async def run():
        return both(*ARGUMENTS)

    expected, actual = asyncio.run(run())

    assert actual.get("taskName") == expected.get("taskName")


@pytest.mark.parametrize("switch", ["logThreads", "logProcesses", "logMultiprocessing"])
def test_switches_of_logging(monkeypatch, switch):
    """
    What logging was told to leave out is left out.
    """
    monkeypatch.setattr(logging, switch, False)
    expected, actual = both(*ARGUMENTS)

    assert {k: v for k, v in actual.items() if k not in TIMES} == {k: v for k, v in expected.items() if k not in TIMES}


def test_it_pickles():
    """
    A record can be sent to another process.
    """
    copy = pickle.loads(pickle.dumps(FastRecord(*ARGUMENTS)))

    assert copy.getMessage() == "hello you"


def test_somebody_elses_factory_stays():
    """
    A factory that somebody has set isn't replaced.
    """

    def factory(*args, **kwargs):
        return logging.LogRecord(*args, **kwargs)

    logging.setLogRecordFactory(factory)
    install_record_factory()

    assert logging.getLogRecordFactory() is factory
