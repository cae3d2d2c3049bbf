"""
Secrets that aren't written, and what only looks like one.
"""

from __future__ import annotations

import base64
import itertools
import json
import logging
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from strategies import any_text, data_values
from tierlog import TierHandler
from tierlog.redact import Copier, Redactor
from tierlog.redact._rules import RULES
from tierlog.redact._text import MAX_CHARS, TextRedactor
from tierlog.sinks import MemorySink


HEX = "0a1b2c3d4e5f6789"
UPPER = "Q7XK3ZP5RT2M"
MIXED = "a8Kd3Lm9Qx2Zr7Tw5Bv1"
LETTERS = "aKdLmQxZrTwBv"


def some(count, alphabet=MIXED):
    """
    Return *count* characters that look random, and are always the same.
    """
    return "".join(itertools.islice(itertools.cycle(alphabet), count))


def encoded(value):
    """
    Return a part of a JSON web token.
    """
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


JWT = ".".join([encoded({"alg": "HS256", "typ": "JWT"}), encoded({"sub": "1234567890"}), some(43)])

# Of each rule: what it hides whole, and what comes near it and stays.
TOKENS = {
    "aws-access-key": (["AKIA" + some(16, UPPER), "ASIA" + some(16, UPPER)], ["AKIA" + some(15, UPPER), "AKIA" + some(16, HEX)]),
    "gcp-api-key": (["AIza" + some(35)], ["AIza" + some(34)]),
    "gcp-oauth": (["ya29" + "." + some(60), "GOCSPX" + "-" + some(28)], ["ya29" + "." + some(19), "GOCSPX" + "-" + some(27)]),
    "github-token": (
        [*(f"gh{kind}" + "_" + some(36) for kind in "pousr"), "github" + "_pat_" + some(22) + "_" + some(59)],
        ["ghp" + "_" + some(35), "ghx" + "_" + some(36), "github" + "_pat_" + some(20)],
    ),
    "gitlab-token": (["glpat" + "-" + some(20), "glrt" + "-" + some(20)], ["glpat" + "-" + some(19)]),
    "slack-token": (
        ["xoxb" + "-" + "1234567890-" + some(24), "xoxp" + "-" + "1234567890-1234567890-" + some(32, HEX)],
        ["xoxb" + "-" + some(9), "xoxy" + "-" + some(24)],
    ),
    "slack-webhook": (
        ["hooks.slack" + ".com/services/T" + some(8, UPPER) + "/B" + some(8, UPPER) + "/" + some(24)],
        ["https://hooks.slack" + ".com/services/", "https://hooks.slack" + ".com/docs"],
    ),
    "stripe-key": (
        ["sk" + "_live_" + some(24), "rk" + "_test_" + some(24), "whsec" + "_" + some(32)],
        ["sk" + "_live_" + some(9), "pk" + "_live_" + some(24)],
    ),
    "anthropic-key": (["sk-ant" + "-api03-" + some(93) + "AA"], ["sk-ant" + "-" + some(10)]),
    "openai-key": (["sk-proj" + "-" + some(74) + "T3Blbk" + "FJ" + some(74)], ["sk" + "-" + some(19), "task" + "-" + some(48)]),
    "huggingface-token": (["hf" + "_" + some(34, LETTERS)], ["hf" + "_" + some(33, LETTERS)]),
    "npm-token": (["npm" + "_" + some(36)], ["npm" + "_" + some(35)]),
    "pypi-token": (["pypi" + "-AgEIcHlwaS5vcmc" + some(70)], ["pypi" + "-" + some(20), "pypi" + "-simple-index"]),
    "sendgrid-key": (["SG" + "." + some(22) + "." + some(43)], ["SG" + "." + some(22)]),
    "twilio-key": (["SK" + some(32, HEX)], ["SK" + some(31, HEX)]),
    "digitalocean-token": (["dop" + "_v1_" + some(64, HEX)], ["dop" + "_v1_" + some(63, HEX)]),
    "shopify-token": (["shpat" + "_" + some(32, HEX)], ["shpat" + "_" + some(31, HEX)]),
    "vercel-token": (["vcp" + "_" + some(56)], ["vcp" + "_" + some(23)]),
    "cloudflare-token": (
        ["v1" + ".0-" + some(24, HEX) + "-" + some(146, HEX), "cfut" + "_" + some(40)],
        ["v1" + ".0-" + some(24, HEX), "cfut" + "_" + some(29)],
    ),
    "grafana-token": (
        ["glc" + "_" + some(60) + "==", "glsa" + "_" + some(32) + "_" + some(8, HEX)],
        ["glc" + "_" + some(31), "glsa" + "_" + some(32)],
    ),
    "sentry-token": (
        ["sntrys" + "_eyJ" + some(100), "sntryu" + "_" + some(64, HEX)],
        ["sntrys" + "_eyJ" + some(60), "sntryu" + "_" + some(63, HEX)],
    ),
    "databricks-token": (["dapi" + some(32, HEX), "dapi" + some(32, HEX) + "-2"], ["dapi" + some(31, HEX)]),
    "linear-key": (["lin" + "_api_" + some(40)], ["lin" + "_api_" + some(39)]),
    "doppler-token": (["dp" + ".pt." + some(43)], ["dp" + ".pt." + some(39), "dp" + ".xx." + some(43)]),
    "planetscale-token": (["pscale" + "_tkn_" + some(43)], ["pscale" + "_tkn_" + some(20)]),
    "pulumi-token": (["pul" + "-" + some(40, HEX)], ["pul" + "-" + some(39, HEX)]),
    "rubygems-token": (["rubygems" + "_" + some(48, HEX)], ["rubygems" + "_" + some(47, HEX)]),
    "postman-token": (["PMAK" + "-" + some(24, HEX) + "-" + some(34, HEX)], ["PMAK" + "-" + some(24, HEX)]),
    "vault-token": (["hvs" + "." + some(90), "hvb" + "." + some(130)], ["hvs" + "." + some(23)]),
    "atlassian-token": (["ATATT3" + some(180)], ["ATATT3" + some(90)]),
    "age-key": (
        ["AGE-SECRET" + "-KEY-1" + some(58, "QPZRY9X8GF2TVDW0")],
        ["AGE-SECRET" + "-KEY-1" + some(57, "QPZRY9X8GF2TVDW0")],
    ),
    "docker-token": (["dckr" + "_pat_" + some(27)], ["dckr" + "_pat_" + some(19)]),
    "telegram-token": (["123456789" + ":AA" + some(33)], ["123456789" + ":AA" + some(20), "12:30" + ":AA"]),
    "jwt": ([JWT, JWT.rpartition(".")[0] + "."], ["eyJ" + some(20), "eyJ" + some(4) + ".eyJ" + some(4)]),
}

