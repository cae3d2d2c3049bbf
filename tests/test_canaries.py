"""
Canaries: values that no file may have, and the fixture that plants them.
"""

from __future__ import annotations

import base64
import gzip
import json
import logging
from pathlib import Path
from urllib.parse import quote

import pytest

import tierlog
from tierlog.redact import Redactor, hide_value
from tierlog.redact._rules import RULES
from tierlog.testing import Canaries


pytest_plugins = ["pytester"]

FORMS = {
    "plain": lambda value: value,
    "json": lambda value: json.dumps({"a": f'"{value}"'}),
    "base64": lambda value: base64.b64encode(f"x{value}yz".encode()).decode(),
    "url": lambda value: quote(value, safe=""),
    "hex": lambda value: value.encode().hex(),
}


@pytest.fixture(autouse=True)
def _only_this_plugin(monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # to load the others takes most of a run's time


@pytest.fixture(name="canaries")
def _canaries():
    return Canaries()


class TestNew:
    def test_is_new_each_time(self, canaries):
        """
        No two values are alike.
        """
        assert len({canaries.new() for _ in range(20)} | {canaries.new(like="github-token") for _ in range(20)}) == 40

    def test_no_rule_knows_the_word(self, canaries):
        """
        Without a rule it is a word that stays: what hides it is its field's name, or
        that it is known.
        """
        value = canaries.new()

        assert Redactor().text(f"it is {value}.") == f"it is {value}."
        assert Redactor().data({"password": value}) == {"password": "[REDACTED:key]"}

    @pytest.mark.parametrize("rule", ["github-token", "stripe-key", "jwt", "slack-webhook", "aws-access-key"])
    def test_the_rule_knows_it(self, canaries, rule):
        """
        With a rule it is a secret that this rule hides.
        """
        assert canaries.new(like=rule) not in Redactor().text(f"it is {canaries.new(like=rule)} now")
        assert Redactor().text(canaries.new(like=rule)).startswith("[REDACTED:")

    @pytest.mark.parametrize("rule", sorted({rule.name for rule in RULES if rule.is_token and rule.positive}))
    def test_every_token_has_one(self, canaries, rule):
        """
        There is one for the rule of each kind of token.
        """
        assert len(canaries.new(like=rule)) >= 8

    def test_a_rule_that_is_not_there(self, canaries):
        """
        A misspelt rule is told, with the nearest.
        """
        with pytest.raises(tierlog.ConfigError, match="github-token"):
            canaries.new(like="githubtoken")


class TestCheck:
    def test_passes(self, canaries, tmp_path):
        """
        Files without it pass.
        """
        canaries.new()
        (tmp_path / "a.log").write_text("fine\n")

        canaries.check(tmp_path, tmp_path / "a.log")

    @pytest.mark.parametrize("form", FORMS)
    def test_finds_each_form(self, canaries, tmp_path, form):
        """
        It is found in any form, and told by name, file and line, but not by value.
        """
        value = canaries.new("card")
        (tmp_path / "a.log").write_text(f"one\ntwo\n{FORMS[form](value)}\n")

        with pytest.raises(AssertionError) as caught:
            canaries.check(tmp_path)

        assert f"card: {tmp_path}/a.log, line 3" in str(caught.value)
        assert value not in str(caught.value)

    def test_looks_into_compressed_files(self, canaries, tmp_path):
        """
        What gzip has compressed is looked into.
        """
        (tmp_path / "a.gz").write_bytes(gzip.compress(f"one\n{canaries.new()}".encode()))

        with pytest.raises(AssertionError, match="line 2"):
            canaries.check(tmp_path)

    def test_looks_at_names(self, canaries, tmp_path):
        """
        A name of a file or of an empty folder has it, too.
        """
        (tmp_path / f"x-{canaries.new('first')}.log").write_text("")
        (tmp_path / canaries.new("second")).mkdir()

        with pytest.raises(AssertionError, match=r"(?s)(first: the name.*second: the name|second: the name.*first: the name)"):
            canaries.check(tmp_path)

    def test_tells_of_a_file_that_cannot_be_read(self, canaries, tmp_path):
        """
        A compressed file that is damaged isn't passed over.
        """
        canaries.new()
        (tmp_path / "a.gz").write_bytes(gzip.compress(b"one\n" * 100)[:-4])

        with pytest.raises(AssertionError, match=r"a\.gz: it couldn't be looked at"):
            canaries.check(tmp_path)

    def test_nothing_planted(self, canaries, tmp_path):
        """
        To look for nothing is an error.
        """
        (tmp_path / "a.log").write_text("fine\n")

        with pytest.raises(AssertionError, match="no canary was made"):
            canaries.check(tmp_path)

    @pytest.mark.parametrize("name", ["", "missing"])
    def test_nothing_to_look_at(self, canaries, tmp_path, name):
        """
        To look where no file is is an error.
        """
        canaries.new()

        with pytest.raises(AssertionError, match="nothing was checked"):
            canaries.check(tmp_path / name)


class TestFixture:
    def test_looks_through_segments(self, tierlog_canaries, tmp_path):
        """
        What is hidden passes: by the field's name, by its form, and because it is known.
        """
        known = tierlog_canaries.new("known")
        hide_value(known)
        tierlog.configure(root=tmp_path / "logs")

        logging.getLogger("app").info("with %s", tierlog_canaries.new("token", like="github-token"))
        logging.getLogger("app").info("with %s", known, extra={"data": {"password": tierlog_canaries.new("password")}})

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param("tierlog.configure(root=tmp_path / 'logs'); log.info('it is %s', value)", id="open"),
            pytest.param(
                "tierlog.configure(root=tmp_path / 'logs'); log.info('it is %s', value); tierlog.shutdown()", id="closed"
            ),
            pytest.param(
                "tierlog.configure(root=tmp_path / 'logs'); log.info('it is %s', value);"
                " tierlog.configure(root=tmp_path / 'b'); tierlog.configure(root=tmp_path / 'c')",
                id="replaced",
            ),
            pytest.param(
                "tierlog.configure(sink={'type': 'segments', 'root': tmp_path / 'logs', 'durability': 'batch'}); log.info('it is %s', value)",
                id="buffered",
            ),
            pytest.param(
                "tierlog.configure(sink={'type': 'tee', 'sinks': [{'type': 'segments', 'root': tmp_path / 'logs'}]}); log.info('%s', value)",
                id="tee",
            ),
            pytest.param("tierlog_canaries.watch(tmp_path); (tmp_path / 'out.txt').write_text(value)", id="watched"),
        ],
    )
    def test_fails_if_one_is_written(self, pytester, body):
        """
        A canary in a segment fails the test, whatever became of the sink; so does one
        in what is watched.
        """
        outcome, text = _outcome(pytester, f"value = tierlog_canaries.new('card'); {body}")

        assert outcome == {"passed": 1, "errors": 1}
        assert "card: " in text

    @pytest.mark.parametrize(
        ("body", "told"),
        [
            pytest.param("tierlog_canaries.new()", "no segment was open", id="no-root"),
            pytest.param("tierlog.configure(root=tmp_path / 'logs'); log.info('hello')", "no canary was made", id="no-canary"),
            pytest.param("tierlog_canaries.new(); tierlog_canaries.watch(tmp_path / 'no')", "there is no file", id="no-file"),
        ],
    )
    def test_fails_if_nothing_was_checked(self, pytester, body, told):
        """
        A test that plants nothing, or writes nothing, is told so.
        """
        outcome, text = _outcome(pytester, body)

        assert outcome == {"passed": 1, "errors": 1}
        assert told in text

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            pytest.param("pytest.skip('not here')", {"skipped": 1}, id="skipped"),
            pytest.param("tierlog_canaries.new(); assert False", {"failed": 1}, id="failed"),
            pytest.param(
                "tierlog_canaries.new(); (tmp_path / 'a').write_text(''); tierlog_canaries.check(tmp_path)",
                {"passed": 1},
                id="checked",
            ),
        ],
    )
    def test_says_nothing_twice(self, pytester, body, expected):
        """
        A test that was skipped, failed, or has checked by itself isn't blamed for that.
        """
        assert _outcome(pytester, body)[0] == expected


def test_the_page(pytester):
    """
    The test that the documentation shows passes; and fails if a field has another name.
    """
    text = (Path(__file__).parent.parent / "docs/how-to/test-your-logs.md").read_text()
    shown = text.partition(":caption: test_secrets.py\n")[2].partition("```")[0]

    pytester.makepyfile(test_secrets=shown, test_leak=shown.replace('card_token":', 'card":'))

    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider", "-p", "tierlog.pytest_plugin")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*card: *.ndjson, line *"])


def _outcome(pytester, body):
    """
    Return how a test with this body ends, and what pytest printed.
    """
    pytester.makepyfile(
        f"import logging, pytest, tierlog\nlog = logging.getLogger('app')\ndef test_it(tierlog_canaries, tmp_path):\n    {body}\n"
    )
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider", "-p", "tierlog.pytest_plugin")
    return {name: count for name, count in result.parseoutcomes().items() if name != "warnings"}, result.stdout.str()
