"""
Setting logging up again, and logging from within logging: nothing is lost, nothing hangs.
"""

from __future__ import annotations

import json
import logging
import logging.config
import threading

import pytest

import tierlog
from checker import check
from children import run
from tierlog import TierHandler, context
from tierlog.segments import SegmentSink
from tierlog.sinks import MemorySink


def settings(root, **sink):
    """
    Return a configuration of the segments below *root*.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"context": {"()": "tierlog.ContextFilter"}},
        "handlers": {
            "tiers": {
                "class": "tierlog.TierHandler",
                "filters": ["context"],
                "instance_name": "again",
                "sink": {"type": "segments", "root": str(root), **sink},
            }
        },
        "root": {"level": "INFO", "handlers": ["tiers"]},
    }


HEAD = """
    import json, logging, logging.config, sys, threading
    import tierlog

    root, settings = sys.argv[1], json.loads(sys.argv[2])
    log = logging.getLogger("app")
    is_over = False
    counts = [0] * 4

    def work(name):
        while not is_over:
            log.info("%d.%d", name, counts[name], extra={"tier": "action", "project_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"})
            counts[name] += 1

    def under_load(change, times):
        global is_over
        change()
        threads = [threading.Thread(target=work, args=(name,), daemon=True) for name in range(4)]
        for thread in threads:
            thread.start()
        while times > 0 or not all(counts):  # each of them has logged
            change()
            times -= 1
        is_over = True
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
        logging.shutdown()
        print(json.dumps(counts))

    """
"""Four threads that log and count, while something is changed again and again."""


def lost(finished, root):
    """
    Return the acknowledged messages that are in no file.
    """
    assert finished.returncode == 0, finished.err
    counts = json.loads(finished.out)
    assert min(counts) > 0
    acknowledged = {f"{name}.{number}" for name, count in enumerate(counts) for number in range(count)}
    return acknowledged - set(check(root).messages)


class TestDictConfig:
    @pytest.mark.parametrize("options", [{}, {"writer": "mmap"}, {"durability": "batch"}, {"durability": "disk"}], ids=str)
    def test_again_and_again_under_load(self, tmp_path, options):
        """
        dictConfig many times while four threads log: every acknowledged record is in one of the files.
        """
        code = HEAD + "\n    under_load(lambda: logging.config.dictConfig(settings), 60)\n"

        finished = run(code, tmp_path / "logs", json.dumps(settings(tmp_path / "logs", **options)))

        assert lost(finished, tmp_path / "logs") == set()
        assert check(tmp_path / "logs").findings == []

    def test_the_moment_without_a_handler(self, tmp_path):
        """
        While dictConfig has taken the old handlers from the root logger and not yet put the new ones there, a record is kept.
        """

        class Root(logging.config.ConvertingDict):
            def get(self, name, default=None):  # asked for the handlers when the old ones are gone
                if name == "handlers":
                    logging.getLogger("app").info("in between")
                    asked.append(logging.getLogger().handlers[:])
                return dict.get(self, name, default)

        asked = []
        logging.config.dictConfig(settings(tmp_path / "logs"))
        again = settings(tmp_path / "logs")

        logging.config.dictConfig({**again, "root": Root(again["root"])})
        logging.shutdown()

        assert asked == [[]]
        assert check(tmp_path / "logs").messages == ["in between"]

    def test_twice_leaves_one_handler(self, tmp_path):
        """
        After a second dictConfig, one handler is there, and the first one's segments are finished.
        """
        logging.config.dictConfig(settings(tmp_path / "logs"))
        logging.getLogger("app").info("first")

        logging.config.dictConfig(settings(tmp_path / "logs"))
        logging.getLogger("app").info("second")
        handlers = [one for one in logging.getLogger().handlers if isinstance(one, TierHandler)]
        logging.shutdown()

        assert len(handlers) == 1
        assert sorted(check(tmp_path / "logs").messages) == ["first", "second"]
        assert check(tmp_path / "logs").findings == []

    def test_a_logger_kept_from_before(self, tmp_path):
        """
        A handler that somebody still holds after it was replaced keeps what it is given.
        """
        logging.config.dictConfig(settings(tmp_path / "logs"))
        (old,) = (one for one in logging.getLogger().handlers if isinstance(one, TierHandler))
        logging.config.dictConfig(settings(tmp_path / "logs"))

        old.handle(logging.makeLogRecord({"msg": "late", "levelno": logging.INFO}))

        assert check(tmp_path / "logs").messages == ["late"]

    def test_a_thread_that_makes_loggers(self, tmp_path):
        """
        dictConfig, which holds logging's lock, doesn't wait for a thread that needs it to log.
        """
        code = HEAD.replace("log.info(", 'logging.getLogger(f"new.{name}.{counts[name]}").info(')
        code += "\n    under_load(lambda: logging.config.dictConfig(settings), 30)\n"

        finished = run(code, tmp_path / "logs", json.dumps(settings(tmp_path / "logs", max_bytes=5_000)))

        assert lost(finished, tmp_path / "logs") == set()


class TestConfigure:
    @pytest.mark.parametrize("writer", ["append", "mmap"])
    def test_again_and_again_under_load(self, tmp_path, writer):
        """
        configure() many times while four threads log: every acknowledged record is in one of the files.
        """
        code = HEAD + "\n    under_load(lambda: tierlog.configure(root=root, writer=settings, process_events=False), 60)\n"

        finished = run(code, tmp_path / "logs", json.dumps(writer))

        assert lost(finished, tmp_path / "logs") == set()
        assert check(tmp_path / "logs").findings == []

    def test_no_record_is_written_twice(self, tmp_path):
        """
        A record goes to the handler before or to the one after, not to both.
        """
        code = HEAD + "\n    sys.setswitchinterval(1e-6)"
        code += "\n    under_load(lambda: tierlog.configure(root=root, process_events=False), 60)\n"

        run(code, tmp_path / "logs", "{}")

        messages = check(tmp_path / "logs").messages
        assert len(messages) - len(set(messages)) == 0

    def test_a_configuration_that_fails_changes_nothing(self, tmp_path):
        """
        When configure() raises, the handler before it goes on.
        """
        tierlog.configure(root=tmp_path / "logs", process_events=False)

        with pytest.raises(tierlog.ConfigError):
            tierlog.configure(root=tmp_path / "logs", writer="typewriter")
        logging.getLogger("app").info("still here")

        assert check(tmp_path / "logs").messages == ["still here"]

    def test_close_and_flush_while_others_log(self, tmp_path):
        """
        flush(), shutdown() and counters from other threads neither hang nor lose a record.
        """
        code = (
            HEAD
            + """
    def change():
        if not tierlog.stats()["accepted"]:
            tierlog.configure(root=root, process_events=False)
        tierlog.flush()
        tierlog.shutdown()
        for handler in logging.getLogger().handlers:
            handler.flush()
            handler.close()
        logging.getLogger().handlers[0].pipeline.sink.sweep()

    under_load(change, 60)