# Of the rules that hide a part: the text with the secret in braces, and what comes near it and stays.
ASSIGNMENTS = {
    "bearer": (
        [
            "Authorization: Bearer {%s}" % some(32),
            "sent bearer {%s} twice" % some(32),
            "BEARER {%s}" % some(32),
            "Bearer%%20{%s}" % some(32),
        ],
        ["the bearer of news", "bearer authentication", "Bearer <token>"],
    ),
    "basic-auth": (
        ["Authorization: Basic {dXNlcjpwYXNzd29yZA==}", "basic {YWRtaW46YWRtaW4xMjM=}", "BASIC {dXNlcjpwYXNzd29yZA==} ok"],
        ["basic training", "Basic authentication", "a basic understanding of it"],
    ),
    "url-credentials": (
        [
            "postgres://user:{%s}@db.internal/x" % some(12),
            "POSTGRES://USER:{%s}@DB/X" % some(12),
            "cloning https://x-access:{%s}@example.com/repo.git now" % some(20),
            "redis://:{%s}@10.0.0.7:6379/0" % some(8),
            "amqp://u:{p%40ss}@[::1]:5672",
            "a://b:{c9}@d",
        ],
        [
            "https://example.com:8080/a@b",
            "http://user@example.com/",
            "postgres://user:***@db/x",
            "see https://example.com: ok @you",
        ],
    ),
    "password": (
        [
            "password={hunter2}",
            "Password: {hunter2} for bob",
            'DB_PASSWORD="{hunter2 and more}"',
            "--password={hunter2}",
            "pwd={q}",
            "'passwd': '{hunter2}'",
            "client_secret={%s}" % some(20),
            "passphrase => {hunter2}",
            '\\"password\\":\\"{hunter2}\\"',
        ],
        [
            "password: required",
            "password is missing",
            "the password",
            "password=***",
            "password=<hidden>",
            "pwd=$PWD",
        ],
    ),
    "secret-assignment": (
        [
            "api_key={%s}" % some(24),
            "X-Api-Key: {%s}" % some(24),
            "token={%s}&next=1" % some(24),
            "SESSION_ID={%s}" % some(24),
            '"accessKey": "{%s}"' % some(24),
            "sid={%s};" % some(24),
            "AUTH_TOKEN='{%s}'" % some(24),
        ],
        [
            "token=true",
            "monkey=%s" % some(24),
            "tokens: 1024",
            "key=%s" % some(24),
            "keyboard: qwerty",
            "api_key=${API_KEY}",
            "token expired",
        ],
    ),
}


