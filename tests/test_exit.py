"""
However a process ends, what a log call returned for is in the files; and log calls from
anywhere, in the middle of anything, neither hang nor break the order.
"""

from __future__ import annotations

import os
import signal
from textwrap import dedent

import pytest

import tierlog
from checker import check
from children import run


WRITERS = ["append", "mmap"]

HEAD = """
    import atexit, gc, logging, os, signal, sys, threading, time, weakref
    import tierlog

    options = dict(part.split("=") for part in sys.argv[2:])
    tierlog.configure(root=sys.argv[1], **{"process_events": False, **options})
    log = logging.getLogger("app")
    """
"""What the programs of this file have in common."""


def program(text):
    """
    Return a program that begins with :data:`HEAD`.
    """
    return dedent(HEAD) + dedent(text)


ENDS = {
    "by-itself": ("", 0),
    "logging-shutdown": ("logging.shutdown()", 0),
    "tierlog-shutdown": ("tierlog.shutdown()", 0),
    "shutdown-twice": ("tierlog.shutdown()\nlogging.shutdown()\ntierlog.shutdown()", 0),
    "sys-exit": ("sys.exit(3)", 3),
    "unhandled-exception": ("raise ZeroDivisionError", 1),
    "os-exit": ("os._exit(4)", 4),
    "sigkill": ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    "sigterm": ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    "sigterm-with-handler": (
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\nos.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(9)",
        5,
    ),
    "sigint": ("os.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)", -signal.SIGINT),
    "sigint-ignored": ("signal.signal(signal.SIGINT, signal.SIG_IGN)\nos.kill(os.getpid(), signal.SIGINT)", 0),
    "abort": ("os.abort()", -signal.SIGABRT),
    "segfault": ("import ctypes\nctypes.string_at(0)", -signal.SIGSEGV),
    "exec": ("os.execv('/bin/true', ['true'])", 0),
    "without-handlers": ("logging.getLogger().handlers.clear()", 0),
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("end", ENDS)
def test_nothing_is_lost(tmp_path, writer, end):
    """
    Every record whose call returned is in the files, whichever way the process ends.
    """
    text, returncode = ENDS[end]
    code = program("""
    for number in range(20):
        log.info("%d", number, extra={"tier": ["system", "build"][number % 2], "build_id": "01BX5ZZKBKACTAV9WEVGEMMVS0"})
    """)

    finished = run(f"{code}\n{text}\n", tmp_path / "logs", f"writer={writer}")
    tierlog.recover(tmp_path / "logs")

    checked = check(tmp_path / "logs")
    assert finished.returncode == returncode, finished.err
    assert sorted(map(int, checked.messages)) == list(range(20))
    assert checked.findings == []


@pytest.mark.parametrize(
    "end", ["by-itself", "logging-shutdown", "sys-exit", "unhandled-exception", "sigterm-with-handler", "sigint"]
)
def test_a_clean_end_finishes_everything(tmp_path, end):
    """
    Where the interpreter gets to end by itself, no segment is left for recovery, and the last record says that it ended.
    """
    code = program("""
    log.info("a")
    log.info("b", extra={"tier": "build", "build_id": "01BX5ZZKBKACTAV9WEVGEMMVS0"})
    """)

    run(f"{code}\n{ENDS[end][0]}\n", tmp_path / "logs", "writer=mmap", "process_events=on")

    checked = check(tmp_path / "logs")
    last = max(checked.events, key=lambda event: event["seq"])
    assert (last["data"]["event"], last["data"]["last_seq"]) == ("stop", last["seq"])
    assert checked.findings == []
    assert os.listdir(tmp_path / "logs" / ".tierlog" / "open") == []


class TestLate:
    """
    Records that come when the end has begun.
    """

    def test_after_shutdown(self, tmp_path):
        """
        What is logged after logging.shutdown() is kept.
        """
        code = program("""
        log.info("before")
        logging.shutdown()
        log.info("after")
        log.info("after", extra={"tier": "build", "build_id": "01BX5ZZKBKACTAV9WEVGEMMVS0"})
        """)

        assert run(code, tmp_path / "logs").err == ""

        assert sorted(check(tmp_path / "logs").messages) == ["after", "after", "before"]

    @pytest.mark.parametrize("durability", ["process", "batch", "disk"])
    @pytest.mark.parametrize("writer", WRITERS)
    def test_from_atexit(self, tmp_path, writer, durability):
        """
        Exit handlers that run before and after logging's own may log.
        """
        code = program("""
        atexit.register(log.info, "runs before logging's own")
        log.info("x")
        """)
        early = "import atexit\natexit.register(lambda: log.info('runs after logging\\'s own'))\n"

        finished = run(early + code, tmp_path / "logs", f"writer={writer}", f"durability={durability}")

        checked = check(tmp_path / "logs")
        assert finished.err == ""
        assert sorted(checked.messages) == ["runs after logging's own", "runs before logging's own", "x"]
        assert checked.findings == []

    @pytest.mark.parametrize("first", ["log.info('x')", "pass"], ids=["not-the-first", "the-first"])
    def test_from_a_finalizer_of_the_last_object(self, tmp_path, first):
        """
        An object that dies with its module, at the very end, may log, even if nothing was logged before.
        """
        code = program("""
        class Last:
            def __del__(self, log=log):
                log.info("last words")
        last = Last()
        """)

        finished = run(f"{code}\n{first}\n", tmp_path / "logs")

        assert "last words" in check(tmp_path / "logs").messages, finished.err

    def test_from_an_excepthook(self, tmp_path):
        """
        The exception that ends the process can be logged by a hook.
        """
        code = program("""
        sys.excepthook = lambda *exc_info: log.critical("crash", exc_info=exc_info)
        raise ZeroDivisionError("x")
        """)

        run(code, tmp_path / "logs")

        (event,) = check(tmp_path / "logs").events
        assert (event["msg"], event["lvl"], event["data"]["exc"]["type"]) == ("crash", "error", "ZeroDivisionError")

    def test_from_a_thread_that_outlives_main(self, tmp_path):
        """
        A thread that goes on when the main one has ended is waited for, and loses nothing.
        """
        code = program("""
        def work():
            threading.main_thread().join()
            for number in range(50):
                log.info("%d", number)
        threading.Thread(target=work).start()
        """)

        assert run(code, tmp_path / "logs").returncode == 0

        assert sorted(map(int, check(tmp_path / "logs").messages)) == list(range(50))

    @pytest.mark.parametrize(("writer", "durability"), [("append", "process"), ("mmap", "process"), ("append", "batch")])
    def test_from_daemon_threads_while_the_interpreter_ends(self, tmp_path, writer, durability):
        """
        Daemon threads that log to the last moment don't keep the process from ending, and lose nothing that was acknowledged.
        """
        code = program("""
        def work(name):
            number = 0
            while True:
                log.info("%s.%d", name, number, extra={"tier": "action", "project_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"})
                os.write(1, f"{name}.{number}\\n".encode())
                number += 1
        for name in range(3):
            threading.Thread(target=work, args=(name,), daemon=True).start()
        time.sleep(0.01)
        """)

        for number in range(3):
            finished = run(code, tmp_path / f"{number}", f"writer={writer}", f"durability={durability}")

            tierlog.recover(tmp_path / f"{number}")
            checked = check(tmp_path / f"{number}")
            assert finished.returncode in {0, -signal.SIGABRT}, finished.err  # the interpreter's own end with daemon threads
            assert checked.findings == []
            if durability == "process":
                assert set(finished.out.splitlines()) - set(checked.messages) == set()

    def test_a_child_holds_no_segment(self, tmp_path):
        """
        A child process that was started keeps no segment open: the parent's can be recovered while it runs.
        """
        code = program("""
        import subprocess
        log.info("x")
        child = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        print(child.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """)

        finished = run(code, tmp_path / "logs")
        report = tierlog.recover(tmp_path / "logs")
        os.kill(int(finished.out), signal.SIGKILL)

        assert (report.segments, report.live) == (1, 0)


@pytest.fixture(name="raising", scope="module")
def _raising(tmp_path_factory):
    """
    What an exception out of a signal handler, as Ctrl-C is one, did at hundreds of random moments.
    """
    code = program(TestInTheMiddle.RAISING.replace("            signal.setitimer(signal.ITIMER_REAL, 0.0005)\n", ""))
    root = tmp_path_factory.mktemp("raising") / "logs"
    finished = run(code, root)
    assert finished.returncode == 0, finished.err[-2000:]
    swallowed, others, accepted, written = map(int, finished.out.split())
    tierlog.recover(root)  # a file whose opening was interrupted is empty until the next start
    checked = check(root, may_miss=True)
    return {"swallowed": swallowed, "others": others, "accepted": accepted, "written": written, "checked": checked}


class TestInTheMiddle:
    """
    Log calls from code that interrupts a log call.
    """

    TIMER = """
        def interrupt(*_):
            global interrupts
            interrupts += 1
            action()
            signal.setitimer(signal.ITIMER_REAL, 0.0005)

        interrupts = 0
        signal.signal(signal.SIGALRM, interrupt)
        """

    @pytest.mark.parametrize("durability", ["process", "batch", "disk"])
    @pytest.mark.parametrize("writer", WRITERS)
    def test_a_signal_handler_that_logs(self, tmp_path, writer, durability):
        """
        A signal handler may log in the middle of a log call, a flush or a rotation: it doesn't hang, and the order stays.
        """
        code = program(self.TIMER) + dedent("""
        def action():
            log.error("interrupt")

        signal.setitimer(signal.ITIMER_REAL, 0.0005)
        number = 0
        while interrupts < 200:
            log.info("%d", number)
            if number % 7 == 0:
                tierlog.flush()
            number += 1
        signal.signal(signal.SIGALRM, signal.SIG_IGN)  # a handler that waits to run would set the timer again
        signal.setitimer(signal.ITIMER_REAL, 0)
        while interrupts < 200:
            pass
        print(number)
        """)

        options = [f"writer={writer}", f"durability={durability}", "max_bytes=20000", "flush_interval=0.002"]
        finished = run(code, tmp_path / "logs", *options)

        checked = check(tmp_path / "logs")
        assert finished.returncode == 0, finished.err
        assert checked.findings == []
        assert checked.messages.count("interrupt") >= 200
        assert len(checked.messages) == checked.messages.count("interrupt") + int(finished.out)

    @pytest.mark.parametrize(
        "action",
        [
            pytest.param('log.info("no id", extra={"tier": "action"})', id="rerouted"),
            pytest.param('log.info("secret", extra={"data": {"password": "p"}})', id="redacted"),
            pytest.param("tierlog.stats()", id="stats"),
            pytest.param("tierlog.flush()", id="flush"),
        ],
    )
    def test_a_signal_handler_that_does_what_it_interrupts(self, tmp_path, action):
        """
        Counting, redacting, rerouting and asking for counters may be interrupted by the same.
        """
        code = program(self.TIMER) + dedent(f"""
        def action():
            {action}

        signal.setitimer(signal.ITIMER_REAL, 0.0005)
        end = time.monotonic() + 0.6
        while time.monotonic() < end:
            {action}
        signal.signal(signal.SIGALRM, signal.SIG_IGN)  # a handler that waits to run would set the timer again
        signal.setitimer(signal.ITIMER_REAL, 0)
        """)

        assert run(code, tmp_path / "logs").returncode == 0

        assert check(tmp_path / "logs").findings == []

    def test_a_signal_handler_that_loses_a_record(self, tmp_path):
        """
        The complaint about a lost record may be interrupted by the next lost record.
        """
        code = program(self.TIMER) + dedent("""
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)

        def action():
            log.info("lost")

        signal.setitimer(signal.ITIMER_REAL, 0.0005)
        end = time.monotonic() + 0.6
        while time.monotonic() < end:
            log.info("lost")
        signal.signal(signal.SIGALRM, signal.SIG_IGN)  # a handler that waits to run would set the timer again
        signal.setitimer(signal.ITIMER_REAL, 0)
        stats = tierlog.stats()
        print(stats["written"], stats["accepted"] - sum(stats["dropped"].values()))
        """)

        assert run(code, tmp_path / "logs").out == "0 0\n"

    RAISING = (
        TIMER
        + """
        class Interrupt(BaseException):
            pass

        def action():
            raise Interrupt

        def work():
            global others
            while not is_over:
                log.info("other")
                others += 1

        sys.setswitchinterval(1e-5)
        others = caught = 0
        is_over = False
        thread = threading.Thread(target=work)
        thread.start()
        for turn in range(600):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0003 + turn % 97 * 0.00001)
                while True:
                    log.info("main", extra={"data": {"x": 1}})
                    if interrupts > turn:
                        break
            except Interrupt:
                caught += 1
        is_over = True
        thread.join()
        stats = tierlog.stats()
        print(interrupts - caught, others, stats["accepted"], stats["written"])
        """
    )

    def test_an_exception_out_of_a_signal_handler_leaves_nothing_locked(self, raising):
        """
        Wherever it ends a log call, other threads log on, and the files are whole.
        """
        assert raising["checked"].findings == []
        assert raising["checked"].messages.count("other") == raising["others"]

    def test_an_exception_out_of_a_signal_handler_arrives(self, raising):
        """
        A log call doesn't swallow Ctrl-C.
        """
        assert raising["swallowed"] == 0

    def test_an_exception_out_of_a_signal_handler_leaves_the_books_right(self, raising):
        """
        What is counted as written is what is in the files, neither more nor less.
        """
        assert len(raising["checked"].events) == raising["written"]

    @pytest.mark.parametrize("durability", ["process", "batch", "disk"])
    def test_finalizers_that_log(self, tmp_path, durability):
        """
        Objects that log when they are collected may be collected anywhere, also in the middle of a log call.
        """
        code = program("""
        class Noisy:
            def __init__(self):
                self.me = self
            def __del__(self):
                log.info("collected")

        gc.set_threshold(5, 2, 2)
        for number in range(COUNT):
            Noisy()
            log.info("%d", number, extra={"data": {"list": [[number]]}})
        gc.collect()
        """)
        count = 200 if durability == "disk" else 2_000

        finished = run(code.replace("COUNT", str(count)), tmp_path / "logs", f"durability={durability}", "max_bytes=20000")

        checked = check(tmp_path / "logs")
        assert finished.returncode == 0, finished.err
        assert (len(checked.events), checked.findings) == (2 * count, [])

    def test_callbacks_of_weak_references_and_of_the_collector_that_log(self, tmp_path):
        """
        The same for callbacks of weak references, and for those of the garbage collector itself.
        """
        code = program("""
        class Thing:
            pass

        busy = []

        def collecting(phase, info):
            if not busy:
                busy.append(1)
                log.info("gc")
                busy.pop()

        gc.callbacks.append(collecting)
        gc.set_threshold(5, 2, 2)
        for number in range(1_000):
            thing = Thing()
            thing.me = thing
            weakref.finalize(thing, log.info, "gone")
            log.info("%d", number, extra={"data": {"list": [[number]]}})
        del thing
        gc.collect()
        gc.callbacks.clear()
        """)

        finished = run(code, tmp_path / "logs")

        checked = check(tmp_path / "logs")
        assert finished.returncode == 0, finished.err
        assert checked.messages.count("gone") == 1_000
        assert checked.findings == []

    def test_finalizers_in_many_threads(self, tmp_path):
        """
        What is put off because a write is interrupted comes exactly once, whichever thread is next.
        """
        code = program("""
        class Noisy:
            def __init__(self, name):
                self.me, self.name = self, name
            def __del__(self):
                log.info("d%s", self.name)

        def work(name):
            for number in range(800):
                Noisy(f"{name}.{number}")
                log.info("c%s", f"{name}.{number}", extra={"data": {"list": [[number]]}})

        gc.set_threshold(5, 2, 2)
        sys.setswitchinterval(1e-6)
        threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        gc.collect()
        """)

        finished = run(code, tmp_path / "logs")

        checked = check(tmp_path / "logs")
        assert finished.returncode == 0, finished.err
        assert checked.findings == []
        assert len(checked.messages) == len(set(checked.messages)) == 6_400
