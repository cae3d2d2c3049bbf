"""
Who may ask.
"""

from __future__ import annotations

import base64
import json
import time

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from admin.inside import ask, client
from admin.serving import SECRET
from conftest import OTHER_ULID, ULID
from tierlog.admin import create_app, token
from tierlog.errors import ConfigError


CLAIMS = {"sub": "u", "aud": "tierlog", "iss": "tierlog", "exp": 4_000_000_000, "scope": "logs:read"}
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
PEM = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def jwk(algorithm, key, kid):
    made = {"RS256": jwt.algorithms.RSAAlgorithm, "ES256": jwt.algorithms.ECAlgorithm, "EdDSA": jwt.algorithms.OKPAlgorithm}[
        algorithm
    ]
    return {**json.loads(made.to_jwk(key.public_key())), "kid": kid, "use": "sig"}


JWKS = {"keys": [jwk("RS256", RSA, "r"), jwk("ES256", EC, "e"), jwk("EdDSA", ED, "d")]}


def b64(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forged(header, claims=CLAIMS, secret=b""):
    import hmac

    text = f"{b64(header)}.{b64(claims)}"
    return f"{text}.{b64(hmac.digest(secret, text.encode(), 'sha256') if secret else b'')}"


def signed(claims=None, key=SECRET, algorithm="HS256", **headers):
    return jwt.encode({**CLAIMS, **(claims or {})}, key, algorithm, headers)


BAD = {
    "none": lambda: forged({"alg": "none", "typ": "JWT"}),
    "None": lambda: forged({"alg": "nOnE"}),
    "no-algorithm": lambda: forged({"typ": "JWT"}),
    "list-algorithm": lambda: forged({"alg": ["HS256"]}, secret=SECRET.encode()),
    "other-hmac": lambda: signed(key=SECRET * 2, algorithm="HS512"),
    "wrong-key": lambda: signed(key="x" * 40),
    "public-key-as-secret": lambda: forged({"alg": "HS256", "kid": "r"}, secret=PEM),
    "secret-as-kid": lambda: forged({"alg": "HS256", "kid": "/dev/null"}, secret=b"\x00"),
    "kid-of-other-algorithm": lambda: signed(key=RSA, algorithm="RS256", kid="e"),
    "unknown-kid": lambda: signed(key=RSA, algorithm="RS256", kid="../../etc/passwd"),
    "number-kid": lambda: forged({"alg": "HS256", "kid": 7}, secret=SECRET.encode()),
    "own-key-in-header": lambda: signed(key=RSA, algorithm="RS256", jwk=jwk("RS256", RSA, "r")),
    "url-in-header": lambda: signed(jku="http://127.0.0.1/keys"),
    "critical": lambda: signed(crit=["exp"]),
    "expired": lambda: signed({"exp": int(time.time()) - 60}),
    "not-yet": lambda: signed({"nbf": int(time.time()) + 600}),
    "no-exp": lambda: jwt.encode({k: v for k, v in CLAIMS.items() if k != "exp"}, SECRET, "HS256"),
    "no-aud": lambda: jwt.encode({k: v for k, v in CLAIMS.items() if k != "aud"}, SECRET, "HS256"),
    "no-iss": lambda: jwt.encode({k: v for k, v in CLAIMS.items() if k != "iss"}, SECRET, "HS256"),
    "text-exp": lambda: signed({"exp": "tomorrow"}),
    "infinite-exp": lambda: forged({"alg": "HS256"}, {**CLAIMS, "exp": float("inf")}, SECRET.encode()),
    "wrong-aud": lambda: signed({"aud": "other"}),
    "wrong-iss": lambda: signed({"iss": "other"}),
    "huge-exp": lambda: signed({"exp": 10**400}),
    "no-text-as-subject": lambda: forged({"alg": "HS256"}, {**CLAIMS, "sub": "\ud800"}, SECRET.encode()),
    "no-text-as-project": lambda: forged({"alg": "HS256"}, {**CLAIMS, "projects": ["\ud800"]}, SECRET.encode()),
    "empty-project": lambda: signed({"projects": [""]}),
    "null-projects": lambda: signed({"projects": None}),
    "projects-no-list": lambda: signed({"projects": ULID}),
    "huge": lambda: signed({"x": "y" * 100_000}),
    "nested": lambda: forged({"alg": "HS256", "cty": "JWT"}, signed().encode(), SECRET.encode()),
    "deep": lambda: forged({"alg": "HS256"}, (b"[" * 3_000) + (b"]" * 3_000), SECRET.encode()),
    "claims-no-object": lambda: forged({"alg": "HS256"}, ["sub"], SECRET.encode()),
    "two-parts": lambda: "a.b",
    "five-parts": lambda: "a.b.c.d.e",
    "empty": lambda: "",
    "blank-inside": lambda: "a b",
    "control": lambda: "\x01\x02",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """
    An application with a secret and with keys.
    """
    return create_app(tmp_path_factory.mktemp("auth"), jwt_secret=SECRET, jwks=JWKS, rate_limit="10000/minute")


@pytest.mark.parametrize("name", BAD)
def test_bad_tokens(tmp_path, name):
    """
    A token that isn't right in every respect opens nothing.
    """
    app = create_app(tmp_path, jwt_secret=SECRET, jwks=JWKS, algorithms=["HS256", "RS256", "ES256", "EdDSA"])

    answer = ask(app, "/v1/admin/me", BAD[name]())

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"),
    [
        pytest.param(SECRET, "HS256", None, id="secret"),
        pytest.param(RSA, "RS256", "r", id="rsa"),
        pytest.param(EC, "ES256", "e", id="ec"),
        pytest.param(ED, "EdDSA", "d", id="ed25519"),
        pytest.param(RSA, "RS256", None, id="only-one-key-of-its-kind"),
    ],
)
def test_good_tokens(app, key, algorithm, kid):
    """
    The secret's and the keys' tokens are taken.
    """
    answer = ask(app, "/v1/admin/me", signed(key=key, algorithm=algorithm, **({"kid": kid} if kid else {})))

    assert answer.json() == {"sub": "u", "scopes": ["logs:read"], "projects": None}


def test_leeway(app):
    """
    Clocks may differ a little.
    """
    assert ask(app, "/v1/admin/me", signed({"exp": int(time.time()) - 5})).status_code == 200


@pytest.mark.parametrize("how", ["query", "cookie", "basic", "twice"])
def test_only_one_header(app, how):
    """
    A token is taken from the Authorization header, given once, and from nowhere else.
    """
    given = signed()
    headers = {
        "query": [],
        "cookie": [("cookie", f"token={given}")],
        "basic": [("authorization", f"Basic {given}")],
        "twice": [("authorization", f"Bearer {given}")] * 2,
    }[how]

    answer = ask(app, f"/v1/admin/me?access_token={given}" if how == "query" else "/v1/admin/me", None, headers=headers)

    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("scope", "path", "status"),
    [
        pytest.param("", "logs/search", 403, id="none"),
        pytest.param("other admin", "logs/search", 403, id="others"),
        pytest.param("logs:raw", "logs/search", 403, id="raw-is-not-read"),
        pytest.param("logs:read", "logs/segments/AAAA", 403, id="read-is-not-raw"),
        pytest.param("logs:raw", "logs/segments/AAAA", 404, id="raw"),
        pytest.param("logs:admin", "logs/search", 200, id="admin"),
    ],
)
def test_scopes(app, scope, path, status):
    """
    What a token doesn't allow is refused with 403.
    """
    assert ask(app, f"/v1/admin/{path}", signed({"scope": scope})).status_code == status


