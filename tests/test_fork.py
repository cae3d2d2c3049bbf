"""
Forked processes: each has a stream of its own, and no lock is inherited held.
"""

from __future__ import annotations

import json
import signal
import subprocess
from textwrap import dedent

import pytest

from checker import check
from children import finish, run, start


WRITERS = ["append", "mmap"]

HEAD = """
    import logging, os, signal, sys, threading, time, warnings
    import tierlog

    # Python's own warning about fork, written by several threads at once, can leave
    # the lock of sys.stderr held in a child.
    warnings.simplefilter("ignore", DeprecationWarning)

    def log_for_ever(name):
        number = 0
        while True:
            log.info("%s %d", name, number, extra={"tier": "action", "project_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"})
            number += 1

    def wait(pid):
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    log = logging.getLogger("app")
    """
"""What the programs of this file have in common."""


def program(text):
    """
    Return a program that begins with :data:`HEAD`.
    """
    return dedent(HEAD) + dedent(text)


def instances_by_pid(events):
    """
    Return, for each process that said its number, the instances of its lines.
    """
    found = {}
    for event in events:
        if "pid" in event["data"] and event["kind"] != "meta":
            found.setdefault(event["data"]["pid"], set()).add(event["instanceId"])
    return found


def test_threads_that_fork_at_once_leave_no_lock(tmp_path):
    """
    Each of several threads that fork at the same time gives back what it took, and nothing else.
    """
    code = program("""
    tierlog.configure(root=sys.argv[1], process_events=False)
    sys.setswitchinterval(1e-6)

    def fork():
        for _ in range(60):
            pid = os.fork()
            if not pid:
                os._exit(0)
            wait(pid)

    threads = [threading.Thread(target=fork, daemon=True) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    last = threading.Thread(target=log.info, args=("after all",), daemon=True)
    last.start()
    last.join(60)
    print(sum(thread.is_alive() for thread in [*threads, last]), flush=True)
    os._exit(0)
    """)

    assert run(code, tmp_path / "logs").out == "0\n"

    assert check(tmp_path / "logs").messages == ["after all"]


