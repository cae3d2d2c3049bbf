"""
Tokens that are told by their own form, as rules say by samples of their own.
"""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierlog.redact import Redactor
from tierlog.redact._rule import sample
from tierlog.redact._rules._form import is_mixed, not_example
from tierlog.redact._rules._tokens import TOKENS


SAMPLES = [pytest.param(rule, template, id=f"{rule.name}-{at}") for rule in TOKENS for at, template in enumerate(rule.positive)]
NEGATIVES = [pytest.param(text, id=f"{rule.name}-{at}") for rule in TOKENS for at, text in enumerate(rule.negative)]
SEEDS = range(6)
SURROUNDINGS = {
    "alone": "{}",
    "prose": "it came with {} and went",
    "json": '{{"a": "{}"}}',
    "escaped json": '{{\\"a\\":\\"{}\\",\\"b\\":1}}',
    "behind an escaped line end": "before\\n{}\\nafter",
    "behind a line end": "before\r\n{}\r\nafter",
    "environment file": "NAME={}\nOTHER=1",
    "yaml": "name: '{}' # note",
    "xml": "<name>{}</name>",
    "header": "X-Name: {}",
    "colour": "\x1b[31m{}\x1b[0m end",
    "command line": "tool run --name={} && next",
    "brackets": "[({})]",
    "markdown": "`{}`",
}
REDACTOR = Redactor()


# More than the bound that is worked out for users' patterns. Each begins where no word goes on,
# at a literal, or at an escape, so one run of characters is read a few times at most.
def parts_left(text, parts):
    """
    Return those of *parts* long enough to matter that *text* still holds.
    """
    return [part for part in parts if len(part) > 5 and part in text]


def coded(data):
    """
    Return *data* in base64 for URLs, without filling.
    """
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class TestSamples:
    """
    Every rule's own samples, in all that a log puts around them.
    """

    @pytest.mark.parametrize(("rule", "template"), SAMPLES)
    def test_a_token_is_hidden_wherever_it_stands(self, rule, template):
        """
        No filled-in part of a sample is left, alone or in JSON, YAML, XML, a header, a colour.
        """
        for seed in SEEDS:
            text, parts = sample(template, seed)
            for name, around in SURROUNDINGS.items():
                out = REDACTOR.text(around.format(text))
                assert parts_left(out, parts) == [], (rule.name, name, seed)

    @pytest.mark.parametrize(("rule", "template"), SAMPLES)
    def test_what_stands_around_a_token_stays(self, rule, template):
        """
        Words before and lines behind a token are as they were.
        """
        for seed in SEEDS:
            text, _ = sample(template, seed)
            out = REDACTOR.text(f"it began\n{text}\nit ended")
            assert out.startswith("it began\n"), rule.name
            assert out.endswith("\nit ended"), rule.name

    @pytest.mark.parametrize(("rule", "template"), SAMPLES)
    def test_a_token_is_hidden_in_a_long_text(self, rule, template):
        """
        A token far inside a text of many lines is found as it is in a short one.
        """
        text, parts = sample(template, 1)
        filler = "a line of a log that holds nothing of the kind\n" * 300
        assert parts_left(REDACTOR.text(f"{filler}{text}\n{filler}"), parts) == [], rule.name

    @pytest.mark.parametrize("text", NEGATIVES)
    def test_what_only_looks_like_a_token_stays(self, text):
        """
        Texts that a rule names as none of its own stay whole.
        """
        assert REDACTOR.text(text) == text

    def test_a_token_in_a_query_is_hidden(self):
        """
        Percent signs before a token don't hide it from the rules.
        """
        text, parts = sample("glpat-{url:20}", 2)
        assert parts_left(REDACTOR.text("https://x.org/?next=" + quote(f"/a?b={text}&c=d", safe="")), parts) == []

    @pytest.mark.parametrize("number", [2, 3, 5])
    def test_tokens_glued_together_are_hidden_whole(self, number):
        """
        A match that takes the first letters of the next token doesn't leave the rest of that.
        """
        text = "".join(sample("rk_test_{alnum:30}", seed)[0] for seed in range(number))
        assert REDACTOR.text(f"it is {text} now") == "it is [REDACTED:stripe-key] now"

    @given(st.text(alphabet="ab \n\"'=:,.;()[]{}<>", max_size=30), st.text(alphabet="yz \n\"'=:,.;()[]{}<>", max_size=30))
    def test_any_words_around_a_token_stay(self, before, after):
        """
        Whatever stands around a token set off by spaces is the same afterwards.
        """
        text, parts = sample("ghp_{alnum:36}", 3)
        out = REDACTOR.text(f"{before} {text} {after}")
        assert parts_left(out, parts) == []
        assert out.startswith(before)
        assert out.endswith(after)


