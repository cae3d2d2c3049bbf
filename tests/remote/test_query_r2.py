"""
Queries over a real object store: Cloudflare's own simulator of R2.
"""

from __future__ import annotations

from collections import Counter
from urllib.parse import quote

import pytest

from conftest import ULID
from queried import NOW, catalogued, everything, files, ship, some, write
from tierlog.catalog import Catalog, rebuild
from tierlog.query import open_store
from tierlog.r2 import R2Store
from tierlog.testing import MemoryStore


@pytest.fixture(name="root")
def _root(tmp_path):
    return tmp_path / "logs"


def opened(r2, *more, **options):
    """
    Open the store by its URL.
    """
    url = f"r2://{r2['bucket']}/{r2['prefix']}?endpoint_url={quote(r2['endpoint_url'], safe='')}"
    keys = {name: r2[name] for name in ("access_key_id", "secret_access_key")}
    return open_store([*more, url], **keys, **options)


@pytest.mark.parametrize("packing", [None, "zst"])
def test_folder_and_bucket_are_one(root, r2, packing):
    """
    What is shipped and what is still here are one stream, by scan and with the catalog.
    """
    write(root, some(80))
    events, store = everything(root), R2Store(**r2)
    ship(root, store, packing=packing, only=lambda place: place.tier != "action")
    remains = files(root)

    scanned = list(opened(r2, root).search())
    catalogued(root, store)
    search = opened(r2, root).search(project_id=ULID, order="desc", limit=20)

    assert remains
    assert scanned == events
    assert list(search) == [event for event in events[::-1] if event["projectId"] == ULID][:20]
    assert search.problems == []


def test_a_needle_takes_few_bytes(root, r2):
    """
    With a catalog, a needle in a bucket takes no more than a twentieth of its bytes.
    """
    events = [(NOW + n, "system", "info", {"user_id": "rare" if n == 7_000 else "u"}, f"{n:x}" * 200, {}) for n in range(9_000)]
    write(root, events, max_bytes=20_000_000)
    store = Counted(**r2)
    shipped = ship(root, store)
    catalogued(root, store)
    store.bytes = 0

    found = list(open_store([root, store]).search(user_id="rare"))

    assert [event["seq"] for event in found] == [7_000]
    assert 0 < store.bytes < shipped[0].stored_bytes / 20


class Counted(R2Store):
    """
    A store that counts the bytes that are read.
    """

    bytes = 0

    def get(self, key, start=0, end=None):
        body = super().get(key, start, end)
        self.bytes += len(body)
        return body

    def open(self, key):
        self.bytes += self.head(key).size
        return super().open(key)


def test_a_bucket_that_is_not_there(root, r2):
    """
    A bucket that doesn't answer is told in one line, and what is here is delivered.
    """
    write(root, some(10))

    search = opened({**r2, "bucket": "no-such-bucket"}, root).search()

    assert list(search) == everything(root)
    assert search.problems
    assert all("\n" not in problem.problem for problem in search.problems)


def test_a_catalog_in_postgresql(root, server):
    """
    With the catalog of all hosts in PostgreSQL, a search finds what is on the disk and in the store, and reads only the
    blocks that it names.
    """
    write(root, some(120))
    events, store = everything(root), MemoryStore()
    ship(root, store, packing="zst", only=lambda place: place.tier != "action")
    server.execute("CREATE DATABASE logs")
    catalog = Catalog(server.url("logs"))
    rebuild(catalog, root, store)
    catalog.close()

    logs = open_store([root, store], catalog=server.url("logs"))
    search = logs.search(user_id="u3", levels="error")
    found = list(search)
    count = logs.count(("tier", "lvl"))

    assert found == [event for event in events if event["userId"] == "u3" and event["lvl"] == "error"]
    assert search.problems == count.problems == []
    assert count == Counter((event["tier"], event["lvl"]) for event in events)
