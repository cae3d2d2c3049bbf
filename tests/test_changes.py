"""
Differences: small, whatever the sides are.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierlog.changes import changed_names, changes, names_only, snapshot_of


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)
objects = st.dictionaries(st.text(max_size=4), values, max_size=5)


@given(value=objects)
def test_equal_sides_have_no_difference(value):
    """
    What didn't change isn't there.
    """
    assert changes(snapshot_of(value), snapshot_of(value)) == {"changes": {}}
    assert changed_names(snapshot_of(value), snapshot_of(value)) == {}


@given(before=objects, after=objects)
def test_different_sides_have_one(before, after):
    """
    What changed is there, and the other way round it is the same paths.
    """
    there = changes(snapshot_of(before), snapshot_of(after))["changes"]
    back = changes(snapshot_of(after), snapshot_of(before))["changes"]

    assert bool(there) == (not _equal(before, after))
    assert len(there) == len(back)


def _equal(one, other):
    return repr(_sorted(one)) == repr(_sorted(other))


def _sorted(value):
    if isinstance(value, dict):
        return sorted(((key, _sorted(item)) for key, item in value.items()), key=lambda pair: pair[0])
    return [_sorted(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(["a", "b"], ["x", "a", "b"], {"tags[0]": {"after": "x"}}, id="added-in-front"),
        pytest.param(["a", "b", "c"], ["a", "c"], {"tags[1]": {"before": "b"}}, id="removed-inside"),
        pytest.param(["a", {"n": 1}], ["b", {"n": 1}], {"tags[0]": {"before": "a", "after": "b"}}, id="changed"),
        pytest.param([1, True], [True], {"tags[0]": {"before": 1}}, id="one-is-not-true"),
        pytest.param({8, 0, "x"}, {"x", 0, 8}, {}, id="set-in-another-order"),
        pytest.param({"a", "b", "c"}, {"b", "c", "d", "e"}, {"tags": {"before": ["a"], "after": ["d", "e"]}}, id="set"),
        pytest.param({"a"}, {"a", ("b", 1)}, {"tags": {"after": [["b", 1]]}}, id="set-that-grew"),
        pytest.param({"a", "b"}, frozenset("a"), {"tags": {"before": ["b"]}}, id="set-that-shrank"),
        pytest.param({}, {"b", "a"}, {"tags": {"before": {}, "after": ["a", "b"]}}, id="set-instead"),
    ],
)
def test_only_what_moved(before, after, expected):
    """
    One more item is one change: what stands behind it in a list, or in what order a set
    comes, is none.
    """
    assert changes(snapshot_of({"tags": before}), snapshot_of({"tags": after})) == {"changes": expected}


class TestBounds:
    def test_many(self):
        """
        Of many changes there are a hundred, and how many more.
        """
        found = changes({}, {f"k{n}": n for n in range(250)})

        assert (len(found["changes"]), found["changesOmitted"]) == (100, 150)

    def test_long_text_is_never_cut(self):
        """
        A long text is described: a half of a secret isn't known for one.
        """
        found = changes({"a": "x" * 5_000}, {"a": "y"})

        assert found["changes"]["a"] == {"before": "<text of 5000 characters>", "after": "y"}

    def test_large_value(self):
        """
        A large or deep value that came or went is described.
        """
        found = changes({"rows": list(range(1_000))}, {"deep": {"a": {"b": {"c": 1}}}})["changes"]

        assert found == {"rows": {"before": "<list of 1000>"}, "deep": {"after": {"a": {"b": "<object of 1>"}}}}

    @pytest.mark.parametrize("depth", [50, 5_000])
    def test_deep_or_circular(self, depth):
        """
        A side that has no end has a difference all the same.
        """
        deep = end = {}
        for _ in range(depth):
            end["a"] = end = {}
        end["a"] = deep

        assert changes({}, snapshot_of(deep))["changes"]["a"]["after"]


def test_names_only():
    """
    Of variables there are names: of mappings, in lists, of assignments.
    """
    data = {
        "env": {"A": "1"},
        "lines": ["B=2", ["C=3"], ("D", "4")],
        "new_value": "4",
        "value": "5",
        "scope": "preview",
        "count": 3,
    }

    assert names_only(data) == {"env": ["A"], "lines": ["B", "C", "D"], "scope": "preview", "count": 3}
