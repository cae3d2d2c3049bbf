"""
Which segments a command is about: the options that all of those commands share.

They come from the command line, else from a configuration file, else from the
environment, else from what the process that ships has noted in the root.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from tierlog.catalog_config import checked, opened
from tierlog.cli._errors import WrongUse
from tierlog.cli._tables import check_table, read_table
from tierlog.errors import ConfigError
from tierlog.kinds import TIERS
from tierlog.options import parameter_names
from tierlog.settings import from_environment


__all__ = ["Chosen", "chosen", "read_config", "sink_options", "store_options"]

_F = TypeVar("_F", bound=Callable[..., Any])
_HANDLER = "TierHandler"


class _Folder(click.Path):
    """
    A folder; what is empty would be the one that a shell is in.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """
        Return its path.
        """
        if value == "":
            self.fail("is empty; name a folder, such as logs", param, ctx)
        return super().convert(value, param, ctx)


def store_options(function: _F) -> _F:
    """
    Add the options to a command; it gets them as ``**given`` for :func:`chosen`.
    """
    for option in reversed(
        (
            click.option("--root", type=_Folder(path_type=Path), metavar="DIR", help="Folder of the segments.  [default: logs]"),
            click.option("--bucket", metavar="NAME", help="The bucket that segments are shipped to."),
            click.option("--prefix", metavar="TEXT", help="What the keys in the bucket begin with."),
            click.option(
                "--endpoint-url", metavar="URL", help="Where the bucket is; for R2 https://<account>.r2.cloudflarestorage.com."
            ),
            click.option(
                "--catalog", metavar="URL", help="The catalog, as SQLAlchemy URL, or 'none'.  [default: SQLite in the root]"
            ),
            click.option(
                "--config",
                type=click.Path(path_type=Path),
                metavar="FILE",
                help="A dictConfig or options of tierlog.configure, as JSON or TOML, also below [tierlog] or [tool.tierlog].",
            ),
        )
    ):
        function = option(function)
    return function


class Chosen:
    """
    What a command is about.

    Attributes:
        root: The folder of the segments.

        options: Everything else, as :class:`tierlog.r2.R2Sink` takes it.
    """

    def __init__(self, root: Path, options: dict[str, Any], noted: Any = None, config: Mapping[str, Any] | None = None) -> None:
        self.root = root
        self.options = options
        self._noted = noted
        self._config = config or {}

    @property
    def knows_retention(self) -> bool:
        """
        Whether it is known how long the segments are kept: it is said, or noted in the
        root by who ships, or a file configures the sink, or nobody ships.
        """
        if "retention" in self.options or self._config.get("bucket"):
            return True
        return self._notes_retention if self._noted is not None else not self.has_bucket

    @property
    def _notes_retention(self) -> bool:
        noted = self._noted
        if noted is None or not noted.bucket or noted.hold is None or not set(TIERS) <= set(noted.retention or ()):
            return False
        prefix = str(self.options.get("prefix") or "")
        return bool(noted.bucket == self.options.get("bucket") and noted.prefix.strip("/") == prefix.strip("/"))

    def retention(self, default: Any) -> Any:
        """
        Return how long segments are kept, as :func:`tierlog.retention.parse_retention`
        takes it: as configured, else as noted in the root, else the *default*.
        """
        if "retention" in self.options:
            return self.options["retention"]
        return self._noted.retention if self._notes_retention else default

    @property
    def noted_hold(self) -> Sequence[str]:
        """
        The projects that the process that ships holds, unless a file says which are held.
        """
        return () if self._noted is None or "hold" in self._config else self._noted.hold or ()

    @property
    def has_bucket(self) -> bool:
        """
        Whether it is known where the segments are shipped to.
        """
        return bool(self.options.get("bucket"))

    def only(self, function: Callable[..., object]) -> dict[str, Any]:
        """
        Return those of the options that *function* takes.
        """
        names = parameter_names(function)
        return {name: value for name, value in self.options.items() if name in names}

    def store(self) -> Any:
        """
        Return the store; None if it isn't known where it is.

        Raises:
            MissingExtraError: ``tierlog[r2]`` isn't installed.
        """
        if not self.has_bucket:
            return None
        from tierlog.r2 import R2Store  # noqa: PLC0415 -- an extra: only on demand

        given = {name: value for name, value in self.only(R2Store).items() if name != "bucket"}
        return R2Store(self.options["bucket"], **given)

    def catalog(self) -> Any:
        """
        Return the catalog, open; None if there's to be none.

        Raises:
            CatalogError: It can't be opened.

            MissingExtraError: ``tierlog[r2]`` isn't installed.
        """
        return opened(self.options.get("catalog"), self.root)


