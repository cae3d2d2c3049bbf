"""
The panel, in a real browser, over what a real build, requests, actions and a mirrored
table have written. ``PANEL_SHOTS`` names a folder in which pictures of it are kept.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

import tierlog
from admin import panel_data
from admin.browser import Watched, browser, kept
from admin.serving import serve
from servers.postgres import Postgres
from servers.r2 import R2Simulator


PANEL = Path(tierlog.__file__).parent / "admin" / "panel"
PATIENCE = 60_000
"""**Milliseconds**: for what hangs, not for what is slow."""
WIDE = {"width": 1280, "height": 800}
NARROW = {"width": 400, "height": 800}
NAMED = {"button", "textbox", "searchbox", "combobox", "link", "grid", "navigation", "region"}
TABS = ["builds", "system", "actions", "timeline", "live", "stats"]

expect.set_options(timeout=PATIENCE)
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # playwright's own transports


@pytest.fixture(name="chromium", scope="module")
def _chromium():
    with browser() as running:
        yield running


@pytest.fixture(name="ids", scope="module")
def _ids(tmp_path_factory):
    """
    What is written, once: the ids of what is in its middle.
    """
    folder = tmp_path_factory.mktemp("panel")
    database = f"sqlite:///{folder / 'builds.sqlite'}"
    command = [sys.executable, panel_data.__file__, str(folder / "logs"), database]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {**json.loads(done.stdout), "root": folder / "logs", "database": database}


@pytest.fixture(name="server", scope="module")
def _server(ids):
    server = serve(ids["root"], "--builds", ids["database"], "--rate-limit", "100000/minute")
    yield server
    server.stop()


@pytest.fixture(name="shots", scope="session")
def _shots(tmp_path_factory):
    folder = os.environ.get("PANEL_SHOTS")
    return Path(folder) if folder else tmp_path_factory.mktemp("shots")


class Panel:
    """
    The panel in one browser window.
    """

    def __init__(self, chromium, server, **window):
        self.context = chromium.new_context(timezone_id="Asia/Tokyo", locale="en-GB", **{"viewport": WIDE, **window})
        self.context.set_default_timeout(PATIENCE)
        self.server = server
        self.watched = Watched(self.context, server.url)
        self.page = self.watched.page

    def open(self, address="/builds", *, token=None):
        """
        Go to *address*, signed in as who may do everything.
        """
        if self.page.url == "about:blank":
            self.page.goto(f"{self.server.url}#token={token or self.server.token}&next={quote(address)}")
        else:
            self.page.goto(f"{self.server.url}#{address}")
        return self

    @property
    def address(self):
        return self.page.evaluate("location.hash").lstrip("#")

    @property
    def rows(self):
        return self.page.locator(".grid-row:not(.grid-head)")

    def settled(self, text):
        """
        Wait until the status says *text*.
        """
        expect(self.page.locator("main .status").first).to_contain_text(re.compile(text))
        return self


@pytest.fixture(name="window")
def _window(chromium, server):
    """
    Open windows that close with the test; nothing in them may complain.
    """
    opened = []

    def window(**options):
        opened.append(Panel(chromium, server, **options))
        return opened[-1]

    yield window

    complaints = [one for panel in opened for one in panel.watched.complaints]
    for panel in opened:
        panel.context.close()
    assert complaints == []


@pytest.fixture(name="shared", scope="module")
def _shared(chromium, server):
    panel = Panel(chromium, server)
    panel.open().settled("build")
    yield panel
    panel.context.close()


@pytest.fixture(name="panel")
def _panel(shared):
    """
    Give a window that shows nothing yet; in the end, it may have complained of nothing.
    """
    shared.page.set_viewport_size(WIDE)
    shared.open("/builds?projectId=none").settled("^0 builds")
    shared.watched.complaints.clear()

    yield shared

    assert shared.watched.complaints == []


class TestBuilds:
    def test_failed_ones_are_there_at_once(self, panel, ids, shots):
        """
        The first view is the failed builds, newest first, with where they failed.
        """
        panel.open().settled("builds")

        first = panel.rows.first
        assert set(panel.rows.locator(".c-status").all_inner_texts()) == {"failed"}
        assert first.locator(".c-build a").get_attribute("title") == ids["build"]
        assert first.locator(".c-stage").inner_text() == "build"
        assert first.locator("time").get_attribute("title").endswith(" UTC")
        kept(panel.page, "builds", shots)

    def test_without_a_database(self, chromium, ids):
        """
        Where no database lists builds and projects, those that wrote last are offered; a
        build that isn't there says so.
        """
        server = serve(ids["root"])
        panel = Panel(chromium, server).open()
        heading, offered = panel.page.get_by_role("heading", level=1), panel.page.locator(".recent a")

        offered.first.click()
        expect(heading).to_contain_text("Builds")
        expect(panel.page.locator(".line").first).to_be_visible()
        panel.open("/timeline")
        offered.first.click()
        panel.settled("event")
        panel.open(f"/builds/{'0' * 26}")

        expect(panel.page.locator(".log .empty")).to_have_text("No line of a build log with this id is kept.")
        panel.open("/stats")
        expect(panel.page.locator(".figure", has_text="Builds")).to_have_text("Builds–no database is connected")
        panel.context.close()
        server.stop()

    def test_filters_are_in_the_address(self, panel):
        """
        What is filtered by stands in the address, and a reload shows the same.
        """
        panel.open().settled("builds")
        panel.page.get_by_label("Failure stage").select_option("deploy")
        panel.settled("builds")
        panel.page.get_by_label("Framework").fill("astro")
        panel.page.keyboard.press("Enter")
        expect(panel.rows.locator(".c-framework").first).to_have_text("astro")
        before, address = panel.rows.all_inner_texts(), panel.address

        panel.page.reload()
        panel.settled("builds")

        assert address == "/builds?failureStage=deploy&framework=astro"
        assert panel.rows.all_inner_texts() == before
        assert set(panel.rows.locator(".c-stage").all_inner_texts()) == {"deploy"}
        assert panel.page.get_by_label("Framework").input_value() == "astro"

    def test_more_come_at_the_end(self, panel):
        """
        All builds of the time can be reached by going down.
        """
        panel.open("/builds?status=any&since=30d").settled("100 builds, more below")

        for count in (200, 300, 400):
            panel.page.keyboard.press("End")
            panel.settled(f"^{count} builds, more below$")
        panel.page.keyboard.press("End")

        panel.settled(f"^{panel_data.BUILDS + 1} builds$")


class TestBuild:
    def test_opens_from_the_failures_and_finds_the_error(self, panel, ids, shots):
        """
        Enter opens a build's log; one key goes to its first error, which is in view; Escape leads back to where it was.
        """
        panel.open("/builds?framework=vite").settled("builds")
        panel.page.keyboard.press("j")
        panel.page.keyboard.press("Enter")
        panel.settled("lines in")

        panel.page.keyboard.press("e")

        selected = panel.page.locator(".line.selected")
        expect(selected).to_be_in_viewport()
        expect(selected).to_contain_text(panel_data.FAILED_LINE)
        expect(selected).to_have_class(re.compile("s-stderr"))
        assert panel.address.startswith(f"/builds/{ids['build']}?line=")
        kept(panel.page, "build", shots)
        panel.page.keyboard.press("Escape")
        expect(panel.rows.first).to_have_attribute("aria-selected", "true")
        assert panel.address == "/builds?framework=vite"

    def test_ten_thousand_lines_are_drawn_as_they_are_seen(self, panel, ids, server):
        """
        However long a log is, few lines are in the page, and they are the right ones.
        """
        said = server.get(f"v1/admin/logs/builds/{ids['build']}").text.splitlines()
        panel.open(f"/builds/{ids['build']}").settled("lines in")
        log = panel.page.locator(".log")
        seen = []

        for part in (0.25, 0.5, 0.99):
            log.evaluate("(log, part) => { log.scrollTop = log.scrollHeight * part }", part)
            panel.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            seen += [panel.page.locator(".line").all_inner_texts()]

        assert len(said) > panel_data.LINES
        for drawn in seen:
            assert 20 < len(drawn) < 100
            for line in drawn:
                number = int(line.split("\n")[0].replace(",", ""))
                assert re.sub(r"\x1b\[\d+m", "", json.loads(said[number - 1])["msg"]).strip() in line

    def test_find_is_in_the_address(self, panel, ids):
        """
        A search in the log counts and marks what it finds, and a reload shows it again.
        """
        panel.open(f"/builds/{ids['build']}").settled("lines in")
        panel.page.keyboard.press("/")
        panel.page.keyboard.type("module-777")
        expect(panel.page.locator(".log-bar .count")).to_have_text("1 of 11")
        panel.page.keyboard.press("Enter")
        expect(panel.page.locator(".log-bar .count")).to_have_text("2 of 11")

        panel.page.reload()

        expect(panel.page.locator(".log-bar .count")).to_have_text("2 of 11")
        expect(panel.page.locator(".line.selected mark")).to_have_text("module-777")
        expect(panel.page.locator(".line.selected")).to_be_in_viewport()

    def test_wrapped_lines_keep_their_place(self, panel, ids):
        """
        Lines of heights of their own are drawn without holes, and the last can be reached.
        """
        panel.open(f"/builds/{ids['build']}").settled("lines in")
        panel.page.set_viewport_size(NARROW)

        panel.page.keyboard.press("w")
        panel.page.keyboard.press("End")

        expect(panel.page.locator(".line").last).to_be_in_viewport()
        boxes = [line.bounding_box() for line in panel.page.locator(".line").all()]
        assert all(abs(one["y"] + one["height"] - other["y"]) < 1 for one, other in zip(boxes, boxes[1:]))
        assert max(box["height"] for box in boxes) > 30

    def test_colours_are_shown_and_streams_told_apart(self, panel, ids):
        """
        A line's colours are the terminal's; standard error and the command's own events are marked.
        """
        panel.open(f"/builds/{ids['build']}").settled("lines in")

        expect(panel.page.locator(".line-text .a-cyan").first).to_have_text("[1/3]")
        expect(panel.page.locator(".line.s-meta").first).to_contain_text("./vite build")
        panel.page.keyboard.press("G")
        expect(panel.page.locator(".line.s-stderr .line-stream").first).to_have_text("err")

    def test_deploy_lifecycle_and_what_differs(self, panel, ids, shots):
        """
        A build's other sides are one step away: its deploy, its transitions, the last good build.
        """
        panel.open(f"/builds/{ids['build']}").settled("lines in")
        panel.page.get_by_role("link", name="Deploy log").click()
        expect(panel.page.locator(".log")).to_contain_text("Uploaded shop-front")

        panel.page.get_by_role("link", name="Lifecycle").click()
        expect(panel.rows).to_have_count(2)
        assert panel.rows.locator(".c-lasted").all_inner_texts() == ["building", "failed"]

        panel.page.get_by_role("link", name="Last good build").click()
        differs = dict(re.findall(r"^(.+?)\t(.*)$", panel.page.locator(".compare tbody").inner_text(), re.MULTILINE))
        assert differs["node version"] == "22.9.0\t20.11.1"
        assert differs["user id"]
        assert panel.page.get_by_role("link", name=ids["good"]).count() == 1
        kept(panel.page, "compare", shots)

    def test_follows_what_is_written(self, panel, ids):
        """
        Following shows a line that another process adds to the build, once.
        """
        panel.open(f"/builds/{ids['build']}").settled("lines in")
        panel.page.keyboard.press("f")
        panel.settled("Following")

        tierlog.configure(root=str(ids["root"]), instance_name="worker-02", process_events=False)
        tierlog.log_event("build", "line", "info", "retried by hand", project_id=ids["project"], build_id=ids["build"])

        expect(panel.page.locator(".line", has_text="retried by hand")).to_have_count(1)
        expect(panel.page.locator(".line", has_text="retried by hand")).to_be_in_viewport()


class TestSearch:
    def test_words_become_filters(self, panel, shots):
        """
        What is typed as ``level:`` or ``kind:`` becomes a filter, the rest is looked for; the
        address has it all, and a reload shows the same.
        """
        panel.open("/system").settled("events? in")
        panel.page.keyboard.press("/")
        panel.page.keyboard.type("level:error kind:billing data.code=E42 charging")
        panel.page.keyboard.press("Enter")
        panel.settled("^1 event in")
        panel.page.keyboard.press("j")
        panel.page.keyboard.press("Enter")
        address = panel.address

        panel.page.reload()
        panel.settled("^1 event in")

        assert address.startswith("/system?lvl=error&kind=billing&where=code%3DE42&text=charging&sel=worker-01-")
        assert panel.page.locator(".chip").all_inner_texts() == ["kind\nbilling\n×", "data\ncode=E42\n×"]
        detail = panel.page.locator(".detail")
        expect(detail.locator(".exc-what")).to_have_text("KeyError: 'card'")
        expect(detail.locator(".json")).to_contain_text("pay.internal")
        kept(panel.page, "detail", shots)

    def test_a_filter_can_be_added_and_taken_away(self, panel):
        """
        Chips and switches do what typing does.
        """
        panel.open("/system").settled("events? in")
        panel.page.get_by_role("button", name="error", exact=True).click()
        expect(panel.rows.locator(".c-level").first).to_have_text("error")
        panel.page.get_by_text("+ Filter").click()
        panel.page.get_by_label("Filter by").select_option("reqId")
        panel.page.get_by_label("Value").fill("req-4f1d")
        panel.page.keyboard.press("Enter")
        panel.settled("^1 event in")

        panel.page.get_by_role("button", name="Remove filter request req-4f1d").click()

        expect(panel.page.locator(".chip")).to_have_count(0)
        panel.settled(r"^(?!1 )\d+ events in")
        assert panel.address == "/system?lvl=error"

    def test_more_can_be_loaded(self, panel):
        """
        A page of results goes on where it ended, without loss or double.
        """
        panel.open("/system?since=24h&reads=1").settled("^200 events in")

        panel.page.keyboard.press("m")

        panel.settled("^400 events in")
        keys = panel.page.evaluate("document.querySelector('[role=grid]').getAttribute('aria-rowcount')")
        assert keys == "401"

    def test_what_was_read_is_shown_when_asked_for(self, panel):
        """
        Reads of the API are events, too, and out of the way until somebody wants them.
        """
        panel.open("/system?text=read:").settled("reads? hidden")
        expect(panel.rows).to_have_count(0)

        panel.page.get_by_role("button", name="Reads").click()

        expect(panel.rows.first).to_contain_text("read: GET /v1/admin/")
        assert panel.address == "/system?text=read:&reads=1"

    def test_actions_show_what_changed(self, panel, ids, shots):
        """
        A user's action shows before and after, and leads to all of its request.
        """
        panel.open("/actions?kind=action&text=project.update%20succeeded").settled("^1 event in")
        panel.rows.first.click()

        changes = panel.page.locator(".detail .changes tbody")
        assert [row.split("\t") for row in changes.inner_text().splitlines() if "\t" in row] == [
            ["plan", "hobby", "pro"], ["limits.cpu", "1", "2"], ["regions[1]", "–", "iad"], ["note", "–", "<script>alert(4)</script>"],
        ]  # fmt: skip
        kept(panel.page, "actions", shots)
        panel.page.get_by_role("link", name="same request").click()
        panel.settled("events")
        assert panel.address == f"/timeline?reqId={ids['request']}"
        assert {"system", "action"} <= set(panel.rows.locator(".c-tier").all_inner_texts())

    def test_downloads_what_is_found(self, panel, server):
        """
        A download is the same search, whole, as NDJSON, without the token in its address.
        """
        panel.open("/system?lvl=error&kind=billing").settled("event")

        with panel.page.expect_download() as begun:
            panel.page.get_by_role("button", name="Download").click()
        lines = Path(begun.value.path()).read_text("utf-8").splitlines()

        assert [json.loads(line)["msg"] for line in lines] == ["charging invoice 4711 failed"]
        assert server.token not in begun.value.url

    def test_a_problem_is_said(self, window):
        """
        What the server finds wrong is said in the place of results.
        """
        panel = window()
        panel.open("/system?regex=1&text=%5B")

        expect(panel.page.locator(".empty")).to_contain_text(re.compile("text|pattern"))
        panel.watched.complaints.clear()  # the browser itself notes that an answer was 400

    def test_an_answer_that_breaks_off_is_said(self, window, server):
        """
        What came is shown, and that it isn't all.
        """
        panel = window()
        whole = server.get("v1/admin/logs/search?tier=system&limit=3").text
        panel.page.route("**/logs/search*", lambda route: route.fulfill(content_type="application/x-ndjson", body=whole))

        panel.open("/system?reads=1").settled("broke off")

        expect(panel.rows).to_have_count(3)


class TestTimeline:
    def test_a_project_across_tiers(self, panel, ids, shots):
        """
        A project's events of all tiers stand in one order; a log's lines are one row, which opens it.
        """
        panel.open(f"/timeline?projectId={ids['project']}").settled(r"events(?!, loading)")

        assert set(panel.rows.locator(".c-tier").all_inner_texts()) >= {"action", "lifecycle", "system"}
        assert panel.page.locator(".lanes rect").count() > 5
        kept(panel.page, "timeline", shots)
        panel.page.locator(".group", has_text="lines of the build log").first.click()
        expect(panel.page.get_by_role("heading", level=1)).to_contain_text(ids["build"])

    def test_asks_whose(self, panel):
        """
        Without a project it offers those that built last.
        """
        panel.open("/timeline")
        panel.page.locator(".recent a").first.click()

        panel.settled("event")
        assert panel.address.startswith("/timeline?projectId=")


class TestLive:
    def test_shows_what_is_written_now(self, panel, ids, shots):
        """
        A record that another process writes shows at once; paused, it is held back.
        """
        panel.open("/live?text=live%20one")
        expect(panel.page.locator(".pill")).to_have_text("Live")
        tierlog.configure(root=str(ids["root"]), instance_name="worker-03", process_events=False)
        tierlog.log_event("system", "log", "warn", "live one 1", project_id=ids["project"])
        tierlog.log_event("system", "log", "info", "another thing")
        expect(panel.rows).to_have_count(1)
        expect(panel.rows.first).to_contain_text("live one 1")

        panel.page.keyboard.press("p")
        tierlog.log_event("system", "log", "info", "live one 2")
        expect(panel.page.locator(".foot .status")).to_have_text("1 event, 1 held back")
        expect(panel.rows).to_have_count(1)
        panel.page.keyboard.press("p")

        expect(panel.rows).to_have_count(2)
        kept(panel.page, "live", shots)

    def test_goes_on_where_it_was(self, chromium, tmp_path):
        """
        When the server is started anew, the tail goes on: nothing written meanwhile is missing or double.
        """
        root = tmp_path / "logs"
        server = serve(root, "--no-audit")
        panel = Panel(chromium, server).open("/live")
        expect(panel.page.locator(".pill")).to_have_text("Live")
        tierlog.configure(root=str(root), instance_name="worker-04", process_events=False)
        tierlog.log_event("system", "log", "info", "before")
        expect(panel.rows).to_have_count(1)

        server.stop()
        tierlog.log_event("system", "log", "info", "meanwhile")
        expect(panel.page.locator(".pill")).to_contain_text("Reconnecting")
        again = serve(root, "--no-audit", port=int(server.url.rstrip("/").rpartition(":")[2]))
        expect(panel.page.locator(".pill")).to_have_text("Live")
        tierlog.log_event("system", "log", "info", "after")

        expect(panel.rows).to_have_count(3)
        assert panel.rows.locator(".c-message").all_inner_texts() == ["before", "meanwhile", "after"]
        panel.context.close()
        again.stop()

    def test_another_key_is_a_gap(self, window):
        """
        A server that can't go on where the last one was is listened to anew, and it is seen that something may be missing.
        """
        told = json.dumps({"detail": "isn't one that a live tail has given", "parameter": "Last-Event-ID"})
        answers = [
            {"content_type": "text/event-stream", "body": "id: a\nevent: caught-up\ndata: {}\n\n"},
            {"status": 400, "content_type": "application/problem+json", "body": told},
        ]
        asked = []
        panel = window()

        def answer(route):
            asked.append(route.request.headers.get("last-event-id"))
            route.fulfill(**answers.pop(0)) if answers else route.continue_()

        panel.page.route("**/logs/stream*", answer)
        panel.open("/live?kind=billing&lvl=error")
        gap = panel.page.locator(".gap").first
        expect(gap).to_contain_text("some events may be missing")
        expect(panel.page.locator(".pill")).to_have_text("Live")

        assert asked == [None, "a", None]
        panel.watched.complaints.clear()  # the browser itself notes that an answer was 400

    def test_a_gap_is_seen_and_can_be_fetched(self, window):
        """
        What the server left out stands where it is missing, with how many, and comes when asked for.
        """
        told = {"count": 1, "from": "a", "to": "b", "since": 1_700_000_000_000, "until": 4_102_444_800_000}
        body = f"event: caught-up\ndata: {{}}\n\nid: b\nevent: gap\ndata: {json.dumps(told)}\n\n"
        panel = window()
        panel.page.route("**/logs/stream*", lambda route: route.fulfill(content_type="text/event-stream", body=body))
        panel.open("/live?kind=billing&lvl=error")
        gap = panel.page.locator(".gap").first
        expect(gap).to_contain_text("1 event came faster")

        gap.get_by_role("button", name="Fetch them").click()

        expect(panel.rows.filter(has_text="charging invoice 4711 failed")).to_have_count(1)


def test_stats(panel, ids, server, shots):
    """
    Figures are the server's; each chart has its numbers as a table.
    """
    panel.open("/stats")
    expect(panel.page.locator(".figure").first).to_be_visible()
    figures = dict(zip(panel.page.locator(".figure-label").all_inner_texts(), panel.page.locator(".figure b").all_inner_texts()))
    told = server.get("v1/admin/stats?since=24h").json()

    assert abs(int(figures["Events"].replace(",", "")) - sum(one["count"] for one in told["volume"])) < 50
    titles = panel.page.locator(".chart-card h3").all_inner_texts()
    assert titles == ["Volume", "Error rate", "Levels", "Build time", "Builds"]
    for card in panel.page.locator(".chart-card").all():
        card.get_by_text("As a table").click()
        assert card.locator("tbody tr").count() > 3
    panel.open(f"/stats?projectId={ids['other']}")
    expect(panel.page.locator(".figure b").first).not_to_have_text(figures["Events"])
    kept(panel.page, "stats", shots)


class TestInert:
    def test_hostile_text_does_nothing(self, panel, shots):
        """
        HTML, scripts, marks of direction and terminal codes in a record are text, and seen.
        """
        panel.open("/system?kind=security").settled("4 events")
        title = panel.page.title()

        texts = panel.page.locator(".c-message").all_inner_texts()
        for row in panel.rows.all():
            row.click()
            expect(panel.page.locator(".detail .message")).not_to_be_empty()

        assert any(panel_data.HOSTILE["html"] in text for text in texts)
        assert any("invoiceU+202Egnp.exeU+202C and U+2066moreU+2069" in text for text in texts)
        assert any("red not hidden a link" in text and "bellBEL" in text for text in texts)
        own = panel.page.locator(".a-own").first
        assert own.evaluate("one => getComputedStyle(one).color != getComputedStyle(one).backgroundColor")
        assert panel.page.title() == title
        assert panel.page.locator("main img, main script, main a[href^=javascript]").count() == 0
        assert panel.page.locator(".c-message bdi").count() == len(texts) - 1
        kept(panel.page, "inert", shots)


class TestToken:
    def test_is_not_in_the_address_or_the_history(self, window, server):
        """
        The token is taken out of the address at once, and no request carries it there.
        """
        panel = window().open().settled("builds")
        panel.page.get_by_role("link", name="Stats").click()
        expect(panel.page.locator(".figure").first).to_be_visible()
        asked = panel.page.evaluate("performance.getEntriesByType('resource').map(one => one.name).join(' ')")
        panel.page.go_back()
        panel.settled("builds")

        assert "token" not in panel.page.url
        assert server.token not in asked + panel.page.url
        assert panel.page.evaluate("JSON.stringify(localStorage)") == "{}"

    def test_is_asked_for_and_what_was_asked_is_kept(self, window, server):
        """
        Without a token, or with a bad one, there is a form; then comes what was asked for.
        """
        panel = window()
        panel.open("/system?kind=billing&lvl=error", token="bad")
        expect(panel.page.get_by_role("alert")).not_to_be_empty()
        panel.watched.complaints.clear()  # the browser itself notes that an answer was 401

        panel.page.get_by_label("Token").fill(server.token)
        panel.page.keyboard.press("Enter")

        panel.settled("^1 event in")
        expect(panel.page.locator(".who")).to_have_text("tester")

    def test_a_new_link_is_taken_in_the_same_tab(self, window, server):
        """
        A link with a token opens the panel where the form asks for one, though no new page is loaded, and doesn't stay in the address.
        """
        panel = window()
        panel.page.goto(server.url)
        expect(panel.page.get_by_label("Token")).to_be_visible()

        panel.page.evaluate(
            "hash => { location.hash = hash }", f"token={server.token}&next={quote('/system?kind=billing&lvl=error')}"
        )

        panel.settled("^1 event in")
        expect(panel.page.get_by_label("Token")).to_have_count(0)
        assert panel.address == "/system?kind=billing&lvl=error"

    def test_a_late_refusal_is_of_who_was_refused(self, window, server):
        """
        Who signed in isn't sent out by an answer to who was there before.
        """
        panel = window()
        late = []
        panel.page.route(
            "**/v1/admin/me",
            lambda route: late.append(route) if route.request.headers["authorization"].endswith("bad") else route.continue_(),
        )
        panel.open("/system?kind=billing&lvl=error", token="bad")
        panel.page.get_by_label("Token").fill(server.token)
        panel.page.keyboard.press("Enter")
        panel.settled("^1 event in")

        with panel.page.expect_response("**/v1/admin/me"):
            late[0].fulfill(status=401, content_type="application/problem+json", body="{}")
        panel.page.get_by_role("link", name="Stats").click()

        expect(panel.page.locator(".figure").first).to_be_visible()
        expect(panel.page.locator(".who")).to_have_text("tester")
        panel.watched.complaints.clear()  # the browser itself notes that an answer was 401


class TestLooks:
    def test_theme_can_be_chosen(self, window):
        """
        A button takes light or dark whatever the system has, and it lasts.
        """
        panel = window().open().settled("builds")
        button = panel.page.get_by_role("button", name=re.compile("^Theme"))
        button.click()
        button.click()
        panel.page.reload()
        panel.settled("builds")

        assert panel.page.evaluate("document.documentElement.dataset.theme") == "dark"

    def test_every_view_fits_and_is_named(self, window, ids, shots):
        """
        In dark, on a wide screen and on a telephone: no view is wider than the screen, and
        each control has a name for those who can't see it.
        """
        panel = window(color_scheme="dark")
        session = panel.context.new_cdp_session(panel.page)
        nameless, widths = [], {}

        for tab in [*TABS, "build"]:
            panel.page.set_viewport_size(WIDE)
            panel.open(
                {"build": f"/builds/{ids['build']}", "timeline": f"/timeline?projectId={ids['project']}"}.get(tab, f"/{tab}")
            )
            expect(
                panel.page.locator("main .grid-row:not(.grid-head), main .line, main .card, main .empty").first
            ).to_be_attached()
            if tab not in {"live", "stats"}:
                expect(panel.page.locator("main .status")).not_to_contain_text("…")
            kept(panel.page, f"dark-{tab}", shots)
            for node in session.send("Accessibility.getFullAXTree")["nodes"]:
                if node.get("role", {}).get("value") in NAMED and not node["ignored"] and not node.get("name", {}).get("value"):
                    nameless.append((tab, node["role"]["value"]))
            panel.page.set_viewport_size(NARROW)
            widths[tab] = panel.page.evaluate("document.documentElement.scrollWidth")
            kept(panel.page, f"narrow-{tab}", shots)

        background = panel.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert nameless == []
        assert widths == dict.fromkeys([*TABS, "build"], NARROW["width"])
        assert max(map(int, re.findall(r"\d+", background)[:3])) < 40

    def test_can_be_used_with_the_keyboard_alone(self, panel):
        """
        Views, rows, details and help are reached by keys, and left by Escape.
        """
        panel.open().settled("builds")
        panel.page.keyboard.press("2")
        panel.settled("events? in")
        panel.page.keyboard.press("j")
        panel.page.keyboard.press("j")
        panel.page.keyboard.press("k")
        expect(panel.rows.first).to_have_attribute("aria-selected", "true")
        panel.page.keyboard.press("Enter")
        expect(panel.page.locator(".detail")).to_be_visible()
        panel.page.keyboard.press("Escape")
        expect(panel.page.locator(".detail")).to_have_count(0)
        panel.page.keyboard.press("/")
        expect(panel.page.get_by_label("Search messages")).to_be_focused()
        panel.page.keyboard.press("Escape")
        expect(panel.page.get_by_role("grid")).to_be_focused()
        panel.page.keyboard.press("?")
        expect(panel.page.get_by_role("dialog")).to_be_visible()
        panel.page.keyboard.press("Escape")
        expect(panel.page.get_by_role("dialog")).to_have_count(0)

    def test_the_focus_is_kept(self, panel):
        """
        Who changes a filter by keyboard stays there; who searches, or goes to a view, is in the list.
        """
        panel.open("/system").settled("events? in")
        error = panel.page.get_by_role("button", name="error", exact=True)
        panel.page.keyboard.press("/")
        for _ in range(6):
            panel.page.keyboard.press("Tab")
        expect(error).to_be_focused()
        status = panel.page.locator("main .status").first
        before = status.text_content()
        panel.page.keyboard.press("Space")
        expect(status).not_to_have_text(before)  # else what is typed next may be meant for the bar that is replaced
        panel.settled("events? in")
        assert panel.address == "/system?lvl=error"
        expect(error).to_be_focused()

        panel.page.keyboard.press("/")
        panel.page.keyboard.type("charging")
        panel.page.keyboard.press("Enter")
        panel.settled("^1 event in")
        expect(panel.page.get_by_role("grid")).to_be_focused()
        panel.page.keyboard.press("3")
        panel.settled("events? in")

        expect(panel.page.get_by_role("grid", name="User actions")).to_be_focused()

    def test_a_draft_is_kept(self, panel):
        """
        What was typed into the search field, and not asked for yet, outlives another filter's change.
        """
        panel.open("/system").settled("events? in")
        field = panel.page.get_by_role("searchbox", name="Search messages")
        field.click()
        panel.page.keyboard.type("charg")
        panel.page.get_by_role("button", name="error", exact=True).click()
        expect(panel.page).to_have_url(re.compile("lvl=error"))
        panel.settled("events? in")
        expect(field).to_have_value("charg")

        field.click()
        panel.page.keyboard.press("End")
        panel.page.keyboard.type("ing level:error")
        panel.page.keyboard.press("Enter")
        panel.settled("^1 event in")

        expect(field).to_have_value("charging")


class TestElsewhere:
    @pytest.fixture(name="remote")
    def _remote(self, tmp_path):
        """
        A server that has nothing of its own: logs are in a bucket, builds in PostgreSQL.
        """
        with R2Simulator() as simulator, Postgres() as postgres:
            options = simulator.options
            environment = {f"TIERLOG_{name.upper()}": value for name, value in options.items()}
            command = [sys.executable, panel_data.__file__, str(tmp_path / "logs"), postgres.url()]
            done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **environment})
            config = tmp_path / "config.json"
            config.write_text(json.dumps(options))
            server = serve(tmp_path / "nothing", "--config", config, "--builds", postgres.url(), "--rate-limit", "100000/minute")
            yield server, json.loads(done.stdout)
            server.stop()

    def test_what_was_shipped_looks_the_same(self, chromium, remote):
        """
        Over a bucket and PostgreSQL, builds, logs, actions and timelines are where they were.
        """
        server, ids = remote
        panel = Panel(chromium, server)

        panel.open().settled("builds")
        assert panel.rows.first.locator(".c-build a").get_attribute("title") == ids["build"]
        panel.page.keyboard.press("j")
        panel.page.keyboard.press("Enter")
        panel.settled("lines in")
        panel.page.keyboard.press("e")
        expect(panel.page.locator(".line.selected")).to_contain_text(panel_data.FAILED_LINE)
        panel.open("/actions?kind=action").settled("events? in")
        expect(panel.rows.filter(has_text="project.update succeeded")).to_have_count(1)
        panel.open(f"/timeline?projectId={ids['project']}").settled(r"events(?!, loading)")
        assert {"system", "deploy", "action", "lifecycle"} <= set(panel.rows.locator(".c-tier").all_inner_texts())
        assert panel.watched.complaints == []
        panel.context.close()


def test_every_module_is_loaded_at_once():
    """
    The page names all modules, so that the browser asks for them together and not one behind the other.
    """
    named = set(
        re.findall(r'(?:modulepreload" href|script type="module" src)="panel/([^"]+)"', (PANEL / "index.html").read_text())
    )

    assert named == {str(path.relative_to(PANEL)) for path in PANEL.rglob("*.js")}