@pytest.fixture(name="redactor")
def _redactor():
    return Redactor()


def hidden_whole():
    return [pytest.param(rule, one, id=f"{rule}-{n}") for rule, (good, _) in TOKENS.items() for n, one in enumerate(good)]


def hidden_in_part():
    return [pytest.param(rule, one, id=f"{rule}-{n}") for rule, (good, _) in ASSIGNMENTS.items() for n, one in enumerate(good)]


def near_misses():
    table = {**TOKENS, **ASSIGNMENTS}
    return [pytest.param(one, id=f"{rule}-{n}") for rule, (_, near) in table.items() for n, one in enumerate(near)]


def record(fields):
    """
    Return a record with *fields*, at INFO.
    """
    return logging.makeLogRecord({"levelno": logging.INFO, "levelname": "INFO", **fields})


def parted(template):
    """
    Return a template's text, the secret in it, and the text around the secret.
    """
    before, _, rest = template.partition("{")
    secret, _, after = rest.partition("}")
    return before + secret + after, secret, (before, after)


def test_every_rule_has_a_sample():
    """
    Nobody adds a rule without saying what it hides.
    """
    assert [rule.name for rule in RULES if not rule.positive] == []


class TestTokens:
    @pytest.mark.parametrize(("rule", "secret"), hidden_whole())
    def test_is_hidden_whole(self, redactor, rule, secret):
        """
        The mark says which rule it was, and shows nothing of the secret.
        """
        assert redactor.text(f"see {secret} now") == f"see [REDACTED:{rule}] now"

    @pytest.mark.parametrize(
        "form", ["{}", '"{}"', "({})", "[{}]", "a={}", "{},", "{}\n", "\t{}", "https://h/?q={}&n=1", "<{}>", "`{}`"]
    )
    def test_wherever_it_stands(self, redactor, form):
        """
        Quotes, brackets, commas and the ends of the text are no hiding place.
        """
        secrets = {one: rule for rule, (good, _) in TOKENS.items() for one in good}

        found = {rule: redactor.text(form.format(one)) for one, rule in secrets.items()}

        assert found == {rule: form.format(f"[REDACTED:{rule}]") for rule in secrets.values()}

    @pytest.mark.parametrize(
        "before",
        [
            pytest.param("\\n", id="escaped-newline"),
            pytest.param("\\t", id="escaped-tab"),
            pytest.param("\x1b[32m", id="colour"),
            pytest.param("q%3D", id="percent-encoded"),
            pytest.param("\\u003d", id="escaped-character"),
        ],
    )
    def test_behind_what_ends_in_a_letter(self, redactor, before):
        """
        What is written with letters, and isn't any, is no hiding place.
        """
        leaked = [rule for rule, (good, _) in TOKENS.items() for one in good if one in redactor.text(f"a{before}{one} b")]

        assert leaked == []

    def test_next_to_each_other(self, redactor):
        """
        All the secrets of a text are hidden.
        """
        text = " ".join(one for good, _ in TOKENS.values() for one in good)

        found = redactor.text(text)

        assert found == " ".join(f"[REDACTED:{rule}]" for rule, (good, _) in TOKENS.items() for _ in good)


