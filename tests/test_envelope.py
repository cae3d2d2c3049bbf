"""
What a line is: keys, order, and what is checked before it is written.
"""

from __future__ import annotations

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import any_text, slugs, ulids
from tierlog.envelope import DAY_MS, KEYS, line_ms, make_head, valid_id
from tierlog.kinds import LEVELS, TIERS, level_name
from tierlog.layout import Place, local_path, parse_local


ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
OTHER = "01BX5ZZKBKACTAV9WEVGEMMVRZ"
NOON = 1_795_348_800_000  # 2026-11-22T12:00:00Z
MIDNIGHT = NOON - DAY_MS // 2


def head(fields=(), ms=NOON, lvl="info", id_format="ulid", default_tier="system", redact=str):
    """
    Make a head with what a test doesn't care about filled in.
    """
    return make_head(ms, "web-1", dict(fields), lvl, default_tier=default_tier, id_format=id_format, redact=redact)


def parsed(made):
    """
    Return the keys that a head renders, in their order.
    """
    return json.loads(b"{" + made.middle[1:] + b"0}")


class TestKeys:
    def test_are_these_in_this_order(self):
        """
        The envelope's keys are fixed, and so is their order.
        """
        assert " ".join(KEYS) == "ts instanceId tier kind lvl projectId buildId userId reqId seq src msg data"

    @pytest.mark.parametrize("tier", TIERS)
    def test_of_a_head_stand_in_that_order(self, tier):
        """
        A head renders every key from instanceId to seq, whatever is bound.
        """
        made = head({"tier": tier, "project_id": ULID, "build_id": ULID})

        assert tuple(parsed(made)) == KEYS[1:10]

    def test_unbound_ids_are_null(self):
        """
        No key is ever left out.
        """
        found = parsed(head())

        assert found == {
            "instanceId": "web-1",
            "tier": "system",
            "kind": "log",
            "lvl": "info",
            "projectId": None,
            "buildId": None,
            "userId": None,
            "reqId": None,
            "seq": 0,
        }

    def test_bound_ids_are_there(self):
        """
        Each id stands under its own key.
        """
        found = parsed(head({"project_id": ULID, "build_id": OTHER, "user_id": "u", "req_id": "r"}))

        assert [found[key] for key in ("projectId", "buildId", "userId", "reqId")] == [ULID, OTHER, "u", "r"]


class TestLevels:
    @pytest.mark.parametrize(
        ("number", "expected"),
        [
            (-5, "debug"),
            (0, "debug"),
            (logging.DEBUG, "debug"),
            (19, "debug"),
            (logging.INFO, "info"),
            (29, "info"),
            (logging.WARNING, "warn"),
            (39, "warn"),
            (logging.ERROR, "error"),
            (logging.CRITICAL, "error"),
            (1_000_000, "error"),
        ],
    )
    def test_by_number(self, number, expected):
        """
        Below 20 is debug, below 30 info, below 40 warn, the rest error.
        """
        assert level_name(number) == expected

    def test_standard_ones(self):
        """
        Four levels of the standard library are levels of the envelope.
        """
        assert {number: level_name(number) for number in LEVELS} == LEVELS


class TestValidId:
    @given(value=ulids)
    def test_ulids_are_valid_in_both_formats(self, value):
        """
        A ULID is a slug, too.
        """
        assert (valid_id(value, "ulid"), valid_id(value, "slug")) == (True, True)

    @given(value=slugs)
    def test_slugs_are_valid_as_slugs(self, value):
        """
        Letters, digits, dash and underscore, at most 64.
        """
        assert valid_id(value, "slug")

    @given(value=any_text)
    def test_valid_ids_are_safe_in_a_path(self, value):
        """
        What is valid in either format is one part of a path, and comes back from it.
        """
        place = Place("build", "2026-11-22", value)

        valid = valid_id(value, "slug") or valid_id(value, "ulid")
        assert (parse_local(local_path(place)) == place) is valid

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param("", id="empty"),
            pytest.param(ULID.lower(), id="lower-case"),
            pytest.param(ULID + "0", id="long"),
            pytest.param(ULID[:-1], id="short"),
            pytest.param("8" + ULID[1:], id="out-of-range"),
            pytest.param(ULID[:-1] + "I", id="not-crockford"),
            pytest.param(ULID + "\n", id="newline"),
            pytest.param(ULID[:-1] + "٣", id="digit-of-another-script"),
            pytest.param("p-1", id="slug"),
        ],
    )
    def test_no_ulids(self, value):
        """
        Only 26 characters of Crockford's alphabet, in capitals and in range, are a ULID.
        """
        assert not valid_id(value, "ulid")

    @pytest.mark.parametrize("value", ["", ".", "..", "a.b", "a/b", "a\\b", "a b", "ä", "a\n", "a\0", "x" * 65, "%2e"])
    def test_no_slugs(self, value):
        """
        Nothing that means anything in a path is a slug.
        """
        assert not valid_id(value, "slug")


