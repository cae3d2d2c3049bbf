"""
A bucket keeps the contract of stores, and says in one line what is wrong with it.
"""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from bucket import events, objects
from children import run
from servers.certificate import new_certificate
from servers.faults import HttpFaults
from servers.r2 import R2Simulator
from tierlog.errors import ConfigError, ObjectExistsError, StoreError
from tierlog.r2 import R2Store
from tierlog.stores import Put
from tierlog.testing import StoreContract


def put(key, body=b"line\n", **more):
    """
    Return what is to be put.
    """
    return Put(key, body, len(body), hashlib.md5(body).hexdigest(), {}, **more)


class TestSimulator(StoreContract):
    """
    Cloudflare's own R2 simulator.
    """

    @pytest.fixture(name="store")
    def _store(self, r2):
        return R2Store(**r2)


class TestMoto(StoreContract):
    """
    moto's S3 server. It doesn't check MD5, so that promise is the simulator's.
    """

    test_put_of_damaged_bytes_is_refused = None

    @pytest.fixture(name="store")
    def _store(self, moto, request):
        return R2Store(**moto.options, prefix=request.node.name)


@pytest.fixture(name="certificate", scope="module")
def _certificate(tmp_path_factory):
    """
    Return the paths of a key and a certificate for 127.0.0.1.
    """
    return new_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(name="secure", scope="module")
def _secure(certificate):
    with R2Simulator(certificate=certificate) as running:
        yield running


class TestTls:
    """
    Over https, boto3 by itself would send a trailer that R2 refuses.
    """

    def test_what_is_put_comes_back(self, secure, certificate, monkeypatch):
        """
        An object is stored and read over TLS.
        """
        monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate[1]))
        store = R2Store(**secure.options)

        store.put(put("tls", b"over TLS"))

        assert store.get("tls") == b"over TLS"

    def test_a_certificate_that_nobody_trusts(self, secure):
        """
        It is named, with what to do.
        """
        with pytest.raises(StoreError, match=r"has no certificate that is trusted here .*AWS_CA_BUNDLE"):
            R2Store(**secure.options).put(put("untrusted"))

    def test_a_sink_ships_over_it(self, secure, certificate, tmp_path, monkeypatch):
        """
        All of it works over TLS: what a process logs is in the bucket when it has ended.
        """
        program = """
        import json, logging, sys
        import tierlog
        tierlog.configure(root=sys.argv[1], catalog=False, process_events=False, shutdown_timeout=60, **json.loads(sys.argv[2]))
        logging.getLogger("app").info("over TLS")
        """
        options = {**secure.options, "prefix": "sink"}
        done = run(program, tmp_path / "logs", json.dumps(options), env={**os.environ, "AWS_CA_BUNDLE": str(certificate[1])})

        assert (done.returncode, done.err) == (0, "")
        monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate[1]))
        assert [event["msg"] for event in events(*objects(options).values())] == ["over TLS"]


class TestPuts:
    """
    What goes over the wire with an object.
    """

    def test_no_second_is_lost(self, simulator, r2):
        """
        No request asks for "100 Continue", which R2 never answers.
        """
        seen = []
        with HttpFaults(simulator.address) as proxy:
            store = R2Store(**{**r2, "endpoint_url": simulator.at(proxy.url)})
            store._client().meta.events.register(
                "before-send.s3", lambda request, **_: seen.append(dict(request.headers)) or None
            )
            store.put(put("x"))

        (headers,) = seen
        assert "Expect" not in headers

    def test_headers(self, r2):
        """
        MD5 and the condition go along, no checksum that R2 doesn't know, and no encoding of the content.
        """
        seen = []
        store = R2Store(**r2)
        store._client().meta.events.register("before-send.s3", lambda request, **_: seen.append(dict(request.headers)) or None)

        store.put(put("x"))

        names = {name.lower() for name in seen[0]}
        assert {"content-md5", "if-none-match"} <= names
        assert not [name for name in names if "checksum" in name or name in {"content-encoding", "x-amz-trailer"}]

    def test_of_sixteen_one_wins(self, r2):
        """
        Of many who put the same new key at once, exactly one does.
        """
        store = R2Store(**r2, connections=16)

        def attempt(n):
            try:
                return store.put(put("race", b"%d" % n))
            except ObjectExistsError:
                return None

        with ThreadPoolExecutor(16) as pool:
            won = [one for one in pool.map(attempt, range(16)) if one]

        assert len(won) == 1


