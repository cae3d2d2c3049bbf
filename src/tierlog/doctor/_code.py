"""
Whether the program's own log calls use names that a record has for itself.
"""

from __future__ import annotations

import ast
import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from tierlog.doctor._finding import Finding, error, ok, warning


__all__ = ["OWN_NAMES", "code_findings"]

OWN_NAMES = frozenset([*logging.LogRecord("", 0, "", 0, "", (), None).__dict__, "message", "asctime"])
"""What :mod:`logging` refuses in ``extra``."""

_CALLS = frozenset(["debug", "info", "warning", "warn", "error", "exception", "critical", "fatal", "log"])
_ADAPTER = "LoggerAdapter"
_LEFT_OUT = frozenset(["node_modules", "site-packages", "__pycache__"])


def code_findings(paths: Iterable[Path]) -> list[Finding]:
    """
    Return which log calls in the Python files at *paths*, or below, raise KeyError for
    the names in ``extra={…}``, as far as these are written out.
    """
    found: list[Finding] = []
    files = 0
    for path in _files(paths):
        files += 1
        try:
            tree = ast.parse(path.read_bytes(), str(path))
        except (OSError, SyntaxError, ValueError) as e:
            found.append(warning("extra-names", f"{path} can't be read as Python ({e})", "mend it, or leave it out"))
            continue
        found += [_clash(path, line, name) for line, name in _clashes(tree)]
    return found or [ok("extra-names", f"no extra= in {files} Python files has a name of a record's own")]


def _clash(path: Path, line: int, name: str) -> Finding:
    return error(
        "extra-names",
        f"{path}:{line}: extra={{{name!r}: …}} raises KeyError, as each record has {name!r} itself",
        f"call it otherwise, or put it into extra={{'data': {{{name!r}: …}}}}",
    )


def _clashes(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for extra in _extras(node):
                for key in extra.keys if isinstance(extra, ast.Dict) else ():
                    if isinstance(key, ast.Constant) and key.value in OWN_NAMES:
                        yield key.lineno, str(key.value)


def _extras(call: ast.Call) -> Iterator[ast.expr]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in _CALLS or name == _ADAPTER:
        yield from (one.value for one in call.keywords if one.arg == "extra")
    if name == _ADAPTER and len(call.args) > 1:
        yield call.args[1]


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_file():
            yield path
            continue
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if name not in _LEFT_OUT and not name.startswith("."))
            yield from (Path(folder, name) for name in sorted(names) if name.endswith(".py"))
