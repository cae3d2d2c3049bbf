"""
What a user tells a redactor: rules, names, paths, known values, personal data.
"""

from __future__ import annotations

import base64
import json
import logging
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierlog import TierHandler
from tierlog.errors import ConfigError
from tierlog.redact import Redactor, Rule, hide_value
from tierlog.redact._rule import sample
from tierlog.redact._rules import RULES
from tierlog.sinks import MemorySink


ACME = {"name": "acme-key", "pattern": r"acme-[a-z]{4}-\d{6}", "literals": ["acme-"]}
SECRET = "correct/horse+battery=staple"


def hidden(text, **options):
    """
    Return *text* as a redactor with *options* writes it.
    """
    return Redactor(**options).text(text)


class TestRules:
    def test_own_rule(self):
        """
        A rule from the configuration hides what its pattern finds.
        """
        assert hidden("took acme-blue-123456 away", rules=[ACME]) == "took [REDACTED:acme-key] away"

    def test_rule_as_an_object(self):
        """
        A program may give a Rule.
        """
        rule = Rule("acme-key", ("acme-",), r"acme-[a-z]{4}-\d{6}")

        assert hidden("acme-blue-123456", rules=[rule]) == "[REDACTED:acme-key]"

    def test_without_literals(self):
        """
        Literals make a rule cheap; it works without them.
        """
        rule = {"name": "ticket", "pattern": r"\bT-\d{6}\b"}

        assert hidden("see T-123456.", rules=[rule]) == "see [REDACTED:ticket]."

    @pytest.mark.parametrize("pattern", [r"\AT-\d{6}", r"^T-\d{6}", r"T-\d{6}\Z", r"T-\d{6}$"])
    def test_ends_of_a_text(self, pattern):
        """
        A pattern may ask for the ends of a text; each value in data is one.
        """
        redactor = Redactor(rules=[{"name": "ticket", "pattern": pattern}])

        assert redactor.data({"a": "before", "b": "T-123456", "c": "after"}) == {
            "a": "before",
            "b": "[REDACTED:ticket]",
            "c": "after",
        }

    def test_part_of_what_is_found(self):
        """
        Only the group ``secret`` is hidden, where there is one.
        """
        rule = {"name": "pin", "pattern": r"pin (?P<secret>\d{4})", "literals": ["pin "]}

        assert hidden("the pin 1234 is wrong", rules=[rule]) == "the pin [REDACTED:pin] is wrong"

    def test_ignoring_case(self):
        """
        ``ignore_case`` holds for the literals and the pattern.
        """
        rule = {**ACME, "ignore_case": True, "literals": ["Acme-"]}

        assert hidden("ACME-Blue-123456", rules=[rule]) == "[REDACTED:acme-key]"

    def test_whole_words(self):
        """
        With ``whole_word``, nothing is found in the middle of a word.
        """
        rule = {**ACME, "whole_word": True}

        assert hidden("xacme-blue-123456 acme-blue-1234567 acme-blue-123456", rules=[rule]) == (
            "xacme-blue-123456 acme-blue-1234567 [REDACTED:acme-key]"
        )

    def test_entropy(self):
        """
        With ``min_entropy``, in bits per character, what is less random stays.
        """
        rule = {"name": "code", "pattern": "code-[a-z0-9]{12}", "literals": ["code-"], "min_entropy": 3.0}

        assert hidden("code-aaaaaaaaaaaa code-a8f3k2x9q7b1", rules=[rule]) == "code-aaaaaaaaaaaa [REDACTED:code]"

    def test_replaces_the_one_of_that_name(self):
        """
        A rule with a name that there is already takes its place.
        """
        rule = {"name": "npm-token", "pattern": r"npm_[a-z]{3}", "literals": ["npm_"]}

        assert hidden("npm_abc", rules=[rule]) == "[REDACTED:npm-token]"
        assert hidden("npm" + "_" + "a8Kd3Lm9Qx2Zr7Tw5Bv1" * 2, rules=[rule]).startswith("npm_")

    def test_switched_off(self):
        """
        A rule named in ``without`` hides nothing any more.
        """
        assert hidden("password=hunter2", without=["password"]) == "password=hunter2"

    def test_blocks_switched_off(self):
        """
        So does the one for private keys.
        """
        block = "-----BEGIN " + "PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----"

        assert hidden(block, without=["private-key"]) == block

    def test_samples_are_tried(self):
        """
        A rule with samples that it finds, and others that it doesn't, is taken.
        """
        rule = {**ACME, "positive": ["acme-blue-{digits:6}"], "negative": ["acme-blue-12345"]}

        assert hidden("acme-blue-123456", rules=[rule]) == "[REDACTED:acme-key]"

    @pytest.mark.parametrize(
        ("rule", "reason"),
        [
            ({**ACME, "pattern": "acme-("}, "acme-key"),
            ({**ACME, "pattern": r"\d{0,6}"}, "empty"),
            ({**ACME, "pattern": r"(a{1,30}){1,30}b"}, "acme-key"),
            ({**ACME, "pattern": r"(acme)-\1"}, "acme-key"),
            ({**ACME, "positive": ["acme-red-123456"]}, "positive sample 0"),
            ({**ACME, "negative": ["acme-blue-123456"]}, "negative sample 0"),
            ({"name": "acme-key"}, "pattern"),
            ({"pattern": "x{3}"}, "name"),
            ({**ACME, "name": "Acme Key"}, "lower-case"),
            ({**ACME, "patern": "x"}, "pattern"),
            ("acme", "mapping"),
            ({**ACME, "literals": "acme-"}, "list"),
        ],
    )
    def test_bad_rule(self, rule, reason):
        """
        A rule that can't work is refused where it is configured, in one line that names it.
        """
        with pytest.raises(ConfigError, match=r"redact\.rules\[0\]") as raised:
            Redactor(rules=[rule])

        assert reason in str(raised.value)
        assert "\n" not in str(raised.value)

    def test_unknown_rule_to_switch_off(self):
        """
        A misspelt name in ``without`` is an error that names the right one.
        """
        with pytest.raises(ConfigError, match="github-token"):
            Redactor(without=["github-tokens"])

    def test_from_a_handler(self):
        """
        All of it can be said in a logging configuration.
        """
        sink = MemorySink()
        handler = TierHandler(sink=sink, redact={"rules": [ACME], "keys": ["badge"], "pii": ["email"]})

        handler.handle(
            logging.makeLogRecord({"levelno": 20, "msg": "acme-blue-123456 of bob@example.com", "data": {"badge": "7"}})
        )

        (event,) = sink.events
        assert (event["msg"], event["data"]) == ("[REDACTED:acme-key] of [REDACTED:email]", {"badge": "[REDACTED:key]"})

    def test_unknown_option(self):
        """
        An option that there isn't is an error that names the nearest.
        """
        with pytest.raises(ConfigError, match="rules"):
            TierHandler(sink=MemorySink(), redact={"rule": []})


