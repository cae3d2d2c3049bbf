"""
What configure() is told, sorted and checked.
"""

from __future__ import annotations

import logging

import pytest

from tierlog.errors import ConfigError
from tierlog.settings import from_environment, parse


class TestFromEnvironment:
    def test_variables_become_options(self):
        """
        TIERLOG_ and the name in capitals set the option of that name.
        """
        found = from_environment({"TIERLOG_ROOT": "/var/log/app", "TIERLOG_MAX_BYTES": "16MiB", "PATH": "/bin"})

        assert found == {"root": "/var/log/app", "max_bytes": "16MiB"}

    def test_ids_are_no_options(self):
        """
        The ids that a parent process handed over are left to the context.
        """
        ids = dict.fromkeys(["TIERLOG_PROJECT_ID", "TIERLOG_BUILD_ID", "TIERLOG_USER_ID", "TIERLOG_REQ_ID"], "x")

        assert from_environment(ids) == {}

    def test_what_is_for_pip_is_no_option(self):
        """
        Nor is what says how to install it.
        """
        found = from_environment({"TIERLOG_PURE": "1", "TIERLOG_ROOT": "logs"})

        assert found == {"root": "logs"}

    def test_empty_variable_is_not_set(self):
        """
        ``TIERLOG_ROOT=`` means the default.
        """
        assert from_environment({"TIERLOG_ROOT": ""}) == {}


class TestParse:
    def test_defaults(self):
        """
        Without options: INFO, the cheaper classes, process events, segments.
        """
        found = parse({})

        assert found == (logging.INFO, True, {"process_events": True}, {"type": "segments"})

    def test_sorts_by_owner(self):
        """
        The handler gets what is its own, the sink the rest.
        """
        found = parse({"root": "logs", "instance_name": "w", "level": "DEBUG", "durability": "disk", "redact": "off"})

        assert found.handler == {"instance_name": "w", "redact": "off", "process_events": True}
        assert found.sink == {"type": "segments", "root": "logs", "durability": "disk"}

    def test_sink_given_whole_stays_whole(self):
        """
        A sink's description is passed on as it is.
        """
        sink = {"type": "memory", "max_lines": 3}

        assert parse({"sink": sink}).sink is sink

    def test_sink_and_its_options_side_by_side_raise(self):
        """
        An option that would be ignored is an error, which says where it belongs.
        """
        with pytest.raises(ConfigError, match="^root: .*put it there") as caught:
            parse({"sink": {"type": "segments"}, "root": "logs"})

        assert caught.value.setting == "root"

    @pytest.mark.parametrize(
        ("given", "expected"),
        [("DEBUG", 10), ("info", 20), (" Warning ", 30), ("25", 25), (35, 35), (logging.CRITICAL, 50), ("NOTSET", 0)],
    )
    def test_levels(self, given, expected):
        """
        A level is a name in any case or a number, as text too.
        """
        assert parse({"level": given}).level == expected

    @pytest.mark.parametrize("given", ["", None, True, 1.5, [], "LOUD"])
    def test_what_is_no_level_raises(self, given):
        """
        The error names the setting.
        """
        with pytest.raises(ConfigError, match="^level: "):
            parse({"level": given})

    def test_misspelt_level_is_answered_with_the_nearest(self):
        """
        The error names the level that was meant.
        """
        with pytest.raises(ConfigError, match="did you mean 'DEBUG'"):
            parse({"level": "DEBUGG"})

    @pytest.mark.parametrize("name", ["fast", "process_events", "exc_locals"])
    def test_switches_from_the_environment(self, name):
        """
        Switches are taken as text, and checked.
        """
        settings = parse({name: "off"})

        assert [settings.fast, *settings.handler.values()].count(False) == 1
        with pytest.raises(ConfigError, match=f"^{name}: "):
            parse({name: "perhaps"})

    def test_leaves_the_options_alone(self):
        """
        What was given isn't changed.
        """
        options = {"root": "logs", "fast": "off", "level": "DEBUG", "redact": "on"}
        before = dict(options)

        parse(options)

        assert options == before
