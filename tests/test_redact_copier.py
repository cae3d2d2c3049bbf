"""
Secrets in data that are told by what stands beside them.
"""

from __future__ import annotations

import pytest

from tierlog.redact import Copier, Redactor


SECRET = "correct-horse"


class TestNameAndValue:
    @pytest.mark.parametrize(
        ("name", "value"), [("name", "value"), ("Name", "Value"), ("Key", "Value"), ("ParameterKey", "ParameterValue")]
    )
    def test_the_name_tells_what_the_value_is(self, name, value):
        """
        A variable of a container, a tag or a parameter of AWS: its value goes, another one's stays.
        """
        redactor = Redactor()

        assert redactor.data({name: "DB_PASSWORD", value: SECRET}) == {name: "DB_PASSWORD", value: "[REDACTED:key]"}
        assert redactor.data([{name: "REGION", value: SECRET}]) == [{name: "REGION", value: SECRET}]

    def test_whatever_was_seen_before(self):
        """
        That each of the names and texts was harmless elsewhere doesn't make them harmless together.
        """
        redactor = Redactor()
        for harmless in ({"x": SECRET}, {"x": "password"}, {"name": "a", "value": "b"}):
            redactor.data(harmless)

        shown = redactor.data({"name": "password", "value": SECRET})

        assert shown == {"name": "password", "value": "[REDACTED:key]"}


class TestTogether:
    """
    Fields that tell what another one is, in data as in texts.
    """

    @pytest.mark.parametrize("where", [["body", "password"], ("body", "users", 0, "apiToken")])
    def test_rejected_input(self, where):
        """
        An error of validation doesn't show the password that was too short; another field's input stays.
        """
        redactor = Redactor()
        redactor.data({"loc": ["a"], "input": "b"})

        assert redactor.data([{"loc": where, "msg": "short", "input": SECRET}])[0]["input"] == "[REDACTED:key]"
        assert redactor.data({"loc": where, "input": 12345678})["input"] == "[REDACTED:key]"
        assert redactor.data({"loc": ["body", "name"], "input": SECRET})["input"] == SECRET
        assert redactor.data({"loc": where, "msg": "missing", "input": {"user": "bob"}})["input"] == {"user": "bob"}

    def test_private_key_as_json(self):
        """
        The private parts of a JWK go; its public ones stay, and so do the same names elsewhere.
        """
        redactor = Redactor()
        public = {"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1B", "y": "x_FEzRu9m36H", "kid": "1"}
        redactor.data({**public, "d": 1})

        assert redactor.data({**public, "d": SECRET, "k": SECRET}) == {**public, "d": "[REDACTED:key]", "k": "[REDACTED:key]"}
        assert redactor.data(public) == public
        assert redactor.data({"d": SECRET, "k": SECRET}) == {"d": SECRET, "k": SECRET}

    def test_nothing_is_hidden_that_may_stay(self):
        """
        Without redaction, and for names that are allowed, they stay.
        """
        key, error = {"kty": "oct", "k": SECRET}, {"loc": ["password"], "input": SECRET}

        assert Copier().data([key, error]) == [key, error]
        assert Redactor(allow_keys=["password"]).data(error) == error


class TestCommandLines:
    @pytest.mark.parametrize(
        ("command", "at"),
        [
            (["curl", "-s", "-u", f"bob:{SECRET}", "https://example.com"], 3),
            (["/usr/bin/curl", "--user", f"bob:{SECRET}"], 2),
            (["mysql", "-u", "root", f"-p{SECRET}", "shop"], 3),
            (["sshpass", "-p", SECRET, "ssh", "host"], 2),
            (["sshpass", "-p", "correct horse battery", "ssh", "host"], 2),
            (["docker", "login", "-u", "bob", "-p", SECRET, "example.com"], 5),
            (["redis-cli", "-a", SECRET, "ping"], 2),
        ],
    )
    def test_option_tells_what_the_next_argument_is(self, command, at):
        """
        As in a command line that is one text: only that argument changes, and nothing of the secret stays.
        """
        shown = Redactor().data({"command": command})["command"]

        assert [place for place, pair in enumerate(zip(shown, command, strict=True)) if pair[0] != pair[1]] == [at]
        assert "[REDACTED:" in shown[at]
        assert not [word for word in ("correct", "horse", "battery") if word in shown[at]]

    def test_header_keeps_its_name(self):
        """
        An argument that tells by itself what is secret in it loses no more than that.
        """
        shown = Redactor().data(["curl", "-H", f"Authorization: Bearer {SECRET}-17", "https://example.com"])

        assert shown == ["curl", "-H", "Authorization: Bearer [REDACTED:bearer]", "https://example.com"]

    def test_arguments_of_any_type(self):
        """
        What is no text stays what it is.
        """
        assert Redactor().data({"command": ["curl", None, 7, ["-u"], "x"]}) == {"command": ["curl", None, 7, ["-u"], "x"]}

    def test_arguments_that_cannot_be_text(self):
        """
        An argument that doesn't let itself be read costs no other one.
        """

        class Silent:
            def __str__(self):
                raise ValueError

            __repr__ = __str__

        shown = Redactor().data(["docker", Silent(), "run"])

        assert (shown[0], shown[2]) == ("docker", "run")
