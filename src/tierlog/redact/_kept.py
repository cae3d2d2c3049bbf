"""
Compiled patterns, kept beside the bytecode.

Compiling the rules takes longer than all else of a process's start. Python keeps what
it compiles in ``__pycache__``, and what Hyperscan compiles is kept there, too, under the
same conditions: whoever may write there can change the code itself.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence

import hyperscan


__all__ = ["load", "save"]

_PREFIX = "rules-"
_MOST = 8
_DIGEST_BYTES = 32


def load(patterns: Sequence[str]) -> hyperscan.Database | None:
    """
    Return what was compiled of *patterns* before, by this Hyperscan and for a processor
    such as this; None if it isn't there or isn't whole.
    """
    try:
        with open(_path(patterns), "rb") as file:
            content = file.read()
        digest, database = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if hashlib.sha256(database).digest() != digest:
            return None
        return hyperscan.loadb(database, hyperscan.HS_MODE_BLOCK)
    except (OSError, ValueError, hyperscan.error):
        return None


def save(patterns: Sequence[str], database: hyperscan.Database) -> None:
    """
    Keep *database*, if Python keeps bytecode, the folder can be written to and there
    aren't many already.
    """
    if sys.dont_write_bytecode:
        return
    try:
        path = _path(patterns)
        folder = os.path.dirname(path)
        if sum(name.startswith(_PREFIX) for name in os.listdir(folder)) >= _MOST:
            return
        content = hyperscan.dumpb(database)
        own = f"{path}.{os.getpid()}"
        with open(own, "wb") as file:
            file.write(hashlib.sha256(content).digest() + content)
        os.replace(own, path)
    except (OSError, hyperscan.error):
        return


def _path(patterns: Sequence[str]) -> str:
    cached = __spec__.cached if __spec__ is not None else None
    if cached is None:
        raise FileNotFoundError
    what = hashlib.sha256(str(getattr(hyperscan, "__version__", None)).encode())
    for pattern in patterns:
        what.update(pattern.encode("utf-8", "surrogatepass") + b"\0")
    return os.path.join(os.path.dirname(cached), f"{_PREFIX}{what.hexdigest()[:16]}.hyperscan")