def chosen(*, tells_damage: bool = True, **given: Any) -> Chosen:
    """
    Return what a command is about, of the values of its :func:`store_options`.

    Args:
        tells_damage: Whether to say that what is noted in the root is damaged.

        given: The values.

    Raises:
        WrongUse: The configuration can't be read.

        ConfigError: What it says can't work.
    """
    config: Path | None = given.pop("config", None)
    options: dict[str, Any] = from_environment(os.environ)
    configured = {} if config is None else read_config(config)
    options.update(configured)
    options.update({name: value for name, value in given.items() if value is not None})
    options["catalog"] = checked(options.get("catalog"))
    root = _root(options.pop("root", "logs"))
    noted = _noted(root)
    if noted is not None and noted.bucket:
        if not options.get("bucket"):
            options.update(bucket=noted.bucket, prefix=noted.prefix, endpoint_url=noted.endpoint_url)
            if noted.has_checkpoints:
                options.setdefault("checkpoint_interval", 1.0)
        if noted.compression is not None and not configured.get("bucket"):
            options.setdefault("compression", noted.compression)
    elif noted is not None and not options.get("bucket") and tells_damage:
        click.echo(
            f"tierlog: {root / '.tierlog' / 'ships'} is damaged: it isn't known where to ship to; name the --bucket", err=True
        )
    return Chosen(root, options, noted, configured)


def _root(given: Any) -> Path:
    if not isinstance(given, (str, os.PathLike)):
        raise ConfigError("root", f"{given!r} isn't a folder; name one, such as 'logs'")
    return Path(given).absolute()


def _noted(root: Path) -> Any:
    """
    Return where the segments of *root* go, as a process has noted there; None if it
    hasn't.
    """
    if not os.path.lexists(root / ".tierlog" / "ships"):
        return None
    from tierlog.shipping import destination  # noqa: PLC0415 -- 50 ms, and only where something is shipped

    return destination(root)


def read_config(path: Path) -> dict[str, Any]:
    """
    Return the options of the sink that the file at *path* configures.

    Raises:
        WrongUse: It can't be read, configures none, or has names that mean nothing.
    """
    given = read_table(path)
    if isinstance(given, Mapping):
        tool = given.get("tool")
        own = (tool.get("tierlog") if isinstance(tool, Mapping) else None) or given.get("tierlog") or given
        if isinstance(own, Mapping) and "tool" not in own:
            check_table(path, own)
            sink = sink_options(own)
            if sink is not None:
                return sink
    raise WrongUse(f"--config: '{path}' configures no tierlog sink; name a file with a TierHandler, or with options such as root")


def sink_options(given: Mapping[str, Any]) -> dict[str, Any] | None:
    """
    Return the options of the first sink that has segments.
    """
    handlers = given.get("handlers")
    if isinstance(handlers, Mapping):
        for handler in handlers.values():
            if isinstance(handler, Mapping) and _is_own(handler):
                found = _segments_of(handler.get("sink") or {"type": "segments"})
                if found is not None:
                    return found
        return None
    if isinstance(given.get("sink"), Mapping):
        return _segments_of(given["sink"])
    return dict(given)


def _is_own(handler: Mapping[str, Any]) -> bool:
    """
    Tell whether a handler is tierlog's, or made from tierlog's, as one that has a sink.
    """
    return "sink" in handler or str(handler.get("class", handler.get("()", ""))).endswith(_HANDLER)


def _segments_of(sink: Any) -> dict[str, Any] | None:
    if not isinstance(sink, Mapping):
        return None
    if sink.get("type") in {"segments", "r2"}:
        return {str(name): value for name, value in sink.items() if name != "type"}
    parts = sink.get("sinks")
    for part in parts if isinstance(parts, (list, tuple)) else ():
        found = _segments_of(part)
        if found is not None:
            return found
    return None