"""
        )

        finished = run(code, tmp_path / "logs", "{}")

        assert lost(finished, tmp_path / "logs") == set()
        assert check(tmp_path / "logs").findings == []

    def test_a_shutdown_while_a_handler_is_being_made(self, tmp_path):
        """
        logging.shutdown() in one thread doesn't stumble over a handler that another is just making.
        """
        code = (
            HEAD
            + """
    sys.setswitchinterval(1e-6)

    def make():
        for _ in range(100):
            tierlog.configure(root=root, process_events=False)

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    while thread.is_alive():
        logging.shutdown()
    print("done")
"""
        )

        finished = run(code, tmp_path / "logs", "{}")

        assert finished.out == "done\n", finished.err


class LoggingSink(MemorySink):
    """
    A sink that logs, as one that uses a chatty library does.
    """

    def write(self, event_line, route):
        logging.getLogger("library").debug("sending")
        super().write(event_line, route)

    def flush(self):
        logging.getLogger("library").debug("flushing")

    def close(self):
        logging.getLogger("library").debug("closing")


@pytest.fixture(name="root_logger")
def _root_logger():
    root = logging.getLogger()
    root.setLevel(logging.DEBUG)
    return root


class TestRecursion:
    def test_a_sink_that_logs(self, root_logger):
        """
        A sink whose every write makes a record of its own doesn't run for ever, and the application's record is kept.
        """
        sink = LoggingSink()
        root_logger.addHandler(TierHandler(sink=sink))

        logging.getLogger("app").info("hello")

        messages = [event["msg"] for event in sink.events]
        assert messages[0] == "hello"
        assert len(messages) < 10

    def test_a_sink_that_logs_when_closed(self, root_logger):
        """
        So does one that logs in flush() and close().
        """
        sink = LoggingSink()
        handler = TierHandler(sink=sink)
        root_logger.addHandler(handler)

        handler.flush()
        handler.close()

        assert len(sink.events) < 10

    def test_a_value_that_logs_when_shown(self, root_logger, tmp_path):
        """
        An argument or value whose __str__ logs has both records written, its own first.
        """

        class Chatty:
            def __str__(self):
                logging.getLogger("app").info("inner")
                return "chatty"

        root_logger.addHandler(TierHandler(sink=SegmentSink(tmp_path / "logs")))

        logging.getLogger("app").info("outer %s", Chatty())
        logging.getLogger("app").info("data", extra={"data": {"value": Chatty()}})
        logging.shutdown()

        checked = check(tmp_path / "logs")
        assert checked.findings == []
        assert {"inner", "outer chatty", "data"} <= set(checked.messages)

    def test_a_value_that_logs_itself(self, root_logger, tmp_path):
        """
        A value whose __str__ logs itself comes to an end, and the next record is written.
        """

        class Endless:
            def __str__(self):
                logging.getLogger("app").info("again %s", self)
                return "endless"

        root_logger.addHandler(TierHandler(sink=MemorySink(max_lines=10)))

        logging.getLogger("app").info("first %s", Endless())
        logging.getLogger("app").info("next")

        assert root_logger.handlers[-1].pipeline.sink.events[-1]["msg"] == "next"

    def test_records_made_under_muted_are_kept_out(self, root_logger):
        """
        With root at DEBUG, what tierlog's own work logs doesn't come back to it; everything else does.
        """
        sink = MemorySink()
        root_logger.addHandler(TierHandler(sink=sink))

        with context.muted():
            logging.getLogger("botocore").debug("from tierlog's own upload")
            tierlog.log_event("system", None, "info", "so is this")
        logging.getLogger("botocore").debug("from the application's")

        assert [event["msg"] for event in sink.events] == ["from the application's"]

    def test_other_threads_are_not_muted(self, root_logger):
        """
        muted() is of the thread that says it.
        """
        sink = MemorySink()
        root_logger.addHandler(TierHandler(sink=sink))

        with context.muted():
            thread = threading.Thread(target=logging.getLogger("app").info, args=("heard",))
            thread.start()
            thread.join()

        assert [event["msg"] for event in sink.events] == ["heard"]

    def test_muted_records_take_no_number(self, root_logger):
        """
        What is kept out isn't accepted: seq has no gap.
        """
        sink = MemorySink()
        root_logger.addHandler(TierHandler(sink=sink))

        logging.getLogger("app").info("a")
        with context.muted():
            logging.getLogger("app").info("x")
        logging.getLogger("app").info("b")

        assert [event["seq"] for event in sink.events] == [0, 1]
