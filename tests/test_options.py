"""
Values of options: units, limits, and errors that say what to do.
"""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierlog.errors import ConfigError
from tierlog.options import boolean, check_names, choice, count, seconds, size


class TestSize:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (0, 0),
            (16_777_216, 16_777_216),
            ("512", 512),
            ("512b", 512),
            ("1k", 1_000),
            ("1kB", 1_000),
            ("1KiB", 1_024),
            ("16MiB", 16_777_216),
            ("16 mib", 16_777_216),
            (" 1.5 GiB ", 1_610_612_736),
            ("2TB", 2_000_000_000_000),
        ],
    )
    def test_bytes(self, value, expected):
        """
        Numbers are bytes; k, M, G and T are decimal, with an i binary.
        """
        assert size("sink.max_bytes", value) == expected

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "big",
            "1 hour",
            "-1",
            "1e6",
            "MiB",
            "1MiBs",
            None,
            True,
            1.5,
            math.inf,
            [],
            -1,
            pytest.param("9" * 400, id="beyond-floats"),
        ],
    )
    def test_what_is_no_size_raises(self, value):
        """
        The error names the setting and shows how to write one.
        """
        with pytest.raises(ConfigError, match=r"^sink\.max_bytes: .*'16MiB'"):
            size("sink.max_bytes", value)

    def test_below_the_least_raises(self):
        """
        The error says how much is needed.
        """
        with pytest.raises(ConfigError, match="at least 4096 bytes"):
            size("sink.max_bytes", "4KB", least=4096)

    @settings(deadline=None)
    @given(number=st.integers(min_value=0, max_value=2**50))
    def test_text_of_a_number_is_the_number(self, number):
        """
        Bytes written out are the bytes.
        """
        assert size("x", str(number)) == number


class TestSeconds:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (0, 0.0),
            (3600, 3600.0),
            (0.2, 0.2),
            ("90", 90.0),
            ("250ms", 0.25),
            ("30s", 30.0),
            ("15m", 900.0),
            ("15 min", 900.0),
            ("1h", 3600.0),
            (" 1.5H ", 5400.0),
            ("7d", 604_800.0),
        ],
    )
    def test_units(self, value, expected):
        """
        Numbers are seconds; strings may have a unit.
        """
        assert seconds("sink.max_age", value) == expected

    @pytest.mark.parametrize(
        "value",
        ["", "soon", "1w", "-1s", "h", None, True, [], -1, math.nan, math.inf, "inf", pytest.param(10**400, id="beyond-floats")],
    )
    def test_what_is_no_time_raises(self, value):
        """
        The error names the setting and shows how to write one.
        """
        with pytest.raises(ConfigError, match=r"^sink\.max_age: .*'1h'"):
            seconds("sink.max_age", value)

    def test_below_the_least_raises(self):
        """
        The error says how long is needed.
        """
        with pytest.raises(ConfigError, match="at least 1 seconds"):
            seconds("sink.max_age", "10ms", least=1.0)


class TestCount:
    @pytest.mark.parametrize(("value", "expected"), [(1, 1), (256, 256), ("256", 256), (" 7 ", 7)])
    def test_whole_numbers(self, value, expected):
        """
        A number counts, and so does its text, as the environment has it.
        """
        assert count("sink.max_open_segments", value) == expected

    @pytest.mark.parametrize("value", [0, -1, "0", "-1", "many", "", "1.0", 1.0, True, None, []])
    def test_what_is_no_count_raises(self, value):
        """
        The error names the setting and the least.
        """
        with pytest.raises(ConfigError, match=r"^sink\.max_open_segments: .* at least 1$"):
            count("sink.max_open_segments", value)


class TestBoolean:
    @pytest.mark.parametrize("value", [True, "true", "True", "1", "yes", " ON "])
    def test_yes(self, value):
        """
        The environment's ways to say yes.
        """
        assert boolean("fast", value) is True

    @pytest.mark.parametrize("value", [False, "false", "FALSE", "0", "no", "off"])
    def test_no(self, value):
        """
        The environment's ways to say no.
        """
        assert boolean("fast", value) is False

    @pytest.mark.parametrize("value", ["", "maybe", None, 1, 0, [], {}])
    def test_anything_else_raises(self, value):
        """
        What is neither isn't guessed.
        """
        with pytest.raises(ConfigError, match="^fast: .*use true or false"):
            boolean("fast", value)


class TestChoice:
    def test_one_of_the_known(self):
        """
        A known value is what it is.
        """
        assert choice("sink.writer", "mmap", ("append", "mmap")) == "mmap"

    @pytest.mark.parametrize(
        ("value", "hint"),
        [
            ("mmpa", "did you mean 'mmap'"),
            ("MMAP", "there are append, mmap"),
            (None, "there are append, mmap"),
            ([], "there are append, mmap"),
        ],
    )
    def test_anything_else_raises(self, value, hint):
        """
        The error names the setting, and the nearest or all.
        """
        with pytest.raises(ConfigError, match=rf"^sink\.writer: .*{hint}"):
            choice("sink.writer", value, ("append", "mmap"))


class TestCheckNames:
    def test_what_the_factory_takes_passes(self):
        """
        Arguments of the factory and those named besides are known.
        """

        def factory(root, *, max_bytes=0):
            return root, max_bytes

        assert check_names("sink", {"root": 1, "max_bytes": 2, "type": 3}, factory, more=["type"]) is None

    def test_unknown_option_raises(self):
        """
        The error gives the whole path of the option, and the nearest that there is.
        """

        def factory(root, *, max_bytes=0):
            return root, max_bytes

        with pytest.raises(ConfigError, match=r"^sink\.max_byte: .*did you mean 'max_bytes'") as caught:
            check_names("sink", {"max_byte": 1}, factory)

        assert caught.value.setting == "sink.max_byte"

    def test_top_level_option_has_no_path(self):
        """
        Without a parent the option stands for itself.
        """

        def factory(root):
            return root

        with pytest.raises(ConfigError, match="^rot: .*did you mean 'root'"):
            check_names("", {"rot": 1}, factory)

    def test_factory_that_takes_everything_is_not_checked(self):
        """
        What takes any keyword is asked no questions.
        """

        def factory(**options):
            return options

        assert check_names("sink", {"anything": 1}, factory) is None
