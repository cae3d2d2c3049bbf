"""
Where a tier's bytes live, and the exact inverse.
"""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from strategies import local_places, remote_places
from tierlog.layout import Place, local_path, parse_local, parse_remote, remote_key


ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
DAY = "2026-11-22"

LOCAL = f"system/{DAY}/web-{ULID}.ndjson"
REMOTE = f"system/2026/11/22/web-{ULID}.ndjson"


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (Place("system", DAY, None, "web", ULID), f"system/{DAY}/web-{ULID}.ndjson"),
        (Place("build", DAY, ULID), f"builds/{DAY}/{ULID}.ndjson"),
        (Place("deploy", DAY, ULID), f"deploys/{DAY}/{ULID}.ndjson"),
        (Place("action", DAY, "p1", "web", ULID), f"projects/{DAY}/p1/web-{ULID}.ndjson"),
        (Place("lifecycle", DAY, "p1", "web", ULID), f"lifecycle/{DAY}/p1/web-{ULID}.ndjson"),
        (Place("build", DAY, "b1", "web", ULID), f"builds/{DAY}/b1/web-{ULID}.ndjson"),
        (Place("system", DAY, None, "web", ULID, "zst"), f"system/{DAY}/web-{ULID}.ndjson.zst"),
        (Place("deploy", DAY, "b1", packing="gz"), f"deploys/{DAY}/b1.ndjson.gz"),
    ],
    ids=lambda value: value.tier if isinstance(value, Place) else "",
)
def test_local_path(place, expected):
    """
    Below the root stand the tier's folder, the day, and what tells the segments apart.
    """
    assert local_path(place) == expected


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        pytest.param(Place("system", DAY, None, "web", ULID), f"system/2026/11/22/web-{ULID}.ndjson", id="system"),
        pytest.param(Place("build", None, ULID), f"builds/{ULID}.ndjson", id="build"),
        pytest.param(Place("build", None, ULID, "web", ULID), f"builds/{ULID}/web-{ULID}.ndjson", id="build-late-part"),
        pytest.param(Place("deploy", None, ULID), f"deploys/{ULID}.ndjson", id="deploy"),
        pytest.param(Place("deploy", None, ULID, packing="zst"), f"deploys/{ULID}.ndjson.zst", id="deploy-packed"),
        pytest.param(Place("deploy", None, "b1", "web", ULID), f"deploys/b1/web-{ULID}.ndjson", id="deploy-late-part"),
        pytest.param(Place("action", DAY, "p1", "web", ULID), f"projects/p1/2026/11/22/web-{ULID}.ndjson", id="action"),
        pytest.param(Place("lifecycle", DAY, "p1", "web", ULID), f"lifecycle/p1/2026/11/22/web-{ULID}.ndjson", id="lifecycle"),
    ],
)
def test_remote_key(place, expected):
    """
    In a bucket the id comes before the day, and a build has one object whatever the day.
    """
    assert remote_key(place) == expected


@pytest.mark.parametrize("tier", ["build", "deploy"])
def test_build_has_one_key_whatever_the_day(tier):
    """
    A build's local file and its object have the same place but for the day.
    """
    assert remote_key(Place(tier, DAY, "b1")) == remote_key(Place(tier, None, "b1"))


@given(place=local_places)
def test_local_round_trip(place):
    """
    Parsing a local path gives the place that it was rendered from.
    """
    assert parse_local(local_path(place)) == place


@given(place=remote_places)
def test_remote_round_trip(place):
    """
    Parsing a remote key gives the place that it was rendered from.
    """
    assert parse_remote(remote_key(place)) == place


@given(places=st.lists(local_places, min_size=2, max_size=2, unique=True))
def test_local_paths_differ_when_places_do(places):
    """
    No two places share a path.
    """
    one, other = places

    assert local_path(one) != local_path(other)


@given(places=st.lists(remote_places, min_size=2, max_size=2, unique=True))
def test_remote_keys_differ_when_places_do(places):
    """
    No two places share a key.
    """
    one, other = places

    assert remote_key(one) != remote_key(other)


@given(path=st.text(max_size=80) | st.from_regex(r"(system|builds|deploys|projects|lifecycle)/[-./\w]{0,60}(\.ndjson)?"))
@example(path=LOCAL)
@example(path=REMOTE)
def test_what_parses_is_rendered_back(path):
    """
    Whatever parses is exactly what its place renders: there are no aliases.
    """
    local, remote = parse_local(path), parse_remote(path)

    assert local is None or local_path(local) == path
    assert remote is None or remote_key(remote) == path


