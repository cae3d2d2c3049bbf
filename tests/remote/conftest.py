"""
The real servers that these tests speak to, each started once.
"""

from __future__ import annotations

from itertools import count

import pytest

from servers.moto_server import Moto
from servers.r2 import R2Simulator


_numbers = count()


@pytest.fixture(name="simulator", scope="session")
def _simulator():
    with R2Simulator() as running:
        yield running


@pytest.fixture(name="moto", scope="session")
def _moto():
    with Moto() as running:
        yield running


@pytest.fixture(name="r2")
def _r2(simulator):
    """
    Return where a part of the simulator's bucket is that no other test uses.
    """
    return {**simulator.options, "prefix": f"test-{next(_numbers)}"}
