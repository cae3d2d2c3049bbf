"""
An envelope as a line, and back.
"""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from strategies import any_text, data_values
from tierlog.envelope import DATA_MAX_BYTES, KEYS, LINE_MAX_BYTES, MSG_MAX_BYTES, TRUNCATED
from tierlog.ndjson import LINE, decode, dump_data, dump_text, fit, truncate
from tierlog.redact import Copier, Redactor


def strict(text):
    """
    Return what JSON says, as a parser reads it that allows no more than the standard.
    """

    def unique(pairs):
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    def refuse(constant):
        raise AssertionError(constant)

    return json.loads(text, object_pairs_hook=unique, parse_constant=refuse)


def a_line(**fields):
    """
    Return a valid line, with *fields* in place of its own.
    """
    event = dict.fromkeys(KEYS) | {"ts": 1, "instanceId": "i", "seq": 0, "msg": "m", "data": {}} | fields
    return json.dumps(event).encode() + b"\n"


class TestDump:
    @given(text=any_text)
    def test_text_is_one_line_of_json(self, text):
        """
        Any text becomes JSON without a newline; what UTF-8 can't say is written out.
        """
        found = dump_text(text)

        assert strict(found) == text.encode("utf-8", "backslashreplace").decode()
        assert b"\n" not in found

    @given(value=data_values)
    @example(value={"\ud800": 1, "\\ud800": 2})
    @example(value={1: "a", "1": "b"})
    @example(value={"a": 10**5000, "b": math.nan, "c": [math.inf]})
    def test_any_data_is_one_line_of_strict_json(self, value):
        """
        Any value, copied, becomes one line that every JSON parser takes, with no key twice.
        """
        found = dump_data(Redactor().data(value))

        strict(found)
        assert b"\n" not in found

    @given(value=data_values)
    def test_what_is_json_already_comes_back(self, value):
        """
        Data that has been copied once stays as it is when it is copied again.
        """
        once = json.loads(dump_data(Copier().data(value)))

        assert json.loads(dump_data(Copier().data(once))) == once

    def test_no_character_is_escaped_in_vain(self):
        """
        Lines hold UTF-8 as it is, so that grep finds it.
        """
        assert dump_text("naïve 漢 🙂") == '"naïve 漢 🙂"'.encode()


