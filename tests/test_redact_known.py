"""
Secrets that the program knows itself, in every form in which they get into texts.
"""

from __future__ import annotations

import base64
import html
import json
import shlex
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierlog.redact._known import MIN_LENGTH, forms, from_environment, usable


VALUE = "p4ss/w\u00f6rd+\"with' <all> of=it&100%"


def longest_in(text, value):
    """
    Return how many characters of *text* the longest form of *value* in it covers.
    """
    return max((len(form) for form in forms(value) if form in text), default=0)


class TestForms:
    @pytest.mark.parametrize(
        "encode",
        [
            pytest.param(str, id="itself"),
            pytest.param(lambda value: json.dumps(value)[1:-1], id="json"),
            pytest.param(lambda value: json.dumps(value, ensure_ascii=False)[1:-1], id="json-unicode"),
            pytest.param(lambda value: json.dumps(json.dumps(value))[3:-3], id="json-twice"),
            pytest.param(
                lambda value: json.dumps(json.dumps(value, ensure_ascii=False), ensure_ascii=False)[3:-3], id="json-unicode-twice"
            ),
            pytest.param(lambda value: json.dumps(value)[1:-1].replace("/", "\\/"), id="json-of-php"),
            pytest.param(
                lambda value: json.dumps(value)[1:-1].replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"),
                id="json-of-go",
            ),
            pytest.param(lambda value: repr(value)[1:-1], id="repr"),
            pytest.param(lambda value: repr(value.encode())[2:-1], id="repr-of-bytes"),
            pytest.param(lambda value: quote(value), id="quote"),
            pytest.param(lambda value: quote(value, safe=""), id="quote-all"),
            pytest.param(lambda value: quote_plus(value), id="quote-plus"),
            pytest.param(lambda value: urlencode({"a": value})[2:], id="urlencode"),
            pytest.param(lambda value: quote(value, safe="-_.!~*'()"), id="encodeURIComponent"),
            pytest.param(lambda value: quote(quote(value, safe=""), safe=""), id="quote-twice"),
            pytest.param(
                lambda value: (
                    quote(value, safe="")
                    .replace("%2F", "%2f")
                    .replace("%C3%B6", "%c3%b6")
                    .replace("%2B", "%2b")
                    .replace("%3C", "%3c")
                    .replace("%3E", "%3e")
                    .replace("%3D", "%3d")
                ),
                id="quote-lower-case",
            ),
            pytest.param(lambda value: shlex.quote(value)[1:-1], id="shell"),
            pytest.param(lambda value: value.replace("'", "'\\''"), id="shell-escaped-quote"),
            pytest.param(html.escape, id="html"),
            pytest.param(lambda value: html.escape(value, quote=False), id="html-text"),
            pytest.param(lambda value: html.escape(value).replace("&#x27;", "&#39;"), id="html-of-django"),
            pytest.param(lambda value: value.encode().hex(), id="hex"),
            pytest.param(lambda value: value.encode().hex().upper(), id="hex-upper"),
        ],
    )
    def test_is_among_them(self, encode):
        """
        What common tools make of a value is looked for.
        """
        assert encode(VALUE) in forms(VALUE)

    @pytest.mark.parametrize("user", ["", "a", "ab", "abc", "admin"])
    @pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
    def test_basic_auth(self, user, encode):
        """
        A password is found in the base64 of a user and it, whatever the user.
        """
        header = encode(f"{user}:{VALUE}".encode()).decode()

        assert longest_in(header, VALUE) >= len(VALUE.encode()) * 4 // 3 - 2

    def test_longest_first(self):
        """
        Who replaces one after the other leaves no rest of a longer one.
        """
        sizes = [len(form) for form in forms(VALUE)]

        assert sizes == sorted(sizes, reverse=True)

    def test_none_twice(self):
        """
        Each is looked for once, and a plain value has few.
        """
        found = forms("hunter2hunter2")

        assert (len(found), len(set(found))) == (6, 6)

    def test_none_empty(self):
        """
        No form matches everywhere.
        """
        assert all(forms(value) and "" not in forms(value) for value in ("a", " ", "ab"))


