"""
A record to a line, for other people's handlers.
"""

from __future__ import annotations

import io
import json
import logging
import logging.config
import logging.handlers
import queue

import tierlog


def test_stream_handler():
    """
    Twelve-factor: one line per record on a stream.
    """
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(tierlog.EnvelopeFormatter(instance_name="web"))
    logger = logging.Logger("app")
    logger.addHandler(handler)

    with tierlog.bound(req_id="r-1"):
        logger.info("first\nsecond")
        logger.info("third")

    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(event["seq"], event["msg"], event["reqId"]) for event in events] == [
        (0, "first\nsecond", "r-1"),
        (1, "third", "r-1"),
    ]


def test_each_formatter_is_a_stream_of_its_own():
    """
    Two formatters never share an instance.
    """
    first, second = tierlog.EnvelopeFormatter(instance_name="web"), tierlog.EnvelopeFormatter(instance_name="web")
    record = logging.LogRecord("app", 20, __file__, 1, "hello", (), None)

    ids = {json.loads(one.format(record))["instanceId"] for one in (first, second)}

    assert len(ids) == 2


def test_queue_handler():
    """
    A QueueHandler formats with it, too.
    """
    records = queue.SimpleQueue()
    handler = logging.handlers.QueueHandler(records)
    handler.setFormatter(tierlog.EnvelopeFormatter())

    handler.handle(logging.LogRecord("app", 20, __file__, 1, "hello", (), None))

    assert json.loads(records.get().getMessage())["msg"] == "hello"


def test_named_as_a_class(tmp_path):
    """
    fileConfig and dictConfig may name it by class, with the usual arguments.
    """
    config = tmp_path / "logging.ini"
    config.write_text(
        f"""
[loggers]
keys=root
[handlers]
keys=file
[formatters]
keys=envelope
[logger_root]
level=INFO
handlers=file
[handler_file]
class=FileHandler
formatter=envelope
args=("{tmp_path / "out.log"}",)
[formatter_envelope]
class=tierlog.EnvelopeFormatter
format=%(message)s
"""
    )
    logging.config.fileConfig(config, disable_existing_loggers=False)

    logging.getLogger("app").info("hello")
    for handler in logging.getLogger().handlers:
        handler.close()

    assert json.loads((tmp_path / "out.log").read_text())["msg"] == "hello"
