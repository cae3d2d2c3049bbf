"""
Errors that tierlog raises on purpose.

A log call raises none of them: they come from configuration, from the command
line and from reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable


__all__ = [
    "CatalogError",
    "CommandError",
    "CommandNotFoundError",
    "ConfigError",
    "MissingExtraError",
    "ObjectExistsError",
    "ObjectNotFoundError",
    "QueryError",
    "StoreError",
    "TierlogError",
]


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


class QueryError(TierlogError, ValueError):
    """
    A question that can't be asked.

    Attributes:
        parameter: The argument that is wrong, for example ``since``.

        problem: What is wrong with it, and what would be right.
    """

    parameter: str
    problem: str

    def __init__(self, parameter: str, problem: str) -> None:
        super().__init__(f"{parameter}: {problem}")
        self.parameter = parameter
        self.problem = problem

    def __reduce__(self) -> tuple[type[QueryError], tuple[str, str]]:
        return type(self), (self.parameter, self.problem)


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

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str]]:
        return type(self), (self.extra,)


class StoreError(TierlogError, OSError):
    """
    A store didn't do what was asked, or it isn't known whether it did.

    Attributes:
        code: What the store calls it, such as ``SlowDown``, or the name of the
            exception on the way there.

        status: The HTTP status, None if there was no answer.

        problem: What is wrong, and what can be done, in one line.
    """

    code: str
    status: int | None
    problem: str

    def __init__(self, problem: str, *, code: str, status: int | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.code = code
        self.status = status

    def __reduce__(self) -> tuple[Callable[..., StoreError], tuple[type[StoreError], str, str, int | None]]:
        return _store_error, (type(self), self.problem, self.code, self.status)


class CatalogError(TierlogError):
    """
    The catalog can't be used. Segments are safe: it is made again of them.

    Attributes:
        catalog: Its path, or its URL without the password.

        problem: What is wrong, and what can be done, in one line.

        is_damaged: Whether it is a file that must be made again.
    """

    catalog: str
    problem: str
    is_damaged: bool

    def __init__(self, catalog: str, problem: str, *, is_damaged: bool = False) -> None:
        super().__init__(f"{catalog} {problem}")
        self.catalog = catalog
        self.problem = problem
        self.is_damaged = is_damaged

    def __reduce__(self) -> tuple[Callable[..., CatalogError], tuple[str, str, bool]]:
        return _catalog_error, (self.catalog, self.problem, self.is_damaged)


class CommandError(TierlogError, OSError):
    """
    A command can't be started.

    Attributes:
        command: The program.

        problem: What is wrong with it.
    """

    command: str
    problem: str

    def __init__(self, command: str, problem: str, *, errno: int | None = None) -> None:
        super().__init__(f"{command!r} {problem}")
        self.command = command
        self.problem = problem
        self.errno = errno

    def __reduce__(self) -> tuple[Callable[..., CommandError], tuple[type[CommandError], str, str, int | None]]:
        return _command_error, (type(self), self.command, self.problem, self.errno)


class CommandNotFoundError(CommandError, FileNotFoundError):
    """
    There is no such program, or no such folder to run it in.
    """


class ObjectExistsError(StoreError):
    """
    There is an object under the key, or not the one that was expected.
    """


class ObjectNotFoundError(StoreError):
    """
    There is no object under the key.
    """


def _store_error(kind: type[StoreError], problem: str, code: str, status: int | None) -> StoreError:
    return kind(problem, code=code, status=status)


def _command_error(kind: type[CommandError], command: str, problem: str, errno: int | None) -> CommandError:
    return kind(command, problem, errno=errno)


def _catalog_error(catalog: str, problem: str, is_damaged: bool) -> CatalogError:  # noqa: FBT001 -- as pickle calls it
    return CatalogError(catalog, problem, is_damaged=is_damaged)
