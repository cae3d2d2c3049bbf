"""
A stdlib logger, cheaper per call, and in nothing else different.
"""

from __future__ import annotations

import json
import logging

import pytest

import tierlog
from tierlog.handler import TierHandler
from tierlog.logger import TierLogger
from tierlog.sinks import MemorySink


@pytest.fixture(name="sink")
def _sink():
    return MemorySink()


@pytest.fixture(name="handler")
def _handler(sink):
    handler = TierHandler(sink=sink)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG)
    return handler


def made_records(monkeypatch):
    """
    Count the records that are made from now on.
    """
    made = []
    monkeypatch.setattr(logging.Logger, "makeRecord", _counting(logging.Logger.makeRecord, made))
    return made


def _counting(function, made):
    def call(*args, **kwargs):
        made.append(args[1])
        return function(*args, **kwargs)

    return call


def test_it_is_the_very_logger(handler):
    """
    Everyone gets the same logger under a name.
    """
    assert tierlog.get_logger("app.a") is logging.getLogger("app.a")
    assert isinstance(logging.getLogger("app.a"), logging.Logger)


def test_somebody_elses_logger_class_stays(handler):
    """
    A logger of another class is returned as it is.
    """

    class Own(logging.Logger):
        pass

    logging.setLoggerClass(Own)
    logger = logging.getLogger("app.own")

    assert type(tierlog.get_logger("app.own")) is Own
    assert logger is tierlog.get_logger("app.own")


@pytest.mark.parametrize("method", ["debug", "info", "warning", "error"])
def test_no_record_is_made_where_nobody_wants_one(handler, sink, monkeypatch, method):
    """
    Where tierlog is the only handler on the way, a call makes no LogRecord.
    """
    made = made_records(monkeypatch)

    getattr(tierlog.get_logger("app.b"), method)("hello %s", 1, extra={"data": {"a": 1}})

    assert made == []
    assert (sink.events[0]["msg"], sink.events[0]["src"], sink.events[0]["data"]) == ("hello 1", "app.b", {"a": 1})


def test_same_line_as_the_plain_way(handler, sink):
    """
    Both ways write the same line, but for time and number.
    """
    logger = tierlog.get_logger("app.c")
    with tierlog.bound(req_id="r", src="api"):
        logger.warning("hello %s", {"token": "x"}, extra={"data": {"a": 1}, "kind": "auth", "b": 2})
        logging.Logger.warning(logger, "hello %s", {"token": "x"}, extra={"data": {"a": 1}, "kind": "auth", "b": 2})

    first, second = ({**event, "ts": 0, "seq": 0} for event in sink.events)
    assert first == second


class TestOtherHandlersGetTheirRecord:
    class Keeping(logging.Handler):
        def __init__(self):
            super().__init__()
            self.records = []

        def emit(self, record):
            self.records.append(record)

    def test_another_handler_on_the_way(self, handler, sink):
        """
        A second handler gets a whole record, with the caller's place in it.
        """
        other = self.Keeping()
        logging.getLogger().addHandler(other)

        tierlog.get_logger("app.d").info("hello")

        assert other.records[0].funcName == "test_another_handler_on_the_way"
        assert len(sink.events) == 1

    def test_a_handler_added_and_removed_later(self, handler, sink):
        """
        What is configured is looked at on each call.
        """
        logger, other = tierlog.get_logger("app.e"), self.Keeping()
        logger.info("one")
        logging.getLogger("app").addHandler(other)
        logger.info("two")
        logging.getLogger("app").removeHandler(other)
        logger.info("three")

        assert [record.msg for record in other.records] == ["two"]
        assert [event["msg"] for event in sink.events] == ["one", "two", "three"]

    def test_a_filter_of_the_logger(self, handler, sink):
        """
        The logger's own filters see each record.
        """
        logger = tierlog.get_logger("app.f")
        logger.addFilter(lambda record: record.levelno > logging.INFO)

        logger.info("no")
        logger.error("yes")

        assert [event["msg"] for event in sink.events] == ["yes"]

    def test_a_record_factory_of_ones_own(self, handler, sink):
        """
        What a record factory adds is in the line.
        """

        def factory(*args, **kwargs):
            record = logging.LogRecord(*args, **kwargs)
            record.region = "eu"
            return record

        logging.setLogRecordFactory(factory)

        tierlog.get_logger("app.g").info("hello")

        assert sink.events[0]["data"] == {"region": "eu"}

    def test_who_replaces_call_handlers(self, handler, monkeypatch):
        """
        Error trackers that put their own callHandlers in its place see each record.
        """
        seen = []
        original = logging.Logger.callHandlers
        monkeypatch.setattr(logging.Logger, "callHandlers", lambda self, record: (seen.append(record), original(self, record)))

        tierlog.get_logger("app.h").info("hello")

        assert [record.msg for record in seen] == ["hello"]


class TestSwitches:
    def test_level_and_disable(self, handler, sink):
        """
        Levels, logging.disable and logger.disabled work as ever.
        """
        logger = tierlog.get_logger("app.i")
        logger.setLevel(logging.WARNING)
        logger.info("no")
        logger.disabled = True
        logger.error("no")
        logger.disabled = False
        logging.disable(logging.CRITICAL)
        logger.error("no")
        logging.disable(logging.NOTSET)
        logger.error("yes")

        assert [event["msg"] for event in sink.events] == ["yes"]

    def test_propagate(self, handler, sink):
        """
        A logger that doesn't propagate stays out of the root's handlers.
        """
        logger = tierlog.get_logger("app.j")
        logger.propagate = False
        logger.addHandler(logging.NullHandler())

        logger.info("no")

        assert sink.events == []

    def test_exception(self, handler, sink):
        """
        exception() and exc_info are the ordinary way.
        """
        try:
            raise ValueError("x")
        except ValueError:
            tierlog.get_logger("app.k").exception("failed")

        assert sink.events[0]["data"]["exc"]["type"] == "ValueError"


@pytest.mark.parametrize("key", ["name", "msg", "args", "message", "levelname", "taskName", "asctime"])
def test_no_key_of_extra_raises(handler, sink, key):
    """
    Keys for which the standard library raises are data, on both ways.
    """
    logger = tierlog.get_logger("app.l")

    logger.info("hello", extra={key: "v"})
    logger.info("hello", extra={key: "v"}, stack_info=True)

    assert [event["data"][key] for event in sink.events] == ["v", "v"]
    assert [event["msg"] for event in sink.events] == ["hello", "hello"]


def test_get_logger_pickles_as_a_logger(handler):
    """
    A logger still pickles by its name.
    """
    import pickle

    assert pickle.loads(pickle.dumps(tierlog.get_logger("app.m"))) is logging.getLogger("app.m")


def test_hidden_in_extra(handler, sink):
    """
    The direct way redacts as the other does.
    """
    tierlog.get_logger("app.n").info("api_key=%s", "abcd1234efgh5678", extra={"data": {"deep": [{"Password": "x"}]}})

    line = sink.written[0].line.decode()
    assert "abcd1234" not in line
    assert json.loads(line)["data"] == {"deep": [{"Password": "[REDACTED:key]"}]}


def test_configure_upgrades_every_plain_logger(tmp_path):
    """
    After configure() unchanged getLogger() calls are the cheap ones, too.
    """
    before = logging.getLogger("early.bird")

    tierlog.configure(root=tmp_path)

    assert type(before) is TierLogger
    assert type(logging.getLogger("late.bird")) is TierLogger
