"""
``tierlog serve`` as a child process, for the tests.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import httpx

from tierlog.admin import SCOPES, token


__all__ = ["SECRET", "Served", "serve"]

SECRET = "not-a-secret-" * 4
"""What the servers' tokens are signed with."""

_PROGRAM = """
import json, sys
from tierlog.admin import create_app
from tierlog.admin._server import listen, run

root, port, options = sys.argv[1:]
listening = listen("127.0.0.1", int(port))
url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
run(create_app(root, **json.loads(options)), listening, started=lambda: print(f"at {url}", flush=True))
"""
_PATIENCE = 120.0  # seconds: for what hangs, not for what is slow
_CLIENT = httpx.Client(verify=False, limits=httpx.Limits(max_keepalive_connections=0), timeout=_PATIENCE)  # a new one costs 30 ms


class Served(NamedTuple):
    """
    A server that runs.

    Attributes:
        url: Where, with a slash at the end.

        token: A token that may do everything.

        root: The folder of the segments.

        process: The server.
    """

    url: str
    token: str
    root: Path
    process: subprocess.Popen

    def get(self, path, *, token=None, **more):
        """
        Get a path below the URL, with *token*, with none if it is empty, or with the one
        that may do everything.
        """
        given = self.token if token is None else token
        headers = {**({"Authorization": f"Bearer {given}"} if given else {}), **more.pop("headers", {})}
        return _CLIENT.get(self.url + path.lstrip("/"), headers=headers, **more)

    def ticket(self, path, query="", *, token=None):
        """
        Return a ticket.
        """
        headers = {"Authorization": f"Bearer {token or self.token}"}
        given = _CLIENT.post(f"{self.url}v1/admin/tickets", json={"path": path, "query": query}, headers=headers)
        return given.json()["ticket"]

    def stop(self, sig=signal.SIGTERM, *, patience=_PATIENCE):
        """
        End the server, which may take so many seconds.
        """
        self.process.send_signal(sig)
        self.process.wait(patience)
        self.process.stdout.close()


def serve(root, *arguments, port=0, secret=SECRET, **options):
    """
    Start a server over *root*, and return it once it answers: ``tierlog serve`` with
    *arguments*, or an application with *options*.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TIERLOG_")}
    if secret:
        environment["TIERLOG_JWT_SECRET"] = secret
    command = ["-c", "from tierlog.cli import main; main()", "serve", "--root", root, "--port", port, *arguments]
    if options:
        command = ["-c", _PROGRAM, root, port, json.dumps({"jwt_secret": secret, "rate_limit": "100000/minute", **options})]
    process = subprocess.Popen([sys.executable, *map(str, command)], stdout=subprocess.PIPE, text=True, env=environment)
    line = process.stdout.readline()
    if "at http" not in line:
        process.kill()
        process.wait()
        raise AssertionError(f"the server didn't start: {line!r}")
    url, _, made = line.split("at ")[1].strip().partition("#token=")
    mine = made or (token(secret, subject="tester", scopes=SCOPES) if secret else "")
    return Served(url, mine, Path(root), process)