@pytest.mark.parametrize("writer", WRITERS)
class TestFork:
    def test_a_child_has_a_stream_of_its_own(self, tmp_path, writer):
        """
        A child's lines have a new instanceId, begin with seq 0, and lie in segments of its own.
        """
        code = program("""
        tierlog.configure(root=sys.argv[1], writer=sys.argv[2], process_events=False)
        log.info("parent 0")
        pid = os.fork()
        log.info("both", extra={"data": {"pid": os.getpid()}})
        if not pid:
            tierlog.shutdown()
            os._exit(0)
        print(wait(pid))
        """)

        assert run(code, tmp_path / "logs", writer).out == "0\n"

        checked = check(tmp_path / "logs")
        assert sorted(checked.instances.values()) == [[0], [0, 1]]
        assert (len(checked.files), checked.findings) == (2, [])

    def test_the_parents_segment_is_untouched(self, tmp_path, writer):
        """
        Whatever a child does, logs, closes, exits, the parent's file is its own and stays locked.
        """
        code = program("""
        import glob, subprocess
        tierlog.configure(root=sys.argv[1], writer=sys.argv[2], process_events=False)
        log.info("first")
        (path,) = glob.glob(f"{sys.argv[1]}/system/*/*.ndjson")
        before = open(path, "rb").read()
        pid = os.fork()
        if not pid:
            log.info("child")
            tierlog.flush()
            logging.shutdown()
            sys.exit(0)
        assert wait(pid) == 0
        assert open(path, "rb").read() == before
        recover = "import sys, tierlog; print(tierlog.recover(sys.argv[1]).live)"
        print(subprocess.run([sys.executable, "-c", recover, sys.argv[1]], capture_output=True, text=True).stdout)
        log.info("second")
        """)

        finished = run(code, tmp_path / "logs", writer)

        assert (finished.returncode, finished.out.strip()) == (0, "1"), finished.err
        assert sorted(check(tmp_path / "logs").messages) == ["child", "first", "second"]
        assert check(tmp_path / "logs").findings == []

    def test_a_child_that_never_logs_leaves_nothing(self, tmp_path, writer):
        """
        A child that doesn't log makes no file and no entry.
        """
        code = program("""
        tierlog.configure(root=sys.argv[1], writer=sys.argv[2], process_events=False)
        log.info("parent")
        pid = os.fork()
        if not pid:
            sys.exit(0)
        print(wait(pid))
        """)

        assert run(code, tmp_path / "logs", writer).out == "0\n"

        assert len(check(tmp_path / "logs").files) == 1
        assert list((tmp_path / "logs" / ".tierlog").rglob("*.ndjson")) == []

    def test_a_killed_child_is_recovered_beside_a_living_parent(self, tmp_path, writer):
        """
        What a killed child leaves is finished while its parent, whose locks it inherited, goes on.
        """
        code = program("""
        tierlog.configure(root=sys.argv[1], writer=sys.argv[2], process_events=False)
        log.info("parent")
        pid = os.fork()
        if not pid:
            log.info("child")
            os.kill(os.getpid(), signal.SIGKILL)
        assert wait(pid) == -signal.SIGKILL
        print(*tierlog.recover(sys.argv[1])[:5])
        log.info("parent again")
        """)

        assert run(code, tmp_path / "logs", writer).out == "1 0 0 1 0\n"

        assert (len(check(tmp_path / "logs").events), check(tmp_path / "logs").findings) == (3, [])

    def test_a_living_child_survives_its_parents_death(self, tmp_path, writer):
        """
        When the parent is killed, its segment is recovered though a child lives on, and the child's is not.
        """
        code = program("""
        tierlog.configure(root=sys.argv[1], writer=sys.argv[2], process_events=False)
        parent = os.getpid()
        log.info("parent")
        pid = os.fork()
        if not pid:
            log.info("child")
            sys.stdin.readline()
            print(*tierlog.recover(sys.argv[1])[:5])
            log.info("child again")
            sys.exit(0)
        log.info("parent again")
        os.kill(parent, signal.SIGKILL)
        """)
        process = start(code, tmp_path / "logs", writer, stdin=subprocess.PIPE)

        process.wait()  # a process that is killed lets go of its files one by one
        process.stdin.write(b"\n")
        process.stdin.flush()
        finished = finish(process)

        assert (finished.returncode, finished.out) == (-signal.SIGKILL, "1 0 0 1 0\n"), finished.err
        assert (len(check(tmp_path / "logs").events), check(tmp_path / "logs").findings) == (4, [])

    def test_forks_while_four_threads_log(self, tmp_path, writer):
        """
        However often and whenever a process forks, children log at once, and nothing is lost on either side.
        """
        code = program("""
        tierlog.configure(root=sys.argv[1], writer=sys.argv[2], max_bytes=50_000, process_events=False)
        for name in range(4):
            threading.Thread(target=log_for_ever, args=(name,), daemon=True).start()
        for turn in range(40):
            pid = os.fork()
            if not pid:
                signal.alarm(60)
                for number in range(5):
                    log.info("child", extra={"data": {"pid": os.getpid()}})
                logging.shutdown()
                os._exit(0)
            assert wait(pid) == 0
        logging.shutdown()
        os._exit(0)
        """)

        finished = run(code, tmp_path / "logs", writer)

        assert finished.returncode == 0, finished.err
        checked = check(tmp_path / "logs")
        assert checked.findings == []
        assert len(checked.instances) == 41
        assert [len(instances) for instances in instances_by_pid(checked.events).values()] == [1] * 40

    def test_a_grandchild_and_a_fork_from_a_thread(self, tmp_path, writer):
        """
        A thread may fork, and so may its child: each process has one stream.
        """
        code = program("""
        tierlog.configure(root=sys.argv[1], writer=sys.argv[2], process_events=False)

        def say():
            for _ in range(3):
                log.info("here", extra={"data": {"pid": os.getpid()}})

        def fork_in_thread():
            pid = os.fork()
            if not pid:
                say()
                pid = os.fork()
                say()
                if pid:
                    assert wait(pid) == 0
                logging.shutdown()
                os._exit(0)
            results.append(wait(pid))

        results = []
        say()
        threads = [threading.Thread(target=fork_in_thread) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        say()
        print(results)
        """)

        finished = run(code, tmp_path / "logs", writer)

        assert finished.out == "[0, 0, 0]\n", finished.err
        checked = check(tmp_path / "logs")
        assert checked.findings == []
        assert sorted(map(len, checked.instances.values())) == [3, 3, 3, 6, 6, 6, 6]


