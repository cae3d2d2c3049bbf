"""
The store in memory keeps the contract of all stores, and is as strict as the real ones.
"""

from __future__ import annotations

import hashlib

import pytest

from tierlog.errors import ObjectNotFoundError, StoreError
from tierlog.stores import Put
from tierlog.testing import FakeClock, MemoryStore, StoreContract


@pytest.fixture(name="store")
def _store():
    return MemoryStore()


class TestMemoryStore(StoreContract):
    pass


def put(key="a/1", body=b"x", **options):
    return Put(key, body, len(body), hashlib.md5(body).hexdigest(), {})._replace(**options)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"key": ""}, id="no-key"),
        pytest.param({"key": "a/ä"}, id="key"),
        pytest.param({"metadata": {"n": "ä"}}, id="value"),
        pytest.param({"metadata": {"n": "a\nb"}}, id="newline"),
        pytest.param({"metadata": {"N": "1"}}, id="upper-case"),
        pytest.param({"metadata": {"a_b": "1"}}, id="underscore"),
        pytest.param({"size": 2}, id="size"),
    ],
)
def test_what_no_store_would_keep_is_refused(store, given):
    """
    A test doesn't pass with what a real store refuses.
    """
    with pytest.raises(StoreError):
        store.put(put(**given))

    assert list(store.list()) == []


def test_the_time_is_the_clocks():
    """
    An object is as old as the clock says.
    """
    clock = FakeClock(5_000_000_000)
    store = MemoryStore(clock=clock.time_ns)

    store.put(put())

    assert [one.modified_ms for one in store.list()] == [5_000]


def test_the_content_type_can_be_asked_for(store):
    """
    Tests can see what an object was put as.
    """
    store.put(put(content_type="application/zstd"))

    assert store.content_type("a/1") == "application/zstd"
    with pytest.raises(ObjectNotFoundError):
        store.content_type("a/2")
