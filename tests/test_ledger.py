"""
The ledger: which segments are sealed and shipped, and the chain of their hashes.
"""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading

import pytest

from children import run
from tierlog.facts import facts_of
from tierlog.layout import Place
from tierlog.shipping import Ledger, Shipped, sealed
from tierlog.testing import event_line


WEB = "web-00000000"


def place(number, instance=WEB):
    return Place("system", "2026-11-23", None, instance, f"01J{number:023d}")


def facts(number):
    return facts_of(io.BytesIO(event_line(seq=number)[0]))


@pytest.fixture(name="ledger")
def _ledger(tmp_path):
    return Ledger(tmp_path)


def shipped(one):
    return Shipped(one, f"key/{one.path}", "etag", 100)


def test_each_segment_names_the_one_before(ledger):
    """
    The chain begins with nothing, and each link is the hash of the segment before.
    """
    ones = [ledger.seal(place(n), facts(n)) for n in range(3)]

    assert [one.prev_sha256 for one in ones] == ["", ones[0].sha256, ones[1].sha256]


def test_instances_have_chains_of_their_own(ledger):
    """
    The segment before is one of the same instance.
    """
    ledger.seal(place(0), facts(0))

    assert ledger.seal(place(0, "api-00000000"), facts(1)).prev_sha256 == ""


def test_sealing_again_changes_nothing(ledger, tmp_path):
    """
    A segment is in the chain once, whoever seals it again.
    """
    first = ledger.seal(place(0), facts(0))
    ledger.seal(place(1), facts(1))

    assert ledger.seal(place(0), facts(0)) == first
    assert Ledger(tmp_path).seal(place(0), facts(0)) == first
    assert [one.path for one in sealed(tmp_path)] == [first.path, ledger.find(place(1)).path]


def test_facts_come_back_whole(ledger, tmp_path):
    """
    What is known of a sealed segment is known after a restart, too.
    """
    lines = b"".join(event_line(seq=n, project_id="p1")[0] for n in range(3))
    known = facts_of(io.BytesIO(lines))
    ledger.seal(place(0), known)

    assert Ledger(tmp_path).find(place(0)).facts == known


def test_the_chain_goes_on_when_all_is_done(ledger, tmp_path):
    """
    What is done is forgotten but for the hash that the next segment names.
    """
    first = ledger.seal(place(0), facts(0))
    ledger.ship(shipped(first))
    ledger.finish(first)

    assert list(Ledger(tmp_path).sealed()) == []
    assert Ledger(tmp_path).seal(place(1), facts(1)).prev_sha256 == first.sha256


def test_what_is_shipped_waits_for_the_catalog(ledger, tmp_path):
    """
    A shipped segment is told to the catalog after a restart, until it is done.
    """
    first = ledger.seal(place(0), facts(0))
    ledger.ship(shipped(first))

    assert list(Ledger(tmp_path).waiting()) == [shipped(first)]

    Ledger(tmp_path).finish(first)

    assert list(ledger.waiting()) == []


def test_a_torn_end_is_cut(ledger, tmp_path):
    """
    A line that a killed process left half written isn't there, and the next one is whole.
    """
    first = ledger.seal(place(0), facts(0))
    path = tmp_path / ".tierlog" / "ledger" / f"{WEB}.ledger"
    with path.open("ab") as file:
        file.write(b'{"v":1,"event":"sealed","pa')

    again = Ledger(tmp_path)

    assert again.seal(place(1), facts(1)).prev_sha256 == first.sha256
    assert Ledger(tmp_path).find(place(1)) is not None