class TestLines:
    def test_each_line(self):
        """
        Of a value of many lines, each is looked for alone: logs show one at a time.
        """
        value = "first-line-0001\nsecond-line-0002\r\n  third-line-0003  \n"

        assert {"first-line-0001", "second-line-0002", "third-line-0003", value, value.strip()} <= set(forms(value))

    def test_lines_in_every_form(self):
        """
        And so are their forms.
        """
        assert base64.b64encode(b"second-line-0002").decode()[:-3] in forms("first-line-0001\nsecond-line-0002")

    @pytest.mark.parametrize("line", ["{", "}", "", " ", "x", "1234567", "==========", "-----BEGIN KEY-----"])
    def test_short_lines_are_left_out(self, line):
        """
        A brace or a rule on a line of its own doesn't hide every brace of the log.
        """
        assert line not in forms(f"first-line-0001\n{line}\nsecond-line-0002")

    def test_many_lines(self):
        """
        Ten thousand lines don't make ten thousand forms each.
        """
        assert len(forms("\n".join(f"line-number-{number:06}" for number in range(10_000)))) < 3_000


class TestUsable:
    @pytest.mark.parametrize(
        "value", ["hunter22", "true-but-long", "password", "localhost", "aaaaaaaa", " spaced out ", "\u00e9" * 8]
    )
    def test_long_enough(self, value):
        """
        Only length counts: a known value that isn't hidden is a leak.
        """
        assert usable(value) is None

    @pytest.mark.parametrize(
        ("value", "least", "reason"),
        [
            ("", 8, "blank"),
            (" \n\t" * 10, 8, "blank"),
            ("hunter2", 8, "7 characters and 8"),
            (" hunter2   ", 8, "7 characters and 8"),
            ("abc", 1, "3 characters and 4"),
            ("hunter2hunter2", 20, "14 characters and 20"),
            ("x" * 16_385, 8, "16384 is the most"),
        ],
    )
    def test_refused(self, value, least, reason):
        """
        What would hide ordinary words is refused, with a reason that doesn't show it.
        """
        said = usable(value, least)

        assert (reason in said, value.strip() == "" or value.strip() not in said) == (True, True)

    def test_least(self):
        """
        Eight characters are needed by default.
        """
        assert (MIN_LENGTH, usable("12345678"), usable("1234567") is None) == (8, None, False)


class TestFromEnvironment:
    @pytest.mark.parametrize(
        ("name", "value", "secret"),
        [
            ("DB_PASSWORD", "correct horse", "correct horse"),
            ("GH_TOKEN", " abc123abc123\n", "abc123abc123"),
            ("npm_config__authToken", "abc123abc123", "abc123abc123"),
            ("PGPASSWORD", "1234567890", "1234567890"),
            ("AWS_SECRET_ACCESS_KEY", "/aB+cdefghij/qrstuvwxyz", "/aB+cdefghij/qrstuvwxyz"),
            ("TLS_PRIVATE_KEY", "line-number-1\nline-number-2", "line-number-1\nline-number-2"),
            ("DATABASE_URL", "postgres://me:hunter2%40hunter2@db.internal:5432/x", "hunter2@hunter2"),
            ("CACHE", "redis://:hunter2hunter2@10.0.0.7:6379/0", "hunter2hunter2"),
            ("JDBC", "jdbc:postgresql://db/x?user=me&password=hunter2hunter2", "hunter2hunter2"),
            ("SENTRY_DSN", "https://0123456789abcdef@sentry.internal/1", "0123456789abcdef"),
            (
                "SLACK_WEBHOOK_URL",
                "https://hooks.internal/services/T00/abcdefghijkl",
                "https://hooks.internal/services/T00/abcdefghijkl",
            ),
        ],
    )
    def test_is_taken(self, name, value, secret):
        """
        What a variable is called tells that it is a secret; of a URL, its password is.
        """
        assert from_environment({name: value}) == {name: secret}

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("HOME", "/home/someone"),
            ("AUTHOR", "somebody else"),
            ("DB_PASSWORD", "short"),
            ("DB_PASSWORD", ""),
            ("DB_PASSWORD", "        "),
            ("DB_PASSWORD", "postgres"),
            ("USE_PASSWORD", "required"),
            ("SECRET", "disabled"),
            ("GOOGLE_APPLICATION_CREDENTIALS", "/etc/gcp/key.json"),
            ("TOKEN", "~/tokens/mine"),
            ("COOKIE", "./jar/of/cookies"),
            ("DB_PASSWORD_FILE", "correct horse"),
            ("SSH_AUTH_SOCK", "/tmp/ssh-abc/agent.1"),
            ("GPG_TTY", "/dev/pts/0000001"),
            ("XDG_SESSION_ID", "c1234567890"),
            ("XDG_SESSION_COOKIE", "c1234567890"),
            ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/run/user/1000/bus"),
            ("SESSION_MANAGER", "local/host:@/tmp/.ICE-unix/1"),
            ("TERM_SESSION_ID", "w0t0p0:ABCDEF01"),
            ("PWD", "somewhere-else"),
            ("OLDPWD", "/srv/somewhere"),
            ("AUTH_URL", "https://login.internal/oauth/authorize"),
            ("SECRET", "https://vault.internal/"),
            ("API_URL", "https://api.internal:8080/v1/things"),
            ("REPO", "https://someone-long@git.internal/x"),
            ("MAX_TOKENS", "1234567890"),
        ],
    )
    def test_is_left(self, name, value):
        """
        Paths, switches, well-known defaults and addresses would hide what logs are for.
        """
        assert from_environment({name: value}) == {}

    def test_shortest(self):
        """
        How short is too short may be chosen.
        """
        assert from_environment({"DB_PASSWORD": "short"}, 5) == {"DB_PASSWORD": "short"}