class TestLocks:
    def test_no_lock_is_inherited_held(self, tmp_path):
        """
        While threads log secrets, reroute records and lose some, a child can do all of that at once.
        """
        code = program("""
        import resource
        tierlog.configure(root=sys.argv[1], process_events=False)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
        sys.setswitchinterval(1e-6)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        build = {"tier": "build", "build_id": "01BX5ZZKBKACTAV9WEVGEMMVS0"}

        def all_of_that():
            log.info("password=hunter2 %s", "x" * 200, extra={"data": {"password": "p"}})
            log.info("has no id", extra={"tier": "action"})
            log.info("too long for the file %s", "x" * 210_000, extra=build)
            tierlog.stats()

        def for_ever():
            while True:
                all_of_that()

        for _ in range(4):
            threading.Thread(target=for_ever, daemon=True).start()
        for turn in range(25):
            pid = os.fork()
            if not pid:
                signal.alarm(60)
                all_of_that()
                os._exit(0)
            if wait(pid):
                print("child", turn, "hangs", flush=True)
                os._exit(1)
        os._exit(0)
        """)

        finished = run(code, tmp_path / "logs")

        assert (finished.out, finished.returncode) == ("", 0)

    def test_a_fork_while_another_thread_reconfigures(self, tmp_path):
        """
        Handlers may come and go while a process forks.
        """
        code = program("""
        unraisable = []
        sys.unraisablehook = lambda args: unraisable.append(repr(args.exc_value))
        tierlog.configure(root=sys.argv[1], process_events=False)
        is_over = False

        def reconfigure():
            while not is_over:
                tierlog.configure(root=sys.argv[1], process_events=False)

        def log_on():
            while not is_over:
                log.info("parent")

        threads = [threading.Thread(target=work, daemon=True) for work in (reconfigure, log_on)]
        for thread in threads:
            thread.start()
        for turn in range(60):
            pid = os.fork()
            if not pid:
                signal.alarm(60)
                log.info("child")
                logging.shutdown()
                os._exit(bool(unraisable))
            assert wait(pid) == 0
        is_over = True
        for thread in threads:
            thread.join()
        print(unraisable)
        """)

        finished = run(code, tmp_path / "logs")

        assert finished.out == "[]\n", finished.err
        checked = check(tmp_path / "logs")
        assert checked.findings == []
        assert checked.messages.count("child") == 60

    def test_a_buffered_line_is_written_once(self, tmp_path):
        """
        What waits in memory when a process forks is the parent's alone.
        """
        code = program("""
        tierlog.configure(root=sys.argv[1], durability="batch", flush_interval=3600, process_events=False)
        log.info("before")
        pid = os.fork()
        if not pid:
            log.info("child")
            logging.shutdown()
            os._exit(0)
        print(wait(pid))
        """)

        assert run(code, tmp_path / "logs").out == "0\n"

        assert sorted(check(tmp_path / "logs").messages) == ["before", "child"]

    def test_a_child_sweeps_its_own(self, tmp_path):
        """
        An idle segment of a child ends by itself, too: the thread that does so is the child's own.
        """
        code = program("""
        handler = tierlog.configure(root=sys.argv[1], max_age=0.05, process_events=False)
        log.info("parent")
        pid = os.fork()
        if not pid:
            signal.alarm(60)
            log.info("child")
            while not handler.stats()["segments"]["finished"]:
                time.sleep(0.005)
            os._exit(0)
        print(wait(pid))
        """)

        assert run(code, tmp_path / "logs").out == "0\n"


