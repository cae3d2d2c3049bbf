"""
``tierlog doctor``, ``search`` and ``tail`` with a real bucket: Cloudflare's own simulator of R2.
"""

from __future__ import annotations

import json
import time
from urllib.parse import quote

import pytest

from queried import everything, files, lines_of, ship, some, write
from servers.r2 import ACCESS_KEY_ID
from tierlog.cli._app import run
from tierlog.doctor import bucket_findings, server_clock, skew_findings
from tierlog.r2 import R2Store
from tierlog.shipping import Destination, note_destination


NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(name="root")
def _root(tmp_path):
    return tmp_path / "logs"


@pytest.fixture(name="place", autouse=True)
def _place(r2, monkeypatch):
    """
    The options of the bucket; its keys are where boto3 looks for them.
    """
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", r2["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", r2["secret_access_key"])
    return ["--bucket", r2["bucket"], "--prefix", r2["prefix"], "--endpoint-url", r2["endpoint_url"]]


def doctor(capsys, *arguments):
    """
    Run the command with --json, and return its exit code and its findings by check.
    """
    exit_code = run(["doctor", "--json", *map(str, arguments)])
    said = json.loads(capsys.readouterr().out)
    return exit_code, {one["check"]: one for one in said["findings"]}


# -- doctor -------------------------------------------------------------------------


def test_all_is_well(root, r2, place, capsys):
    """
    An object makes its round trip, the clocks agree, and nothing is left in the bucket.
    """
    exit_code, found = doctor(capsys, "--root", root, *place)

    assert exit_code == 0
    assert {found[check]["severity"] for check in ("bucket", "clock", "checksums")} == {"ok"}
    assert list(R2Store(**r2).list()) == []


def test_local_only(root, place, capsys):
    """
    With --local-only the bucket isn't asked.
    """
    _, found = doctor(capsys, "--root", root, *place, "--local-only")

    assert not {"bucket", "clock"} & found.keys()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param({"--bucket": "no-such-bucket"}, "there's no bucket 'no-such-bucket'", id="bucket"),
        pytest.param({"--endpoint-url": NOWHERE}, NOWHERE, id="endpoint"),
        pytest.param({"AWS_SECRET_ACCESS_KEY": "wrong" * 8}, "refuses the access key", id="key"),
    ],
)
def test_what_is_wrong_with_the_bucket(root, place, capsys, monkeypatch, changed, said):
    """
    A bucket that isn't there, can't be reached or refuses the key is an error that says
    so, and no key is shown.
    """
    for name, value in changed.items():
        if name in place:
            place[place.index(name) + 1] = value
        else:
            monkeypatch.setenv(name, value)

    exit_code, found = doctor(capsys, "--root", root, *place)

    assert exit_code == 1
    assert found["bucket"]["severity"] == "error"
    assert said in found["bucket"]["what"]
    assert found["bucket"]["mend"]
    assert ACCESS_KEY_ID not in str(found)


@pytest.mark.parametrize(("ahead", "severity"), [(0, "ok"), (60, "warning"), (-60, "warning"), (1200, "error")])
def test_clock_is_compared_with_that_of_the_store(moto, r2, ahead, severity):
    """
    A clock of this machine that is off is found by the date of any answer, and where
    answers have none, by the time of the object.
    """

    def off():
        return time.time_ns() + ahead * 10**9

    by_answer = server_clock(moto.endpoint, clock=off)
    by_object = [one for one in bucket_findings(R2Store(**r2), clock=off, compares_clocks=True) if one.check == "clock"]

    assert abs(by_answer - ahead) < 20  # it is known to the second, on a machine that has time
    assert [one.severity for one in skew_findings(by_answer)] == [severity]
    assert [one.severity for one in by_object] == [severity]


# -- reading ----------------------------------------------------------------------------


def test_search_finds_what_is_shipped_and_what_is_not(root, r2, place, capfdbinary):
    """
    The root knows where it ships to: what is there and what is here is found as one,
    and so it is by the URLs of both.
    """
    write(root, some(60))
    expected = lines_of(everything(root))
    ship(root, R2Store(**r2), only=lambda place: place.tier != "action")
    assert files(root)
    note_destination(root, Destination(r2["bucket"], r2["prefix"], r2["endpoint_url"]))
    url = f"r2://{r2['bucket']}/{r2['prefix']}?endpoint_url={quote(r2['endpoint_url'], safe='')}"

    by_root = run(["search", "--root", str(root), "--json"])
    one = capfdbinary.readouterr()
    by_urls = run(["search", "--store", str(root), "--store", url, "--json"])
    two = capfdbinary.readouterr()

    assert (by_root, one) == (by_urls, two) == (0, (expected, b""))


def test_bucket_that_cannot_be_reached(root, r2, capfdbinary):
    """
    With the bucket away, what is here is delivered, the bucket is named in one line,
    and the exit code is 2; with --local-only nobody asks for it.
    """
    write(root, some(60))
    expected = lines_of(everything(root))
    note_destination(root, Destination(r2["bucket"], r2["prefix"], NOWHERE))

    asked = run(["search", "--root", str(root), "--json"])
    output, errors = capfdbinary.readouterr()
    alone = run(["search", "--root", str(root), "--json", "--local-only"])

    assert (asked, output) == (2, expected)
    assert errors.count(b"\n") == 1
    assert r2["bucket"].encode() in errors
    assert (alone, capfdbinary.readouterr()) == (0, (expected, b""))