class TestAssignments:
    @pytest.mark.parametrize(("rule", "template"), hidden_in_part())
    def test_value_is_hidden_and_the_rest_stays(self, redactor, rule, template):
        """
        The name stays, so that one can tell what it was.
        """
        text, secret, (before, after) = parted(template)

        found = redactor.text(text)

        assert (secret in found, found) == (False, f"{before}[REDACTED:{rule}]{after}")

    def test_every_part_of_a_cookie_header(self, redactor):
        """
        Of several cookies, all are hidden.
        """
        found = redactor.text("Cookie: theme=dark7; session=abcdefg12; other=zyxwvu98")

        assert ("abcdefg12" in found, "zyxwvu98" in found, found.startswith("Cookie: ")) == (False, False, True)

    @pytest.mark.parametrize("scheme", ["Token", "Digest", "ApiKey", "AWS4-HMAC-SHA256", "Negotiate"])
    def test_authorization_of_any_scheme(self, redactor, scheme):
        """
        What follows the scheme is the secret.
        """
        assert some(32) not in redactor.text(f"Authorization: {scheme} {some(32)}")


class TestNearMisses:
    @pytest.mark.parametrize("text", near_misses())
    def test_stays(self, redactor, text):
        """
        What isn't a secret is left as it is.
        """
        assert (redactor.text(f"see {text} now"), redactor.counts()) == (f"see {text} now", {})

    @pytest.mark.parametrize(
        "text",
        [
            "enter your password:",
            "author=jane.doe1987",
            "authority: api1.example.com",
            "tokens_used=123456789",
            "session_count=1234567890",
            "password_changed_at=2026-11-22T10:00:00Z",
            "secret_count=3",
            "cookie_policy: strict",
            "password_length=12",
            "token_expires_at=1795381633132",
            "commit 3f786850e387550fdab836ed7e6dc881de23001b",
            "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "id 01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "550e8400-e29b-41d4-a716-446655440000",
            "GET /v1/tokens/count 200 in 3 ms",
            "http://localhost:8080/",
            "10:32:11 basic checks passed: 12 ok",
        ],
    )
    def test_what_only_sounds_like_one_stays(self, redactor, text):
        """
        Names that hold a word such as token, and numbers that look random, are no secrets.
        """
        assert redactor.text(text) == text


SENSITIVE = [
    "password",
    "passwd",
    "pwd",
    "secret",
    "token",
    "api key",
    "authorization",
    "cookie",
    "set cookie",
    "private key",
    "credential",
    "credentials",
    "session id",
    "dsn",
    "connection string",
    "access token",
    "refresh token",
    "secret key",
]

STYLES = {
    "snake": "_".join,
    "kebab": "-".join,
    "dotted": ".".join,
    "spaces": " ".join,
    "flat": "".join,
    "screaming": lambda words: "_".join(words).upper(),
    "flat-capitals": lambda words: "".join(words).upper(),
    "camel": lambda words: words[0] + "".join(map(str.capitalize, words[1:])),
    "pascal": lambda words: "".join(map(str.capitalize, words)),
    "header": lambda words: "X-" + "-".join(map(str.capitalize, words)),
    "prefixed-camel": lambda words: "db" + "".join(map(str.capitalize, words)),
    "prefixed-snake": lambda words: "db_" + "_".join(words),
    "numbered": lambda words: "_".join([*words, "2"]),
}


