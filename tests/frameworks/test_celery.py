"""
Celery: a real worker with a pool of processes and a broker of files, and eager tasks.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys

import celery
import pytest

import tierlog
from conftest import ULID
from frameworks.over_http import wait_for
from tierlog import context
from tierlog.celery import instrument
from tierlog.errors import ConfigError
from tierlog.ndjson import decode


log = logging.getLogger("app")

APP = """
import logging, os, signal, time
from celery import Celery, signals
import tierlog
from tierlog.celery import instrument

log = logging.getLogger("app")
app = Celery("tasks", broker="filesystem://")
app.conf.broker_transport_options = {"data_folder_in": "broker", "data_folder_out": "broker", "control_folder": "control"}
app.conf.worker_prefetch_multiplier = 1
app.conf.worker_lost_wait = 0.1
app.conf.broker_connection_retry_on_startup = True
instrument(app, exclude=["tasks.quiet"])

@signals.setup_logging.connect
def configure(**_):
    tierlog.configure(root="logs", instance_name="tasks")

@app.task
def good(name):
    log.info("good %s", name)
    inner.delay()

@app.task
def inner():
    log.info("inner")

@app.task
def bad():
    raise LookupError("gone")

@app.task(bind=True, max_retries=1)
def again(self):
    try:
        raise LookupError("gone")
    except LookupError as e:
        raise self.retry(exc=e, countdown=0)

@app.task
def killed():
    os.kill(os.getpid(), signal.SIGKILL)

@app.task
def long():
    time.sleep(60)

@app.task
def quiet():
    log.info("quiet")
"""

SEND = f"""
import tierlog, tasks
with tierlog.bound(project_id="{ULID}", user_id="u-1", req_id="r-good"):
    tasks.good.delay("cat.png")
with tierlog.bound(req_id="r-bad"):
    tasks.bad.delay()
with tierlog.bound(req_id="r-again"):
    tasks.again.delay()
with tierlog.bound(req_id="r-killed"):
    tasks.killed.delay()
with tierlog.bound(req_id="r-quiet"):
    tasks.quiet.delay()
with tierlog.bound(req_id="r-expired"):
    tasks.good.apply_async(("late",), expires=-60)
tasks.inner.apply_async(task_id="alone")
with tierlog.bound(req_id="r-long"):
    tasks.long.apply_async(task_id="the-long-one")
