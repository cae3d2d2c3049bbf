"""
Secrets in data that are told by what stands beside them.
"""

from __future__ import annotations

import pytest

from tierlog.redact import Redactor


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
