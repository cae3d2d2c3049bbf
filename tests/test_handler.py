"""
A record to a sink: what the handler writes, from where, and that it never raises.
"""

from __future__ import annotations

import json
import logging
import logging.config
import logging.handlers
import queue
import threading

import pytest

import tierlog
from conftest import ULID
from tierlog import filter as filters
from tierlog.context import EMPTY
from tierlog.handler import TierHandler
from tierlog.report import Reporter
from tierlog.sinks import MemorySink
from tierlog.testing import FakeClock


@pytest.fixture(name="sink")
def _sink():
    return MemorySink()


@pytest.fixture(name="handler")
def _handler(sink):
    return TierHandler(sink=sink, instance_id="test-1", clock=FakeClock().time_ns)


@pytest.fixture(name="log")
def _log(handler):
    logger = logging.getLogger("app")
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    return logger


class TestEnvelope:
    def test_keys_are_all_there_in_order(self, log, sink):
        """
        Every line has the thirteen keys of the envelope in the documented order.
        """
        log.info("hello")

        assert list(json.loads(sink.written[0].line)) == [
            *("ts", "instanceId", "tier", "kind", "lvl", "projectId", "buildId", "userId", "reqId"),
            *("seq", "src", "msg", "data"),
        ]

    def test_seq_counts_from_zero(self, log, sink):
        """
        The n-th record that was accepted has the number n.
        """
        for _ in range(3):
            log.info("hello")

        assert [event["seq"] for event in sink.events] == [0, 1, 2]

    def test_src_is_the_logger(self, log, sink):
        """
        A record's source is its logger's name unless somebody says otherwise.
        """
        log.info("a")
        log.info("b", extra={"src": "stdout"})
        with tierlog.bound(src="api"):
            log.info("c")

        assert [event["src"] for event in sink.events] == ["app", "stdout", "api"]

    @pytest.mark.parametrize(
        ("level", "lvl", "data"),
        [
            pytest.param(logging.DEBUG, "debug", {}, id="debug"),
            pytest.param(logging.INFO, "info", {}, id="info"),
            pytest.param(logging.WARNING, "warn", {}, id="warning"),
            pytest.param(logging.ERROR, "error", {}, id="error"),
            pytest.param(logging.CRITICAL, "error", {"level": "CRITICAL"}, id="critical"),
            pytest.param(25, "info", {"level": "Level 25"}, id="between"),
            pytest.param(15, "debug", {"level": "Level 15"}, id="below"),
        ],
    )
    def test_levels(self, log, sink, level, lvl, data):
        """
        There are four levels; the name of any other is kept in the data.
        """
        log.log(level, "hello")

        assert (sink.events[0]["lvl"], sink.events[0]["data"]) == (lvl, data)

    def test_a_levels_name_takes_nothing_away(self, log, sink):
        """
        What the payload calls by one of our names stays beside it.
        """
        try:
            raise ValueError("x")
        except ValueError:
            log.critical("a", exc_info=True, extra={"data": {"level": "gold", "exc": 7, "n": 1}})
        log.critical("b", extra={"level": "gold"})

        first, second = (event["data"] for event in sink.events)
        assert (first["level"], first["exc"]["type"], first["n"]) == ("CRITICAL", "ValueError", 1)
        assert {first[name] for name in first if "~" in name} == {"gold", 7}
        assert second == {"level": "CRITICAL", "level~2": "gold"}


