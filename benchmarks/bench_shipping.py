"""
What shipping costs: against a bare loop of ``put_object``, and for those who log.

Needs the R2 simulator, which is installed on the first run (``tests/servers``), and moto.
``BENCH_SEGMENTS`` of ``BENCH_SEGMENT_MIB`` are shipped for the throughput, and
``BENCH_BACKLOG`` of 16 MiB for the memory.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tierlog.testing import event_line


sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from servers.certificate import new_certificate
from servers.faults import TcpFaults
from servers.moto_server import Moto
from servers.r2 import R2Simulator


ROUNDS = int(os.environ.get("BENCH_ROUNDS", "31"))
SEGMENTS = int(os.environ.get("BENCH_SEGMENTS", "16"))
MIB = float(os.environ.get("BENCH_SEGMENT_MIB", "4"))
BACKLOG = int(os.environ.get("BENCH_BACKLOG", "32"))
CONNECTIONS = 4
CALLS = 2_000
_ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
_DATA = b'"data":{"step":"compile","duration_ms":12.5,"cached":false}'
_START_MS = 1_700_000_000_000


def _lines(size: int) -> bytes:
    """
    Return about *size* bytes of records with three fields and four ids, as in bench_emit.
    """
    made, number = [], 0
    while size > 0:
        ids = {"project_id": _ID, "build_id": _ID, "user_id": f"user-{number % 50}", "req_id": f"req-{number // 10:08d}"}
        msg = f"build step {number} finished in {number % 977} ms"
        line = event_line(number, msg=msg, ms=_START_MS + number // 4, **ids)[0].replace(b'"data":{}', _DATA)
        made.append(line)
        size -= len(line)
        number += 1
    return b"".join(made)


def _spool(root: Path, count: int, size: int, instance: str = "web") -> list[Path]:
    """
    Make a root in which *count* finished segments wait.
    """
    (root / ".tierlog").mkdir(parents=True)
    folder = root / "system" / "2026-11-20"
    folder.mkdir(parents=True)
    lines = _lines(size)
    paths = [folder / f"{instance}-{number:08d}-01J{number:023d}.ndjson" for number in range(count)]
    for path in paths:
        path.write_bytes(lines)
    return paths


# Each of the two imports, makes its client and stores one segment first: that is its start. Then it is
# measured as the process that it mostly is, which has been up for hours.
_SHIP = """
import time
began = time.perf_counter()
import json, sys
from tierlog.r2 import ship
first, root, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
assert not ship(first, timeout=600, **options).pending
started = time.perf_counter()
assert not ship(root, timeout=600, **options).pending
print(json.dumps([started - began, time.perf_counter() - started]))
"""

_BARE = """
import time
began = time.perf_counter()
import hashlib, json, sys
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tierlog.r2._client import new_client
first, root, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
connections, bucket, is_checked = options.pop("connections"), options.pop("bucket"), options.pop("is_checked")
client = new_client(**options, region="auto", connect_timeout=5, read_timeout=30, connections=connections, attempts=1)


def put(path):
    body, more = path.read_bytes(), {}
    if is_checked:
        more = {"ContentMD5": b64encode(hashlib.md5(body).digest()).decode(), "IfNoneMatch": "*"}
    client.put_object(Bucket=bucket, Key=f"{path.parent}/{path.name}", Body=body, **more)


with ThreadPoolExecutor(connections) as pool:
    list(pool.map(put, sorted(Path(first).rglob("*.ndjson"))))
    started = time.perf_counter()
    list(pool.map(put, sorted(Path(root).rglob("*.ndjson"))))