class TestRoute:
    @pytest.mark.parametrize(
        ("tier", "expected"),
        [("system", None), ("build", OTHER), ("deploy", OTHER), ("action", ULID), ("lifecycle", ULID)],
    )
    def test_id_of_the_path(self, tier, expected):
        """
        Builds and deploys are kept by build, actions and lifecycle by project.
        """
        route = head({"tier": tier, "project_id": ULID, "build_id": OTHER}, lvl="warn").route

        assert (route.tier, route.day, route.id, route.instance, route.lvl) == (tier, "2026-11-22", expected, "web-1", "warn")

    def test_key_tells_segments_apart(self):
        """
        Records of different tiers, ids or days have different keys; others the same object.
        """
        given = [{"tier": tier, "project_id": ULID, "build_id": OTHER} for tier in TIERS]
        keys = {head(fields, ms).route.key for fields in given for ms in (NOON, NOON + DAY_MS)}

        assert (len(keys), head().route.key is head(lvl="error").route.key) == (10, True)


class TestDay:
    @pytest.mark.parametrize(
        ("ms", "day"),
        [
            pytest.param(MIDNIGHT - 1, "2026-11-21", id="last-millisecond-before"),
            pytest.param(MIDNIGHT, "2026-11-22", id="first-millisecond"),
            pytest.param(MIDNIGHT + DAY_MS - 1, "2026-11-22", id="last-millisecond"),
            pytest.param(MIDNIGHT + DAY_MS, "2026-11-23", id="first-millisecond-after"),
            pytest.param(0, "1970-01-01", id="epoch"),
        ],
    )
    def test_is_utc(self, ms, day):
        """
        The day of a record is the UTC date of its time.
        """
        assert head(ms=ms).route.day == day

    @given(ms=st.integers(min_value=0, max_value=253_402_300_799_999))
    def test_bounds_hold_the_record(self, ms):
        """
        A head is good for exactly the day of the record for which it was made.
        """
        made = head(ms=ms)

        assert (made.starts <= ms < made.ends, made.starts % DAY_MS, made.ends - made.starts) == (True, 0, DAY_MS)

    @pytest.mark.parametrize(("ms", "day"), [(-1, "1970-01-01"), (10**18, "9999-12-31")])
    def test_beyond_the_calendar(self, ms, day):
        """
        A clock that is mad gives the nearest day that there is.
        """
        assert head(ms=ms).route.day == day