"""


def events_in(folder):
    lines = [line for path in folder.glob("logs/**/*.ndjson") for line in path.read_bytes().splitlines() if line.strip()]
    return sorted(map(decode, lines), key=lambda event: (event["ts"], event["instanceId"], event["seq"]))


@pytest.fixture(name="events", scope="module")
def _events(tmp_path_factory):
    """
    Give what a worker wrote that ran all tasks, and was told to end the long one.
    """
    folder = tmp_path_factory.mktemp("celery")
    for name in ("broker", "control"):
        (folder / name).mkdir()
    (folder / "tasks.py").write_text(APP)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TIERLOG_")}
    environment = {**kept, "PYTHONPATH": str(folder), "PYTHONWARNINGS": "ignore"}
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "tasks",
        "worker",
        "--pool",
        "prefork",
        "-c",
        "2",
        "--without-gossip",
        "--without-mingle",
    ]

    def tell(code):
        subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, check=True, timeout=60)

    def told(**fields):
        return [event for event in events_in(folder) if fields.items() <= {**event, **event["data"]}.items()]

    with (folder / "worker.out").open("wb") as output:
        worker = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        tell(SEND)
        wait_for(lambda: told(jobId="the-long-one", event="start"), "start of the long task")
        tell("import tasks; tasks.app.control.revoke('the-long-one', terminate=True)")
        wait_for(lambda: told(jobId="the-long-one", event="cancelled"), "end of the long task")
        for last in (
            {"job": "tasks.inner", "reqId": "r-good", "event": "success"},
            {"job": "tasks.bad", "event": "failure"},
            {"job": "tasks.again", "event": "failure"},
            {"job": "tasks.killed", "event": "failure"},
            {"reqId": "r-expired", "event": "cancelled"},
            {"jobId": "alone", "event": "success"},
            {"src": "app", "msg": "quiet"},
        ):
            wait_for(lambda last=last: told(**last), f"event like {last}")
        yield events_in(folder)
    except AssertionError as e:
        e.add_note((folder / "worker.out").read_text())
        raise
    finally:
        os.killpg(worker.pid, signal.SIGKILL)  # its children, too; an orderly end takes seconds
        worker.wait()


def told(events, **fields):
    return [
        (event["data"]["event"], event["lvl"])
        for event in events
        if event["data"].get("event") and fields.items() <= {**event, **event["data"]}.items()
    ]


class TestWorker:
    def test_ids_of_the_sender(self, events):
        """
        A task, and one that it sends, run with the ids of whoever sent the first.
        """
        lines = [event for event in events if event["src"] == "app" and event["reqId"] == "r-good"]

        assert {(event["msg"], event["projectId"], event["userId"]) for event in lines} == {
            ("good cat.png", ULID, "u-1"),
            ("inner", ULID, "u-1"),
        }

    def test_success(self, events):
        """
        A task has a start and an end, with its name, its id and its duration, and no arguments.
        """
        assert told(events, job="tasks.good", reqId="r-good") == [("start", "info"), ("success", "info")]
        end = next(event for event in events if event["data"].get("event") == "success" and event["data"]["job"] == "tasks.good")
        assert (end["tier"], end["kind"], end["src"], end["msg"]) == ("system", "job", "celery", "tasks.good succeeded")
        assert (end["data"]["attempt"], end["data"]["queue"], end["data"]["durationMs"] >= 0) == (1, "celery", True)
        assert set(end["data"]) == {"job", "jobId", "event", "attempt", "queue", "durationMs"}

    def test_parent(self, events):
        """
        A task that another one sent names it.
        """
        parent = next(
            event["data"]["jobId"] for event in events if event["data"].get("job") == "tasks.good" and event["reqId"] == "r-good"
        )

        assert {
            event["data"]["parentId"]
            for event in events
            if event["data"].get("job") == "tasks.inner" and event["reqId"] == "r-good"
        } == {parent}

    def test_failure(self, events):
        """
        A task that raises has failed, with the exception's frames.
        """
        assert told(events, job="tasks.bad") == [("start", "info"), ("failure", "error")]
        (end,) = [event for event in events if event["data"].get("event") == "failure" and event["data"]["job"] == "tasks.bad"]
        assert (end["reqId"], end["data"]["exc"]["type"], end["data"]["reason"]) == ("r-bad", "LookupError", "LookupError: gone")

    def test_retry(self, events):
        """
        Each attempt has its own start and end, under one id.
        """
        attempts = [
            (event["data"]["attempt"], event["data"]["event"]) for event in events if event["data"].get("job") == "tasks.again"
        ]

        assert attempts == [(1, "start"), (1, "retry"), (2, "start"), (2, "failure")]
        assert len({event["data"]["jobId"] for event in events if event["data"].get("job") == "tasks.again"}) == 1
        assert {event["reqId"] for event in events if event["data"].get("job") == "tasks.again"} == {"r-again"}

    def test_killed(self, events):
        """
        A task whose process is killed has an end, which the worker's parent writes.
        """
        assert told(events, job="tasks.killed") == [("start", "info"), ("failure", "error")]
        end = next(
            event for event in events if event["data"].get("job") == "tasks.killed" and event["data"]["event"] == "failure"
        )
        assert (end["reqId"], "SIGKILL" in end["data"]["reason"]) == ("r-killed", True)

    def test_terminated(self, events):
        """
        A task that was ended by force was cancelled, with its sender's ids.
        """
        assert told(events, job="tasks.long") == [("start", "info"), ("cancelled", "warn")]
        end = next(
            event for event in events if event["data"].get("event") == "cancelled" and event["data"]["job"] == "tasks.long"
        )
        assert (end["reqId"], end["data"]["reason"]) == ("r-long", "SystemExit")

    def test_expired(self, events):
        """
        A task that came too late never started.
        """
        assert told(events, reqId="r-expired") == [("cancelled", "warn")]

    def test_without_a_sender(self, events):
        """
        A task that comes without a request's id has its own as one.
        """
        assert {event["reqId"] for event in events if event["data"].get("jobId") == "alone"} == {"alone"}

    def test_excluded(self, events):
        """
        An excluded task has no events, and its ids all the same.
        """
        assert told(events, job="tasks.quiet") == []
        assert [event["reqId"] for event in events if event["msg"] == "quiet"] == ["r-quiet"]


@pytest.fixture(name="app", scope="module")
def _app():
    app = celery.Celery("eager", set_as_current=False)
    app.conf.task_always_eager = True
    instrument(app)
    instrument(app)  # twice is once
    return app


class TestEager:
    def test_leaves_the_callers_ids(self, tierlog_events, app):
        """
        A task that runs at once runs with the caller's ids, which are there after it.
        """

        @app.task(name="eager.a")
        def task():
            log.info("inside")
            tierlog.bind(user_id="u-2")

        with tierlog.bound(req_id="r-1", user_id="u-1"):
            task.delay()
            after = context.current()

        assert (after.req_id, after.user_id) == ("r-1", "u-1")
        assert tierlog_events.find(src="app")[0]["reqId"] == "r-1"
        assert told(tierlog_events, job="eager.a") == [("start", "info"), ("success", "info")]

    @pytest.mark.parametrize("propagates", [False, True])
    def test_failure(self, tierlog_events, app, propagates):
        """
        One that raises has failed, once, whether Celery lets it through or not.
        """

        @app.task(name=f"eager.b.{propagates}")
        def task():
            with tierlog.action("inner", project_id=ULID):
                raise LookupError("gone")

        app.conf.task_eager_propagates = propagates
        try:
            task.delay()
        except LookupError:
            assert propagates

        assert told(tierlog_events, job=task.name) == [("start", "info"), ("failure", "error")]
        assert ["exc" in event["data"] for event in tierlog_events if event["data"].get("event") == "failure"] == [True, False]
        assert context.current() == context.EMPTY

    def test_retry_within_itself(self, tierlog_events, app):
        """
        Retried eagerly, a task runs within itself: each attempt has one end.
        """
        app.conf.task_eager_propagates = False

        @app.task(name="eager.c", bind=True, max_retries=2)
        def task(self):
            if self.request.retries < 2:
                raise self.retry(countdown=0)

        task.delay()

        ended = [
            (event["data"]["attempt"], event["data"]["event"])
            for event in tierlog_events
            if event["data"].get("job") == "eager.c"
        ]
        assert sorted(ended) == [(1, "retry"), (1, "start"), (2, "retry"), (2, "start"), (3, "start"), (3, "success")]
        assert context.current() == context.EMPTY


def test_options_that_cannot_work():
    """
    A text in the place of a list says so.
    """
    with pytest.raises(ConfigError):
        instrument(celery.Celery("other", set_as_current=False), exclude="tasks.a")
