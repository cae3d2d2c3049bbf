"""
The ``tierlog`` command. Needs ``tierlog[cli]``.

One file per group of commands; this one only finds out whether the extra is there.
"""

from __future__ import annotations

import sys

from tierlog.errors import MissingExtraError


__all__ = ["main"]

_EXTRA = frozenset(["click", "rich"])


def main() -> None:
    """
    Run the command line, and exit with its code.
    """
    try:
        from tierlog.cli._app import run  # noqa: PLC0415 -- an extra: only on demand

        exit_code = run()
    except ModuleNotFoundError as e:
        if (e.name or "").partition(".")[0] not in _EXTRA:
            raise
        sys.stderr.write(f"tierlog: {MissingExtraError('cli')}\n")
        sys.exit(2)
    except KeyboardInterrupt:  # in the middle of an import, for example
        sys.stderr.write("tierlog: stopped\n")
        sys.exit(130)
    sys.exit(exit_code)