class TestRerouting:
    @pytest.mark.parametrize(
        ("tier", "name"), [("build", "buildId"), ("deploy", "buildId"), ("action", "projectId"), ("lifecycle", "projectId")]
    )
    def test_missing_id(self, tier, name):
        """
        A record whose tier needs an id that it hasn't goes to the system tier, and says so.
        """
        made = head({"tier": tier, "user_id": "u"})

        assert (parsed(made)["tier"], made.route.tier) == ("system", "system")
        assert made.notes == {"rerouted": f"{tier}: {name} is missing"}

    @pytest.mark.parametrize("value", ["../etc", ULID.lower(), "a b", "x" * 600])
    def test_invalid_id(self, value):
        """
        An id that can't be part of a path is kept in the notes, never in the path.
        """
        made = head({"tier": "build", "build_id": value})

        assert (made.route.tier, made.route.id, parsed(made)["buildId"]) == ("system", None, None)
        assert made.notes == {"rerouted": "build: buildId isn't valid", "invalid": {"buildId": value[:512]}}

    def test_other_id_decides_with_slugs(self):
        """
        The same id is valid where slugs are.
        """
        made = head({"tier": "build", "build_id": "b-1"}, id_format="slug")

        assert (made.route.tier, made.route.id, made.notes) == ("build", "b-1", None)

    @pytest.mark.parametrize("tier", ["", "Build", "builds", 7, None.__class__, "x" * 1000])
    def test_unknown_tier(self, tier):
        """
        The set of tiers is closed: another is the system tier, and says so.
        """
        made = head({"tier": tier})

        assert made.route.tier == "system"
        assert made.notes["rerouted"].startswith("no tier is called ")

    def test_secret_as_tier_is_hidden(self):
        """
        What is said of an unknown tier shows no secret.
        """
        made = head({"tier": "hunter2"}, redact=lambda text: text.replace("hunter2", "*"))

        assert "hunter2" not in repr(made.notes)

    def test_invalid_id_that_the_tier_does_not_need(self):
        """
        The record stays where it belongs, and the id is noted.
        """
        made = head({"tier": "build", "build_id": ULID, "project_id": "p"})

        assert (made.route.tier, parsed(made)["projectId"], made.notes) == ("build", None, {"invalid": {"projectId": "p"}})

    def test_default_tier(self):
        """
        A record that names no tier is of the default one, and may have to leave it.
        """
        tiers = [head(fields, default_tier="action").route.tier for fields in ({"project_id": ULID}, {})]

        assert tiers == ["action", "system"]

    @given(value=any_text)
    def test_user_and_request_may_be_anything(self, value):
        """
        Ids that are in no path are kept as they are, but for characters that aren't any.
        """
        made = head({"user_id": value, "req_id": value})

        expected = value.encode("utf-8", "backslashreplace").decode() or None
        assert [parsed(made)[key] for key in ("userId", "reqId")] == [expected, expected]

    def test_ids_are_redacted(self):
        """
        A secret that is bound as an id isn't written as one.
        """
        made = head({"user_id": "hunter2"}, redact=lambda text: text.replace("hunter2", "*"))

        assert parsed(made)["userId"] == "*"


class TestKind:
    @pytest.mark.parametrize("tier", TIERS)
    def test_default(self, tier):
        """
        A record that names no kind has the tier's default.
        """
        made = head({"tier": tier, "project_id": ULID, "build_id": ULID})

        expected = {"system": "log", "build": "line", "deploy": "deploy", "action": "action", "lifecycle": "build"}[tier]
        assert (parsed(made)["kind"], made.notes) == (expected, None)

    @pytest.mark.parametrize("kind", ["meta", "app.order-paid", "a" * 64])
    def test_vocabulary_is_open(self, kind):
        """
        Any well-formed kind is taken, registered or not.
        """
        made = head({"kind": kind})

        assert (parsed(made)["kind"], made.notes) == (kind, None)

    @pytest.mark.parametrize("kind", ["Bad", "", "a b", "9", "x" * 65, 7])
    def test_malformed_one_becomes_the_default(self, kind):
        """
        The record is kept under the default, and what was given in the notes.
        """
        made = head({"kind": kind})

        assert (parsed(made)["kind"], made.notes) == ("log", {"invalid": {"kind": str(kind)}})

    def test_of_a_rerouted_record_stays(self):
        """
        A record that goes to the system tier keeps the kind that it named.
        """
        made = head({"tier": "deploy", "kind": "dns"})

        assert (parsed(made)["tier"], parsed(made)["kind"]) == ("system", "dns")


@given(ms=st.integers(min_value=0, max_value=10**15))
def test_line_ms_reads_the_time_of_a_line(ms):
    """
    A line's time is read without parsing the line.
    """
    assert line_ms(b'{"ts":%d,"instanceId":"a"}\n' % ms) == ms