class TestPersonalData:
    @pytest.mark.parametrize(
        ("kind", "text"), [("email", "bob@example.com"), ("card", "4111 1111 1111 1111"), ("ip", "93.184.216.34")]
    )
    def test_is_hidden_when_asked_for(self, kind, text):
        """
        Personal data stays unless it is asked for, kind by kind.
        """
        assert hidden(f"from {text} today") == f"from {text} today"
        assert hidden(f"from {text} today", pii=[kind]) == f"from [REDACTED:{kind}] today"

    def test_unknown_kind(self):
        """
        A kind that there isn't is an error that names those that there are.
        """
        with pytest.raises(ConfigError, match="email"):
            Redactor(pii=["mail"])


class TestKnownValues:
    @pytest.mark.parametrize(
        "shown",
        [
            SECRET,
            json.dumps({"key": SECRET}),
            f"https://example.com/?q={quote(SECRET, safe='')}",
            base64.b64encode(f"user:{SECRET}".encode()).decode(),
            base64.urlsafe_b64encode(f"me:{SECRET}".encode()).decode(),
        ],
    )
    def test_every_form(self, shown):
        """
        A known secret is hidden in the forms that programs write it in.
        """
        found = hidden(f"got {shown} from there", known=[SECRET])

        assert "[REDACTED:known-value]" in found
        assert not any(part in found for part in ("horse", quote("horse+battery"), "horse+battery"))
        assert found.startswith("got ")
        assert found.endswith(" from there")

    def test_mark_of_its_own(self):
        """
        A value may have a name, which its mark says.
        """
        assert hidden(f"x {SECRET}", known={"db-password": SECRET}) == "x [REDACTED:db-password]"

    def test_from_the_environment(self, monkeypatch):
        """
        Variables are named in the configuration; their values are hidden.
        """
        monkeypatch.setenv("MY_DB_PASS", SECRET)
        sink = MemorySink()
        handler = TierHandler(sink=sink, redact={"known_env": ["MY_DB_PASS", "NOT_SET"]})

        handler.handle(logging.makeLogRecord({"levelno": 20, "msg": f"it is {SECRET}"}))

        assert sink.events[0]["msg"] == "it is [REDACTED:MY_DB_PASS]"

    def test_all_of_the_environment(self, monkeypatch):
        """
        Or all variables whose names look secret.
        """
        monkeypatch.setenv("MY_DB_PASSWORD", SECRET)
        monkeypatch.setenv("MY_DB_USER", "somebody-else")
        sink = MemorySink()
        handler = TierHandler(sink=sink, redact={"known_env": True})

        handler.handle(logging.makeLogRecord({"levelno": 20, "msg": f"{SECRET} of somebody-else"}))

        assert sink.events[0]["msg"] == "[REDACTED:MY_DB_PASSWORD] of somebody-else"

    def test_registered_at_run_time(self):
        """
        What is registered is hidden from then on, by redactors that there are and by later ones, also where it was
        seen before.
        """
        value = "zq-81-unheard-of"
        before = Redactor()
        assert before.data({"a": value}) == {"a": value}

        hide_value(value)

        assert before.data({"a": value}) == {"a": "[REDACTED:known-value]"}
        assert Redactor().text(value) == "[REDACTED:known-value]"

    @pytest.mark.parametrize("value", ["short", "", "        "])
    def test_too_short(self, value):
        """
        A value that would hide ordinary words is refused, without being shown.
        """
        with pytest.raises(ConfigError, match=r"redact\.known") as raised:
            Redactor(known=[value])

        assert "short" not in str(raised.value).replace("shorter", "").replace("too short", "")

    @settings(deadline=None)  # what is known is compiled
    @given(value=st.text(st.characters(exclude_categories=("Cs",)), min_size=8, max_size=40))
    def test_whatever_it_is(self, value):
        """
        Every text that is taken is hidden wherever it stands.
        """
        try:
            redactor = Redactor(known=[value])
        except ConfigError:
            return

        assert value not in redactor.text(f"before {value} after {value}{value}")