class TestExtra:
    @pytest.mark.parametrize(
        "names",
        [
            pytest.param(("project_id", "build_id", "user_id", "req_id"), id="snake"),
            pytest.param(("projectId", "buildId", "userId", "reqId"), id="camel"),
        ],
    )
    def test_ids_fill_the_envelope(self, log, sink, names):
        """
        Ids given with a record stand in the envelope, in either spelling.
        """
        log.info("hello", extra=dict(zip(names, (ULID, ULID, "u", "r"), strict=True)))

        event = sink.events[0]
        assert [event[name] for name in ("projectId", "buildId", "userId", "reqId", "data")] == [ULID, ULID, "u", "r", {}]

    def test_tier_and_kind_fill_the_envelope(self, log, sink):
        """
        A record may name its tier and kind.
        """
        log.info("hello", extra={"tier": "action", "kind": "team", "project_id": ULID})

        assert (sink.events[0]["tier"], sink.events[0]["kind"]) == ("action", "team")

    def test_other_keys_are_data(self, log, sink):
        """
        Any other key lands in the data, beside what is given as data.
        """
        log.info("hello", extra={"ttl": 60, "data": {"a": 1}})

        assert sink.events[0]["data"] == {"ttl": 60, "a": 1}

    def test_one_name_twice_keeps_both(self, log, sink):
        """
        A key that is also one of the payload's loses nothing.
        """
        log.info("hello", extra={"a": 1, "data": {"a": 2}})

        assert sink.events[0]["data"] == {"a~2": 1, "a": 2}

    def test_data_that_is_no_dict(self, log, sink):
        """
        Data that isn't a dict is kept under the name data.
        """
        log.info("hello", extra={"data": [1, 2]})

        assert sink.events[0]["data"] == {"data": [1, 2]}

    def test_what_was_given_stays_as_it_is(self, log):
        """
        Redaction changes the line, never the application's own objects.
        """
        data = {"password": "hunter2", "nested": [{"token": "abc"}]}

        log.info("hello", extra={"data": data})

        assert data == {"password": "hunter2", "nested": [{"token": "abc"}]}


class TestMessage:
    def test_arguments_are_put_in(self, log, sink):
        """
        Arguments are formatted as the standard library does.
        """
        log.info("%s of %d", "one", 2)

        assert sink.events[0]["msg"] == "one of 2"

    def test_mapping_argument(self, log, sink):
        """
        One mapping may be the arguments.
        """
        log.info("%(a)s", {"a": 1})

        assert sink.events[0]["msg"] == "1"

    @pytest.mark.parametrize(
        ("msg", "args"),
        [
            pytest.param("%s %s", ("a",), id="too-few"),
            pytest.param("%s", ("a", "b"), id="too-many"),
            pytest.param("%d", ("a",), id="wrong-type"),
            pytest.param("none", (1,), id="no-placeholder"),
        ],
    )
    def test_wrong_arguments_keep_both(self, log, sink, msg, args):
        """
        Arguments that don't fit are kept beside the format.
        """
        log.info(msg, *args)

        event = sink.events[0]
        assert event["msg"] == msg
        assert event["data"]["_tierlog"]["args"] == list(args)

    def test_argument_that_cannot_be_shown(self, log, sink):
        """
        An argument whose __str__ raises costs its own text only.
        """

        class Bad:
            def __str__(self):
                raise RuntimeError("no")

            __repr__ = __str__

        log.info("got %s and %s", Bad(), "good")

        assert sink.events[0]["msg"].startswith("got <") and sink.events[0]["msg"].endswith(" and good")

    def test_secrets_inside_a_dict_argument_are_hidden(self, log, sink):
        """
        A container among the arguments is redacted by its keys.
        """
        log.info("config: %s", {"session_id": "abcdef", "port": 80})

        assert sink.events[0]["msg"] == "config: {'session_id': '[REDACTED:key]', 'port': 80}"

    def test_message_that_is_a_dict(self, log, sink):
        """
        A dict as message is redacted by its keys and shown.
        """
        log.info({"password": "hunter2", "port": 80})

        assert sink.events[0]["msg"] == "{'password': '[REDACTED:key]', 'port': 80}"

    def test_long_message_is_cut_and_marked(self, log, sink):
        """
        A message never exceeds 262 144 bytes; one that was cut says so.
        """
        log.info("é" * 200_000)

        msg = sink.events[0]["msg"]
        assert len(msg.encode()) <= 262_144
        assert msg.endswith("é[TRUNCATED]")

    def test_longest_message_is_not_cut(self, log, sink):
        """
        A message of exactly 262 144 bytes stays whole.
        """
        log.info("y" * 262_144)

        assert sink.events[0]["msg"] == "y" * 262_144


