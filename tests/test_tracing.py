"""
OpenTelemetry's trace and span ids.
"""

from __future__ import annotations

import logging
import logging.handlers
import queue
import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider

import tierlog
from tierlog import ContextFilter, TierHandler
from tierlog.sinks import MemorySink


TRACER = TracerProvider().get_tracer("tests")


@pytest.fixture(name="sink")
def _sink():
    return MemorySink()


@pytest.fixture(name="log")
def _log(sink):
    tierlog.configure(sink=sink, process_events=False)
    return logging.getLogger("app")


def ids(span):
    context = span.get_span_context()
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def test_a_record_in_a_span_has_its_ids(sink, log):
    """
    What is logged in a span can be joined with its trace, by logger and by event.
    """
    with TRACER.start_as_current_span("request") as span:
        log.info("in a span", extra={"data": {"a": 1}})
        tierlog.log_event("system", "log", "info", "an event")
    log.info("outside")

    assert [event["data"] for event in sink.events] == [{"a": 1, **ids(span)}, ids(span), {}]


def test_ids_follow_through_a_queue(sink):
    """
    Behind a QueueListener, whose thread has no span, a record has those of where it was made.
    """
    records = queue.SimpleQueue()
    handler = logging.handlers.QueueHandler(records)
    handler.addFilter(ContextFilter())
    log = logging.Logger("app")
    log.addHandler(handler)
    listener = logging.handlers.QueueListener(records, TierHandler(sink=sink))

    with TRACER.start_as_current_span("request") as span:
        log.info("queued")
    listener.start()
    listener.stop()

    assert sink.events[-1]["data"] == ids(span)


def test_own_ids_stay(sink, log):
    """
    A record that names a trace itself keeps it.
    """
    with TRACER.start_as_current_span("request"):
        log.info("relayed", extra={"trace_id": "own"})

    assert sink.events[-1]["data"] == {"trace_id": "own"}


def test_a_broken_module_of_that_name_costs_no_record(sink, log, monkeypatch):
    """
    Something else that is called so is left alone.
    """
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", object())

    log.info("kept")

    assert sink.events[-1]["msg"] == "kept"


def test_it_is_not_imported():
    """
    A program without OpenTelemetry doesn't get it.
    """
    program = "import tierlog, sys; tierlog.log_event('system', 'log', 'info', 'x'); sys.exit('opentelemetry' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False, stderr=subprocess.DEVNULL).returncode == 0
