"""
Errors that name their cause and say what to do.
"""

from __future__ import annotations

import pickle

import pytest

from tierlog.errors import (
    CommandNotFoundError,
    ConfigError,
    MissingExtraError,
    ObjectExistsError,
    QueryError,
    TierlogError,
)


def test_config_error_names_the_setting():
    """
    The setting is in the message, and an attribute.
    """
    error = ConfigError("sink.root", "isn't a folder")

    assert (str(error), error.setting) == ("sink.root: isn't a folder", "sink.root")


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        pytest.param(ConfigError("x", "y"), ValueError, id="config"),
        pytest.param(MissingExtraError("r2"), ImportError, id="extra"),
    ],
)
def test_is_also_the_builtin_one_would_expect(error, builtin):
    """
    Each can be caught as tierlog's own, and as Python's.
    """
    assert isinstance(error, TierlogError)
    assert isinstance(error, builtin)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ConfigError("x", "y"), id="config"),
        pytest.param(QueryError("x", "y"), id="query"),
        pytest.param(MissingExtraError("r2"), id="extra"),
        pytest.param(ObjectExistsError("y", code="PreconditionFailed", status=412), id="store"),
        pytest.param(CommandNotFoundError("x", "y", errno=2), id="command"),
    ],
)
def test_is_the_same_in_another_process(error):
    """
    An error that comes from a process pool says what it said there.
    """
    again = pickle.loads(pickle.dumps(error))

    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_unknown_name_suggests_the_nearest():
    """
    A slip of the finger is answered with the name that was meant.
    """
    error = ConfigError.unknown("sink.max_byte", "there's no such option", ["root", "max_bytes", "max_age"])

    assert str(error) == "sink.max_byte: there's no such option; did you mean 'max_bytes'?"


def test_unknown_value_suggests_the_nearest():
    """
    What was given counts, where it isn't the setting's own name.
    """
    error = ConfigError.unknown("sink.type", "there's no 'segment'", ["segments", "stream"], given="segment")

    assert str(error) == "sink.type: there's no 'segment'; did you mean 'segments'?"


def test_unknown_name_that_is_near_nothing_lists_all():
    """
    Where nothing is near, everything that there is is named, in order.
    """
    error = ConfigError.unknown("writer", "there's no 'q'", ["mmap", "append"], given="q")

    assert str(error) == "writer: there's no 'q'; there are append, mmap"


def test_missing_extra_says_what_to_install():
    """
    The line to type is in the message.
    """
    error = MissingExtraError("r2")

    assert (error.extra, "pip install 'tierlog[r2]'" in str(error)) == ("r2", True)
