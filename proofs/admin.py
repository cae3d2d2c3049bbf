"""
Live tails under load, and what reading over HTTP costs.

    python proofs/admin.py --listeners 200 --stalled 20 --rate 2000 --seconds 20 --rounds 5

A process logs at a fixed rate, first with nobody listening and then with all; listeners
that read must get every record once, in its order; those that don't must be cut off
within a minute; the server's memory must stay flat; and the 99th percentile of a log call
must be at most 1.1 times as high, by the median of the rounds.

    python proofs/admin.py --megabytes 1000

Before that, the application is called in this process, without a network: the first page
of failures among 100 000 builds on SQLite must take less than 50 ms, and the first byte of
a search come at most 20 ms later than the first line that the query module finds, asked by
turns, by the median of the differences.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tierlog.admin import SCOPES, create_app, token
from tierlog.lifecycle import builds_ddl
from tierlog.query import open_store


BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
BUILDS = 100_000
ROUNDS = 9
MOST_P99 = 1.1
SECRET = "not-a-secret-" * 4
NUMBER = re.compile(rb'"msg":"n (\d+) ')
EVENT = b"\ndata: {"
WRITER = """
import sys, time
from tierlog.context import EMPTY
from tierlog.handler import TierHandler

root, rate, seconds, first = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
handler = TierHandler(sink={"type": "segments", "root": root, "max_bytes": 1_000_000}, instance_name="load")
event, clock = handler.pipeline.event, time.perf_counter
costs, count, began = [], int(rate * seconds), clock()
for n in range(count):
    wait = began + n / rate - clock()
    if wait > 0:
        time.sleep(wait)
    before = clock()
    event(time.time_ns() // 1_000_000, EMPTY, "info", "load", f"n {first + n} " + "x" * 100, data={"n": n}, tier="system")
    costs.append(clock() - before)
handler.close()
costs.sort()
print(count, costs[len(costs) // 2] * 1e6, costs[int(len(costs) * 0.99)] * 1e6, clock() - began)
"""


class Reader:
    """
    A listener that reads; every tenth looks at each record.
    """

    def __init__(self, *, is_strict: bool) -> None:
        self.is_strict = is_strict
        self.count = 0
        self.bytes = 0
        self.wrong = 0
        self.gaps = 0
        self.next = 0
        self.rest = b""

    def feed(self, data: bytes) -> None:
        self.bytes += len(data)
        block = self.rest + data
        end = block.rfind(b"\n\n") + 1 or 0
        block, self.rest = block[:end], block[end:]
        self.count += block.count(b'"src":"load"')
        self.gaps += block.count(b"\nevent: gap")
        if self.is_strict:
            for found in NUMBER.findall(block):
                self.wrong += int(found) != self.next
                self.next = int(found) + 1


async def listen(port: int, bearer: str, reader: Reader | None, ready: asyncio.Event, ended: list[float]) -> None:
    """
    Connect, and read if there is a *reader*; note when the server cuts it off.
    """
    sock = socket.socket()
    if reader is None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)  # else the kernel takes it all
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    incoming, outgoing = await asyncio.open_connection(sock=sock, limit=2**20)
    outgoing.write(f"GET /v1/admin/logs/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bearer}\r\n\r\n".encode())
    head = await incoming.readuntil(b"\r\n\r\n")
    assert b" 200 " in head, head
    ready.set()
    if reader is None:
        outgoing.transport.pause_reading()
        # A cut is noticed without reading: the kernel says so.
        while sock.getsockopt(6, 11, 1)[0] == 1:  # TCP_INFO: established
            await asyncio.sleep(0.2)
        ended.append(time.monotonic())
        return
    with contextlib.suppress(OSError, asyncio.CancelledError):
        while data := await incoming.read(2**20):
            reader.feed(data)


def memory(process: subprocess.Popen[str]) -> float:
    """
    Return the resident memory of *process* in **MiB**.
    """
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


async def write(root: str, rate: int, seconds: float, first: int) -> tuple[int, float, float, float]:
    """
    Log, and return how many records, and the median and the 99th percentile of a call.
    """
    done = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, root, str(rate), str(seconds), str(first), stdout=subprocess.PIPE
    )
    out, _ = await done.communicate()
    count, median, worst, took = out.split()
    return int(count), float(median), float(worst), float(took)


async def connect(options: argparse.Namespace, port: int, ended: list[float]) -> tuple[list[Reader], list[asyncio.Task[None]]]:
    """
    Connect all listeners, and return those that read, and the tasks of all.
    """
    bearer = token(SECRET, subject="proof", scopes=SCOPES)
    readers = [Reader(is_strict=number % 10 == 0) for number in range(options.listeners - options.stalled)]
    tasks = []
    for reader in [*readers, *[None] * options.stalled]:
        ready = asyncio.Event()
        tasks.append(asyncio.create_task(listen(port, bearer, reader, ready, ended)))
        await ready.wait()
    return readers, tasks


async def disconnect(tasks: list[asyncio.Task[None]]) -> None:
    """
    Let all listeners go away.
    """
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def prove(options: argparse.Namespace, root: str, server: subprocess.Popen[str], port: int) -> bool:
    """
    Run it all, print figures, and tell whether all is well.
    """
    alone = await write(root, options.rate, options.seconds, 0)
    print(f"nobody listens: {alone[0]} records, a call takes {alone[1]:.0f} us, 99 % below {alone[2]:.0f} us")
    ended: list[float] = []
    readers, tasks = await connect(options, port, ended)
    before, began = memory(server), time.monotonic()
    highest = [before]

    async def watch() -> None:
        while True:
            highest.append(memory(server))
            await asyncio.sleep(0.5)

    watching = asyncio.create_task(watch())
    count, median, worst, took = await write(root, options.rate, options.seconds, 0)
    deadline = time.monotonic() + 20
    while min(reader.count for reader in readers) < count and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    behind = time.monotonic() - began - took
    while len(ended) < options.stalled and time.monotonic() - began < 70 + options.seconds:
        await asyncio.sleep(0.2)
    watching.cancel()
    half = highest[len(highest) // 2 :]
    counts = {reader.count for reader in readers}
    print(f"{options.listeners} listen, {options.stalled} of them stalled: {count} records in {took:.1f} s")
    print(f"a call takes {median:.0f} us, 99 % below {worst:.0f} us: {worst / alone[2]:.2f} times as much")
    wrong, looked_at = sum(one.wrong for one in readers), sum(one.count for one in readers if one.is_strict)
    print(
        f"each of {len(readers)} got {counts}, {wrong} of {looked_at} out of their order, {sum(one.gaps for one in readers)} gaps"
    )
    sent = sum(one.bytes for one in readers) / took / 1e6
    print(f"the last one had all {behind:.1f} s after the last record; {sent:.0f} MB/s were sent")
    print(f"the server took {before:.0f} MiB, at most {max(highest):.0f} MiB, {max(half):.0f} MiB in the second half")
    print(f"{len(ended)} stalled ones were cut off, the last after {max(ended, default=0) - began:.0f} s")
    await disconnect(tasks)
    return counts == {count} and not any(one.wrong for one in readers) and len(ended) == options.stalled


async def compare(options: argparse.Namespace, root: str, port: int) -> bool:
    """
    Log by turns with nobody listening and with all, print by how much a call's p99 differs,
    and tell whether that is well: a single pair tells little, as it depends on what else
    the machine does.
    """
    pairs = []
    for _ in range(options.rounds):
        alone = await write(root, options.rate, options.seconds, 0)
        _readers, tasks = await connect(options, port, [])
        heard = await write(root, options.rate, options.seconds, 0)
        await disconnect(tasks)
        pairs.append((alone[2], heard[2]))
    ratio = statistics.median(heard for _, heard in pairs) / statistics.median(alone for alone, _ in pairs)
    told = ", ".join(f"{alone:.0f} and {heard:.0f}" for alone, heard in pairs)
    print(f"99 % of the calls below, alone and heard: {told} us; by their medians {ratio:.2f} times as much")
    return ratio <= MOST_P99


async def ask(app: Any, path: str, query: str) -> tuple[float, float]:
    """
    Ask *app*, and return after how many **milliseconds** the first byte came, and the last
    of what is sent at once with it; then go away.
    """
    bearer = token(SECRET, subject="proof", scopes=SCOPES)
    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "scheme": "http", "http_version": "1.1", "headers": [(b"authorization", f"Bearer {bearer}".encode())],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    is_answered = asyncio.Event()
    began, times = time.perf_counter(), list[float]()

    async def receive() -> dict[str, Any]:
        await is_answered.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        assert message.get("status", 200) == 200, message
        if message["type"] == "http.response.body":
            times.append((time.perf_counter() - began) * 1e3)
            is_answered.set()

    await app(scope, receive, send)
    return times[0], (time.perf_counter() - began) * 1e3


def prove_builds(folder: Path) -> bool:
    """
    Ask for the first page of failures, print how long it takes, and tell whether that is
    well.
    """
    rows = [
        (f"01BX5ZZKBKACTAV9WE{n:08d}", f"01ARZ3NDEKTSV4RRFFQ{n % 500:07d}", "deployed" if n % 10 else "failed",
         None if n % 10 else ["build", "deploy"][n % 20 // 10], ["next", "astro"][n % 3 // 2], 1_790_000_000_000 + n * 86_400)
        for n in range(BUILDS)
    ]  # fmt: skip
    with contextlib.closing(sqlite3.connect(folder / "builds.db")) as connection, connection:
        connection.execute(
            "CREATE TABLE project_build_metrics (id INTEGER PRIMARY KEY, build_id TEXT, project_id TEXT, status TEXT, "
            "failure_stage TEXT, framework TEXT, created_at BIGINT)"
        )
        columns = "build_id, project_id, status, failure_stage, framework, created_at"
        connection.executemany(f"INSERT INTO project_build_metrics ({columns}) VALUES (?, ?, ?, ?, ?, ?)", rows)
        for statement in builds_ddl():
            connection.execute(statement)
    app = create_app(folder, builds=f"sqlite:///{folder / 'builds.db'}", jwt_secret=SECRET, rate_limit="100000/minute")
    times = [asyncio.run(ask(app, "/v1/admin/builds", "status=failed&failureStage=build"))[1] for _ in range(ROUNDS)]
    median = statistics.median(times)
    print(f"the first page of failures among {BUILDS} builds: {median:.1f} ms, the first time {times[0]:.1f} ms")
    return median < 50


def prove_search(root: Path, megabytes: int) -> bool:
    """
    Search a corpus over HTTP and by the query module in turns, print when the first byte
    and the first line came, and tell whether that is well.
    """
    sys.path.insert(0, str(BENCHMARKS))
    import query_corpus

    build = query_corpus.make(root, megabytes)
    store = open_store(root)
    app = create_app(store, jwt_secret=SECRET, rate_limit="100000/minute")
    asked: list[dict[str, Any]] = [
        {"text": query_corpus.RARE_TEXT},
        {"project_id": query_corpus.RARE},
        {"build_id": build, "text": query_corpus.COMMON_TEXT},
        {"levels": "error", "project_id": query_corpus.BUSY},
        {"text": query_corpus.COMMON_TEXT},
        {"levels": "error"},
        {},
    ]
    names = {"project_id": "projectId", "build_id": "buildId", "levels": "lvl"}
    is_well = True
    for filters in asked:
        query = urlencode({names.get(name, name): value for name, value in filters.items()})
        own, more = list[float](), list[float]()
        for _ in range(ROUNDS):
            began = time.perf_counter()
            with store.search(**filters, limit=1_001) as found:
                next(found.lines(), None)
                own.append((time.perf_counter() - began) * 1e3)
            more.append(asyncio.run(ask(app, "/v1/admin/logs/search", query))[0] - own[-1])
        difference = statistics.median(more)
        is_well &= difference <= 20
        print(f"{query or 'everything'}: the first line after {statistics.median(own):.0f} ms, over HTTP {difference:+.1f} ms")
    return is_well


def main() -> int:
    """
    Run the proof, and return the exit code.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listeners", type=int, default=40)
    parser.add_argument("--stalled", type=int, default=4)
    parser.add_argument("--rate", type=int, default=1_000, help="records a second")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=0, help="pairs of runs that compare what a log call costs")
    parser.add_argument("--megabytes", type=int, default=30, help="what is searched")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        are_quick = prove_builds(Path(folder)), prove_search(Path(folder) / "corpus", options.megabytes)
    with tempfile.TemporaryDirectory() as root:
        command = [sys.executable, "-c", "from tierlog.cli import main; main()", "serve", "--root", root, "--port", "0"]
        command += ["--rate-limit", "100000/minute", "--max-listeners", str(options.listeners)]
        environment = {**os.environ, "TIERLOG_JWT_SECRET": SECRET}
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline().rpartition(":")[2].strip().strip("/"))
            is_well = asyncio.run(prove(options, root, server, port))
            is_well &= not options.rounds or asyncio.run(compare(options, root, port))
        finally:
            server.terminate()
            began = time.monotonic()
            server.wait(30)
        print(f"the server ended in {time.monotonic() - began:.1f} s")
    is_well = is_well and all(are_quick)
    print("all is well" if is_well else "something is wrong")
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