values = st.text(min_size=MIN_LENGTH, max_size=40).filter(lambda text: usable(text) is None)
printable = st.text(st.characters(codec="utf-8"), min_size=MIN_LENGTH, max_size=40).filter(lambda text: usable(text) is None)


class TestProperties:
    @given(value=printable, before=st.binary(max_size=7), after=st.binary(max_size=7), altchars=st.sampled_from([b"+/", b"-_"]))
    def test_base64_at_any_place(self, value, before, after, altchars):
        """
        Wherever a value stands in what is encoded, all but two characters of its base64 are found.
        """
        encoded = base64.b64encode(before + value.encode() + after, altchars).decode()
        touched = ((len(before) + len(value.encode())) * 8 + 5) // 6 - len(before) * 8 // 6

        assert longest_in(encoded, value) >= touched - 2

    @given(
        value=values, before=st.text(max_size=5), after=st.text(max_size=5), ensure_ascii=st.booleans(), times=st.integers(1, 2)
    )
    def test_json(self, value, before, after, ensure_ascii, times):
        """
        A value is found whole in JSON, and in JSON within JSON, with anything around it.
        """
        encoded, alone = before + value + after, value
        for _ in range(times):
            encoded, alone = json.dumps(encoded, ensure_ascii=ensure_ascii), json.dumps(alone, ensure_ascii=ensure_ascii)[1:-1]

        assert alone in encoded
        assert alone in forms(value)

    @given(value=printable, safe=st.sampled_from(["", "/", "~"]), plus=st.booleans(), lower=st.booleans())
    def test_urls(self, value, safe, plus, lower):
        """
        A value is found whole in URLs and forms.
        """
        encoded = quote_plus(value) if plus else quote(value, safe=safe)
        lowered = "".join(
            part if number == 0 else "%" + part[:2].lower() + part[2:] for number, part in enumerate(encoded.split("%"))
        )

        assert (lowered if lower else encoded) in forms(value)

    @given(value=values)
    def test_any_value_has_forms(self, value):
        """
        No value is too strange, and it is a form of itself.
        """
        assert value in forms(value)

    @given(environ=st.dictionaries(st.text(max_size=20), st.text(max_size=60)))
    def test_any_environment(self, environ):
        """
        What is taken can be hidden, and was there.
        """
        found = from_environment(environ)

        assert all(usable(value) is None and name in environ for name, value in found.items())