def test_scopes_as_list(app):
    """
    Scopes may be a list, too.
    """
    claims = {name: value for name, value in CLAIMS.items() if name != "scope"}
    given = jwt.encode({**claims, "scopes": ["logs:raw", "logs:read"]}, SECRET, "HS256")

    assert ask(app, "/v1/admin/me", given).json()["scopes"] == ["logs:raw", "logs:read"]


class TestProjects:
    """
    A token for some projects shows nothing of others, nor that there are any.
    """

    @pytest.fixture(name="mine")
    def _mine(self):
        return token(SECRET, subject="m", scopes=["logs:read", "logs:raw"], projects=[ULID])

    @pytest.fixture(name="both")
    def _both(self):
        return token(SECRET, subject="b", scopes=["logs:read", "logs:raw"], projects=[OTHER_ULID, ULID])

    def _projects(self, answer):
        return {json.loads(line)["projectId"] for line in answer.text.splitlines()}

    @pytest.mark.parametrize(
        "path", ["search?limit=5000", "search?order=desc&meta=0", f"builds/{ULID}", f"deploys/{OTHER_ULID}", f"projects/{ULID}"]
    )
    def test_logs(self, served, mine, path):
        """
        Searches and builds' logs have lines of the project, and no others.
        """
        answer = served.get(f"v1/admin/logs/{path}", token=mine)

        assert (answer.status_code, self._projects(answer)) == (200, {ULID})

    def test_several(self, served, both):
        """
        The lines of several projects come in one order, and pages lead through them.
        """
        query = "v1/admin/logs/search?tier=action,lifecycle&kind=action,build&limit=37&meta=1"
        lines, cursor = [], ""
        while cursor is not None:
            *page, told = map(
                json.loads, served.get(query + (f"&cursor={cursor}" if cursor else ""), token=both).text.splitlines()
            )
            lines += [one for one in page if one["src"] == "app"]
            cursor = told["tierlog"]["cursor"]

        assert len(lines) == 240
        assert lines == sorted(lines, key=lambda event: (event["ts"], event["instanceId"], event["seq"]))

    @pytest.mark.parametrize(
        "path",
        [
            f"logs/search?projectId={OTHER_ULID}",
            f"logs/segments?projectId={OTHER_ULID}",
            f"builds?projectId={OTHER_ULID}",
            f"stats?projectId={OTHER_ULID}",
            f"logs/projects/{OTHER_ULID}",
            "builds/01BX5ZZKBKACTAV9WEVGEMMVS0",
        ],
    )
    def test_others_look_like_none(self, served, mine, path):
        """
        Another project's answer is, to the byte, that of one that there isn't.
        """
        nobody = {OTHER_ULID: "01ARZ3NDEKTSV4RRFFQ69G5FZZ", "01BX5ZZKBKACTAV9WEVGEMMVS0": "01ARZ3NDEKTSV4RRFFQ69G5FZZ"}
        none = path
        for name, other in nobody.items():
            none = none.replace(name, other)

        theirs, nobodys = (served.get(f"v1/admin/{one}", token=mine) for one in (path, none))

        assert (theirs.status_code, theirs.text) == (nobodys.status_code, nobodys.text)

    def test_segments(self, served, mine):
        """
        Only segments that are wholly of the project are listed, and read.
        """
        items = served.get("v1/admin/logs/segments", token=mine).json()["items"]
        everybodys = served.get("v1/admin/logs/segments").json()["items"]

        assert {(one["tier"], one["owner"]) for one in items} == {("action", ULID), ("lifecycle", ULID)}
        for one in everybodys:
            expected = 200 if one["id"] in {mine["id"] for mine in items} else 404
            assert served.get(f"v1/admin/logs/segments/{one['id']}", token=mine).status_code == expected

    def test_builds(self, served, mine):
        """
        Builds and their figures are the project's.
        """
        items = served.get("v1/admin/builds", token=mine).json()["items"]
        figures = served.get("v1/admin/stats", token=mine).json()

        assert {one["project_id"] for one in items} == {ULID}
        assert sum(day["failed"] for day in figures["builds"]["days"]) == 1
        assert (figures["backlog"], figures["process"]) == (None, None)


