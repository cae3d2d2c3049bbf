"""
Which catalog an option names.
"""

from __future__ import annotations

import pytest

from tierlog.catalog_config import checked, opened
from tierlog.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(None, None, id="default"),
        pytest.param(True, True, id="on"),
        pytest.param(False, False, id="off"),
        pytest.param("none", False, id="variable"),
        pytest.param(" False ", False, id="variable-with-blanks"),
        pytest.param("postgresql://u@h/d", "postgresql://u@h/d", id="url"),
    ],
)
def test_what_can_be_given(given, expected):
    """
    A URL, yes and no, as an option and as a variable says it.
    """
    assert checked(given) is expected


@pytest.mark.parametrize("given", ["postgresql:u:hunter2@h/d", "catalog.db", 7])
def test_what_can_not(given):
    """
    Anything else is refused, without showing what may have a password in it.
    """
    with pytest.raises(ConfigError, match=r"^sink\.catalog: it isn't a URL") as caught:
        checked(given)

    assert str(given) not in str(caught.value)


def test_where_it_lies(tmp_path):
    """
    Without a URL it is a file in the root; without a catalog there's nothing.
    """
    (tmp_path / ".tierlog").mkdir()

    catalog, nothing = opened(None, tmp_path), opened("none", tmp_path)

    assert (catalog.path, nothing) == (tmp_path / ".tierlog" / "catalog.sqlite", None)
    catalog.close()