class TestWebTokens:
    """
    Tokens made of JSON in base64.
    """

    HEAD = coded(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    BODY = coded(json.dumps({"sub": "1234567890", "name": "someone"}).encode())

    @pytest.mark.parametrize("tail", [b"", b".", b"." + coded(b"0123456789abcdef" * 2)], ids=["none", "empty", "signed"])
    def test_a_web_token_is_hidden(self, tail):
        """
        A web token is hidden with its signature, with an empty one, and without.
        """
        text = (self.HEAD + b"." + self.BODY + tail).decode()
        assert self.BODY.decode() not in REDACTOR.text(f"it is {text} here")

    def test_a_web_token_in_base64_is_hidden(self):
        """
        A web token that was put into base64 once more is hidden too.
        """
        text = base64.b64encode(self.HEAD + b"." + self.BODY + b"." + coded(bytes(32))).decode()
        assert REDACTOR.text(f"it is {text} here") == "it is [REDACTED:jwt-base64] here"

    def test_other_base64_stays(self):
        """
        Base64 that begins alike and holds no token stays.
        """
        text = "ZXlK" + base64.b64encode(bytes(range(200, 250))).decode()
        assert REDACTOR.text(f"it is {text} here") == f"it is {text} here"


class TestExamples:
    """
    Values of documentation, which are no secrets.
    """

    @pytest.mark.parametrize(
        "text",
        [
            "gh" + "p_" + "x" * 36,
            "AKIA" + "IOSFODNN7" + "EXAMPLE",
            "sk-" + "your-api-key-goes-here",
            "pplx-" + "x" * 48,
            "AI" + "za" + "a" * 35,
        ],
    )
    def test_an_example_stays(self, text):
        """
        A value of one character over and over, or that says that it is an example, stays.
        """
        assert REDACTOR.text(f"use {text} here") == f"use {text} here"

    def test_keys_that_google_shows_stay(self):
        """
        A key of public sample programs stays; the same with another end is hidden.
        """
        shown = "AI" + "zaSyBcE-OOIbhjyR83gm4r2MFC" + "u4MJmprNXsw"
        assert REDACTOR.text(f"at {shown} there") == f"at {shown} there"
        assert REDACTOR.text(f"at {shown[:-1]}x there") == "at [REDACTED:gcp-api-key] there"

    @pytest.mark.parametrize("number", [2, 3, 5])
    def test_tokens_glued_together_are_hidden_whole(self, number):
        """
        A match that takes the first letters of the next token doesn't leave the rest of that.
        """
        text = "".join(sample("rk_test_{alnum:30}", seed)[0] for seed in range(number))
        assert REDACTOR.text(f"it is {text} now") == "it is [REDACTED:stripe-key] now"

    @given(st.text(alphabet="ab1", min_size=1, max_size=3).map(lambda text: text[0] * 40))
    def test_one_character_over_and_over_is_an_example(self, text):
        """
        No value of one character is taken for a secret.
        """
        assert not not_example(text)

    def test_what_was_drawn_at_random_is_mixed(self):
        """
        Small letters, capitals and digits are all needed.
        """
        assert is_mixed(sample("{alnum:40}", 1)[0])
        assert not is_mixed(sample("{hex:40}", 1)[0])
        assert not is_mixed(sample("{letters:40}", 1)[0])


class TestRules:
    """
    What holds for every rule.
    """

    @pytest.mark.parametrize("rule", TOKENS, ids=lambda rule: rule.name)
    def test_a_rule_has_samples_and_a_plain_name(self, rule):
        """
        Every rule shows what it finds; names are of small letters, digits and dashes.
        """
        assert rule.positive
        assert re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", rule.name)

    def test_names_are_used_once(self):
        """
        A mark tells which rule made it.
        """
        names = [rule.name for rule in TOKENS]
        assert sorted(set(names)) == sorted(names)