class TestExceptions:
    def test_exception_is_data(self, log, sink):
        """
        An exception becomes a structure, its secrets hidden.
        """
        try:
            raise ValueError("password=hunter2")
        except ValueError:
            log.exception("failed")

        found = sink.events[0]["data"]["exc"]
        assert (found["type"], found["module"], found["message"]) == ("ValueError", "builtins", "password=[REDACTED:password]")
        assert found["frames"][-1]["func"].endswith("test_exception_is_data")

    def test_stack_is_data(self, log, sink):
        """
        Stack information is kept as text.
        """
        log.info("here", stack_info=True)

        assert "test_stack_is_data" in sink.events[0]["data"]["stack"]

    def test_locals_only_when_asked_for(self, sink):
        """
        Local variables are captured with exc_locals alone, and redacted then.
        """
        handler = TierHandler(sink=sink, exc_locals=True)
        try:
            password, port = "hunter2", 80
            raise ValueError(str(port) + password[:0])
        except ValueError as e:
            record = logging.LogRecord("app", 40, __file__, 1, "m", (), (ValueError, e, e.__traceback__))

        handler.handle(record)

        found = sink.events[0]["data"]["exc"]["frames"][-1]["locals"]
        assert (found["password"], found["port"]) == ("[REDACTED:key]", "80")

    def test_the_same_behind_a_queue(self, log, sink, handler):
        """
        A QueueHandler in front takes neither the exception's structure nor the
        message from a record that a filter has stamped.
        """
        records = queue.SimpleQueue()
        front = logging.handlers.QueueHandler(records)
        front.addFilter(tierlog.ContextFilter())
        log.addHandler(front)
        log.removeHandler(handler)
        try:
            raise KeyError("k")
        except KeyError:
            log.exception("failed %s", "badly")

        handler.handle(records.get())

        event = sink.events[0]
        assert event["msg"] == "failed badly"
        assert event["data"]["exc"]["type"] == "KeyError"


class TestContext:
    def test_bound_ids_stand_in_the_envelope(self, log, sink):
        """
        What is bound where a record is made is in its line.
        """
        with tierlog.bound(project_id=ULID, req_id="r-1"):
            log.info("in")
        log.info("out")

        assert [(event["projectId"], event["reqId"]) for event in sink.events] == [(ULID, "r-1"), (None, None)]

    def test_queue_listener_keeps_the_callers_context(self, log, sink, handler):
        """
        Behind a QueueListener the ids are those of the thread that logged.
        """
        records = queue.Queue()
        front = logging.handlers.QueueHandler(records)
        front.addFilter(tierlog.ContextFilter())
        log.addHandler(front)
        log.removeHandler(handler)
        listener = logging.handlers.QueueListener(records, handler)
        listener.start()

        with tierlog.bound(req_id="r-1"):
            log.info("hello")
        listener.stop()

        assert sink.events[0]["reqId"] == "r-1"

    def test_without_a_stamp_another_threads_ids_are_not_taken(self, sink, handler):
        """
        A record that another thread made gets no ids rather than wrong ones.
        """
        records = []

        def make():
            records.append(logging.LogRecord("app", 20, __file__, 1, "hello", (), None))

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()

        with tierlog.bound(req_id="wrong"):
            handler.handle(records[0])

        assert sink.events[0]["reqId"] is None

    def test_source_of_ids(self, log, sink, handler):
        """
        Ids may come from any callable; a failing one costs nothing but its ids.
        """
        handler.addFilter(tierlog.ContextFilter(source=lambda: {"user_id": "u-1"}))

        log.info("hello")

        assert sink.events[0]["userId"] == "u-1"

    def test_source_of_ids_and_an_exception(self, log, sink, handler):
        """
        A stamp of ours takes nothing from a record that has its exception still.
        """
        handler.addFilter(tierlog.ContextFilter(source=lambda: {"user_id": "u-1"}))

        try:
            raise ValueError("x")
        except ValueError:
            log.exception("config: %s", {"session_id": "abcdef"})

        event = sink.events[0]
        assert (event["userId"], event["data"]["exc"]["type"]) == ("u-1", "ValueError")
        assert event["msg"] == "config: {'session_id': '[REDACTED:key]'}"

    @pytest.mark.parametrize("source", [lambda: 1 / 0, lambda: {"user": 1}, lambda: 7])
    def test_failing_source(self, log, sink, handler, source, capfd, monkeypatch):
        """
        A source that raises, or gives what is no id, drops no record, and it is said.
        """
        monkeypatch.setattr(filters, "report", Reporter())
        handler.addFilter(tierlog.ContextFilter(source=source))

        log.info("hello")

        assert len(sink.events) == 1
        assert "the source of a ContextFilter gives no ids" in capfd.readouterr().err

    def test_contextvars_extras_as_source(self, log, sink, handler):
        """
        Those who keep ids in a contextvars-extras registry hand it over.
        """
        from contextvars_extras import ContextVarsRegistry

        class Ids(ContextVarsRegistry):
            user_id: str = "nobody"
            req_id: str = "none"

        ids = Ids()
        handler.addFilter(tierlog.ContextFilter(source=lambda: dict(ids)))

        with ids(user_id="u-7"):
            log.info("hello")

        assert (sink.events[0]["userId"], sink.events[0]["reqId"]) == ("u-7", "none")