class TestServers:
    def test_prefork(self, tmp_path):
        """
        A handler that a server configures before it forks its workers serves all of them, each with a start of its own.
        """
        code = program("""
        tierlog.configure(root=sys.argv[1], instance_name="web")
        log.info("master")
        workers = []
        done, say_done = os.pipe()
        for number in range(4):
            pid = os.fork()
            if not pid:
                signal.alarm(60)
                signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
                with tierlog.bound(req_id=f"r-{number}"):
                    for _ in range(50):
                        log.info("request", extra={"data": {"pid": os.getpid()}})
                os.write(say_done, b".")
                while True:
                    signal.pause()
            workers.append(pid)
        for _ in workers:
            log.info("master")
            os.read(done, 1)
        for pid in workers:
            os.kill(pid, signal.SIGTERM)
        print([wait(pid) for pid in workers])
        """)

        finished = run(code, tmp_path / "logs")

        assert finished.out == "[0, 0, 0, 0]\n", finished.err
        checked = check(tmp_path / "logs")
        assert checked.findings == []
        starts = [event["data"]["pid"] for event in checked.events if event["data"].get("event") == "start"]
        stops = [event["data"]["pid"] for event in checked.events if event["data"].get("event") == "stop"]
        assert (len(set(starts)), len(set(stops)), len(checked.instances)) == (5, 5, 5)
        assert checked.messages.count("request") == 200

    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    def test_multiprocessing(self, tmp_path, method):
        """
        Processes of every start method log on: forked ones with what is inherited, others with what they configure.
        """
        script = tmp_path / "program.py"
        script.write_text(MULTIPROCESSING)

        finished = run(script, tmp_path / "logs", method)

        assert finished.out == "[0, 0, 0]\n", finished.err
        checked = check(tmp_path / "logs")
        assert checked.findings == []
        assert (checked.messages.count("child"), len(instances_by_pid(checked.events))) == (150, 3)

    @pytest.mark.parametrize("method", ["fork", "spawn"])
    def test_process_pool(self, tmp_path, method):
        """
        Work in a ProcessPoolExecutor is logged, each worker with a stream of its own, with the ids that were carried.
        """
        script = tmp_path / "program.py"
        script.write_text(POOL)

        finished = run(script, tmp_path / "logs", method)

        assert finished.out == f"{sum(range(40))}\n", finished.err
        checked = check(tmp_path / "logs")
        assert checked.findings == []
        assert sorted(event["data"]["number"] for event in checked.events if event["reqId"] == "r-1") == list(range(40))


MULTIPROCESSING = """
import logging, multiprocessing, os, sys
import tierlog


def work(root, method):
    if method != "fork":
        tierlog.configure(root=root)
    for number in range(50):
        logging.getLogger("app").info("child", extra={"data": {"pid": os.getpid()}})


if __name__ == "__main__":
    root, method = sys.argv[1:]
    tierlog.configure(root=root)
    logging.getLogger("app").info("parent")
    context = multiprocessing.get_context(method)
    processes = [context.Process(target=work, args=(root, method)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    print([process.exitcode for process in processes])
"""

POOL = """
import logging, multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
import tierlog
from tierlog import context


def prepare(root, method):
    if method != "fork":
        tierlog.configure(root=root)


def work(number):
    logging.getLogger("app").info("work", extra={"data": {"number": number}})
    return number


if __name__ == "__main__":
    root, method = sys.argv[1:]
    tierlog.configure(root=root)
    options = {"mp_context": multiprocessing.get_context(method), "initializer": prepare, "initargs": (root, method)}
    with ProcessPoolExecutor(2, **options) as pool, tierlog.bound(req_id="r-1"):
        print(sum(pool.map(context.carry(work), range(40))))
"""


def test_what_a_child_knows_of_itself(tmp_path):
    """
    A child's instanceId begins with the same name, and its counters with nothing.
    """
    code = program("""
    import json
    handler = tierlog.configure(root=sys.argv[1], process_events=False)
    before = handler.pipeline.instance_id
    pid = os.fork()
    if not pid:
        os.write(1, json.dumps([before, handler.pipeline.instance_id, handler.stats()["accepted"]]).encode())
        os._exit(0)
    wait(pid)
    """)

    before, after, accepted = json.loads(run(code, tmp_path / "logs").out)

    assert before != after
    assert before.rpartition("-")[0] == after.rpartition("-")[0]
    assert accepted == 0


def test_signals_are_as_they_were():
    """
    Nothing here installs a signal handler.
    """
    code = """
        import signal, tempfile, tierlog
        before = {number: signal.getsignal(number) for number in signal.valid_signals()}
        with tempfile.TemporaryDirectory() as root:
            tierlog.configure(root=root)
            tierlog.get_logger("app").info("x")
            tierlog.shutdown()
        print(before == {number: signal.getsignal(number) for number in signal.valid_signals()})
        """

    finished = run(code)

    assert (finished.out, finished.returncode) == ("True\n", 0)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