class TestKeys:
    @pytest.mark.parametrize("style", STYLES)
    def test_any_case_style(self, redactor, style):
        """
        The name of a field is the same name in every style.
        """
        names = [STYLES[style](name.split()) for name in SENSITIVE]

        found = redactor.data(dict.fromkeys(names, "hunter2"))

        assert found == dict.fromkeys(names, "[REDACTED:key]")

    @pytest.mark.parametrize(
        "name",
        [
            "author",
            "authority",
            "author_id",
            "isAuthenticated",
            "authMethod",
            "tokens_used",
            "maxTokens",
            "prompt-tokens",
            "token_type",
            "tokenizer",
            "token_expires_at",
            "session_count",
            "sessionDuration",
            "password_changed_at",
            "passwordLength",
            "password_reset_required",
            "passwordless",
            "secretary",
            "secret_name",
            "key",
            "keyboard",
            "primary_key",
            "keyword",
            "monkey",
            "cookie_policy",
            "bypass",
            "compass",
            "broken",
            "",
            "_",
            "é",
        ],
    )
    def test_harmless_look_alikes_stay(self, redactor, name):
        """
        A name that only holds such a word, or counts or dates such things, hides nothing.
        """
        assert redactor.data({name: "value"}) == {name: "value"}

    @pytest.mark.parametrize(
        "value", ["x", 7, 0, 1.5, ["x"], {"a": "x"}, b"x", object(), {7}], ids=lambda value: type(value).__name__
    )
    def test_value_of_any_type_is_hidden(self, redactor, value):
        """
        A secret may be a number, or a whole tree.
        """
        assert redactor.data({"password": value}) == {"password": "[REDACTED:key]"}

    @pytest.mark.parametrize("value", [None, True, False, ""])
    def test_what_says_only_whether_there_is_one_stays(self, redactor, value):
        """
        Empty values and switches are worth more shown than hidden.
        """
        assert redactor.data({"password": value}) == {"password": value}

    def test_wherever_it_is(self, redactor):
        """
        Lists and dicts are looked into, at any depth.
        """
        found = redactor.data({"a": [{"b": ({"Password": "x"},)}]})

        assert found == {"a": [{"b": [{"Password": "[REDACTED:key]"}]}]}

    def test_own_names(self):
        """
        Names that the user adds are hidden in any style, whole names only.
        """
        found = Redactor(keys=["tax_id"]).data({"tax_id": 1, "taxId": 2, "TAX-ID": 3, "tax_id_country": 4})

        assert found == {"tax_id": "[REDACTED:key]", "taxId": "[REDACTED:key]", "TAX-ID": "[REDACTED:key]", "tax_id_country": 4}

    def test_own_exceptions(self):
        """
        Names that the user allows stay in any style, and only those.
        """
        found = Redactor(allow_keys=["page_token"]).data({"page_token": "a", "pageToken": "b", "token": "c"})

        assert found == {"page_token": "a", "pageToken": "b", "token": "[REDACTED:key]"}

    def test_secret_as_a_key(self, redactor):
        """
        A secret that is a key is hidden as well, and its value stays.
        """
        assert redactor.data({"ghp" + "_" + some(36): 1}) == {"[REDACTED:github-token]": 1}

    def test_two_secrets_as_keys(self, redactor):
        """
        Keys that look alike once they are hidden stay apart.
        """
        found = redactor.data({"ghp" + "_" + some(36): 1, "gho" + "_" + some(36): 2})

        assert sorted(found.values()) == [1, 2]


BEGIN, END = "-----" + "BEGIN ", "-----" + "END "
LABELS = [
    "PRIVATE KEY",
    "RSA PRIVATE KEY",
    "EC PRIVATE KEY",
    "DSA PRIVATE KEY",
    "OPENSSH PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "PGP PRIVATE KEY BLOCK",
]


