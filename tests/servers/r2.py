"""
Cloudflare's own R2 simulator as a server for the tests.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from servers.install import install, node, put_file


ACCESS_KEY_ID = "0123456789abcdef0123456789abcdef"
BUCKET = "tierlog-test"

_PROGRAM = """
import { Miniflare } from "miniflare";
const options = JSON.parse(process.argv[2]);
const keys = { accessKeyId: options.id, secretAccessKey: options.secret };
const simulator = new Miniflare({
  modules: true,
  script: "export default { fetch() { return new Response() } }",
  host: "127.0.0.1",
  port: options.port,
  cf: false,
  compatibilityDate: "2026-05-01",
  r2Persist: options.folder,
  r2Buckets: Object.fromEntries(options.buckets.map((id, n) => ["B" + n, { id, s3Credentials: keys }])),
  ...options.tls,
});
console.log((await simulator.ready).href);
process.stdin.resume();
process.stdin.on("end", async () => { await simulator.dispose(); process.exit(0); });
"""


class R2Simulator:
    """
    A running simulator with an empty bucket; it ends with the tests, however they end.

    Args:
        data: Where it keeps the objects; in the memory if None.

        certificate: Paths of a key and a certificate: it speaks TLS then.

        buckets: The names of its buckets.

    Attributes:
        endpoint: Its URL, for ``endpoint_url=``.

        options: What a sink or store needs to reach it.
    """

    def __init__(
        self, data: Path | None = None, *, certificate: tuple[Path, Path] | None = None, buckets: tuple[str, ...] = (BUCKET,)
    ) -> None:
        folder = install()
        program = folder / "simulator.mjs"
        put_file(program, _PROGRAM)
        self._secret = os.urandom(32).hex()
        tls = {}
        if certificate:
            tls = {"https": True, "httpsKeyPath": str(certificate[0]), "httpsCertPath": str(certificate[1])}
        given = {
            "id": ACCESS_KEY_ID,
            "secret": self._secret,
            "port": 0,
            "folder": str(data) if data else False,
            "buckets": list(buckets),
            "tls": tls,
        }
        self._process = subprocess.Popen(
            [node(), str(program), json.dumps(given)],
            cwd=folder,
            stdin=subprocess.PIPE,  # its end tells the simulator to end
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a long tale of each connection that a client gives up
            start_new_session=True,
        )
        url = self._process.stdout.readline().decode().strip().rstrip("/")
        assert url, "the simulator didn't start"
        self.address = ("127.0.0.1", int(url.rpartition(":")[2]))
        self._path = "/cdn-cgi/local/r2/s3"
        self.endpoint = url + self._path

    def at(self, url: str) -> str:
        """
        Return the endpoint if the simulator is reached at *url*, through a proxy say.
        """
        return url.rstrip("/") + self._path

    @property
    def options(self) -> dict[str, Any]:
        """
        Where the bucket is, and the keys to it.
        """
        keys = {"access_key_id": ACCESS_KEY_ID, "secret_access_key": self._secret}
        return {"bucket": BUCKET, "endpoint_url": self.endpoint, **keys}

    def close(self) -> None:
        """
        End it, and its own children.
        """
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def __enter__(self) -> R2Simulator:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
