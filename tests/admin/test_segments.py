"""
Raw segments over HTTP: ranges, conditions, and no way out of the root.
"""

from __future__ import annotations

import base64
import os
import socket
from hashlib import md5
from urllib.parse import urlsplit

import httpx
import pytest

from admin.inside import ask
from admin.serving import SECRET
from conftest import ULID
from queried import NOW, files, some, write
from tierlog.admin import create_app, token
from tierlog.context import EMPTY
from tierlog.stores import Put
from tierlog.testing import MemoryStore


ALL = token(SECRET, subject="t", scopes=["logs:read", "logs:raw"])
MARK = b"NOT-OF-THE-LOGS"


@pytest.fixture(scope="module")
def segment(served):
    """
    A segment's path on the server, and its bytes.
    """
    one = served.get("v1/admin/logs/segments?tier=deploy").json()["items"][-1]
    return f"v1/admin/logs/segments/{one['id']}", (served.root / one["name"]).read_bytes()


def identified(name, where=0):
    """
    Return a segment's id, of whatever name.
    """
    return base64.urlsafe_b64encode(f"{where}:{name}".encode("utf-8", "surrogateescape")).rstrip(b"=").decode()


def test_listed(served):
    """
    Pages of the list lead through all segments, once.
    """
    found, cursor = [], ""
    while cursor is not None:
        answer = served.get(f"v1/admin/logs/segments?limit=3{f'&cursor={cursor}' if cursor else ''}").json()
        found += [one["name"] for one in answer["items"]]
        cursor = answer["next"]

    assert sorted(found) == [path.relative_to(served.root).as_posix() for path in files(served.root)]