def test_many_at_once_make_one_chain(tmp_path):
    """
    Threads and ledgers of the same root seal without fork or hole.
    """

    def work(first):
        ledger = Ledger(tmp_path)
        for number in range(first, first + 10):
            ledger.seal(place(number), facts(number))

    threads = [threading.Thread(target=work, args=(start,)) for start in range(0, 80, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = list(sealed(tmp_path))
    links = [one.prev_sha256 for one in found]
    assert len(found) == 80
    assert links[0] == ""
    assert links[1:] == [one.sha256 for one in found[:-1]]


_CHILD = """
import io, sys
from pathlib import Path
from tierlog.facts import facts_of
from tierlog.layout import Place
from tierlog.shipping import Ledger, Shipped
from tierlog.testing import event_line

ledger, first = Ledger(Path(sys.argv[1])), int(sys.argv[2])
print("ready", flush=True)
for number in range(first, first + 100_000):
    place = Place("system", "2026-11-23", None, "web-00000000", f"01J{number:023d}")
    one = ledger.seal(place, facts_of(io.BytesIO(event_line(seq=number)[0])))
    print(one.prev_sha256 or "-", one.sha256, flush=True)
    if number % 3 == 0:
        ledger.ship(Shipped(one, "k", "e", 1))
        ledger.finish(one)
"""


def test_killed_at_any_moment_the_chain_has_no_fork(tmp_path):
    """
    Whatever a killed process had sealed, the next one's first link is its last one.
    """
    links = []
    for number in range(6):
        child = subprocess.Popen([sys.executable, "-c", _CHILD, str(tmp_path), str(number * 1_000_000)], stdout=subprocess.PIPE)
        assert child.stdout.readline() == b"ready\n"
        for _ in range(5 + 7 * number):
            links.append(child.stdout.readline().split())
        os.kill(child.pid, signal.SIGKILL)
        rest = child.stdout.read().splitlines(keepends=True)
        links += [line.split() for line in rest if line.endswith(b"\n")]
        child.wait()
        child.stdout.close()

    heads = {b"-"} | {sha for _, sha in links}
    previous = [prev for prev, _ in links]
    assert len(set(previous)) == len(previous), "two segments name the same one before them"
    unknown = [prev for prev in previous if prev not in heads]
    assert len(unknown) <= 6, "at most one per kill was sealed and not told"


class TestTidy:
    """
    Ledgers of processes that ended long ago.
    """

    def test_what_is_old_and_done_goes(self, ledger, tmp_path):
        """
        A ledger that says nothing but where its chain ends is taken away, and what a killed process left beside it.
        """
        one = ledger.seal(place(0), facts(0))
        ledger.ship(shipped(one))
        ledger.finish(one)
        folder = tmp_path / ".tierlog" / "ledger"
        (folder / f"{WEB}.123-456").write_bytes(b"{}")

        ledger.tidy(0.0)
        before = len(os.listdir(folder))
        ledger.tidy(4e9)

        assert (before, os.listdir(folder)) == (2, [])

    def test_what_waits_stays(self, ledger, tmp_path):
        """
        However old it is, a segment that isn't shipped or not in the catalog yet keeps its ledger.
        """
        one, two = ledger.seal(place(0), facts(0)), ledger.seal(place(0, "api-00000000"), facts(1))
        ledger.ship(shipped(two))

        ledger.tidy(4e9)

        assert list(Ledger(tmp_path).sealed()) == [two, one]


class TestSharedBySeveral:
    """
    Two processes, or an old and a new sink, that note segments of one instance.
    """

    @pytest.mark.parametrize("between", range(1, 7))
    def test_each_sees_what_the_other_noted(self, ledger, tmp_path, between):
        """
        However often one has begun the file anew, which may then have a number on the disk that it had before, the other
        one's link is the last.
        """
        other = Ledger(tmp_path)
        for number in range(between + 1):
            one = ledger.seal(place(number), facts(number))
            ledger.ship(shipped(one))
            ledger.finish(one)
            if not number:
                list(other.waiting())

        assert other.seal(place(99), facts(99)).prev_sha256 == one.sha256

    def test_one_that_cant_be_read_keeps_none_of_the_others(self, ledger, tmp_path):
        """
        What stands in other ledgers comes into the catalog all the same.
        """
        one = ledger.seal(place(0), facts(0))
        ledger.ship(shipped(one))
        (tmp_path / ".tierlog" / "ledger" / "api-00000000.ledger").mkdir()

        assert list(Ledger(tmp_path).waiting()) == [shipped(one)]


class TestDamage:
    """
    A ledger that somebody has changed.
    """

    @pytest.mark.parametrize(
        "line",
        [
            pytest.param(b"\xff\xfe\n", id="bytes"),
            pytest.param(b"{}\n", id="nothing"),
            pytest.param(b"[]\n", id="list"),
            pytest.param(b'{"v":1,"event":"sealed","path":"x"}\n', id="a-part"),
            pytest.param(b'{"v":1,"event":"sealed","path":"x","prev":"","facts":{"new":1}}\n', id="of-another-version"),
            pytest.param(b'{"v":1,"event":"head"}\n', id="head"),
        ],
    )
    def test_a_line_of_it_is_all_that_is_lost(self, ledger, tmp_path, line):
        """
        What stands before and behind it counts as if it weren't there.
        """
        one = ledger.seal(place(0), facts(0))
        path = tmp_path / ".tierlog" / "ledger" / f"{WEB}.ledger"
        path.write_bytes(path.read_bytes() + line)
        two = Ledger(tmp_path).seal(place(1), facts(1))

        after = Ledger(tmp_path)

        assert list(after.sealed()) == [one, two]
        assert two.prev_sha256 == one.sha256
        assert after.seal(place(2), facts(2)).prev_sha256 == two.sha256


_FULL = """
import io, sys
from pathlib import Path
from tierlog.facts import facts_of
from tierlog.layout import Place
from tierlog.shipping import Ledger, Shipped
from tierlog.testing import event_line

ledger, ones = Ledger(Path(sys.argv[1])), []
for number in range(3):
    place = Place("system", "2026-11-23", None, "web-00000000", f"01J{number:023d}")
    ones.append(ledger.seal(place, facts_of(io.BytesIO(event_line(seq=number)[0]))))
    assert ledger.find(place) == ones[-1]
    ledger.ship(Shipped(ones[-1], "k", "e", 1))
    print(ones[-1].prev_sha256 or "-", ones[-1].sha256)
ledger.finish(ones[-1])
"""


def test_a_full_disk_stops_no_chain(tmp_path):
    """
    Shipping is what makes room: while the ledger can't grow, segments are sealed and shipped all the same, each with its
    link, and the next process's link is the last of them.
    """
    path = tmp_path / ".tierlog" / "ledger" / f"{WEB}.ledger"
    path.parent.mkdir(parents=True)
    path.touch()
    faults = ["-e", "trace=write", "-e", "inject=write:error=ENOSPC:when=1..6", "-P", str(path)]

    done = run(_FULL, tmp_path, before=["strace", "-f", "-qq", "-o", os.devnull, *faults])

    links = [line.split() for line in done.out.splitlines()]
    assert (done.returncode, done.err) == (0, "")
    assert [prev for prev, _ in links] == ["-", links[0][1], links[1][1]]
    assert Ledger(tmp_path).seal(place(9), facts(9)).prev_sha256 == links[2][1]
