"""
Hypothesis strategies that several test modules draw from.
"""

from __future__ import annotations

import string

from hypothesis import strategies as st

from tierlog.layout import Place


__all__ = [
    "any_text",
    "data_values",
    "instances",
    "local_places",
    "remote_places",
    "slugs",
    "ulids",
]

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SLUG_CHARS = string.ascii_letters + string.digits + "_-"

ulids = st.builds(str.__add__, st.sampled_from("01234567"), st.text(_CROCKFORD, min_size=25, max_size=25))
"""Ids in the form of a ULID."""

slugs = st.text(_SLUG_CHARS, min_size=1, max_size=64)
"""Ids in the form of a slug."""

instances = st.builds(str.__add__, st.sampled_from(string.ascii_letters + string.digits), st.text(_SLUG_CHARS + ".", max_size=40))
"""What may be an ``instanceId``."""

days = st.dates().map(lambda date: date.isoformat())
"""UTC dates."""

_ids = ulids | slugs

_packings = st.sampled_from([None, "gz", "zst"])

local_places = st.one_of(
    st.builds(Place, st.just("system"), days, st.none(), instances, ulids, _packings),
    st.builds(Place, st.sampled_from(["build", "deploy"]), days, _ids, st.none(), st.none(), _packings),
    st.builds(Place, st.sampled_from(["build", "deploy", "action", "lifecycle"]), days, _ids, instances, ulids, _packings),
)
"""Every place that a local path names."""

remote_places = st.one_of(
    st.builds(Place, st.just("system"), days, st.none(), instances, ulids, _packings),
    st.builds(Place, st.sampled_from(["build", "deploy"]), st.none(), _ids, st.none(), st.none(), _packings),
    st.builds(Place, st.sampled_from(["build", "deploy"]), st.none(), _ids, instances, ulids, _packings),
    st.builds(Place, st.sampled_from(["action", "lifecycle"]), days, _ids, instances, ulids, _packings),
)
"""Every place that a remote key names."""

any_text = st.text(st.characters(exclude_categories=()), max_size=60)
"""Texts with control characters, and with surrogates that have no partner."""

_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(10**40), max_value=10**40),
    st.floats(),
    any_text,
    st.binary(max_size=40),
    st.decimals(),
    st.datetimes(),
    st.uuids(),
    st.complex_numbers(),
)

_keys = st.one_of(any_text, st.integers(), st.none(), st.booleans(), st.floats(), st.binary(max_size=8), st.tuples(st.integers()))

data_values = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.lists(inner, max_size=5).map(tuple),
        st.dictionaries(_keys, inner, max_size=5),
        st.sets(st.integers() | any_text, max_size=5),
    ),
    max_leaves=20,
)
"""What people put into ``data``: like JSON, and unlike it."""