@pytest.mark.parametrize(
    ("header", "status", "first", "last"),
    [
        pytest.param("bytes=0-4", 206, 0, 5, id="first"),
        pytest.param("bytes=10-", 206, 10, None, id="open"),
        pytest.param("bytes=-7", 206, -7, None, id="suffix"),
        pytest.param("bytes=0-99999999999", 206, 0, None, id="clipped"),
        pytest.param("bytes=-99999999999", 206, 0, None, id="long-suffix"),
        pytest.param("BYTES=2-3", 206, 2, 4, id="any-case"),
        pytest.param("bytes=0-1,4-5", 200, 0, None, id="several"),
        pytest.param("items=0-4", 200, 0, None, id="other-unit"),
        pytest.param("bytes=5-2", 200, 0, None, id="backwards"),
        pytest.param("bytes=x-y", 200, 0, None, id="no-number"),
        pytest.param("bytes=" + "9" * 5_000 + "-", 200, 0, None, id="long-number"),
        pytest.param("bytes=99999999999-", 416, 0, 0, id="behind"),
        pytest.param("bytes=-0", 416, 0, 0, id="nothing"),
    ],
)
def test_ranges(served, segment, header, status, first, last):
    """
    One range is answered with its bytes; what is no range, or several, with all of them.
    """
    path, body = segment

    answer = served.get(path, headers={"Range": header})

    assert answer.status_code == status
    if status == 416:
        assert answer.headers["content-range"] == f"bytes */{len(body)}"
    else:
        assert answer.content == body[first:last]
        assert answer.headers.get("content-range", "") == (
            "" if status == 200 else f"bytes {first % len(body)}-{(last or len(body)) - 1}/{len(body)}"
        )


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"If-None-Match": "{etag}"}, 304, id="known"),
        pytest.param({"If-None-Match": '"x", W/{etag}'}, 304, id="known-among-others"),
        pytest.param({"If-None-Match": "*"}, 304, id="any"),
        pytest.param({"If-None-Match": '"x"'}, 200, id="another"),
        pytest.param({"If-None-Match": "{etag}", "Range": "bytes=0-4"}, 304, id="before-range"),
        pytest.param({"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}, 304, id="not-since"),
        pytest.param({"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}, 200, id="since"),
        pytest.param({"If-Modified-Since": "nonsense"}, 200, id="no-date"),
        pytest.param({"If-Range": "{etag}", "Range": "bytes=0-4"}, 206, id="same"),
        pytest.param({"If-Range": '"x"', "Range": "bytes=0-4"}, 200, id="not-same"),
        pytest.param({"If-Range": "W/{etag}", "Range": "bytes=0-4"}, 200, id="weak"),
        pytest.param({"If-Match": "{etag}"}, 200, id="match"),
        pytest.param({"If-Match": '"x"'}, 412, id="no-match"),
    ],
)
def test_conditions(served, segment, headers, status):
    """
    What is known isn't sent again, and a range only of what it was meant for.
    """
    path, _ = segment
    etag = served.get(path).headers["etag"]

    answer = served.get(path, headers={name: value.replace("{etag}", etag) for name, value in headers.items()})

    assert (answer.status_code, answer.headers["etag"]) == (status, etag)


def test_head(served, segment):
    """
    HEAD says what GET would, without the body.
    """
    path, body = segment

    for more in ({}, {"Range": "bytes=0-4"}):  # which is for GET alone
        answer = httpx.head(served.url + path, headers={"Authorization": f"Bearer {served.token}", **more})

        assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, str(len(body)), b"")


class TestGrowing:
    """
    A segment that still grows is served up to its last whole line.
    """

    @pytest.mark.parametrize("writer", ["append", "mmap"])
    def test_grows(self, tmp_path, writer):
        """
        Its ETag changes when it has, and a range from its old end on is what is new.
        """
        handler = write(tmp_path, some(20), is_closed=False, writer=writer)
        app = create_app(tmp_path, jwt_secret=SECRET)
        path = f"/v1/admin/logs/builds/{ULID}"
        before = ask(app, path, ALL)

        handler.pipeline.event(NOW, EMPTY, "info", "app", "more", data=None, tier="build", fields={"build_id": ULID})
        after = ask(app, path, ALL)
        more = ask(app, path, ALL, headers=[("range", f"bytes={len(before.content)}-")])
        old = ask(app, path, ALL, headers=[("range", "bytes=0-4"), ("if-range", before.headers["etag"])])
        handler.close()

        assert before.content.endswith(b"}}\n")
        assert after.content[: len(before.content)] == before.content
        assert b'"msg":"more"' in more.content
        assert more.content == after.content[len(before.content) :]
        assert (old.status_code, after.headers["etag"] == before.headers["etag"]) == (200, False)

    def test_torn_line(self, tmp_path):
        """
        A line that isn't whole yet isn't sent.
        """
        write(tmp_path, some(20), is_closed=False)
        file = next(path for path in files(tmp_path) if path.name == f"{ULID}.ndjson" and path.parts[-3] == "builds")
        whole = file.read_bytes()
        with file.open("ab") as more:
            more.write(b'{"ts":1790000000000,"insta')

        answer = ask(create_app(tmp_path, jwt_secret=SECRET), f"/v1/admin/logs/builds/{ULID}", ALL)

        assert answer.content == whole


def test_remote(tmp_path):
    """
    Segments in a store are read likewise.
    """
    store = MemoryStore()
    write(tmp_path, some(20))
    path = next(path for path in files(tmp_path) if path.parts[-3] == "builds")
    body = path.read_bytes()
    store.put(Put(f"builds/{path.name}", body, len(body), md5(body).hexdigest(), {"state": "done"}))
    app = create_app(store, jwt_secret=SECRET)
    one = ask(app, "/v1/admin/logs/segments", ALL).json()["items"][0]

    part = ask(app, f"/v1/admin/logs/segments/{one['id']}", ALL, headers=[("range", "bytes=-9")])

    assert (one["remote"], part.status_code, part.content) == (True, 206, body[-9:])


class TestTraversal:
    """
    Nothing outside of the root is ever read, however it is asked for.
    """

    @pytest.fixture(name="root")
    def _root(self, tmp_path):
        root = tmp_path / "logs"
        write(root, some(20))
        (tmp_path / "secret.ndjson").write_bytes(MARK)
        (root / "secret.ndjson").write_bytes(MARK)
        (root / "system" / "2026-01-01").mkdir(parents=True)
        link = "system/2026-01-01/web-ABCDEFGH-01ARZ3NDEKTSV4RRFFQ69G5FAV.ndjson"
        os.symlink(tmp_path / "secret.ndjson", root / link)
        os.symlink(tmp_path, root / "builds" / "2026-01-02")
        (tmp_path / f"{ULID}.ndjson").write_bytes(MARK)
        (root / "builds" / "2026-01-03").mkdir()
        (root / "builds" / "2026-01-03" / f"{ULID}.ndjson").mkdir()
        os.mkfifo(root / "builds" / "2026-01-03" / "01BX5ZZKBKACTAV9WEVGEMMVRZ.ndjson")
        return root

    @pytest.mark.parametrize(
        "name",
        [
            "../secret.ndjson",
            "secret.ndjson",
            "system/../../secret.ndjson",
            "system/2026-01-01/../../../secret.ndjson",
            "/etc/passwd",
            "//etc/passwd",
            "builds/2026-01-01/..%2f..%2fsecret.ndjson",
            "builds/2026-01-01/\x00.ndjson",
            "builds\\2026-01-01\\x.ndjson",
            "builds/2026-01-01/\udcc0\udcae\udcc0\udcae.ndjson",
            "system/2026-01-01/web-ABCDEFGH-01ARZ3NDEKTSV4RRFFQ69G5FAV.ndjson",
            f"builds/2026-01-02/{ULID}.ndjson",
            f"builds/2026-01-03/{ULID}.ndjson",
            "builds/2026-01-03/01BX5ZZKBKACTAV9WEVGEMMVRZ.ndjson",
            f"builds/2026-01-02/{ULID}.ndjson\n",
            ".tierlog/catalog.sqlite",
            "builds/" + "x" * 600 + ".ndjson",
            "",
        ],
    )
    def test_segment_ids(self, root, name):
        """
        An id that isn't that of a segment, or is one of a link, is unknown.
        """
        answer = ask(create_app(root, jwt_secret=SECRET), f"/v1/admin/logs/segments/{identified(name)}", ALL)

        assert (answer.status_code, answer.json()["parameter"]) == (404, "segmentId")

    @pytest.mark.parametrize("where", [1, 99, -1])
    def test_other_places(self, root, where):
        """
        Nor is there any place but those that are configured.
        """
        name = files(root)[0].relative_to(root).as_posix()

        answer = ask(create_app(root, jwt_secret=SECRET), f"/v1/admin/logs/segments/{identified(name, where)}", ALL)

        assert answer.status_code == 404

    def test_links_are_not_searched(self, root):
        """
        A build's log doesn't follow links, either.
        """
        answer = ask(create_app(root, jwt_secret=SECRET), f"/v1/admin/logs/builds/{ULID}", ALL)

        assert answer.status_code == 200
        assert MARK not in answer.content

    @pytest.mark.parametrize(
        "path",
        [
            "/v1/admin/logs/segments/../../../../etc/passwd",
            "/v1/admin/logs/segments/..%2f..%2f..%2fetc%2fpasswd",
            "/v1/admin/logs/segments/%252e%252e%252fetc%252fpasswd",
            "/v1/admin/logs/builds/..%2f..%2fsecret",
            "/v1/admin/logs/builds/%00",
            "/v1/admin/logs/system/..%5c..%5csecret",
            "/v1/admin/logs/system/%c0%ae%c0%ae",
            "/panel/../../../pyproject.toml",
            "/panel/..%2f__init__.py",
            "/panel/%2e%2e/__init__.py",
            "/panel//etc/passwd",
            "/panel/..%252f__init__.py",
            "/panel/\\..\\__init__.py",
            "/panel/%00",
            "//etc/passwd",
        ],
    )
    def test_paths(self, served, path):
        """
        No spelling of a path leads out: sent to the byte, as no client would.
        """
        where = urlsplit(served.url)
        with socket.create_connection((where.hostname, where.port), 10) as connection:
            request = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.token}\r\nConnection: close\r\n\r\n"
            connection.sendall(request.encode("latin-1"))
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))

        assert int(answer.split()[1]) in {307, 400, 404}
        assert b"root:" not in answer
        assert b"tierlog.errors" not in answer
