"""
Tiers, and the registry of kinds.
"""

from __future__ import annotations

import pytest

from tierlog import kinds
from tierlog.errors import ConfigError


@pytest.fixture(autouse=True)
def _registry(monkeypatch):
    monkeypatch.setattr(kinds, "_known", dict(kinds._known))  # noqa: SLF001 -- nothing public takes a kind back


@pytest.mark.parametrize(
    ("tier", "expected"),
    [
        ("system", ["log", "meta", "billing", "rate_limit", "auth", "health", "security", "job", "metric"]),
        ("build", ["line", "meta"]),
        ("deploy", ["deploy", "line", "dns", "domain"]),
        ("action", ["action", "integration", "advisor", "domain", "env", "team"]),
        ("lifecycle", ["build", "deploy", "project", "billing"]),
    ],
)
def test_known_kinds_of_each_tier(tier, expected):
    """
    Each tier declares its kinds, the default one first.
    """
    assert (list(kinds.known(tier)), kinds.default_kind(tier)) == (expected, expected[0])


def test_tiers():
    """
    There are five tiers.
    """
    assert kinds.TIERS == ("system", "build", "deploy", "action", "lifecycle")


@pytest.mark.parametrize("kind", ["a", "line", "rate_limit", "app.order-paid.v2", "a" * 64])
def test_well_formed_kinds(kind):
    """
    A kind begins with a lower-case letter and has at most 64 characters.
    """
    assert kinds.is_kind(kind)


@pytest.mark.parametrize("kind", ["", "A", "9a", "_a", "a b", "a/b", "ä", "a\n", "a" * 65, "aB", None, 7, b"line"])
def test_malformed_kinds(kind):
    """
    Everything else is none.
    """
    assert not kinds.is_kind(kind)


class TestRegister:
    def test_adds_behind_the_others(self):
        """
        New kinds are known, and the default stays.
        """
        kinds.register("build", "cache", "artifact")

        assert kinds.known("build") == ("line", "meta", "cache", "artifact")

    def test_twice_is_once(self):
        """
        A kind that is known already isn't listed again.
        """
        kinds.register("build", "meta", "cache", "cache")
        kinds.register("build", "cache")

        assert kinds.known("build") == ("line", "meta", "cache")

    def test_malformed_kind_raises_and_registers_nothing(self):
        """
        One bad name spoils the call, not the registry.
        """
        with pytest.raises(ConfigError, match="Bad Kind"):
            kinds.register("build", "good", "Bad Kind")

        assert kinds.known("build") == ("line", "meta")

    def test_unknown_tier_raises(self):
        """
        The set of tiers is closed; the error names the nearest.
        """
        with pytest.raises(ConfigError, match="did you mean 'deploy'"):
            kinds.register("deply", "x")
