"""
Let the file system refuse, in every way at hand, and check the books.

Each run logs to several tiers while a fault is on, and again after it. The application
must see no exception; every record must be in a file, or counted by its reason and on
standard error; what comes after the fault must be whole; and nothing torn may be left
once the next process has started. Needs ``strace``, and for the
full disk a mount of its own (root, or user namespaces).

    python proofs/faults.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from common import TESTS, arguments, progress, scratch, verdict

import tierlog


from checker import check  # isort: skip -- found by way of common

_AFTER = 20

INJECTED = {
    "eio-now-and-then": "write:error=EIO:when=40+7",
    "enospc-now-and-then": "write:error=ENOSPC:when=40+11",
    "eintr-now-and-then": "write:error=EINTR:when=40+5",
    "edquot-twice": "write:error=EDQUOT:when=60..61",
    "filler-refused": "pwrite64:error=ENOSPC:when=1+2",
    "sync-fails": "fdatasync:error=EIO:when=1+3",
    "cut-refused": "ftruncate:error=EIO:when=1+2",
}


def main() -> int:
    """
    Run the proof; return the exit code.
    """
    parser = arguments(__doc__)
    parser.add_argument("--records", type=int, default=2_000, help="while the fault is on (%(default)s)")
    options = parser.parse_args()
    problems: list[str] = []
    runs = dropped = 0
    for writer in [options.writer] if options.writer else ["append", "mmap"]:
        for durability in ("process", "batch", "disk"):
            for fault in ["efbig", "enospc", *INJECTED]:
                name = f"{fault}, {writer}, {durability}"
                progress(name)
                with scratch(keep=options.keep) as folder:
                    count, found = prove(folder, fault, writer, durability, options.records)
                runs += 1
                dropped += count
                problems += [f"{name}: {one}" for one in found]
    facts = f"{runs} runs of {options.records + _AFTER} records, {dropped} dropped, counted and shown"
    return verdict("faults", facts, problems)


def prove(folder: Path, fault: str, writer: str, durability: str, count: int) -> tuple[int, list[str]]:
    """
    Run one process under one fault.

    Returns:
        How many records were dropped, and what is wrong.
    """
    own = fault if fault in {"efbig", "enospc"} else "none"
    child = [sys.executable, str(TESTS / "children" / "faults.py"), str(folder / "logs"), writer, durability, own, str(count)]
    finished = subprocess.run([*before(fault), *child], capture_output=True, check=False)
    if finished.returncode:
        return 0, [f"exit code {finished.returncode}: {finished.stderr.decode('utf-8', 'replace')[-300:]}"]
    answer = json.loads(finished.stdout)
    if own == "enospc":  # that file system is gone with the process
        for path, text in answer["files"].items():
            (folder / "logs" / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / "logs" / path).write_text(text, "utf-8")
    tierlog.recover(folder / "logs")  # what couldn't be cut or synced is left to the next start
    checked = check(folder / "logs", may_miss=True)
    stats = answer["stats"]
    lost = sum(stats["dropped"].values())
    found = [f"raised {one}" for one in answer["raised"][:3]]
    found += [str(one) for one in checked.findings[:5]]
    after = sum(msg.startswith("after") for msg in checked.messages)
    books = {"accepted": (stats["accepted"], count + _AFTER), "in files": (len(checked.events), stats["written"])}
    books["written and dropped"] = (stats["written"] + lost, stats["accepted"])
    if own != "none":
        books["on standard error"] = (b"\n".join([b"", finished.stderr]).count(b'\n{"ts":'), lost)
        books["after the fault"] = (after, _AFTER)
    found += [f"{name}: {have} is not {want}" for name, (have, want) in books.items() if have != want]
    return lost, found


def before(fault: str) -> list[str]:
    """
    Return the command that runs a process under *fault*.
    """
    if fault in INJECTED:
        call = INJECTED[fault].partition(":")[0]
        return ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}", "-e", f"inject={INJECTED[fault]}"]
    if fault != "enospc":
        return []
    for command in (["unshare", "-m"], ["unshare", "-Urm"]):
        if not subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
            return command
    sys.exit("a full disk needs a mount of its own: run as root, or where user namespaces are allowed")


if __name__ == "__main__":
    sys.exit(main())