class TestTickets:
    """
    A ticket stands in a token's place for one path and query, for a minute.
    """

    PATH = "/v1/admin/logs/search"

    def test_opens(self, served):
        """
        It opens what it was made for, with the parameters in any order.
        """
        ticket = served.ticket(self.PATH, "tier=build&limit=2")

        answer = httpx.get(f"{served.url}v1/admin/logs/search?ticket={ticket}&limit=2&tier=build")

        assert len(answer.text.splitlines()) == 2

    @pytest.mark.parametrize(
        "query", ["logs/search?limit=3", "logs/search?limit=2&tier=build", f"logs/builds/{ULID}?limit=2", "builds?limit=2"]
    )
    def test_nothing_else(self, tmp_path, query):
        """
        It opens no other query and no other path.
        """
        app = create_app(tmp_path, jwt_secret=SECRET)  # one that nobody has been refused by
        body = {"path": self.PATH, "query": "limit=2"}
        ticket = ask(app, "/v1/admin/tickets", signed(), method="POST", json=body).json()["ticket"]

        assert ask(app, f"/v1/admin/{query}&ticket={ticket}").status_code in {400, 401}

    def test_keeps_limits(self, served):
        """
        It shows what its maker's token shows.
        """
        mine = token(SECRET, subject="m", projects=[ULID])
        ticket = served.ticket(self.PATH, "", token=mine)

        answer = httpx.get(f"{served.url}v1/admin/logs/search?ticket={ticket}")

        assert {json.loads(line)["projectId"] for line in answer.text.splitlines()} == {ULID}

    def test_expires(self, tmp_path):
        """
        After a minute it isn't good any more.
        """
        now = [time.time_ns()]
        app = create_app(tmp_path, jwt_secret=SECRET, clock=lambda: now[0])
        body = {"path": self.PATH, "query": ""}
        ticket = ask(app, "/v1/admin/tickets", signed(), method="POST", json=body).json()["ticket"]

        before = ask(app, f"{self.PATH}?ticket={ticket}", None).status_code
        now[0] += 62 * 10**9

        assert (before, ask(app, f"{self.PATH}?ticket={ticket}", None).status_code) == (200, 401)

    @pytest.mark.parametrize(
        "body", [b"", b"[]", b'{"path": 5}', b'{"path": "/etc/passwd"}', b'{"path": "/v1/admin/logs/search", "more": 1}']
    )
    def test_bad_body(self, app, body):
        """
        What isn't a path of logs has no ticket.
        """
        assert ask(app, "/v1/admin/tickets", signed(), method="POST", content=body).status_code == 400