def pem(label, newline="\n"):
    """
    Return a block such as a key file has.
    """
    return newline.join([f"{BEGIN}{label}-----", *[some(64)] * 6, f"{END}{label}-----"])


class TestPrivateKeys:
    @pytest.mark.parametrize("label", LABELS)
    @pytest.mark.parametrize("newline", ["\n", "\r\n", "\\n", "\\\\n", "\\r\\n", " ", ""], ids=repr)
    def test_block_is_hidden(self, redactor, label, newline):
        """
        The whole block is one mark, however its lines are ended.
        """
        assert redactor.text(f"key: {pem(label, newline)} end") == "key: [REDACTED:private-key] end"

    def test_two_blocks(self, redactor):
        """
        What stands between two blocks stays.
        """
        text = f"{pem(LABELS[0])}\nbetween\n{pem(LABELS[1])}\n"

        assert redactor.text(text) == "[REDACTED:private-key]\nbetween\n[REDACTED:private-key]\n"

    def test_unterminated_block(self, redactor):
        """
        Of a block that doesn't end, nothing is shown.
        """
        text = "before\n" + pem(LABELS[1])[:-40]

        assert redactor.text(text) == "before\n[REDACTED:private-key]"

    def test_block_that_ends_as_another(self, redactor):
        """
        A block that is torn, and followed by another, shows nothing of either.
        """
        found = redactor.text(f"{BEGIN}{LABELS[1]}-----\n{some(64)}\n{pem(LABELS[2])}\n")

        assert some(16) not in found

    @pytest.mark.parametrize("label", ["PUBLIC KEY", "CERTIFICATE", "PGP PUBLIC KEY BLOCK", "PGP MESSAGE"])
    def test_public_blocks_stay(self, redactor, label):
        """
        Certificates and public keys are no secrets.
        """
        assert redactor.text(pem(label)) == pem(label)

    def test_in_data(self, redactor):
        """
        A key in a value is hidden there, whatever its name.
        """
        assert redactor.data({"value": pem(LABELS[0])}) == {"value": "[REDACTED:private-key]"}


class TestLongTexts:
    @pytest.mark.parametrize("shown", [1, 10, 39])
    def test_secret_over_the_cut(self, redactor, shown):
        """
        Of a secret that goes through the end of what is looked at, no part is written.
        """
        secret = "ghp" + "_" + some(36)
        text = "x" * (MAX_CHARS - shown - 1) + " " + secret + " " + "y" * 1_000

        found = redactor.text(text)

        assert (secret[: min(shown, 4)] in found, found.endswith("[TRUNCATED]"), len(found) < MAX_CHARS) == (False, True, True)

    def test_secrets_before_the_cut(self, redactor):
        """
        Those that are in full in what is looked at are hidden as ever.
        """
        secret = "ghp" + "_" + some(36)

        found = redactor.text(f"{secret} " + "x " * MAX_CHARS)

        assert found.startswith("[REDACTED:github-token] x x x")

    def test_secret_behind_the_cut(self, redactor):
        """
        What isn't looked at isn't written.
        """
        secret = "ghp" + "_" + some(36)

        assert secret not in redactor.text("x " * MAX_CHARS + secret)

    def test_block_over_the_cut(self, redactor):
        """
        A key that goes through the cut is hidden from its beginning.
        """
        text = "x" * (MAX_CHARS - 300) + "\n" + pem(LABELS[0])

        assert some(16) not in redactor.text(text)