class TestRerouting:
    def test_missing_id_goes_to_system(self, log, sink):
        """
        A record whose tier needs an id that is missing isn't lost.
        """
        log.info("hello", extra={"tier": "build"})

        event = sink.events[0]
        assert event["tier"] == "system"
        assert event["data"]["_tierlog"] == {"rerouted": "build: buildId is missing"}

    def test_malformed_id_is_kept_in_the_data(self, log, sink):
        """
        An id that may not become a path is no id, and not lost.
        """
        log.info("hello", extra={"tier": "action", "project_id": "../../etc"})

        event = sink.events[0]
        assert event["projectId"] is None
        assert event["data"]["_tierlog"] == {"invalid": {"projectId": "../../etc"}, "rerouted": "action: projectId isn't valid"}

    @pytest.mark.parametrize("size", [pytest.param(1, id="short"), pytest.param(3_000_000, id="too-long")])
    def test_reroutes_are_counted(self, log, handler, size):
        """
        The counters say why records were rerouted, once for each.
        """
        log.info("hello", extra={"tier": "moon", "data": {"text": "x" * size}})

        assert handler.stats()["rerouted"] == {"unknown tier": 1}


class TestSinkFailure:
    class Broken:
        def __init__(self):
            self.is_broken = True
            self.lines = []

        def write(self, event_line, route):
            if self.is_broken:
                raise OSError(28, "No space left on device")
            self.lines.append(event_line)

        def flush(self):
            pass

        def close(self):
            pass

    def test_loss_is_counted_and_goes_to_stderr(self, capfd):
        """
        A line that the sink refuses is counted by reason and saved to stderr, and
        its number stays missing.
        """
        sink = self.Broken()
        handler = TierHandler(sink=sink)
        handler.handle(logging.LogRecord("app", 20, __file__, 1, "first", (), None))
        sink.is_broken = False
        handler.handle(logging.LogRecord("app", 20, __file__, 1, "second", (), None))

        stats = handler.stats()

        assert (stats["accepted"], stats["written"], stats["dropped"]) == (2, 1, {"enospc": 1})
        assert '"msg":"first"' in capfd.readouterr().err
        assert json.loads(sink.lines[0])["seq"] == 1

    @pytest.mark.parametrize(
        "text", ["", "token npm_" + "a8Kd3Lm9Qx2Zr7Tw5Bv1a8Kd3Lm9Qx2Zr7Tw"], ids=["unreadable", "with-a-secret"]
    )
    def test_what_a_sink_says_of_its_failure(self, capfd, text):
        """
        The error of somebody else's sink may say anything, or nothing at all: the log call
        doesn't raise, the loss is counted, and no secret of it is shown.
        """

        class Failure(Exception):
            def __repr__(self):
                return text or 1 / 0

        sink = self.Broken()
        sink.write = lambda *_: (_ for _ in ()).throw(Failure)
        handler = TierHandler(sink=sink)

        handler.handle(logging.LogRecord("app", 20, __file__, 1, "first", (), None))

        stats = handler.stats()
        assert stats["dropped"] == {"Failure": 1}
        assert stats["last_error"] == ("token [REDACTED:npm-token]" if text else "Failure")
        assert "npm_" not in capfd.readouterr().err

    def test_figures_that_a_sink_cannot_give(self):
        """
        A sink whose figures fail is asked in vain, and closed all the same.
        """
        sink, closed = self.Broken(), []
        sink.stats = lambda: 1 / 0
        sink.close = lambda: closed.append(True)
        handler = TierHandler(sink=sink, process_events=True)

        handler.close()

        assert closed == [True]
        assert "division by zero" in handler.stats()["last_error"]