class TestFetchedKeys:
    """
    Keys may be fetched; whatever is asked, that is seldom.
    """

    @pytest.fixture(name="keys")
    def _keys(self):
        import http.server
        import threading

        asked = []

        class Keys(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(JWKS).encode())

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keys)
        threading.Thread(target=server.serve_forever, daemon=True).start()

        yield f"http://127.0.0.1:{server.server_port}/keys", asked

        server.shutdown()
        server.server_close()

    def test_once(self, tmp_path, keys):
        """
        Many requests, and tokens that name unknown keys, are one fetch.
        """
        url, asked = keys
        tokens = [signed(key=EC, algorithm="ES256", kid="e"), *(signed(key=EC, algorithm="ES256", kid=f"x{n}") for n in range(5))]

        with client(create_app(tmp_path, jwks_url=url)) as get:
            statuses = [get("/v1/admin/me", one).status_code for one in tokens]

        assert statuses == [200] + [401] * 5
        assert len(asked) == 1

    def test_out_of_reach(self, tmp_path):
        """
        As long as no keys were had, it is told to come again.
        """
        app = create_app(tmp_path, jwks_url="http://127.0.0.1:9/keys")

        answer = ask(app, "/v1/admin/me", signed(key=EC, algorithm="ES256", kid="e"))

        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")


class TestRates:
    """
    Who asks too often is told when to come again.
    """

    def test_subject(self, tmp_path):
        """
        A subject has so many requests; another one has its own.
        """
        with client(create_app(tmp_path, jwt_secret=SECRET, rate_limit="3/minute")) as get:
            answers = [get("/v1/admin/me", signed()) for _ in range(4)]
            other = get("/v1/admin/me", signed({"sub": "v"}))

        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert 0 < int(answers[-1].headers["retry-after"]) <= 61
        assert other.status_code == 200

    def test_failures(self, tmp_path):
        """
        An address that guesses is slowed down, and who has a token isn't.
        """
        with client(create_app(tmp_path, jwt_secret=SECRET)) as get:
            statuses = [get("/v1/admin/me", "guess").status_code for _ in range(31)]
            mine = get("/v1/admin/me", signed()).status_code

        assert statuses == [401] * 30 + [429]
        assert mine == 200


@pytest.mark.parametrize(
    ("setting", "options"),
    [
        pytest.param("jwt_secret", {"jwt_secret": None}, id="no-key"),
        pytest.param("jwt_secret", {"jwt_secret": "short"}, id="short-secret"),
        pytest.param("cursor_key", {"cursor_key": "short"}, id="short-cursor-key"),
        pytest.param("jwks", {"jwks": {"keys": []}}, id="no-keys"),
        pytest.param("jwks_url", {"jwks_url": "http://example.com/keys"}, id="keys-over-http"),
        pytest.param("algorithms", {"algorithms": ["none"]}, id="none"),
        pytest.param("allow_origins", {"allow_origins": ["*"]}, id="any-origin"),
        pytest.param("allow_origins", {"allow_origins": ["https://a.example/path"]}, id="no-origin"),
        pytest.param("rate_limit", {"rate_limit": "often"}, id="rate"),
        pytest.param("rate_storage", {"rate_storage": "nonesuch://"}, id="storage"),
        pytest.param("id_format", {"id_format": "uuid"}, id="id-format"),
    ],
)
def test_refused_at_start(tmp_path, setting, options):
    """
    Settings that can't be right are told at once.
    """
    with pytest.raises(ConfigError) as caught:
        create_app(tmp_path, **{"jwt_secret": SECRET, **options})

    assert caught.value.setting == setting