class TestNumbers:
    def test_known_number(self):
        """
        A known number is hidden though other numbers were seen in its place.
        """
        redactor = Redactor(known=["48151623"])
        assert redactor.text("the code 11111111 is wrong") == "the code 11111111 is wrong"

        assert redactor.text("the code 48151623 is wrong") == "the code [REDACTED:known-value] is wrong"

    def test_known_number_later(self):
        """
        The same for one that is known later.
        """
        redactor = Redactor()
        redactor.text("the code 11111111 is wrong")
        redactor.add_known(["48151623"])

        assert redactor.text("the code 48151623 is wrong") == "the code [REDACTED:known-value] is wrong"

    def test_own_rule_for_a_number(self):
        """
        The same for numbers that a rule finds.
        """
        redactor = Redactor(rules=[{"name": "pin", "pattern": r"pin 4\d{3}"}])
        assert redactor.text("the pin 1234 is wrong") == "the pin 1234 is wrong"

        assert redactor.text("the pin 4321 is wrong") == "the [REDACTED:pin] is wrong"

    def test_card(self):
        """
        The same for personal data.
        """
        redactor = Redactor(pii=["card"])
        assert redactor.text("paid by 4111 1111 1111 1112 now") == "paid by 4111 1111 1111 1112 now"

        assert redactor.text("paid by 4111 1111 1111 1111 now") == "paid by [REDACTED:card] now"

    @pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
    def test_what_was_seen_with_other_numbers(self, rule):
        """
        No rule's secret slips through because its text was clean with other digits.
        """
        seen, fresh = Redactor(), Redactor()
        for template in rule.positive:
            text = sample(template)[0]
            for digit in "0123456789":
                seen.text("".join(digit if char.isdigit() else char for char in text))

        for template in rule.positive:
            text = sample(template)[0]
            assert seen.text(text) == fresh.text(text)


class TestLongTexts:
    @pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
    def test_hides_the_same_in_a_long_text(self, rule):
        """
        A secret far from the ends of a long text is hidden as in a short one.
        """
        redactor = Redactor()
        around = "the quick brown fox jumps over it\n" * 200
        for template in rule.positive:
            text = sample(template)[0]

            assert redactor.text(f"{around}{text}\n{around}") == f"{around}{redactor.text(text)}\n{around}"