class TestRedactorOfOthers:
    @pytest.mark.parametrize("given", [["a", "list"], "a text", None])
    def test_data_is_an_object_whatever_it_gives(self, sink, given):
        """
        What isn't a dict becomes one: an envelope's data is an object.
        """

        class Redactor(tierlog.redact.Redactor):
            def data(self, value):
                return given

        tierlog.TierHandler(sink=sink, redact=Redactor()).pipeline.event(0, EMPTY, "info", "x", "y", data={"a": 1})

        assert type(sink.events[-1]["data"]) is dict


class TestFilters:
    def test_a_filter_may_drop(self, log, sink, handler):
        """
        Other people's filters work as on every handler.
        """
        handler.addFilter(lambda record: "secret" not in record.getMessage())

        log.info("a secret")
        log.info("hello")

        assert [event["msg"] for event in sink.events] == ["hello"]

    def test_level(self, log, sink, handler):
        """
        The handler's own level counts.
        """
        handler.setLevel(logging.WARNING)

        log.info("no")
        log.warning("yes")

        assert [event["msg"] for event in sink.events] == ["yes"]

    def test_muted_work_is_kept_out(self, log, sink):
        """
        Records of tierlog's own work aren't written.
        """
        with tierlog.context.muted():
            log.info("no")
            with tierlog.bound(req_id="r"):
                log.info("no, too")

        assert sink.events == []


class TestProcessEvents:
    def test_start_and_stop(self, sink):
        """
        A stream that says when it begins and ends can be told from a cut one.
        """
        handler = TierHandler(sink=sink, process_events=True)
        handler.handle(logging.LogRecord("app", 20, __file__, 1, "hello", (), None))
        handler.close()

        events = [(event["kind"], event["data"].get("event")) for event in sink.events]
        assert events == [("meta", "start"), ("log", None), ("meta", "stop")]
        assert sink.events[-1]["data"]["last_seq"] == sink.events[-1]["seq"]

    def test_redaction_off_says_so(self, sink):
        """
        Switching redaction off writes a warning record.
        """
        TierHandler(sink=sink, redact="off")

        assert (sink.events[0]["lvl"], sink.events[0]["kind"]) == ("warn", "security")


