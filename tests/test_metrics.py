"""
Counters of several streams as one, and as text for Prometheus.
"""

from __future__ import annotations

import copy
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierlog.metrics import merged, prometheus_text


PART = {
    "accepted": 10,
    "written": 7,
    "dropped": {"enospc": 2, "eio": 1},
    "redactions": {"jwt": 4},
    "truncated": 1,
    "rerouted": {"build: buildId is missing": 3},
    "sync_failures": 0,
    "last_error": "OSError()",
}

_counters = st.dictionaries(st.sampled_from(["accepted", "written", "truncated"]), st.integers(min_value=0), max_size=3)
_by_reason = st.dictionaries(st.sampled_from(["enospc", "eio", "queue"]), st.integers(min_value=0), max_size=3)
parts = st.lists(st.builds(lambda counts, dropped: {**counts, "dropped": dropped}, _counters, _by_reason), max_size=4)


class TestMerged:
    def test_of_nothing_is_zero(self):
        """
        Without handlers there are counters all the same.
        """
        assert merged([]) == {"accepted": 0, "written": 0, "dropped": {}, "shipped": 0, "pending": 0, "failed": 0}

    def test_of_one_is_that_one(self):
        """
        What one stream says is what is said.
        """
        assert merged([PART]) == {**PART, "shipped": 0, "pending": 0, "failed": 0}

    def test_numbers_and_reasons_add_up(self):
        """
        Counters of the same name are added, and so is each reason.
        """
        found = merged([PART, {"accepted": 5, "written": 4, "dropped": {"eio": 1}, "redactions": {"jwt": 1, "bearer": 2}}])

        assert (found["accepted"], found["written"]) == (15, 11)
        assert (found["dropped"], found["redactions"]) == ({"enospc": 2, "eio": 2}, {"jwt": 5, "bearer": 2})

    def test_last_text_stays(self):
        """
        The last error is the last one that there is.
        """
        errors = ["first", None, "last", None]

        assert merged({"last_error": text} for text in errors)["last_error"] == "last"

    def test_no_error_is_none(self):
        """
        Where nothing failed, that is said.
        """
        assert merged([{"last_error": None}])["last_error"] is None

    def test_a_number_that_is_none_adds_nothing(self):
        """
        A counter that one stream doesn't know is what the others say.
        """
        ages = [{"oldest_unshipped_age": 2.0}, {"oldest_unshipped_age": None, "pending": None}]

        assert [merged(parts)["oldest_unshipped_age"] for parts in (ages, ages[::-1], ages[1:])] == [2.0, 2.0, None]
        assert merged(ages)["pending"] == 0

    def test_changes_nothing(self):
        """
        The streams' own counters stay as they are.
        """
        given_parts = [copy.deepcopy(PART), copy.deepcopy(PART)]

        merged(given_parts)

        assert given_parts == [PART, PART]

    @settings(deadline=None)
    @given(given_parts=parts)
    def test_sums(self, given_parts):
        """
        Each counter is the sum of the streams' counters, in whatever order.
        """
        found = merged(given_parts)

        assert found["accepted"] == sum(part.get("accepted", 0) for part in given_parts)
        assert sum(found["dropped"].values()) == sum(sum(part["dropped"].values()) for part in given_parts)
        assert merged(reversed(given_parts)) == found


def samples(text):
    """
    Return the samples of an exposition as ``{(name, labels): value}``, checking its form.
    """
    found, types = {}, {}
    label = r'[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*"'
    sample = re.compile(rf"(?P<name>[a-zA-Z_:][\w:]*)(?:\{{(?P<labels>{label})\}})? (?P<value>-?\d+(?:\.\d+)?)", re.ASCII)
    for line in text.removesuffix("\n").split("\n"):
        if line.startswith("# "):
            _, word, name, rest = line.split(" ", 3)
            assert word in {"HELP", "TYPE"}
            if word == "TYPE":
                assert rest in {"counter", "gauge"}
                assert name not in types
                types[name] = rest
        else:
            match = sample.fullmatch(line)
            assert match is not None, line
            assert match["name"] in types
            assert (match["name"], match["labels"]) not in found
            found[match["name"], match["labels"]] = float(match["value"])
    return found


class TestPrometheusText:
    def test_every_counter_is_there(self):
        """
        Counters become samples, reasons labels.
        """
        found = samples(prometheus_text(merged([PART])))

        assert found["tierlog_records_accepted_total", None] == 10
        assert found["tierlog_records_written_total", None] == 7
        assert found["tierlog_records_dropped_total", 'reason="enospc"'] == 2
        assert found["tierlog_redactions_total", 'rule="jwt"'] == 4
        assert found["tierlog_records_rerouted_total", 'reason="build: buildId is missing"'] == 3
        assert found["tierlog_segments_pending", None] == 0

    def test_ends_with_a_newline(self):
        """
        The format wants one at the end of each line, the last one too.
        """
        assert prometheus_text(merged([])).endswith("\n")

    def test_texts_and_unknown_numbers_are_left_out(self):
        """
        What isn't a metric isn't shown as one.
        """
        assert prometheus_text({"last_error": "x", "whatever": 7}) == "\n"

    @pytest.mark.parametrize(
        ("reason", "escaped"), [('a"b', r"a\"b"), ("a\\b", r"a\\b"), ("a\nb", r"a\nb"), ("é", "é"), ("}", "}"), ("", "")]
    )
    def test_labels_are_escaped(self, reason, escaped):
        """
        No reason breaks out of its quotes, or of its line.
        """
        found = samples(prometheus_text({"dropped": {reason: 1}}))

        assert found == {("tierlog_records_dropped_total", f'reason="{escaped}"'): 1}

    @settings(deadline=None)
    @given(reasons=st.dictionaries(st.text(), st.integers(min_value=0, max_value=10**12), max_size=5))
    def test_any_reason_can_be_read_back(self, reasons):
        """
        Each reason is one sample with its own number.
        """
        found = samples(prometheus_text({"dropped": reasons}))

        assert sorted(found.values()) == sorted(reasons.values())
