"""
Importing tierlog loads little and changes nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig

import pytest

from tierlog import emitter


HEAVY = [
    *("boto3", "sqlalchemy", "starlette", "duckdb", "asyncio", "ssl", "importlib.metadata", "logging.handlers"),
    *("concurrent.futures", "ulid", "difflib", "pytest", "click", "rich", "multiprocessing", "email", "http"),
]

PROBE = """
import json, logging, os, sys, threading, warnings
before = (len(logging.getLogger().handlers), logging.getLoggerClass(), logging.getLogRecordFactory(), threading.active_count())
registered = []
os.register_at_fork = lambda **hooks: registered.append(hooks)
import atexit
atexit.register = lambda *args: registered.append(args)
import tierlog
after = (len(logging.getLogger().handlers), logging.getLoggerClass(), logging.getLogRecordFactory(), threading.active_count())
print(json.dumps({"modules": sorted(sys.modules), "same": before == after, "registered": len(registered)}))
"""


@pytest.fixture(name="found", scope="module")
def _found():
    probe = PROBE.replace("import json, ", "import ").replace(
        "print(json.dumps(", "loaded = set(sys.modules)\nimport json\nprint(json.dumps("
    )
    probe = probe.replace("sorted(sys.modules)", "sorted(loaded)")
    done = subprocess.run([sys.executable, "-I", "-c", probe], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("module", HEAVY)
def test_loads_nothing_heavy(found, module):
    """
    What only some need isn't loaded for all.
    """
    assert module not in found["modules"]


def test_has_no_effect(found):
    """
    Importing adds no handler, class, factory, thread, exit function or fork hook.
    """
    assert (found["same"], found["registered"]) == (True, 0)


def test_the_pytest_plugin_loads_nothing_until_it_is_used():
    """
    Whoever has tierlog installed pays nothing for its plugin.
    """
    code = "import sys, tierlog.pytest_plugin; print('tierlog.testing' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


def test_it_is_built():
    """
    Where there is a C compiler, it is built.
    """
    compiler = (sysconfig.get_config_var("CC") or "cl").split()[0]
    is_wanted = shutil.which(compiler) is not None and os.environ.get("TIERLOG_PURE") != "1"

    assert (emitter.Emitter is not emitter.PlainEmitter) == is_wanted
