"""
Paths that users write, and what of their data they hide.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import any_text
from tierlog.redact._paths import Paths


HIDDEN = "[HIDDEN]"


def hide(value, paths, state=None):
    """
    Return a copy of *value* without what *paths* name: the walk that the redactor does.
    """
    state = paths.start if state is None else state
    if isinstance(value, dict):
        items = [(name, *paths.step(state, name), inner) for name, inner in value.items()]
        return {name: HIDDEN if hides else hide(inner, paths, below) for name, below, hides, inner in items}
    if isinstance(value, list):
        steps = [(*paths.step(state, index), inner) for index, inner in enumerate(value)]
        return [HIDDEN if hides else hide(inner, paths, below) for below, hides, inner in steps]
    return value


class TestNames:
    @pytest.mark.parametrize(
        "pattern", ["user.ssn", "User.SSN", "USER.S_S_N", " user . ssn ", 'user["ssn"]', "['user'].ssn", "user[`ssn`]"]
    )
    def test_from_the_top(self, pattern):
        """
        A path names one level after the other, from the top, and hides only what is at its end.
        """
        data = {"user": {"ssn": 1, "name": 2}, "ssn": 3, "other": {"user": {"ssn": 4}}}

        found = hide(data, Paths([pattern]))

        assert found == {"user": {"ssn": HIDDEN, "name": 2}, "ssn": 3, "other": {"user": {"ssn": 4}}}

    @pytest.mark.parametrize("name", ["cardNumber", "card_number", "CARD-NUMBER", "card number", "CardNumber", "cardnumber"])
    def test_in_any_case_style(self, name):
        """
        A name is the same name in every style, in the pattern and in the data.
        """
        assert hide({"a": {name: 1}}, Paths(["a.card_number"])) == {"a": {name: HIDDEN}}

    @pytest.mark.parametrize("value", ["x", 1, None, ["x"], {"deep": {"er": 1}}])
    def test_value_of_any_type(self, value):
        """
        What is hidden is hidden whole.
        """
        assert hide({"a": {"b": value}}, Paths(["a.b"])) == {"a": {"b": HIDDEN}}

    @pytest.mark.parametrize(
        ("pattern", "name"),
        [
            ('["b.c"]', "b.c"),
            ("['']", ""),
            ("['\"y\"']", '"y"'),
            (r"['\'x\'']", "'x'"),
            ('["*"]', "*"),
            ('["$"]', "$"),
            ('["a-x"]', "a-x"),
        ],
    )
    def test_brackets_for_any_name(self, pattern, name):
        """
        In brackets and quotes, a level may have any name.
        """
        assert hide({name: 1}, Paths([pattern])) == {name: HIDDEN}

    def test_signs_are_told_apart(self):
        """
        A name of signs alone isn't any other such name.
        """
        assert hide({"$": 1, "": 2, "_": 3}, Paths(["$"])) == {"$": HIDDEN, "": 2, "_": 3}

    def test_name_with_full_stops(self):
        """
        A name with full stops in it is one level, and as many as it says.
        """
        data = {"user.ssn": 1, "user": {"home.city": 2, "age": 3}}

        assert hide(data, Paths(["user.ssn", "user.home.city"])) == {"user.ssn": HIDDEN, "user": {"home.city": HIDDEN, "age": 3}}


class TestStars:
    @pytest.mark.parametrize(
        ("pattern", "hidden"),
        [
            ("headers.x-*", ["x-user", "X_Key", "xray"]),
            ("headers.*key", ["X_Key", "monkey"]),
            ("headers.x*y", ["X_Key", "xray"]),
            ("headers.*e*e*", ["headers"]),
            ("headers.*", ["x-user", "X_Key", "xray", "monkey", "ab", "headers"]),
            ("headers.ab*b", []),
            ("headers.a*b", ["ab"]),
        ],
    )
    def test_part_of_a_name(self, pattern, hidden):
        """
        A star stands for any part of a name, none included.
        """
        data = {"headers": dict.fromkeys(["x-user", "X_Key", "xray", "monkey", "ab", "headers"], 1)}

        found = hide(data, Paths([pattern]))["headers"]

        assert [name for name, value in found.items() if value == HIDDEN] == hidden

    def test_one_level(self):
        """
        A star for a level is exactly one level.
        """
        data = {"a": {"card": {"number": 1}}, "card": {"number": 2}, "b": {"c": {"card": {"number": 3}}}}

        found = hide(data, Paths(["*.card.number"]))

        assert found == {"a": {"card": {"number": HIDDEN}}, "card": {"number": 2}, "b": {"c": {"card": {"number": 3}}}}

    def test_any_depth(self):
        """
        Two stars are any number of levels, none included.
        """
        data = {"ssn": 1, "a": {"ssn": 2, "b": [{"c": {"ssn": 3, "d": 4}}]}}

        found = hide(data, Paths(["**.ssn"]))

        assert found == {"ssn": HIDDEN, "a": {"ssn": HIDDEN, "b": [{"c": {"ssn": HIDDEN, "d": 4}}]}}

    def test_any_depth_in_the_middle(self):
        """
        Two stars may stand between names.
        """
        data = {"a": {"x": {"y": {"b": 1}}, "b": 2}, "b": 3}

        assert hide(data, Paths(["a.**.b"])) == {"a": {"x": {"y": {"b": HIDDEN}}, "b": HIDDEN}, "b": 3}

    def test_any_depth_at_the_end(self):
        """
        Two stars at the end say what is so anyway: what is hidden is hidden with all that is in it.
        """
        assert hide({"a": {"b": 1}, "c": 2}, Paths(["a.**"])) == {"a": HIDDEN, "c": 2}


class TestLists:
    def test_may_be_left_out(self):
        """
        A path that doesn't name a list goes through it.
        """
        data = {"users": [{"email": 1, "id": 2}, [{"email": 3}]]}

        assert hide(data, Paths(["users.email"])) == {"users": [{"email": HIDDEN, "id": 2}, [{"email": HIDDEN}]]}

    @pytest.mark.parametrize("pattern", ["users.1.email", "users[1].email", "users[01].email"])
    def test_one_item(self, pattern):
        """
        An index from 0 names one item.
        """
        data = {"users": [{"email": 1}, {"email": 2}, {"email": 3}]}

        assert hide(data, Paths([pattern])) == {"users": [{"email": 1}, {"email": HIDDEN}, {"email": 3}]}

    @pytest.mark.parametrize("pattern", ["items.*.code", "items[*].code", "items.code"])
    def test_every_item(self, pattern):
        """
        A star names every item.
        """
        data = {"items": [{"code": 1, "n": 2}, {"code": 3}], "code": 4}

        assert hide(data, Paths([pattern])) == {"items": [{"code": HIDDEN, "n": 2}, {"code": HIDDEN}], "code": 4}

    def test_items_themselves(self):
        """
        A star at the end hides the items and leaves the list.
        """
        assert hide({"a": [1, 2], "b": [3]}, Paths(["a[*]"])) == {"a": [HIDDEN, HIDDEN], "b": [3]}

    def test_last_level_is_a_list(self):
        """
        A list at the end of a path is hidden whole.
        """
        assert hide({"a": {"b": [1, 2]}}, Paths(["a.b"])) == {"a": {"b": HIDDEN}}


class TestState:
    def test_without_paths(self):
        """
        Where there is nothing to hide, there is nothing to ask.
        """
        paths = Paths([])

        assert (bool(paths.start), paths.step(paths.start, "a")) == (False, (paths.start, False))

    def test_ends_where_nothing_can_be_met(self):
        """
        A walk may stop asking as soon as the state is false.
        """
        paths = Paths(["a.b.c"])

        assert [bool(paths.step(paths.start, name)[0]) for name in ("a", "b", "x")] == [True, False, False]

    def test_can_be_kept(self):
        """
        States are equal and hashable, whichever way led to them.
        """
        paths = Paths(["a.c", "b.c"])

        states = {paths.step(paths.start, name)[0] for name in ("a", "b", "A")}

        assert len(states) == 1

    def test_memory_is_bounded(self):
        """
        Any number of names may be asked for.
        """
        paths = Paths(["*.x"])

        for number in range(10_000):
            paths.step(paths.start, f"name{number}")

        assert len(paths._known) <= 4_096

    def test_long_names_are_not_remembered(self):
        """
        A name of any length may be asked for.
        """
        paths = Paths(["**.x*y"])

        assert (paths.step(paths.start, "x" + "." * 300_000)[1], len(paths._known)) == (False, 0)


class TestRefused:
    @pytest.mark.parametrize(
        ("pattern", "reason"),
        [
            ("", "is empty"),
            ("  ", "is empty"),
            (".", "empty or unclosed level"),
            (".a", "empty or unclosed level"),
            ("a.", "empty or unclosed level"),
            ("a..b", "empty or unclosed level"),
            ("a. .b", "empty or unclosed level"),
            ("a[b]", "empty or unclosed level"),
            ("a[", "empty or unclosed level"),
            ("a['b]", "empty or unclosed level"),
            ("a[0]b", "empty or unclosed level"),
            ("**", "would hide everything"),
            ("**.*", "would hide everything"),
            ("a.-*", "signs alone"),
            ("x" * 513, "longer than 512"),
            (".".join("a" * 33), "more than 32 levels"),
            (7, "isn't text"),
        ],
    )
    def test_says_which_and_why(self, pattern, reason):
        """
        A path that can't be meant so is refused by its name, in one line that says what to write.
        """
        with pytest.raises(ValueError, match=reason) as caught:
            Paths(["a.b", pattern])

        message = str(caught.value)
        assert (repr(pattern)[:40] in message, "write" in message, "\n" in message) == (True, True, False)


names = st.sampled_from(["a", "b", "aB", "a_b", "c", "x-y", "0", "1", "", "*", "b.c"])
trees = st.recursive(
    st.integers(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4), max_leaves=12
)
segments = st.sampled_from(["a", "b", "ab", "c", "xy", "0", "1", "*", "a*", "*b"])
patterns = st.lists(segments, min_size=1, max_size=4).map(".".join)


def folded(name):
    return re.sub(r"[^a-z0-9]", "", name.lower()) or name


def is_met(path, segments):
    """
    Tell the slow way whether *path* is what *segments* name.
    """
    if not path:
        return not segments
    first, rest = path[0], path[1:]
    if isinstance(first, int) and is_met(rest, segments) and rest:
        return True
    if isinstance(first, str) and "." in first and is_met((*first.split("."), *rest), segments):
        return True
    if not segments:
        return False
    return bool(re.fullmatch(segments[0].replace("*", ".*"), folded(str(first)))) and is_met(rest, segments[1:])


def leaves(value, path=()):
    """
    Yield the path to each value in *value*, containers included.
    """
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield (*path, name), inner
        yield from leaves(inner, (*path, name))


class TestProperties:
    @given(tree=st.dictionaries(names, trees, max_size=4), given_patterns=st.lists(patterns, max_size=3))
    def test_hides_what_the_patterns_name(self, tree, given_patterns):
        """
        A value is hidden if and only if a pattern names it, or a value that it is in.
        """
        paths = Paths(given_patterns)
        met = [path for path, _ in leaves(tree) if any(is_met(path, one.split(".")) for one in given_patterns)]
        expected = {path for path in met if not any(path[:size] in met for size in range(1, len(path)))}

        assert {path for path, value in leaves(hide(tree, paths)) if value == HIDDEN} == expected

    @given(pattern=any_text)
    def test_any_pattern_is_taken_or_refused(self, pattern):
        """
        No pattern fails in any other way.
        """
        try:
            paths = Paths([pattern])
        except ValueError:
            return
        assert paths.start

    @given(name=any_text, pattern=patterns)
    def test_any_name_can_be_asked_for(self, name, pattern):
        """
        No name is too strange.
        """
        paths = Paths([pattern, "**.zzz"])

        assert paths.step(paths.start, name) == Paths([pattern, "**.zzz"]).step(paths.start, name)