class TestTruncate:
    def size(self, text):
        return len(text.encode("utf-8", "backslashreplace"))

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("", id="empty"),
            pytest.param("x" * MSG_MAX_BYTES, id="ascii"),
            pytest.param("é" * (MSG_MAX_BYTES // 2), id="two-bytes"),
            pytest.param("🙂" * (MSG_MAX_BYTES // 4), id="four-bytes"),
            pytest.param("\ud800" * (MSG_MAX_BYTES // 6), id="surrogates"),
        ],
    )
    def test_what_fits_stays(self, text):
        """
        A message of exactly 262 144 bytes isn't touched.
        """
        assert truncate(text) is text

    @pytest.mark.parametrize(
        ("char", "expected"),
        [
            pytest.param("x", MSG_MAX_BYTES, id="ascii"),
            pytest.param("é", MSG_MAX_BYTES - 1, id="two-bytes"),
            pytest.param("漢", MSG_MAX_BYTES - 2, id="three-bytes"),
            pytest.param("🙂", MSG_MAX_BYTES - 1, id="four-bytes"),
        ],
    )
    def test_is_cut_on_a_character(self, char, expected):
        """
        What is too long fills the room as far as whole characters do, mark included.
        """
        found = truncate(char * (MSG_MAX_BYTES + 1))

        assert (len(found.encode()), set(found.removesuffix(TRUNCATED))) == (expected, {char})

    @pytest.mark.parametrize("count", [MSG_MAX_BYTES // 6 + 1, 60_000, 65_536, 65_537, MSG_MAX_BYTES])
    def test_surrogates_count_as_they_are_written(self, count):
        """
        A character that is written out in six bytes counts as six.
        """
        found = truncate("\ud800" * count)

        assert (self.size(found) <= MSG_MAX_BYTES, found.endswith(TRUNCATED)) == (True, True)

    @settings(max_examples=50)
    @given(
        start=any_text,
        char=st.characters(exclude_categories=()),
        count=st.integers(min_value=MSG_MAX_BYTES // 7, max_value=MSG_MAX_BYTES + 8),
    )
    def test_never_too_long(self, start, char, count):
        """
        Whatever the text, at most 262 144 bytes are left, and the mark where it was cut.
        """
        text = start + char * count

        found = truncate(text)

        assert self.size(found) <= MSG_MAX_BYTES
        assert found is text if self.size(text) <= MSG_MAX_BYTES else found.endswith(TRUNCATED)


class TestFit:
    def notes(self, body):
        return strict(body).get("_tierlog")

    def test_what_fits_stays(self):
        """
        Data that leaves room isn't touched.
        """
        data = {"a": "x" * 1_000_000, "b": [1]}

        assert fit(b'""', data) == dump_data(data)

    def test_largest_value_goes_first(self):
        """
        The largest is replaced by its beginning; the others stay; the notes say so.
        """
        data = {"small": "s", "large": "x" * 3_000_000, "middle": "y" * 1_000_000}

        found = strict(fit(b'""', data))

        assert (found["small"], found["middle"]) == ("s", "y" * 1_000_000)
        assert (found["large"][:3], found["large"][-11:], len(found["large"]) < 2_000) == ("xxx", TRUNCATED, True)
        assert found["_tierlog"] == {"pruned": ["large"], "bytes": len(dump_data(data))}

    def test_what_is_pruned_keeps_the_beginning_of_its_json(self):
        """
        Of a list or dict, the beginning is there as text.
        """
        found = strict(fit(b'""', {"list": list(range(1_000_000))}))

        assert found["list"].startswith("[0,1,2,3")

    def test_notes_that_were_there_stay(self):
        """
        What was said about the record before is still said.
        """
        data = {"_tierlog": {"rerouted": "why"}, "large": "x" * 3_000_000}

        assert self.notes(fit(b'""', data))["rerouted"] == "why"

    def test_given_data_is_not_changed(self):
        """
        Pruning makes another dict.
        """
        data = {"large": "x" * 3_000_000, "_tierlog": {"a": 1}}

        fit(b'""', data)

        assert (len(data["large"]), data["_tierlog"]) == (3_000_000, {"a": 1})

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param({"one": "x" * 5_000_000}, id="one-large"),
            pytest.param({f"k{n}": "x" * 100_000 for n in range(50)}, id="fifty-large"),
            pytest.param({f"k{n}": "x" * 1_500 for n in range(3_000)}, id="many-small"),
            pytest.param({f"k{n}": n for n in range(290_000)}, id="very-many-tiny"),
            pytest.param({**{f"k{n}": "x" * 1_500 for n in range(2_000)}, "z": "x" * 5_000_000}, id="many-small-then-a-large"),
            pytest.param({"z": "x" * 5_000_000, **{f"k{n}": "x" * 1_500 for n in range(2_000)}}, id="a-large-then-many-small"),
            pytest.param({chr(0x4E00 + n) * 1_024: "x" * 100_000 for n in range(40)}, id="long-names"),
            pytest.param({chr(1) * 1_020 + f"{n:04}": "x" * 100_000 for n in range(40)}, id="long-names-to-be-escaped"),
            pytest.param({f"k{n}": "\x01" * 340 for n in range(2_000)}, id="characters-to-be-escaped"),
            pytest.param({"_tierlog": {"x": "y" * 3_000_000}}, id="large-notes"),
            pytest.param({"a": ["x" * 1_000] * 5_000, "b": {str(n): "y" * 100 for n in range(30_000)}}, id="nested"),
            pytest.param({"\ud800": "\ud800" * 1_000_000, "n": 10**80}, id="surrogates"),
        ],
    )
    @pytest.mark.parametrize(
        "msg",
        [
            pytest.param("", id="no-msg"),
            pytest.param("m" * MSG_MAX_BYTES, id="long-msg"),
            pytest.param("\x01" * MSG_MAX_BYTES, id="msg-to-be-escaped"),
        ],
    )
    def test_never_too_large_and_says_so(self, msg, data):
        """
        Whatever the data, it fits beside the message, and what was left out is noted.
        """
        message = dump_text(msg)

        found = fit(message, data)

        assert len(found) + len(message) <= DATA_MAX_BYTES
        notes = self.notes(found)
        assert notes["bytes"] == len(dump_data(data))
        assert notes["pruned"] or notes["omitted"]

    @settings(max_examples=30)
    @given(
        parts=st.lists(
            st.tuples(any_text, st.characters(exclude_categories=()), st.integers(min_value=0, max_value=2_000_000)),
            min_size=1,
            max_size=6,
        ),
        copies=st.integers(min_value=1, max_value=600),
    )
    def test_any_mix_of_sizes_fits(self, parts, copies):
        """
        Large and small values, few and many, in any order, with any characters.
        """
        data = {}
        for name, char, size in parts:
            for copy in range(copies if size < 4_000 else 1):
                data[f"{name}{copy}"] = char * size

        found = fit(b'""', data)

        assert len(found) + 2 <= DATA_MAX_BYTES
        assert strict(found) == strict(dump_data(data)) or self.notes(found)

    def test_room_is_left_for_the_head(self):
        """
        Message and data together leave the head 64 KiB of the line.
        """
        assert LINE_MAX_BYTES - DATA_MAX_BYTES == 65_536


class TestDecode:
    def test_gives_the_event(self):
        """
        A line comes back with the envelope's keys.
        """
        middle = dict.fromkeys(KEYS[1:9], "x")
        head = b"," + json.dumps(middle).encode()[1:-1] + b',"seq":'

        line = LINE % (5, head, 7, b',"src":"s"', b'"m"', b'{"a":1}')
        found = decode(line)

        assert (tuple(found), found["ts"], found["seq"], found["data"]) == (KEYS, 5, 7, {"a": 1})

    def test_order_of_the_keys_does_not_matter(self):
        """
        What others have rewritten is still an event.
        """
        event = dict(reversed(json.loads(a_line()).items()))

        assert decode(json.dumps(event).encode()) == event

    @given(size=st.integers(min_value=0, max_value=150))
    def test_torn_line_raises(self, size):
        """
        The beginning of a line is no line.
        """
        with pytest.raises(ValueError):
            decode(a_line()[: min(size, len(a_line()) - 2)])

    @pytest.mark.parametrize(
        "line",
        [
            pytest.param(b"", id="empty"),
            pytest.param(b"\n", id="newline"),
            pytest.param(b"null", id="null"),
            pytest.param(b"[]", id="list"),
            pytest.param(b"{}", id="no-keys"),
            pytest.param(b'{"msg":"hello"}', id="other-logs"),
            pytest.param(a_line(extra=1), id="one-key-more"),
            pytest.param(a_line() + a_line(), id="two-lines"),
            pytest.param(b"\0" * 80, id="zeros"),
            pytest.param(b"\xff\xfe", id="not-utf-8"),
            pytest.param(a_line()[:-3] + b"NaN}}\n", id="nan"),
        ],
    )
    def test_foreign_line_raises(self, line):
        """
        What isn't an envelope isn't taken for one.
        """
        with pytest.raises(ValueError):
            decode(line)