class TestConfiguration:
    @pytest.mark.parametrize(
        ("options", "setting", "says"),
        [
            pytest.param({"default_tier": "sytem"}, "default_tier", "did you mean 'system'?", id="tier"),
            pytest.param({"sink": {"type": "segment"}}, "sink.type", "did you mean 'segments'?", id="sink-type"),
            pytest.param(
                {"sink": {"type": "segments", "max_byte": 1}}, "sink.max_byte", "did you mean 'max_bytes'?", id="option"
            ),
            pytest.param({"sink": {"type": "segments", "max_bytes": "lots"}}, "sink.max_bytes", "'16MiB'", id="size"),
            pytest.param({"sink": {"type": "segments", "max_age": -1}}, "sink.max_age", "'1h'", id="duration"),
            pytest.param(
                {"sink": {"type": "segments", "durability": "disc"}}, "sink.durability", "did you mean 'disk'?", id="choice"
            ),
            pytest.param({"sink": {"root": "x"}}, "sink", "'type'", id="no-type"),
            pytest.param({"sink": {"()": "no.such.Sink"}}, "sink.()", "can't be imported", id="no-factory"),
            pytest.param({"sink": object()}, "sink", "isn't a sink", id="no-sink"),
            pytest.param({"instance_id": "../x"}, "instance_id", "file name", id="instance-id"),
            pytest.param({"redact": "maybe"}, "redact", "'on', 'off'", id="redact"),
            pytest.param({"root": "x"}, "root", "is an option of the sink; put it into 'sink'", id="sinks-option"),
            pytest.param({"bucket": "x"}, "bucket", "is an option of the sink; put it into 'sink'", id="bucket"),
            pytest.param({"default_teir": "x"}, "default_teir", "did you mean 'default_tier'?", id="typo"),
        ],
    )
    def test_errors_name_the_setting_and_the_way_out(self, tmp_path, options, setting, says):
        """
        A setting that can't work fails at once, in one line that helps.
        """
        sink = options.get("sink")
        if isinstance(sink, dict) and sink.get("type") == "segments":
            options = {**options, "sink": {**sink, "root": str(tmp_path)}}

        with pytest.raises(tierlog.ConfigError) as caught:
            TierHandler(**options)

        assert caught.value.setting == setting
        assert says in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_root_that_cannot_be_written(self, tmp_path):
        """
        A root below a file is refused when it is configured.
        """
        (tmp_path / "file").write_text("")

        with pytest.raises(tierlog.ConfigError, match="can't be written") as caught:
            TierHandler(sink={"type": "segments", "root": str(tmp_path / "file" / "logs")})

        assert caught.value.setting == "sink.root"

    def test_dict_config(self, tmp_path):
        """
        All three parts work from dictConfig alone.
        """
        config = {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"context": {"()": "tierlog.ContextFilter"}},
            "formatters": {"envelope": {"()": "tierlog.EnvelopeFormatter", "instance_name": "worker-01"}},
            "handlers": {
                "tiers": {
                    "class": "tierlog.TierHandler",
                    "filters": ["context"],
                    "instance_name": "worker-01",
                    "default_tier": "system",
                    "sink": {"type": "segments", "root": str(tmp_path), "max_bytes": "1MiB", "max_age": "10min"},
                },
                "file": {"class": "logging.FileHandler", "filename": str(tmp_path / "flat.log"), "formatter": "envelope"},
            },
            "root": {"level": "INFO", "handlers": ["tiers", "file"]},
        }

        logging.config.dictConfig(config)
        logging.getLogger("app").info("hello")
        for handler in logging.getLogger().handlers:
            handler.close()

        (segment,) = tmp_path.glob("system/*/worker-01-*.ndjson")
        assert json.loads(segment.read_text())["msg"] == "hello"
        assert json.loads((tmp_path / "flat.log").read_text())["src"] == "app"

    def test_sink_made_by_a_factory_and_a_tee(self, tmp_path):
        """
        A sink may be made by any callable, and a tee joins several.
        """
        handler = TierHandler(
            sink={
                "type": "tee",
                "sinks": [{"()": "tierlog.sinks.MemorySink", "max_lines": 2}, {"type": "segments", "root": str(tmp_path)}],
            }
        )
        handler.handle(logging.LogRecord("app", 20, __file__, 1, "hello", (), None))
        handler.close()

        assert handler.pipeline.sink.sinks[0].events[0]["msg"] == "hello"
        assert len(list(tmp_path.glob("system/*/*.ndjson"))) == 1