class TestPaths:
    DATA = {"user": {"ssn": "1-2-3", "name": "bob"}, "items": [{"code": "a"}, {"code": "b"}], "code": "c"}

    def test_path(self):
        """
        A path hides what stands there, and nothing of that name elsewhere.
        """
        assert Redactor(keys=["user.ssn"]).data(self.DATA)["user"] == {"ssn": "[REDACTED:key]", "name": "bob"}

    def test_star(self):
        """
        A star stands for any name or index.
        """
        found = Redactor(keys=["items.*.code"]).data(self.DATA)

        assert found["items"] == [{"code": "[REDACTED:key]"}] * 2
        assert found["code"] == "c"

    def test_part_of_a_name(self):
        """
        A star in a name stands for the rest of it, in any case style.
        """
        found = Redactor(keys=["headers.x-*"]).data({"headers": {"X-One": "1", "xTwo": "2", "Accept": "all"}})

        assert found == {"headers": {"X-One": "[REDACTED:key]", "xTwo": "[REDACTED:key]", "Accept": "all"}}

    def test_again_and_again(self):
        """
        Data that was clean before is looked at again.
        """
        redactor = Redactor(keys=["user.ssn"])

        assert [redactor.data(self.DATA)["user"]["ssn"] for _ in range(3)] == ["[REDACTED:key]"] * 3

    def test_given_data_stays_as_it_is(self):
        """
        What was given isn't changed.
        """
        Redactor(keys=["**.code"]).data(self.DATA)

        assert self.DATA["code"] == "c"

    @pytest.mark.parametrize("path", ["user..ssn", ".", "**"])
    def test_bad_path(self, path):
        """
        A path that can't be meant is refused.
        """
        with pytest.raises(ConfigError, match=r"redact\.keys"):
            Redactor(keys=[path])


class TestPairs:
    @pytest.mark.parametrize(
        "data",
        [
            {"name": "password", "value": "hunter2"},
            [{"Name": "API_KEY", "value": "hunter2"}],
            [["authorization", "hunter2"], ["accept", "all"]],
            [(b"cookie", b"hunter2")],
            ["mysql", "--password", "hunter2", "-h", "db"],
        ],
    )
    def test_name_and_value_apart(self, data):
        """
        A name and its value may stand side by side: variables, headers, options of a command line.
        """
        found = Redactor().data(data)

        assert "hunter2" not in json.dumps(found)
        assert "[REDACTED:key]" in json.dumps(found)

    @pytest.mark.parametrize(
        "data",
        [
            ["password", "email"],
            {"name": "colour", "value": "red"},
            [["a", "b"], ["token_count", 5]],
            ["--force", "hunter2"],
            [[]],
            [],
        ],
    )
    def test_lists_of_names_stay(self, data):
        """
        What only looks like a pair stays.
        """
        assert Redactor().data(data) == data


class TestHash:
    def test_equal_secrets_can_be_told(self):
        """
        With ``hash_key``, equal secrets have equal marks, and others don't.
        """
        redactor = Redactor(hash_key="pepper")
        one, same, other = (redactor.text(f"password={word}").partition("=")[2] for word in ("hunter2", "hunter2", "hunter3"))

        assert one == same != other
        assert one.startswith("[REDACTED:password#")
        assert "hunter" not in one

    def test_depends_on_the_key(self):
        """
        Without the key nobody can try words.
        """
        assert hidden("password=hunter2", hash_key="a") != hidden("password=hunter2", hash_key="b")

    def test_joins_text_and_data(self):
        """
        The value of a field is hashed as in a text.
        """
        redactor = Redactor(hash_key="pepper")

        mark = redactor.data({"password": "hunter2"})["password"]

        assert mark.rpartition("#")[2] == redactor.text("password=hunter2").rpartition("#")[2]

    def test_marks_stay(self):
        """
        What is hidden isn't hidden again.
        """
        redactor = Redactor(hash_key="pepper")
        once = redactor.text("password=hunter2")

        assert redactor.text(once) == once


class TestBudget:
    def test_text_that_takes_too_long_is_withheld(self):
        """
        A text made to take long is withheld whole, and counted.
        """
        redactor = Redactor()
        every = " ".join(f"{literal}a" for rule in RULES for literal in rule.literals)

        found = redactor.text(f"{every} token= password= cookie: a\n" * (900_000 // len(every)))

        assert found == "[WITHHELD]"
        assert redactor.counts()["withheld"] == 1