class TestProblems:
    """
    Each thing that can be wrong is one line that says what to do, without any secret.
    """

    @pytest.mark.parametrize(
        ("wrong", "expected"),
        [
            pytest.param({"secret_access_key": "wrong-secret"}, "refuses the access key .*check access_key_id", id="secret"),
            pytest.param({"access_key_id": "f" * 32}, "refuses the access key .*check access_key_id", id="key-id"),
            pytest.param({"bucket": "no-such-bucket"}, "there's no bucket 'no-such-bucket' at http.*make it", id="bucket"),
            pytest.param({"endpoint_url": "http://127.0.0.1:1"}, "can't be reached; check sink.endpoint_url", id="endpoint"),
        ],
    )
    def test_what_is_wrong(self, r2, wrong, expected):
        """
        Wrong keys, bucket and endpoint are told apart.
        """
        options = {**r2, **wrong}
        with pytest.raises(StoreError, match=expected) as caught:
            R2Store(**options).put(put("x"))

        assert "\n" not in caught.value.problem
        assert options["secret_access_key"] not in caught.value.problem

    def test_not_a_store(self, simulator, r2):
        """
        A web server that is no S3 store is told as such.
        """
        url = f"http://127.0.0.1:{simulator.address[1]}/elsewhere"
        with pytest.raises(StoreError, match="isn't that of an S3 store; check sink.endpoint_url"):
            R2Store(**{**r2, "endpoint_url": url}).put(put("x"))

    @pytest.mark.parametrize(
        ("status", "code", "expected"),
        [
            pytest.param(403, "RequestTimeTooSkewed", "the clock of this machine is .* off .*; set it", id="clock"),
            pytest.param(403, "AccessDenied", "may not do this with bucket", id="rights"),
            pytest.param(503, "SlowDown", "asks to go slower", id="slow-down"),
            pytest.param(520, "", "the store answers 520", id="edge"),
        ],
    )
    def test_what_is_answered(self, simulator, r2, status, code, expected):
        """
        What the store refuses, and what the edge before it says, is named.
        """
        with HttpFaults(simulator.address, lambda *_: (status, code)) as proxy:
            with pytest.raises(StoreError, match=expected) as caught:
                R2Store(**{**r2, "endpoint_url": simulator.at(proxy.url)}).put(put("x"))

        assert caught.value.status == status

    def test_no_credentials(self, r2, monkeypatch, tmp_path):
        """
        If there are none anywhere, it says so.
        """
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        with pytest.raises(StoreError, match="there are no credentials; give access_key_id"):
            R2Store(r2["bucket"], endpoint_url=r2["endpoint_url"]).put(put("x"))

    def test_credentials_of_the_chain(self, r2, monkeypatch):
        """
        Without any in the options, boto3 looks where it always does.
        """
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", r2["access_key_id"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", r2["secret_access_key"])
        store = R2Store(r2["bucket"], prefix=r2["prefix"], endpoint_url=r2["endpoint_url"])

        assert store.put(put("x", b"x")) == hashlib.md5(b"x").hexdigest()


@pytest.mark.parametrize(
    ("wrong", "setting"),
    [
        pytest.param({"bucket": "r2://bucket/prefix"}, "sink.bucket", id="bucket-url"),
        pytest.param({"bucket": ""}, "sink.bucket", id="bucket-empty"),
        pytest.param({"bucket": None}, "sink.bucket", id="bucket-none"),
        pytest.param({"endpoint_url": "account.r2.cloudflarestorage.com"}, "sink.endpoint_url", id="no-scheme"),
        pytest.param({"endpoint_url": "https://<account>.r2.cloudflarestorage.com"}, "sink.endpoint_url", id="placeholder"),
        pytest.param({"endpoint_url": "https://key:secret@host"}, "sink.endpoint_url", id="credentials-in-url"),
        pytest.param({"prefix": "lögs"}, "sink.prefix", id="prefix"),
        pytest.param({"access_key_id": "x"}, "sink.secret_access_key", id="half-of-the-keys"),
        pytest.param({"connect_timeout": "soon"}, "sink.connect_timeout", id="timeout"),
        pytest.param({"connections": 0}, "sink.connections", id="connections"),
    ],
)
def test_bad_options(wrong, setting):
    """
    What can't be right is refused at once, by the name of the setting.
    """
    with pytest.raises(ConfigError) as caught:
        R2Store(**{"bucket": "my-logs", **wrong})

    assert caught.value.setting == setting
    assert "secret@" not in str(caught.value)