print(json.dumps([started - began, time.perf_counter() - started]))
"""


def _output(program: str, *arguments: object) -> Any:
    command = [sys.executable, "-c", dedent(program), *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


@contextmanager
def _server(name: str, folder: Path) -> Iterator[dict[str, Any]]:
    """
    Run one that has nothing yet, since the simulator gets slower as a bucket fills.
    """
    if name == "moto":
        with Moto() as moto:
            yield {name: value for name, value in moto.options.items() if name != "region"}
            moto.reset()
        return
    folder.mkdir()
    certificate = new_certificate(folder) if name == "R2 over TLS" else None
    with pytest.MonkeyPatch.context() as patch, R2Simulator(folder / "bucket", certificate=certificate) as simulator:
        if certificate is not None:
            patch.setenv("AWS_CA_BUNDLE", str(certificate[1]))
        yield simulator.options
    shutil.rmtree(folder)


@pytest.mark.parametrize("server", ["R2 over TLS", "R2", "moto"])
@pytest.mark.benchmark(group="throughput")
def bench_throughput(benchmark, verdicts, tmp_path, server):
    """
    Shipping a spool, as a ratio to a loop of put_object over the same files: a bare one, and one whose
    objects the store checks as it does ours.
    """
    taken: dict[str, list[tuple[float, float]]] = {"ours": [], "checked": [], "bare": []}

    def one() -> None:
        for name, found in taken.items():
            with _server(server, tmp_path / "server") as given:
                first, root = tmp_path / "first", tmp_path / "logs"
                _spool(first, 1, int(MIB * 1_048_576), instance="first")
                _spool(root, SEGMENTS, int(MIB * 1_048_576))
                options = {**given, "connections": CONNECTIONS}
                if name != "ours":
                    options["is_checked"] = name == "checked"
                found.append(tuple(_output(_SHIP if name == "ours" else _BARE, first, root, json.dumps(options))))
            shutil.rmtree(first)
            shutil.rmtree(root)

    benchmark.pedantic(one, rounds=min(5, ROUNDS), warmup_rounds=0)
    medians = {name: statistics.median(steady for _, steady in found) for name, found in taken.items()}
    megabytes = SEGMENTS * MIB * 1.048576
    benchmark.extra_info.update({f"{name}_mb_s": round(megabytes / seconds, 1) for name, seconds in medians.items()})
    starts = {name: statistics.median(start for start, _ in found) for name, found in taken.items()}
    benchmark.extra_info.update({f"{name}_start_s": round(seconds, 2) for name, seconds in starts.items()})

    verdicts.add(f"{server}: time to ship / put_object, checked", medians["ours"] / medians["checked"], 1 / 0.9)
    verdicts.add(f"{server}: time to ship / bare put_object", medians["ours"] / medians["bare"], 1 / 0.9)


_LOGGING = """
import json, logging, sys, time
from tierlog.handler import TierHandler
handler = TierHandler(sink=json.loads(sys.argv[1]), instance_name="web")
log = logging.Logger("app")
log.addHandler(handler)
print("ready", flush=True)
for line in sys.stdin:
    taken = []
    for number in range(int(line)):
        began = time.perf_counter_ns()
        log.info("build step %s finished", number, extra={"data": {"n": number, "name": "order", "ok": True}})
        taken.append(time.perf_counter_ns() - began)
    taken.sort()
    print(taken[len(taken) * 99 // 100], flush=True)
"""


class _Logging:
    """
    A process that logs on request, and says what the 99th percentile of a call was.
    """

    def __init__(self, sink: dict[str, object]) -> None:
        command = [sys.executable, "-c", dedent(_LOGGING), json.dumps(sink)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout.readline() == "ready\n"

    def p99(self) -> int:
        """
        Return it, in **nanoseconds**.
        """
        self._process.stdin.write(f"{CALLS}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def kill(self) -> None:
        """
        End it.
        """
        self._process.kill()
        self._process.communicate()


@pytest.mark.parametrize("fault", ["hang:10", "refuse"])
@pytest.mark.benchmark(group="p99 of one call")
def bench_p99(benchmark, verdicts, tmp_path, fault):
    """
    The 99th percentile of a log call while the endpoint hangs or refuses, as a ratio to one without shipping.
    """
    rotation = {"max_bytes": 262_144}  # some segments in each slice are finished, and are to be shipped
    with R2Simulator() as simulator, TcpFaults(simulator.address, lambda _: fault) as proxy:
        options = {**simulator.options, "endpoint_url": simulator.at(proxy.url), "catalog": False, **rotation}
        ships = _Logging({"type": "r2", "root": str(tmp_path / "ships"), **options})
        stays = _Logging({"type": "segments", "root": str(tmp_path / "stays"), **rotation})
        ours, theirs = [], []

        def one() -> None:
            theirs.append(stays.p99())
            ours.append(ships.p99())

        benchmark.pedantic(one, rounds=ROUNDS, warmup_rounds=2)
        ships.kill()
        stays.kill()
    ratio = statistics.median(ours) / statistics.median(theirs)
    benchmark.extra_info.update(ours_us=statistics.median(ours) / 1000, stays_us=statistics.median(theirs) / 1000)

    verdicts.add(f"p99, endpoint {fault.partition(':')[0]}s / no shipping", ratio, 1.2)


_MEMORY = """
import json, sys
from pathlib import Path
from tierlog.r2 import R2Sink

def peak(name):
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name)) / 1024

options = json.loads(sys.argv[2])
idle = R2Sink(sys.argv[1] + "-idle", **options)
idle.store.head("none")
idle.close()
before = peak("VmRSS")
sink = R2Sink(sys.argv[1], **options)
assert sink.drain(3600), sink.stats()
print(peak("VmHWM") - before)
"""


class _Swallowing(BaseHTTPRequestHandler):
    """
    A store that keeps nothing, and says that it does.
    """

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """
        Say nothing.
        """

    def do_PUT(self) -> None:
        """
        Answer with the MD5 of what comes.
        """
        left, md5 = int(self.headers["Content-Length"]), hashlib.md5(usedforsecurity=False)
        while left:
            data = self.rfile.read(min(left, 1_048_576))
            md5.update(data)
            left -= len(data)
        self.send_response_only(200)
        self.send_header("ETag", f'"{md5.hexdigest()}"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        """
        Have nothing.
        """
        self.send_response_only(404)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.mark.benchmark(group="memory")
def bench_memory_of_a_backlog(benchmark, verdicts, tmp_path):
    """
    What a process that ships a backlog of 16 MiB segments needs above the idle one, in MiB.
    """
    _spool(tmp_path / "logs", BACKLOG, 16 * 1_048_576)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Swallowing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    keys = {"access_key_id": "x", "secret_access_key": "x"}
    options = {"bucket": "bucket", "endpoint_url": f"http://127.0.0.1:{server.server_port}", "catalog": None, **keys}
    found = []

    def one() -> None:
        found.append(_output(_MEMORY, tmp_path / "logs", json.dumps(options)))

    began = time.perf_counter()
    benchmark.pedantic(one, rounds=1)
    server.shutdown()
    benchmark.extra_info.update(mib=round(found[0], 1), seconds=round(time.perf_counter() - began, 1))

    verdicts.add(f"MiB above idle, {BACKLOG} segments of 16 MiB", found[0], 150)
