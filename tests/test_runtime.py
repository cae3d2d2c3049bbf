"""
Set-up in one line, and what is said to all handlers at once.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys

import pytest

import tierlog
from conftest import ULID
from tierlog.options import SHIPPING_OPTIONS, parameter_names
from tierlog.r2 import R2Sink
from tierlog.segments import SegmentSink
from tierlog.sinks import MemorySink


def lines(root, tier="system"):
    return [json.loads(line) for path in sorted(root.glob(f"{tier}/**/*.ndjson")) for line in path.read_text().splitlines()]


class TestConfigure:
    def test_one_line(self, tmp_path):
        """
        After one call, ordinary loggers write segments.
        """
        tierlog.configure(root=tmp_path, instance_name="worker-01", process_events=False)

        logging.getLogger("app").info("hello")
        tierlog.shutdown()

        (event,) = lines(tmp_path)
        assert event["msg"] == "hello"
        assert event["instanceId"].startswith("worker-01-")

    def test_process_events_are_on(self, tmp_path):
        """
        A configured process says when it starts and stops.
        """
        tierlog.configure(root=tmp_path)
        tierlog.shutdown()

        assert [event["data"]["event"] for event in lines(tmp_path)] == ["start", "stop"]

    def test_environment(self, tmp_path, monkeypatch):
        """
        What isn't given is taken from TIERLOG_ variables; what is given wins.
        """
        monkeypatch.setenv("TIERLOG_ROOT", str(tmp_path / "env"))
        monkeypatch.setenv("TIERLOG_LEVEL", "warning")
        monkeypatch.setenv("TIERLOG_PROCESS_EVENTS", "off")
        monkeypatch.setenv("TIERLOG_INSTANCE_NAME", "from-env")
        monkeypatch.setenv("TIERLOG_PROJECT_ID", ULID)

        tierlog.configure(instance_name="given")
        logging.getLogger("app").info("no")
        logging.getLogger("app").warning("yes")
        tierlog.shutdown()

        (event,) = lines(tmp_path / "env")
        assert (event["msg"], event["instanceId"][:6]) == ("yes", "given-")

    def test_again(self, tmp_path):
        """
        A second call puts a new handler in the first one's place.
        """
        tierlog.configure(root=tmp_path / "a", process_events=False)
        logging.getLogger("app").info("one")
        tierlog.configure(root=tmp_path / "b", process_events=False)
        logging.getLogger("app").info("two")
        tierlog.shutdown()

        assert [event["msg"] for event in lines(tmp_path / "a")] == ["one"]
        assert [event["msg"] for event in lines(tmp_path / "b")] == ["two"]
        assert len([one for one in logging.getLogger().handlers if isinstance(one, tierlog.TierHandler)]) == 1

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            pytest.param({"rooot": "x"}, "rooot: there's no such option; did you mean 'root'?", id="option"),
            pytest.param({"instance_nam": "x"}, "did you mean 'instance_name'?", id="handler-option"),
            pytest.param({"level": "LOUDER"}, "level: there's no 'LOUDER'", id="level"),
            pytest.param({"writer": "map"}, "sink.writer: there's no 'map'; did you mean 'mmap'?", id="writer"),
            pytest.param({"process_events": "perhaps"}, "use true or false", id="flag"),
            pytest.param({"sink": {"type": "memory"}, "max_bytes": 1}, "put it there", id="both"),
        ],
    )
    def test_bad_options_change_nothing(self, tmp_path, options, says):
        """
        An option that can't work is one clear line, and nothing has changed.
        """
        before = logging.getLogger().handlers[:]

        with pytest.raises(tierlog.ConfigError) as caught:
            tierlog.configure(**{"root": tmp_path, **options} if "sink" not in options else options)

        assert says in str(caught.value)
        assert logging.getLogger().handlers == before

    @pytest.mark.parametrize("name", ["RETENTION", "HOLD", "CATALOG", "ACCESS_KEY_ID"])
    def test_a_variable_that_goes_with_a_bucket(self, tmp_path, monkeypatch, name):
        """
        Without the bucket it can't do what it says: the error says what is missing.
        """
        monkeypatch.setenv("TIERLOG_ROOT", str(tmp_path))
        monkeypatch.setenv(f"TIERLOG_{name}", "x")

        with pytest.raises(tierlog.ConfigError, match=rf"^TIERLOG_{name}: goes with a bucket .*TIERLOG_BUCKET\)$"):
            tierlog.configure()

    def test_a_misspelt_variable_of_shipping(self, monkeypatch):
        """
        The nearest is told, though it goes with a bucket.
        """
        monkeypatch.setenv("TIERLOG_RETENTON", "90d")

        with pytest.raises(tierlog.ConfigError, match="^TIERLOG_RETENTON: .*did you mean 'retention'"):
            tierlog.configure()

    def test_what_goes_with_a_bucket_is_known_without_the_extra(self):
        """
        The names are those that the sink that ships has besides the segments' own.
        """
        own = {*parameter_names(SegmentSink), "clock"}

        assert set(SHIPPING_OPTIONS) == parameter_names(R2Sink) - own

    def test_misspelt_environment_variable(self, tmp_path, monkeypatch):
        """
        A TIERLOG_ variable that means nothing is an error that names the right one.
        """
        monkeypatch.setenv("TIERLOG_ROOTT", str(tmp_path))

        with pytest.raises(tierlog.ConfigError, match="^TIERLOG_ROOTT: .*did you mean 'root'"):
            tierlog.configure(root=tmp_path)


class TestStats:
    def test_add_up(self, tmp_path):
        """
        Accepted is written plus dropped, and written is what lies in the files.
        """
        tierlog.configure(root=tmp_path, process_events=False)
        for number in range(10):
            logging.getLogger("app").info("password=%s", f"hunter{number}")

        stats = tierlog.stats()
        tierlog.shutdown()

        assert stats["accepted"] == stats["written"] + sum(stats["dropped"].values()) == len(lines(tmp_path)) == 10
        assert stats["redactions"] == {"password": 10}

    def test_prometheus(self, tmp_path):
        """
        The same in Prometheus' text form.
        """
        tierlog.configure(root=tmp_path, process_events=False)
        logging.getLogger("app").info("hello")

        assert "\ntierlog_records_accepted_total 1\n" in tierlog.prometheus()


class TestShutdown:
    def test_logging_after_it_still_lands(self, tmp_path):
        """
        What is logged after shutdown is on the disk all the same.
        """
        tierlog.configure(root=tmp_path, process_events=False)
        tierlog.shutdown()

        logging.getLogger("app").info("late")
        tierlog.log_event("system", "log", "info", "later")

        assert [event["msg"] for event in lines(tmp_path)] == ["late", "later"]

    def test_a_sink_that_fails_is_not_the_applications(self, tmp_path, capfd):
        """
        Whatever a sink raises, all handlers are told, and the program isn't.
        """

        class Failing(MemorySink):
            def _raise(self, *_):
                raise LookupError("no")

            flush = close = drain = _raise

        tierlog.configure(root=tmp_path, durability="batch", flush_interval=60, process_events=False)
        segments = tierlog.handler.handlers()[-1]
        failing = tierlog.TierHandler(sink=Failing())
        segments.handle(logging.makeLogRecord({"msg": "kept", "levelno": logging.INFO}))
        try:
            tierlog.flush()
            flushed = lines(tmp_path)
            tierlog.shutdown()
        finally:
            failing.pipeline.sink = MemorySink()  # logging.shutdown comes, too
            failing.close()

        assert [event["msg"] for event in flushed] == ["kept"]
        assert segments.stats()["segments"]["open"] == 0
        assert "a sink's flush failed: LookupError" in capfd.readouterr().err

    def test_flush_brings_a_batch_to_the_file(self, tmp_path):
        """
        flush() ends the wait of a batch.
        """
        tierlog.configure(root=tmp_path, durability="batch", flush_interval=60, process_events=False)
        logging.getLogger("app").info("hello")

        tierlog.flush()

        assert [event["msg"] for event in lines(tmp_path)] == ["hello"]


class TestRecover:
    def test_says_what_it_did(self, tmp_path):
        """
        Segments of a process that was killed are finished, live ones left alone.
        """
        code = "import os, tierlog; tierlog.configure(root=os.environ['ROOT']); os._exit(0)"
        subprocess.run([sys.executable, "-c", code], env={**os.environ, "ROOT": str(tmp_path)}, check=True)

        report = tierlog.recover(root=tmp_path)

        assert (report.segments, report.torn, report.live) == (1, 0, 0)
        assert list((tmp_path / ".tierlog" / "open").iterdir()) == []

    def test_no_such_folder(self, tmp_path):
        """
        A folder that isn't there is an error, not an empty result.
        """
        with pytest.raises(tierlog.ConfigError, match="there's no folder"):
            tierlog.recover(root=tmp_path / "nowhere")