_OUTSIDE = [
    pytest.param("", id="empty"),
    pytest.param("/{good}", id="absolute"),
    pytest.param("./{good}", id="dot"),
    pytest.param("../{good}", id="above-the-root"),
    pytest.param("logs/{good}", id="deeper"),
    pytest.param("{good}/", id="folder"),
    pytest.param("{good}\n", id="newline"),
    pytest.param("{good}\0", id="nul"),
    pytest.param("{good}.bz2", id="longer-suffix"),
    pytest.param("{good}.gz.zst", id="two-packings"),
    pytest.param("{stem}", id="no-suffix"),
    pytest.param("{stem}.log", id="other-suffix"),
    pytest.param("{stem}.NDJSON", id="suffix-in-capitals"),
    pytest.param("{good}~", id="backup"),
]


@pytest.mark.parametrize("form", _OUTSIDE)
@pytest.mark.parametrize(
    ("parse", "good"), [pytest.param(parse_local, LOCAL, id="local"), pytest.param(parse_remote, REMOTE, id="remote")]
)
def test_nothing_around_a_path_parses(parse, good, form):
    """
    A path with anything before or behind it is none of ours.
    """
    assert parse(good) is not None
    assert parse(form.format(good=good, stem=good.removesuffix(".ndjson"))) is None


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(f"system/{DAY}/../{DAY}/web-{ULID}.ndjson", id="traversal"),
        pytest.param(f"builds/{DAY}/../../etc/passwd.ndjson", id="traversal-as-id"),
        pytest.param(f"builds/{DAY}/...ndjson", id="dots-as-id"),
        pytest.param(f"projects/{DAY}/../web-{ULID}.ndjson", id="traversal-as-project"),
        pytest.param(f"system/{DAY}//web-{ULID}.ndjson", id="double-slash"),
        pytest.param(f"system\\{DAY}\\web-{ULID}.ndjson", id="backslashes"),
        pytest.param(f"System/{DAY}/web-{ULID}.ndjson", id="folder-in-capitals"),
        pytest.param(f"other/{DAY}/web-{ULID}.ndjson", id="other-folder"),
        pytest.param(f"build/{DAY}/{ULID}.ndjson", id="tier-instead-of-folder"),
        pytest.param(f"system/{DAY}/web-{ULID.lower()}.ndjson", id="lower-case-ulid"),
        pytest.param(f"system/{DAY}/web-{ULID[1:]}.ndjson", id="short-ulid"),
        pytest.param(f"system/{DAY}/web-8{ULID[1:]}.ndjson", id="ulid-out-of-range"),
        pytest.param(f"system/{DAY}/web-{ULID[:-1]}U.ndjson", id="letter-that-no-ulid-has"),
        pytest.param(f"system/{DAY}/{ULID}.ndjson", id="no-instance"),
        pytest.param(f"system/{DAY}/-{ULID}.ndjson", id="empty-instance"),
        pytest.param(f"system/{DAY}/.web-{ULID}.ndjson", id="hidden"),
        pytest.param(f"system/{DAY}/wéb-{ULID}.ndjson", id="letter-with-accent"),
        pytest.param(f"system/{DAY}/web-{ULID}.quarantine.ndjson", id="something-else-of-ours"),
        pytest.param(f"builds/{DAY}/{'x' * 65}.ndjson", id="long-id"),
        pytest.param(f"builds/{DAY}/a b.ndjson", id="space-in-id"),
        pytest.param(f"builds/{DAY}/a%2Fb.ndjson", id="encoded-slash-in-id"),
        pytest.param(f"system/26-11-22/web-{ULID}.ndjson", id="short-year"),
        pytest.param(f"system/20261122/web-{ULID}.ndjson", id="day-without-dashes"),
        pytest.param(f"system/{'٢٠٢٦'}-11-22/web-{ULID}.ndjson", id="digits-of-another-script"),
        pytest.param(REMOTE, id="remote-key"),
    ],
)
def test_no_other_local_path_parses(path):
    """
    What isn't exactly the layout isn't touched by whoever asks this module.
    """
    assert parse_local(path) is None


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("system/2026/11/22/../web-" + ULID + ".ndjson", id="traversal"),
        pytest.param("builds/../b1.ndjson", id="traversal-in-builds"),
        pytest.param("builds/...ndjson", id="dots-as-id"),
        pytest.param(f"builds/2026/11/22/{ULID}.ndjson", id="build-with-a-day"),
        pytest.param(f"builds/b1/web-{ULID.lower()}.ndjson", id="lower-case-ulid"),
        pytest.param(f"builds/b1/c2/web-{ULID}.ndjson", id="too-deep"),
        pytest.param(f"projects/2026/11/22/p1/web-{ULID}.ndjson", id="day-before-project"),
        pytest.param(f"projects/p1/2026/1/22/web-{ULID}.ndjson", id="short-month"),
        pytest.param(f"projects/p1/{'٢٠٢٦'}/11/22/web-{ULID}.ndjson", id="digits-of-another-script"),
        pytest.param(f"projects//2026/11/22/web-{ULID}.ndjson", id="empty-project"),
        pytest.param(LOCAL, id="local-path"),
    ],
)
def test_no_other_remote_key_parses(key):
    """
    An object that somebody else put into the bucket is none of ours.
    """
    assert parse_remote(key) is None
