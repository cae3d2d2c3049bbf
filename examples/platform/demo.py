# /// script
# requires-python = ">=3.11"
# dependencies = ["tierlog[all]", "moto[s3,server]"]
# ///
"""
A day of a small platform: a project, a build that works, one that doesn't, and what is
asked afterwards.

You will see how both builds ended, why the second one failed, which the database knows
and the log tells, and the project's timeline out of the bucket: requests, actions, the
life of its builds, and what they printed.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
import sys
import threading
import time
from contextlib import suppress
from functools import reduce
from pathlib import Path
from urllib.request import Request, urlopen

import boto3
import uvicorn
from app import create_app
from models import Base, ProjectBuildMetrics
from moto.server import ThreadedMotoServer
from sqlalchemy import Engine, create_engine

import tierlog
from tierlog import admin
from tierlog.lifecycle import mirror
from tierlog.query import LogStore, builds, open_store
from tierlog.r2 import R2Store
from tierlog.verify import verify


def main() -> None:
    """
    Run the platform, use it, and ask.
    """
    logging.getLogger("botocore").setLevel("WARNING")  # it says where it found credentials
    where = bucket()
    tierlog.configure(root="logs", instance_name="platform-01", **where)
    engine = create_engine("sqlite:///platform.db")
    Base.metadata.create_all(engine)
    mirrored = mirror(ProjectBuildMetrics, engine=engine)

    server, thread, url = serve(create_app(engine))
    project = post(f"{url}/projects", {"name": "hello", "user": "u-1"})["id"]
    names = {project: "P", sys.executable: "python"}
    for number, is_broken in enumerate((False, True), 1):
        build = post(f"{url}/projects/{project}/builds", {"source": source(number, is_broken=is_broken)})["id"]
        while (row := builds(engine, build_id=build)[0]).status not in {"deployed", "failed"}:
            time.sleep(0.02)
        names[build] = f"B{number}"
        print(f"build {number}: {row.status}")
    server.should_exit = True
    thread.join()
    mirrored.close()
    tierlog.shutdown()

    store = open_store(["logs", R2Store(**where)])
    for failed in builds(engine, status="failed", failure_stage="build", project_id=project, since="1h"):
        print(
            "build 2 failed at its", failed.failure_stage, *[event["msg"] for event in failed.log(store, text="Error")], sep=": "
        )
    for event in store.timeline(project):
        message = reduce(lambda text, name: text.replace(name, names[name]), names, event["msg"])
        print(f"{event['tier']:9} {event['lvl']:5} {message}")
    print(len([*Path("logs").rglob("*.ndjson")]), "segments left on the disk")
    print("nothing is missing:", verify(Path("logs"), R2Store(**where)).is_clean)
    if "--panel" in sys.argv:
        panel(store, engine)


def bucket() -> dict[str, str]:
    """
    Return where to ship to: what ENDPOINT_URL and BUCKET name, or a bucket of moto's.
    """
    given = {name: os.environ.get(name.upper(), "") for name in ("endpoint_url", "bucket")}
    if all(given.values()):
        return given
    logging.getLogger("werkzeug").setLevel("ERROR")  # it says what it is asked for
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    where = {"endpoint_url": "http://{}:{}".format(*server.get_host_and_port()), "bucket": "platform-logs"}
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    boto3.client("s3", endpoint_url=where["endpoint_url"], region_name="us-east-1").create_bucket(Bucket=where["bucket"])
    return where


def serve(app: object) -> tuple[uvicorn.Server, threading.Thread, str]:
    """
    Serve *app* on a free port, in a thread.
    """
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False, ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    return server, thread, "http://{}:{}".format(*server.servers[0].sockets[0].getsockname())


def panel(store: LogStore, engine: Engine) -> None:
    """
    Show all of it in a browser, until Ctrl-C.
    """
    secret = secrets.token_hex(32)
    _, thread, url = serve(admin.create_app(store, builds=engine, jwt_secret=secret))
    print(f"{url}/#token={admin.token(secret, subject='you', scopes=['logs:read'], lifetime=3600)}", flush=True)
    with suppress(KeyboardInterrupt):
        thread.join()


def post(url: str, body: dict[str, str]) -> dict[str, str]:
    """
    Send JSON, and return the JSON that is answered.
    """
    with urlopen(Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})) as answer:
        return json.load(answer)


def source(number: int, *, is_broken: bool) -> str:
    """
    Return a folder with what is to be built.
    """
    folder = Path("work", str(number), "site").absolute()
    shutil.copytree(Path(__file__).parent / "site", folder, dirs_exist_ok=True)
    if is_broken:
        (folder / "app.py").write_text("def main(:\n")
    return str(folder)


if __name__ == "__main__":
    main()
