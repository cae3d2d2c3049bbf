"""
What a handler and a formatter have in common: the options of a stream of lines.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from tierlog._platform import host_name
from tierlog.envelope import ID_FORMATS
from tierlog.errors import ConfigError
from tierlog.kinds import TIERS
from tierlog.options import check_names, choice
from tierlog.redact import Copier, Guarded, Redactor, from_environment
from tierlog.typing import RedactsValues


__all__ = ["StreamOptions", "stream_options"]

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
_INSTANCE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\Z")
_MAX_NAME = 64


class StreamOptions(NamedTuple):
    """
    Checked options of one stream.

    Attributes:
        name: What ``instanceId`` begins with.

        instance_id: The whole of it, or None.

        default_tier: The tier of a record that names none.

        id_format: ``ulid`` or ``slug``.

        redactor: Hides secrets.

        hides: Whether it does.
    """

    name: str
    instance_id: str | None
    default_tier: str
    id_format: str
    redactor: RedactsValues
    hides: bool


def stream_options(
    *,
    instance_name: str | None,
    instance_id: str | None,
    default_tier: str,
    id_format: str,
    redact: Any,
) -> StreamOptions:
    """
    Check what a handler or a formatter was given.

    Args:
        instance_name: None for ``TIERLOG_INSTANCE_NAME``, else the host's name.

        instance_id: None for one made of the name.

        default_tier: One of the tiers.

        id_format: ``ulid`` or ``slug``.

        redact: ``"on"``, ``"off"``, options of a
            :class:`~tierlog.redact.Redactor`, or one.

    Raises:
        ConfigError: One of them can't work.
    """
    if instance_id is not None and not (isinstance(instance_id, str) and _INSTANCE_ID.match(instance_id)):
        form = _INSTANCE_ID.pattern.removesuffix(r"\Z")
        raise ConfigError("instance_id", f"{instance_id!r} can't be part of a file name; it must match {form}")
    redactor = _redactor(redact)
    return StreamOptions(
        _name(instance_name),
        instance_id,
        choice("default_tier", default_tier, TIERS),
        choice("id_format", id_format, ID_FORMATS),
        redactor,
        type(redactor) is not Copier,
    )


def _name(given: str | None) -> str:
    name = given or os.environ.get("TIERLOG_INSTANCE_NAME") or host_name()
    return _UNSAFE.sub("-", str(name)).strip("-.")[:_MAX_NAME] or "host"


def _redactor(given: Any) -> RedactsValues:
    if given in ("on", True):
        return Redactor()
    if given in ("off", False):
        return Copier()
    if isinstance(given, Mapping):
        check_names("redact", given, Redactor, more=["known_env"])
        options = dict(given)
        known = _from_environment(options.pop("known_env", ()))
        redactor = Redactor(**options)
        if known:
            redactor.add_known(known)
        return redactor
    if callable(getattr(given, "text", None)) and callable(getattr(given, "data", None)):
        return given if isinstance(given, Copier) else Guarded(given)
    raise ConfigError("redact", f"{given!r} is none of 'on', 'off', options of a Redactor, or one")


def _from_environment(wanted: Any) -> dict[str, str]:
    """
    Return the variables whose values are to be hidden, by name.
    """
    if wanted is True:
        return from_environment(os.environ)
    if isinstance(wanted, str) or not all(isinstance(name, str) for name in wanted or ()):
        raise ConfigError("redact.known_env", f"{wanted!r} is neither true nor a list of names of variables")
    return {name: value for name in wanted or () if (value := os.environ.get(name))}
