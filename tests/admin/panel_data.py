"""
What the panel's tests look at, written as a platform would: ``panel_data.py ROOT DATABASE``.

A captured build and its deploy, requests, actions, log calls and a mirrored table; only
the day before is made up, since it is over.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import random
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from sqlalchemy import create_engine, text
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from ulid import ULID

import tierlog
from tierlog import capture
from tierlog.asgi import TierlogMiddleware
from tierlog.context import EMPTY
from tierlog.handler import all_handlers
from tierlog.lifecycle import builds_ddl, mirror


LINES = 10_000
BUILDS = 400
FAILED_LINE = "Could not resolve import './missing' in src/index.ts"

HOSTILE = {
    "html": """<img src=x onerror="document.title='owned';alert(1)"><script>alert(2)</script>""",
    "turned": "invoice\u202egnp.exe\u202c and \u2066more\u2069",
    "terminal": "\x1b[31mred\x1b[0m \x1b[8mnot hidden\x1b[0m \x1b]8;;javascript:alert(3)\x07a link\x1b]8;;\x07 \x1b[2J\x1b[H bell\x07 \x1b[38;2;255;255;255;48;2;255;255;255mwhite\x1b[0m",
    "arabic": "مرحبا بالعالم, then שלום",
}
_TABLE = """CREATE TABLE project_build_metrics (
  id INTEGER PRIMARY KEY, build_id VARCHAR(26) NOT NULL, version_id VARCHAR(40), project_id VARCHAR(26), user_id VARCHAR(40),
  is_initial_build BOOLEAN, is_update BOOLEAN, is_retry BOOLEAN, attempt_number INTEGER, parent_build_id VARCHAR(26),
  status VARCHAR(20), failure_stage VARCHAR(40), started_at TIMESTAMP, completed_at TIMESTAMP, total_duration_ms INTEGER,
  framework VARCHAR(20), detected_framework VARCHAR(20), node_version VARCHAR(20), package_manager VARCHAR(20),
  created_at TIMESTAMP, total_duration_min FLOAT)"""
_BUILD = f"""#!{sys.executable}
import sys
out, err = sys.stdout, sys.stderr
out.write("\\x1b[36mvite v7.1.4 \\x1b[32mbuilding for production...\\x1b[39m\\ntransforming...\\n")
out.write("".join(f"\\x1b[32m✓\\x1b[39m src/module-{{n}}.ts \\x1b[2m{{n % 97}} ms\\x1b[22m\\n" for n in range({LINES})))
out.flush()
err.write("\\x1b[33mwarning\\x1b[39m 2 chunks are larger than 500 kB\\n")
err.write("\\x1b[31m✘ [ERROR]\\x1b[39m \\x1b[1m{FAILED_LINE.replace("'", chr(92) + "'")}\\x1b[22m\\n\\n    src/index.ts:3:21:\\n")
err.write("      3 | import {{ app }} from \\x1b[32m'./missing'\\x1b[39m;\\n\\x1b[31mbuild failed\\x1b[39m in 1.42s\\n")
sys.exit(1)
"""
_DEPLOY = f"""#!{sys.executable}
print(" wrangler 4.40.0")
print("Total Upload: 184.21 KiB / gzip: 46.02 KiB")
print("Uploaded shop-front (3.18 sec)")
print("  https://shop-front.example.workers.dev")
"""
_CHANGES = (
    {"plan": "hobby", "limits": {"cpu": 1, "memory_mb": 512}, "regions": ["fra"]},
    {"plan": "pro", "limits": {"cpu": 2, "memory_mb": 512}, "regions": ["fra", "iad"], "note": "<script>alert(4)</script>"},
)


def main(root: str, database: str) -> dict[str, str]:
    """
    Write all of it, and return the ids of what is in its middle.
    """
    random.seed(11)
    projects = [str(ULID()) for _ in range(6)]
    ids = {"project": projects[0], "other": projects[2], "build": str(ULID()), "good": str(ULID()), "request": "req-4f1d"}
    engine = create_engine(database)
    with engine.begin() as connection:
        connection.execute(text(_TABLE))
        for statement in builds_ddl():
            connection.execute(text(statement))
        connection.execute(text(_insert()), _rows(projects, ids))
    tierlog.configure(root=root, instance_name="worker-01")
    _yesterday(projects)
    with mirror("project_build_metrics", engine=engine) as watching:
        _built(engine, ids, _programs(Path(root).parent / "bin"))
        watching.flush()
    asyncio.run(_requests(ids))
    _logged(projects, ids)
    tierlog.shutdown()
    engine.dispose()
    return ids


def _rows(projects, ids):
    now = datetime.now(UTC).replace(tzinfo=None)
    rows = []
    for number in range(BUILDS):
        at = now - timedelta(minutes=7 + number * 24)
        took = int(random.lognormvariate(10.8, 0.6))
        is_good = number == 1 or random.random() < 0.6
        rows.append({
            "id": BUILDS - number, "build_id": ids["good"] if number == 1 else str(ULID.from_datetime(at)),
            "version_id": f"v{BUILDS - number}", "project_id": projects[0] if number == 1 else random.choice(projects),
            "user_id": f"u-{number % 9}", "is_initial_build": number % 41 == 0, "is_update": number % 41 != 0, "is_retry": number % 7 == 3,
            "attempt_number": 2 if number % 7 == 3 else 1, "parent_build_id": None, "status": "deployed" if is_good else "failed",
            "failure_stage": None if is_good else random.choice(["build", "build", "deploy", "pre-install", "ghost_build_timeout"]),
            "started_at": at, "completed_at": at + timedelta(milliseconds=took), "total_duration_ms": took,
            "framework": "vite" if number == 1 else (name := random.choice(["next", "vite", "astro", "remix", "django"])),
            "detected_framework": "vite" if number == 1 else name, "node_version": "22.9.0", "package_manager": random.choice(["npm", "pnpm"]),
            "created_at": at, "total_duration_min": took / 60_000,
        })  # fmt: skip
    return rows


def _insert():
    names = [line.split()[0] for line in _TABLE.partition("(\n")[2].replace(", ", "\n").splitlines() if line.strip()]
    return f"INSERT INTO project_build_metrics ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})"


def _built(engine, ids, folder):
    """
    Run a build that fails, as the table sees it.
    """
    row = _rows([ids["project"]], ids)[0] | {
        "id": BUILDS + 1, "build_id": ids["build"], "status": "building", "failure_stage": None, "completed_at": None, "project_id": ids["project"],
        "total_duration_ms": None, "framework": "vite", "detected_framework": "vite", "node_version": "20.11.1", "created_at": datetime.now(UTC).replace(tzinfo=None),
    }  # fmt: skip
    with engine.begin() as connection:
        connection.execute(text(_insert()), row)
    with tierlog.bound(project_id=ids["project"], build_id=ids["build"], user_id="u-7"):
        log = logging.getLogger("builder")
        for step, words in enumerate(
            ("sandbox is ready", "cache restored \x1b[2m(41.2 MB)\x1b[22m", "dependencies are \x1b[1mup to date\x1b[22m"), 1
        ):
            log.info("\x1b[36m[%s/3]\x1b[39m %s", step, words, extra={"tier": "build", "kind": "line", "src": "builder"})
        built = capture.run(["./vite", "build"], tier="build", console=False, cwd=folder)
        capture.run(["./wrangler", "deploy"], tier="deploy", src="wrangler", console=False, cwd=folder)
    update = "UPDATE project_build_metrics SET status = 'failed', failure_stage = 'build', completed_at = :at, total_duration_ms = :ms WHERE build_id = :id"
    with engine.begin() as connection:
        connection.execute(
            text(update), {"at": datetime.now(UTC).replace(tzinfo=None), "ms": built.duration_ms, "id": ids["build"]}
        )


def _programs(folder):
    folder.mkdir()
    for name, source in (("vite", _BUILD), ("wrangler", _DEPLOY)):
        (folder / name).write_text(source)
        (folder / name).chmod(0o755)
    return folder


async def _requests(ids):
    async def shown(request):
        logging.getLogger("app.web").info("rendered %s", request.url.path)
        return PlainTextResponse("ok")

    async def broken(_request):
        raise RuntimeError("the template is missing")

    app = TierlogMiddleware(Starlette(routes=[Route("/p/{name}", shown), Route("/broken", broken)]))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        await client.get("/p/shop", headers={"X-Request-ID": ids["request"]})
        await client.get("/broken", headers={"X-Request-ID": "req-dead"})


def _logged(projects, ids):
    log = logging.getLogger("app.billing")
    before, after = _CHANGES
    with tierlog.bound(project_id=ids["project"], user_id="u-7", req_id=ids["request"]):
        with tierlog.action("project.update", before=before) as action:
            action.update(after=after, via="settings page")
        with tierlog.action("integration.connect", kind="integration", provider="github") as action:
            action.fail("the provider said no")
        try:
            {}["card"]
        except KeyError:
            log.exception(
                "charging invoice %s failed",
                4711,
                extra={"kind": "billing", "data": {"code": "E42", "upstream": {"host": "pay.internal", "status": 502}}},
            )
        log.info("invoice paid", extra={"kind": "billing", "data": {"code": "OK"}})
    for text_ in HOSTILE.values():
        tierlog.log_event("system", "security", "warn", text_, {"text": text_, "<b>key</b>": [text_]}, project_id=projects[1])


def _yesterday(projects):
    event = all_handlers[-1].pipeline.event
    now = int(time.time() * 1000)
    said = [
        "GET /api/projects 200",
        "cache miss for plan:pro",
        "session refreshed",
        "webhook delivered",
        "quota checked",
        "invoice paid",
    ]
    for number in range(2_400):
        at = now - int(86_000_000 * random.random())
        if random.random() > 0.55 + 0.45 * math.sin(at / 86_400_000 * 2 * math.pi - 1.2):
            continue
        tier = random.choices(["system", "action", "lifecycle"], [8, 3, 1])[0]
        lvl = random.choices(["debug", "info", "warn", "error"], [3, 20, 1.4, 0.5])[0]
        words = {"error": "connection to pay.internal was reset", "warn": "retrying in 4 s"}.get(lvl) or random.choice(said)
        ids = {"project_id": random.choice(projects), "user_id": f"u-{number % 9}", "req_id": f"req-{number // 3:04x}"}
        event(at, EMPTY, lvl, "app", words, data={"ms": number % 80}, tier=tier, fields=ids)
    for number in range(36):  # builds of one project, each with a few lines
        at, fields = now - int(86_000_000 * random.random()), {"project_id": projects[2], "build_id": str(ULID())}
        for line in range(random.randint(8, 20)):
            lvl = "error" if line == 7 and number % 6 == 0 else "info"
            event(at + line * 900, EMPTY, lvl, "stdout", f"step {line}", tier="build", fields=fields)
        event(at + 20_000, EMPTY, "info", "stdout", "uploaded", tier="deploy", fields=fields)


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
