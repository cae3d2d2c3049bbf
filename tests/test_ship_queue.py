"""
What is shipped next, and when after a failure.
"""

from __future__ import annotations

import pytest

from tierlog.layout import Place
from tierlog.shipping._queue import Backoff, Queue


def place(number):
    return Place("system", "2026-11-23", None, "web-00000000", f"01J{number:023d}")


@pytest.fixture(name="queue")
def _queue():
    return Queue(Backoff(1.0, 60.0, lambda: 1.0))


def test_first_come_first_served(queue):
    """
    Segments are shipped in the order in which they came, each once.
    """
    for number in range(3):
        assert queue.add(place(number), 10, 0.0)
    assert not queue.add(place(0), 10, 0.0)

    assert [queue.take(0.0) for _ in range(4)] == [place(0), place(1), place(2), None]
    assert len(queue) == 3
    assert queue.backlog_bytes == 30


def test_pauses_double_up_to_the_most():
    """
    The limit of the pause doubles with each failure, and the pause is random below it.
    """
    backoff = Backoff(0.5, 60.0, lambda: 1.0)

    assert [backoff.pause(failures) for failures in (1, 2, 3, 8, 9, 5_000)] == [0.5, 1.0, 2.0, 60.0, 60.0, 60.0]
    assert Backoff(0.5, 60.0, lambda: 0.0).pause(9) == 0.0


def test_after_a_failure_all_wait(queue):
    """
    While the store doesn't answer, nothing is tried before the pause is over.
    """
    queue.add(place(0), 10, 0.0)
    queue.add(place(1), 10, 0.0)
    queue.failed(queue.take(0.0), 0.0, is_store=True)

    assert queue.take(0.9) is None
    assert queue.due(0.25) == 0.75
    assert queue.take(1.0) == place(1)


def test_one_that_cannot_be_shipped_keeps_nobody(queue):
    """
    When the reason is the segment's own, the others go on at once.
    """
    queue.add(place(0), 10, 0.0)
    queue.add(place(1), 10, 0.0)
    queue.failed(queue.take(0.0), 0.0, is_store=False)

    assert queue.take(0.0) == place(1)
    assert queue.take(0.5) is None
    assert queue.take(1.0) == place(0)


def test_success_ends_the_pause(queue):
    """
    One success says that the store works, and nobody waits for it any more.
    """
    for number in range(3):
        queue.add(place(number), 10, 0.0)
    first, second = queue.take(0.0), queue.take(0.0)
    queue.failed(first, 0.0, is_store=True)
    queue.done(second)
    queue.succeeded()

    assert queue.take(0.0) == place(2)


def test_what_somebody_else_shipped_is_forgotten(queue):
    """
    Segments that aren't on the disk any more don't wait.
    """
    queue.add(place(0), 10, 5.0)
    queue.add(place(1), 10, 7.0)

    queue.drop(place(0))
    queue.drop(place(2))

    assert queue.take(0.0) == place(1)
    assert queue.take(0.0) is None
    assert queue.oldest == 7.0


def test_a_new_name_is_tried_again_under_it(queue):
    """
    A segment that got its own name before an attempt failed is tried again by that name.
    """
    queue.add(place(0), 10, 0.0)
    queue.take(0.0)
    queue.rename(place(0), place(9))
    queue.failed(place(9), 0.0, is_store=False)

    assert queue.take(1.0) == place(9)
    assert len(queue) == 1
