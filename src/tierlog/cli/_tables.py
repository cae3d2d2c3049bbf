"""
A file of options that the command line names.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from tierlog.cli._errors import WrongUse


__all__ = ["read_table"]


def read_table(path: Path, hint: str = "TOML needs a name that ends in .toml") -> Any:
    """
    Return what is in the file at *path*, which is TOML if its name says so, else JSON.

    Args:
        path: The file.

        hint: What to do if it is neither.

    Raises:
        WrongUse: It can't be read, or isn't what its name says.
    """
    is_toml = path.suffix == ".toml"
    try:
        text = path.read_text("utf-8")
        return tomllib.loads(text) if is_toml else json.loads(text)
    except OSError as e:
        raise WrongUse(f"--config: '{path}' can't be read ({e.strerror or e}), name a file that can") from e
    except (ValueError, RecursionError) as e:  # the latter: far too many brackets
        # The place alone: what the error quotes may be a secret.
        said = f"line {e.lineno}" if isinstance(e, json.JSONDecodeError) else str(e).partition("\n")[0]
        raise WrongUse(f"--config: '{path}' isn't {'TOML' if is_toml else 'JSON'} ({said}); {hint}") from e
