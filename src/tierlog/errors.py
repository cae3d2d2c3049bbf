"""
Errors that tierlog raises on purpose.

A log call raises none of them: they come from configuration, from the command
line and from reading.
"""

from __future__ import annotations

from collections.abc import Iterable


__all__ = ["ConfigError", "MissingExtraError", "TierlogError"]


class TierlogError(Exception):
    """
    Base of every error that tierlog raises on purpose.
    """


class ConfigError(TierlogError, ValueError):
    """
    A setting has a value that can't work.

    Attributes:
        setting: Path of the setting, for example ``sink.max_bytes``.

        problem: What is wrong with it, and what would be right.
    """

    setting: str
    problem: str

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"{setting}: {problem}")
        self.setting = setting
        self.problem = problem

    def __reduce__(self) -> tuple[type[ConfigError], tuple[str, str]]:
        return type(self), (self.setting, self.problem)

    @classmethod
    def unknown(cls, setting: str, problem: str, known: Iterable[str], *, given: str | None = None) -> ConfigError:
        """
        Return the error for a name that isn't one of *known*, with the nearest.

        Args:
            setting: Path of the setting.

            problem: What is wrong, without a full stop.

            known: The names there are.

            given: The name that was given; the last part of *setting* if None.
        """
        import difflib  # noqa: PLC0415 -- 3 ms, and only on the way to an error

        names = sorted(known)
        near = difflib.get_close_matches(given or setting.rpartition(".")[2], names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
        return cls(setting, f"{problem}; {hint}")


class MissingExtraError(TierlogError, ImportError):
    """
    A module needs an extra that isn't installed.

    Attributes:
        extra: Name of the extra.
    """

    extra: str

    def __init__(self, extra: str) -> None:
        super().__init__(f"this needs an extra: pip install 'tierlog[{extra}]'")
        self.extra = extra