class TestBeforeCutting:
    """
    Redaction comes before truncation: nowhere does a cut make a secret unknowable.
    """

    SECRET = "ghp" + "_" + some(36)

    def line(self, **options):
        sink = MemorySink()
        return sink, TierHandler(sink=sink, **options)

    @pytest.mark.parametrize("room", [1024, 1013, 512, 262_144, 65_536])
    @pytest.mark.parametrize(
        "make",
        [
            pytest.param(lambda text: {"msg": text}, id="msg"),
            pytest.param(lambda text: {"msg": "%s", "args": (text,)}, id="args"),
            pytest.param(lambda text: {"msg": "m", text: 1}, id="key"),
            pytest.param(lambda text: {"msg": "m", "a": text}, id="value"),
            pytest.param(lambda text: {"msg": "m", "req_id": text}, id="id"),
            pytest.param(lambda text: {"msg": "m", "src": text}, id="src"),
            pytest.param(lambda text: {"msg": "m", "tier": text}, id="tier"),
            pytest.param(lambda text: {"msg": "m", "kind": text}, id="kind"),
            pytest.param(lambda text: {"msg": "m", "project_id": text}, id="project"),
        ],
    )
    def test_secret_over_a_limit(self, make, room):
        """
        A secret that stands where a text is cut isn't shown in part.
        """
        sink, handler = self.line()
        text = "x" * (room - 16) + " " + self.SECRET + " " + "y" * room

        handler.handle(record(make(text)))

        assert self.SECRET[:8] not in sink.written[0].line.decode()

    def test_secret_over_the_limit_of_a_local(self):
        """
        Neither is one in a variable of a frame.
        """
        sink, handler = self.line(exc_locals=True)
        try:
            harmless = "x" * 1_008 + " " + self.SECRET
            raise ValueError(len(harmless))
        except ValueError as e:
            handler.handle(record({"msg": "m", "exc_info": (type(e), e, e.__traceback__)}))

        assert self.SECRET[:8] not in sink.written[0].line.decode()


class TestThroughAHandler:
    @pytest.mark.parametrize(
        "where", ["msg", "args", "extra", "data", "key", "src", "tier", "kind", "user_id", "req_id", "project_id", "exc"]
    )
    @pytest.mark.parametrize(
        "secret",
        [
            pytest.param("ghp" + "_" + some(36), id="token"),
            pytest.param("password=" + "hunter2", id="password"),
            pytest.param("postgres://user:" + "hunter2" + "@db/x", id="url"),
        ],
    )
    def test_no_position_leaks(self, where, secret):
        """
        Wherever in a record a secret stands, the line doesn't have it.
        """
        sink = MemorySink()
        error = ValueError(secret)
        fields = {
            "msg": {"msg": secret},
            "args": {"msg": "%s", "args": (secret,)},
            "extra": {"msg": "m", "note": secret},
            "data": {"msg": "m", "data": {"note": [secret]}},
            "key": {"msg": "m", "data": {secret: 1}},
            "exc": {"msg": "m", "exc_info": (ValueError, error, None)},
        }.get(where, {"msg": "m", where: secret})

        TierHandler(sink=sink).handle(record(fields))

        (written,) = sink.written
        assert ("hunter2" in written.line.decode(), some(36) in written.line.decode()) == (False, False)

    def test_broken_redactor_withholds_and_loses_nothing(self):
        """
        If redaction itself fails, a line is written all the same, without the text.
        """

        class Broken:
            def text(self, text):
                raise RuntimeError("broken")

            data = text

            def counts(self):
                return {}

        sink = MemorySink()
        handler = TierHandler(sink=sink, redact=Broken())

        handler.handle(record({"msg": "password hunter2"}))

        assert (len(sink.written), handler.stats()["accepted"]) == (1, 1)
        assert b"hunter2" not in sink.written[0].line


class TestCounts:
    def test_by_rule(self, redactor):
        """
        Each secret hidden is counted under its rule.
        """
        redactor.text("ghp" + "_" + some(36) + " and " + "gho" + "_" + some(36))
        redactor.text("password=hunter2")
        redactor.text(pem(LABELS[0]))

        assert redactor.counts() == {"github-token": 2, "password": 1, "private-key": 1}

    def test_by_key(self, redactor):
        """
        A value hidden for its name is counted once.
        """
        redactor.data({"a": {"password": "x"}, "token": "y"})

        assert redactor.counts() == {"key": 2}

    def test_once_whatever_was_seen_before(self, redactor):
        """
        It makes no difference which names were seen before.
        """
        redactor.data({"a": 1})

        redactor.data({"a": {"password": "x"}, "b": 1})

        assert redactor.counts() == {"key": 1}

    def test_nothing_hidden_is_nothing_counted(self, redactor):
        """
        A clean text counts nowhere.
        """
        redactor.text("hello world: password required")

        assert redactor.counts() == {}

    def test_are_a_copy(self, redactor):
        """
        Who asks can't change the counters.
        """
        redactor.counts()["x"] = 1

        assert redactor.counts() == {}

    def test_text_that_cannot_be_looked_at(self, redactor):
        """
        Where redaction fails, the text is withheld, and counted.
        """
        found = redactor.text(12345678)

        assert (found, redactor.counts()) == ("[WITHHELD]", {"withheld": 1})


