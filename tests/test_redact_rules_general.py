"""
Secrets that are told by what stands before them, and texts that only look alike.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import pytest

from tierlog._platform import possessive
from tierlog.redact import Redactor, _finders
from tierlog.redact._rule import Rule, sample
from tierlog.redact._rules import RULES as ALL
from tierlog.redact._rules._contexts import CONTEXTS
from tierlog.redact._rules._general import GENERAL
from tierlog.redact._rules._named import NAMED
from tierlog.redact._rules._told import TOLD
from tierlog.redact._text import TextRedactor


SEEDS = range(1, 6)
RULES = (*NAMED, *CONTEXTS, *GENERAL, *TOLD)
REDACTOR = Redactor()

STYLES = (
    '{name}_TOKEN = "{value}"',
    '{name}Token := "{value}"',
    '{name}_token ::= "{value}"',
    '{name}_token :::= "{value}"',
    '{name}_token ?= "{value}"',
    '${name}Token .= "{value}"',
    "{name}Token := `{value}`",
    'var {name}Token string = "{value}"',
    'String {name}Token = "{value}";',
    '  "{name}Token" => "{value}"',
    '{{\n    "{name}_token": "{value}"\n}}',
    "{name}_token: {value}",
    "{name}_token: '{value}'",
    'System.setProperty("{name}_TOKEN", "{value}")',
    "<{name}Token>\n    {value}\n</{name}Token>",
    '{{"config.ini": "{name}_TOKEN={value}\\nBACKUP_ENABLED=true"}}',
    '- name: {name}_TOKEN\n  value: "{value}"',
    "{name}Token={value}",
    "export {name}_TOKEN={value} && run",
    "https://example.com/?{name}_token={value}&page=2",
)


def cases(kind):
    """
    Return the texts of all rules, each with a name that tells it.
    """
    return [
        pytest.param(rule, text, id=f"{rule.name}-{number}") for rule in RULES for number, text in enumerate(getattr(rule, kind))
    ]


def outside(text, secrets):
    """
    Return the beginning and the end of *text* around its secrets.
    """
    return text[: text.index(secrets[0])], text[text.rindex(secrets[-1]) + len(secrets[-1]) :]


class TestSamples:
    @pytest.mark.parametrize(("rule", "template"), cases("positive"))
    def test_secrets_go_and_the_text_around_stays(self, rule: Rule, template: str):
        """
        Whatever the secret is, all of it goes; the lines around it stay.
        """
        for seed in SEEDS:
            text, secrets = sample(template, seed)
            shown = REDACTOR.text(f"before\n{text}\nbehind")
            assert not [secret for secret in secrets if secret in shown], rule.name
            assert shown.startswith("before\n"), rule.name
            assert shown.endswith("\nbehind"), rule.name
            assert "[REDACTED:" in shown

    def test_secrets_go_where_python_gets_possessive_groups_wrong(self, monkeypatch):
        """
        Before 3.11.5 such groups don't find all they should; they may backtrack there, and all of it goes, too.
        """
        monkeypatch.setattr(_finders, "possessive", partial(possessive, is_right=False))
        text = Redactor().text

        left = []
        for rule in RULES:
            for template in rule.positive:
                given, secrets = sample(template, 1)
                shown = text(f"before\n{given}\nbehind")
                left += [(rule.name, template) for secret in secrets if secret in shown]

        assert left == []

    @pytest.mark.parametrize(("rule", "text"), cases("negative"))
    def test_what_only_looks_alike_stays(self, rule: Rule, text: str):
        """
        Stand-ins, words, numbers and expressions of programs aren't secrets.
        """
        assert REDACTOR.text(text) == text, rule.name


class TestStyles:
    @pytest.mark.parametrize("style", STYLES)
    @pytest.mark.parametrize("name", ["acme", "adafruit", "MY_APP"])
    def test_all_ways_to_assign_are_known(self, style: str, name: str):
        """
        A token is found however a language or a settings file writes it.
        """
        for seed in SEEDS:
            text, (secret,) = sample(style.format(name=name, value="{lower:32}").replace("{{", "{"), seed)
            start, end = outside(text, [secret])
            shown = REDACTOR.text(text)
            assert secret not in shown
            assert shown.startswith(start)
            assert shown.endswith(end)

    @pytest.mark.parametrize("times", [1, 2])
    def test_escaped_json_is_known(self, times: int):
        """
        A password is found in JSON that stands in JSON, and what follows it stays.
        """
        text, (secret,) = sample('{"user": "bob", "password": "{alnum:12}", "host": "db"}', 3)
        for _ in range(times):
            text = json.dumps({"body": text})
        shown = REDACTOR.text(text)
        assert secret not in shown
        assert "host" in shown
        assert "bob" in shown

    def test_two_secrets_on_a_line_both_go(self):
        """
        One secret doesn't hide another.
        """
        text, secrets = sample("password={alnum:10} api_key={alnum:24} x=1", 2)
        shown = REDACTOR.text(text)
        assert not [secret for secret in secrets if secret in shown]
        assert shown.endswith(" x=1")


class TestOrdinaryText:
    @pytest.mark.parametrize(
        "text",
        [
            "Author: Jane Doe <jane@example.com>",
            "PWD=/home/jane/project",
            "commit 0a1b2c3d4e5f60718293a4b5c6d7e8f901234567",
            "Cache key: Linux-pip-0a1b2c3d4e5f6071",
            "  token: ***",
            "tokens: 1234567890 total",
            "integrity sha512-0a1b2c3d4e5f6071",
            "twitter: 15 new, heroku: 2 dynos, discord: connected",
            "heroku_commit = 0a1b2c3d4e5f60718293a4b5c6d7e8f901234567",
            "session opened for user root(uid=0)",
            "Failed password for root from 10.0.0.1 port 22 ssh2",
            "basic authentication failed, bearer expected",
            "docker run -u 1000:1000 image && curl http://localhost",
            "usage: app [--password PASSWORD] [--token TOKEN]",
            "datadog trace: 0a1b2c3d4e5f60718293a4b5c6d7e8f9",
            "discord message: 0a1b2c3d4e5f60718293a4b5c6d7e8f9",
            "snyk project: 0a1b2c3d-0a1b-4c2d-8e3f-0a1b2c3d4e5f",
            "netlify deploy: a1b2c3d4e5f6g7h8i9j0a1b2c3d4e5f6g7h8i9j0",
        ],
    )
    def test_lines_of_real_logs_stay(self, text: str):
        """
        What logs are full of isn't altered.
        """
        assert REDACTOR.text(text) == text


class TestRules:
    @pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
    def test_nothing_repeats_without_end(self, rule: Rule):
        """
        Every repeat has an upper bound, so that no text keeps a pattern busy.
        """
        plain = rule.pattern.replace(r"\\", "").replace(r"\+", "").replace(r"\*", "")
        outside_classes = "".join(part.split("]", 1)[-1] if number else part for number, part in enumerate(plain.split("[")))
        assert "*" not in outside_classes
        assert ",}" not in outside_classes

    @pytest.mark.parametrize("rule", [rule for rule in ALL if rule.leads], ids=lambda rule: rule.name)
    def test_a_match_begins_where_it_is_looked_for(self, rule: Rule):
        """
        What is tried near the literals only finds what is found when all of a text is tried.
        """
        assert len(rule.leads) == len(rule.literals)
        everywhere, near = TextRedactor([replace(rule, leads=())]), TextRedactor([rule])
        for template in (text for one in ALL for text in one.positive + one.negative):
            text = f"{sample(template, 1)[0]} and {sample(template, 2)[0]}"
            assert near.find(text) == everywhere.find(text)

    @pytest.mark.parametrize("rule", [rule for rule in ALL if rule.literals], ids=lambda rule: rule.name)
    def test_a_long_text_is_looked_at_like_a_short_one(self, rule: Rule):
        """
        Where a text is too long to be tried everywhere, the same is found.
        """
        redactor, filler = TextRedactor([rule]), "\n" * 40_000
        for template in rule.positive + rule.negative:
            text = f"{sample(template, 1)[0]} and {sample(template, 2)[0]}"
            shifted = [(start + 40_000, end + 40_000) for start, end, _ in redactor.find(text)]
            assert [(start, end) for start, end, _ in redactor.find(filler + text)] == shifted


class TestMany:
    @pytest.mark.parametrize("line", ["APP_TOKEN={alnum:40}", "export DB_PASSWORD='{alnum:16}'", "KEY=sk_live_{alnum:24}"])
    def test_each_of_hundreds_is_marked(self, line: str):
        """
        An environment of ordinary size is no hostile text.
        """
        text = "\n".join(sample(line, seed)[0] for seed in range(200))
        assert REDACTOR.text(text).count("[REDACTED:") == 200

    @pytest.mark.parametrize("line", ["APP_TOKEN={alnum:40} ", "AKIA", "password=", "key="])
    def test_a_long_text_of_little_else_is_withheld(self, line: str):
        """
        What would take long isn't looked at, and not shown either.
        """
        text = sample(line)[0]
        assert REDACTOR.text(text * (262_144 // len(text))) == "[WITHHELD]"

    def test_a_long_text_with_some_is_looked_at(self):
        """
        Long texts with as many secrets as texts have are marked one by one.
        """
        text = "".join(f"request {n} took 17 ms\n" * 40 + sample("token={alnum:32}\n", n)[0] for n in range(200))
        assert REDACTOR.text(text).count("[REDACTED:") == 200

    def test_headers_without_end_are_no_way_to_show_a_key(self):
        """
        A text of thousands of headers that begin nothing is hidden, with what stands between them.
        """
        text = "-----BEGIN " * 20_000 + sample("-----BEGIN PRIVATE KEY-----\n{base64:64}\n-----END PRIVATE KEY-----\n", 1)[0]
        assert REDACTOR.text(text) == "[REDACTED:private-key]"

    def test_few_rules_do_for_a_long_text(self):
        """
        Rules of one's own, and none that share what they are told by, are as good.
        """
        own = [{"name": f"own-{n}", "pattern": f"own{n}_[a-z]{{8}}", "literals": [f"own{n}_"]} for n in range(30)]
        few = Redactor(rules=own, without={rule.name for rule in ALL})
        text = " ".join(f"own{n}_abcdefgh" for n in range(30)) + " and more" * 2_000
        assert few.text(text).count("[REDACTED:") == 30
