"""
The real servers that these tests speak to, each started once.
"""

from __future__ import annotations

import threading
from functools import cache
from itertools import count

import botocore.loaders
import pytest

from servers.moto_server import Moto
from servers.postgres import Postgres
from servers.r2 import R2Simulator
from tierlog.r2 import _sink


_numbers = count()

# Hundreds of clients are made here: the models that boto3 makes them of are read once.
botocore.loaders.create_loader = cache(botocore.loaders.create_loader)


@pytest.fixture(name="simulator", scope="session")
def _simulator():
    with R2Simulator() as running:
        yield running


@pytest.fixture(name="moto", scope="session")
def _moto():
    with Moto() as running:
        yield running


@pytest.fixture(name="server", scope="session")
def _server():
    with Postgres() as running:
        yield running


@pytest.fixture(name="r2")
def _r2(simulator):
    """
    Return where a part of the simulator's bucket is that no other test uses.
    """
    return {**simulator.options, "prefix": f"test-{next(_numbers)}"}


@pytest.fixture(autouse=True)
def shipping_ends():
    """
    End with each test what it left that still tries to ship: it would say so within a later one.
    """
    yield

    for sink in list(_sink._watched):
        sink._shipping.close(gives_up=True)
    for thread in threading.enumerate():
        if thread.name.startswith(("tierlog-ship-", "tierlog-catalog")):
            thread.join()
