# /// script
# requires-python = ">=3.11"
# dependencies = ["tierlog[r2]", "moto[s3,server]"]
# ///
"""
Segments that are shipped to R2, or any S3, as soon as they are finished.

Name yours in ENDPOINT_URL and BUCKET, with credentials where boto3 looks for them;
else moto plays the bucket. You will see that nothing is left on the disk, what is
stored, with what the bucket knows of it, and that not a record is missing.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import boto3
from moto.server import ThreadedMotoServer

import tierlog
from tierlog.r2 import R2Store
from tierlog.verify import verify


def moto_bucket() -> dict[str, str]:
    """
    Start a server with an empty bucket, and return where it is.
    """
    logging.getLogger("werkzeug").setLevel("ERROR")  # it says what it is asked for
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    where = {"endpoint_url": "http://{}:{}".format(*server.get_host_and_port()), "bucket": "my-logs"}
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    boto3.client("s3", endpoint_url=where["endpoint_url"], region_name="us-east-1").create_bucket(Bucket=where["bucket"])
    return where


if __name__ == "__main__":
    given = {name: os.environ.get(name.upper(), "") for name in ("endpoint_url", "bucket")}
    where = given if all(given.values()) else moto_bucket()

    tierlog.configure(root="logs", instance_name="example", process_events=False, **where)
    with tierlog.build("01JD3Z0V8E6M4K2T9R7Q5N1XYA", project_id="01JD3YZ5T8AB9C2D4E6F8G0H1J"):
        for step in ("install", "compile", "bundle"):
            logging.getLogger("builder").info("%s", step)
    tierlog.shutdown()
    print(len([*Path("logs").rglob("*.ndjson")]), "segments left on the disk")

    store = R2Store(**where)
    for one in store.list():
        metadata = store.head(one.key).metadata
        print(one.key, metadata["lines"], "lines, seq", metadata["first-seq"], "to", metadata["last-seq"])
    print("nothing is missing:", verify(Path("logs"), store).is_clean)
