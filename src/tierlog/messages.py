"""
The text of a message: its format with its arguments, whatever they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tierlog.plain import text_of, unwrap


__all__ = ["PLAIN_ARGS", "Messages", "with_args"]

PLAIN_ARGS = frozenset([str, int, float, bool, type(None)])
"""Types of arguments that formatting can't hurt."""

_CONTAINERS = (dict, list, tuple, set, frozenset)
_BYTES = (bytes, bytearray, memoryview)


class Messages:
    """
    Makes texts of messages; secrets in containers are hidden on the way.

    Args:
        data: Returns a redacted copy of a value.
    """

    def __init__(self, data: Callable[[Any], Any]) -> None:
        self._data = data

    def text(self, msg: Any) -> str:
        """
        Return a message that isn't a string as one; containers redacted inside.
        """
        plain = unwrap(msg)
        return text_of(self._shown(plain) if type(plain) in {dict, list} else msg)

    def _shown(self, value: Any) -> Any:
        """
        Return what stands for a container in a text: itself if it holds no secret.
        """
        plain = self._data(value)
        given = list(value) if isinstance(value, (tuple, set, frozenset)) else value
        try:
            is_same = bool(plain == given)
        except Exception:  # noqa: BLE001 -- arrays, for example, can't be compared as a whole
            is_same = False
        return value if is_same else plain

    def formatted(self, msg: Any, args: Any, data: Any) -> tuple[str, Any]:
        """
        Return the message with its arguments, and the data with those that didn't fit.
        """
        template = msg if type(msg) is str else self.text(msg)
        try:
            if type(args) is not tuple:
                return template % (self._shown(args) if isinstance(args, _CONTAINERS) else args), data
            return self._formatted_carefully(template, args), data
        except Exception as e:  # noqa: BLE001 -- wrong arguments are no reason to lose a record
            return template, with_args(data, args, e)

    def _formatted_carefully(self, template: str, args: tuple[Any, ...]) -> str:
        shown = tuple(map(self._shown_arg, args))
        try:
            return template % shown
        except Exception:  # noqa: BLE001 -- an argument's own __str__
            return template % tuple(arg if type(arg) in PLAIN_ARGS else text_of(arg) for arg in shown)

    def _shown_arg(self, arg: Any) -> Any:
        if isinstance(arg, _CONTAINERS):
            return self._shown(arg)
        return text_of(arg) if isinstance(arg, _BYTES) else arg


def with_args(data: Any, args: Any, error: Exception) -> dict[str, Any]:
    """
    Return *data* with the arguments that could not be put into the message.
    """
    own = data if type(data) is dict else {} if data is None else {"data": data}
    return {**own, "_tierlog": {"format_error": text_of(error), "args": args}}
