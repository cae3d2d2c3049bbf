"""
Sinks of other packages, by entry point.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tierlog.errors import ConfigError
from tierlog.sink_config import make_sink


PACKAGE = """
class Shouting:
    def __init__(self, loud=False):
        self.loud = loud
    def write(self, event_line, route):
        print(event_line.decode().upper() if self.loud else event_line.decode())
    def flush(self): pass
    def close(self): pass
class Broken:
    pass
"""
ENTRY_POINTS = (
    "[tierlog.sinks]\nshouting = shouting_sink:Shouting\nmissing = shouting_sink:Nothing\nbroken = shouting_sink:Broken\n"
)


@pytest.fixture(name="package")
def _package(tmp_path, monkeypatch):
    (tmp_path / "shouting_sink.py").write_text(PACKAGE)
    info = tmp_path / "shouting_sink-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shouting-sink\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_sink_of_another_package(package):
    """
    A package's sink is used by the name that it registered.
    """
    sink = make_sink({"type": "shouting", "loud": True})

    assert (type(sink).__name__, sink.loud) == ("Shouting", True)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param({"type": "shoutin"}, "did you mean 'shouting'?", id="misspelt"),
        pytest.param({"type": "shouting", "lout": 1}, "did you mean 'loud'?", id="option"),
        pytest.param({"type": "missing"}, "can't be loaded", id="missing"),
        pytest.param({"type": "broken"}, "it has no write, flush, close", id="no-sink"),
        pytest.param({"type": "tee", "sinks": {"type": "memory"}}, "sink.sinks: {'type': 'memory'} isn't a list", id="one-sink"),
        pytest.param({"type": "tee", "sinks": "memory"}, "sink.sinks: 'memory' isn't a list", id="name-of-a-sink"),
        pytest.param({"type": "tee"}, "sink.sinks: None isn't a list", id="no-sinks"),
        pytest.param({"type": "segments", "root": "a\0b"}, "sink: can't be made", id="no-path"),
        pytest.param({"type": "segments", "retention": "90d"}, "sink.retention: goes with a bucket", id="lone"),
    ],
)
def test_errors(package, given, says):
    """
    What is wrong with it is said in one line.
    """
    with pytest.raises(ConfigError) as caught:
        make_sink(given)

    assert says in str(caught.value)


def test_own_sinks_need_no_look_at_the_installed_packages():
    """
    tierlog's own sinks are found without reading package metadata.
    """
    code = "import sys; from tierlog.sink_config import make_sink; make_sink({'type': 'memory'}); print('importlib.metadata' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
