"""
moto's S3 server, which serves what the R2 simulator refuses.
"""

from __future__ import annotations

from typing import Any
from urllib.request import Request, urlopen

import boto3
from moto.server import ThreadedMotoServer


BUCKET = "tierlog-test"  # not "logs", which moto takes for a service


class Moto:
    """
    A running server with an empty bucket.

    Attributes:
        endpoint: Its URL.

        options: What a sink or store needs to reach it.
    """

    def __init__(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.endpoint = f"http://{host}:{port}"
        self.client().create_bucket(Bucket=BUCKET)

    def client(self) -> Any:
        """
        Return a plain boto3 client.
        """
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.session.Session().client("s3", endpoint_url=self.endpoint, region_name="us-east-1", **keys)

    @property
    def options(self) -> dict[str, Any]:
        """
        Where the bucket is, and the keys to it.
        """
        keys = {"access_key_id": "test", "secret_access_key": "test"}
        return {"bucket": BUCKET, "endpoint_url": self.endpoint, "region": "us-east-1", **keys}

    def reset(self) -> None:
        """
        Forget every bucket, this one too: they outlive the server.
        """
        urlopen(Request(f"{self.endpoint}/moto-api/reset", method="POST")).close()

    def close(self) -> None:
        """
        End it.
        """
        self._server.stop()

    def __enter__(self) -> Moto:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
