"""
Measure the panel in a real browser: what it weighs, when it shows something, and how a
long log scrolls.

    python proofs/panel.py --lines 100000

The weight is what goes over the wire when the page is opened, compressed; the first
useful paint is when the first row of failed builds is drawn, counted from the
navigation. A log of that many lines is then scrolled from end to end, a page with each
frame, and the frames are timed.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

from common import TESTS, arguments, scratch, verdict
from playwright.sync_api import Request, expect

import tierlog


sys.path.insert(0, str(TESTS / "admin"))  # proofs/admin.py has the package's name
import panel_data
from browser import browser
from serving import Served, serve


_MOST_BYTES = 300_000
_LONGEST_MS = 1_000
_MOST_ROWS = 200
_SCROLL = """async () => {
  const log = document.querySelector('.log'), frames = [];
  let last = await new Promise(requestAnimationFrame), rows = 0;
  for (let at = 0; at < log.scrollHeight; at += log.scrollHeight / 600) {
    log.scrollTop = at;
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - last);
    last = now;
    rows = Math.max(rows, document.querySelectorAll('.line').length);
  }
  return {frames, rows};
}"""


def main() -> int:
    """
    Run the measurement; return the exit code.
    """
    parser = arguments(__doc__)
    parser.add_argument("--lines", type=int, default=100_000, help="of the long log (%(default)s)")
    parser.add_argument("--opens", type=int, default=5, help="how often the page is opened (%(default)s)")
    options = parser.parse_args()
    with scratch(keep=options.keep) as folder:
        root, database = folder / "logs", f"sqlite:///{folder / 'builds.sqlite'}"
        done = subprocess.run(
            [sys.executable, panel_data.__file__, str(root), database], capture_output=True, text=True, check=True
        )
        ids = json.loads(done.stdout)
        tierlog.configure(root=str(root), instance_name="worker-02")
        for number in range(options.lines):
            tierlog.log_event(
                "build",
                "line",
                "info",
                f"[{number}] compiled src/module-{number}.ts",
                project_id=ids["project"],
                build_id=ids["good"],
            )
        tierlog.shutdown()
        server = serve(root, "--builds", database, "--rate-limit", "100000/minute")
        try:
            return _measured(server, ids["good"], options.opens)
        finally:
            server.stop()


def _measured(server: Served, build: str, opens: int) -> int:
    paints, weights = [], []
    with browser() as running:
        for _ in range(opens):
            page = running.new_context().new_page()
            files: list[Request] = []
            page.on("requestfinished", lambda one, files=files: files.append(one))
            page.goto(f"{server.url}#token={server.token}")
            page.wait_for_selector(".grid-row:not(.grid-head)")
            paints.append(page.evaluate("() => new Promise(done => requestAnimationFrame(() => done(performance.now())))"))
            page.wait_for_load_state("networkidle")
            weights.append(sum(one.sizes()["responseBodySize"] for one in files if "/v1/" not in one.url))
            page.context.close()
        page = running.new_context(viewport={"width": 1280, "height": 800}).new_page()
        page.goto(f"{server.url}#token={server.token}&next=/builds/{build}")
        expect(page.locator("main .status")).to_contain_text("lines in", timeout=60_000)
        loaded = page.text_content("main .status")
        scrolled = page.evaluate(_SCROLL)
    frames = sorted(scrolled["frames"])
    late = frames[int(len(frames) * 0.99)]
    facts = (
        f"{max(weights) / 1000:.0f} kB compressed; "
        f"first useful paint after {statistics.median(paints):.0f} ms, the worst of {len(paints)} after {max(paints):.0f} ms; "
        f"{loaded}, at most {scrolled['rows']} in the page; "
        f"a frame takes {statistics.median(frames):.0f} ms, 99 of 100 at most {late:.0f} ms, the longest {frames[-1]:.0f} ms"
    )
    problems = [f"{max(weights)} bytes are too many"] if max(weights) > _MOST_BYTES else []
    problems += [f"{paints} ms are too long"] if statistics.median(paints) > _LONGEST_MS else []
    problems += [f"{scrolled['rows']} lines are in the page at once"] if scrolled["rows"] > _MOST_ROWS else []
    return verdict("panel", facts, problems)


if __name__ == "__main__":
    sys.exit(main())