class TestCopier:
    def test_hides_nothing(self):
        """
        Switched off means off.
        """
        given_data = {"password": "hunter2", "a": "token=" + some(24)}

        assert (Copier().data(given_data), Copier().text("pwd=x"), Copier().counts()) == (given_data, "pwd=x", {})


_samples = [one for good, _ in TOKENS.values() for one in good] + [
    parted(one)[0] for good, _ in ASSIGNMENTS.values() for one in good
]
_near = [one for _, near in {**TOKENS, **ASSIGNMENTS}.values() for one in near]
_words = [
    "password",
    "token",
    "://",
    ":",
    "=",
    "@",
    " ",
    '"',
    "'",
    "bearer ",
    "basic ",
    "key",
    "[REDACTED:jwt]",
    "\n",
    "\\n",
    ".",
    "-",
]

_fragments = st.one_of(
    st.sampled_from(_samples),
    st.sampled_from(_samples).map(str.lower),
    st.sampled_from(_samples).map(str.upper),
    st.sampled_from(_near),
    st.sampled_from(_words),
    st.sampled_from([BEGIN, END, *LABELS, "-----"]),
    st.text(string.ascii_letters + string.digits, max_size=12),
    any_text,
)
texts = st.lists(_fragments, max_size=8).map("".join)


class TestProperties:
    @given(text=texts)
    @example(text="a://b:c9@d")
    @example(text="postgres://user:hunter22@db.internal/x")
    @example(text="BEARER " + some(32))
    @example(text="xoxb" + "-" + some(10))
    def test_clean_means_nothing_to_hide(self, text):
        """
        The short look never passes a text that the long one would change.
        """
        texts_of = TextRedactor(RULES)

        if not texts_of.hits(text):
            assert texts_of.hide(text) == text

    @given(text=texts)
    def test_twice_is_once(self, text):
        """
        What has been redacted isn't changed by redacting it again.
        """
        redactor = Redactor()
        once = redactor.text(text)

        assert redactor.text(once) == once

    @given(text=texts)
    def test_does_not_depend_on_what_was_seen(self, text):
        """
        A redactor that remembers gives what a new one gives.
        """
        redactor = Redactor()
        first = redactor.text(text)

        assert (redactor.text(text), redactor.data({"a": text, "b": [text]})) == (first, {"a": first, "b": [first]})

    @given(before=any_text, after=any_text, case=st.sampled_from(hidden_whole()))
    def test_nothing_around_a_token_saves_it(self, before, after, case):
        """
        A token between spaces is hidden in any surroundings.
        """
        _, secret = case.values

        assert secret not in Redactor().text(f"{before} {secret} {after}")

    @given(value=data_values, name=st.sampled_from(["password", "apiKey", "Set-Cookie"]))
    def test_sensitive_value_is_gone(self, value, name):
        """
        A secret beside any other values is hidden.
        """
        secret = "hunter2hunter2"

        found = Redactor().data({"other": value, name: [secret, value]})

        assert secret not in json.dumps(found)

    @given(value=data_values)
    def test_data_twice_is_once(self, value):
        """
        Data that has been redacted isn't changed by redacting it again.
        """
        redactor = Redactor()
        once = redactor.data(value)

        assert redactor.data(once) == once
