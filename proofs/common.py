"""
What the proofs share: the way to the tests' programs and checker, progress and verdict.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path.insert(0, str(TESTS))

__all__ = ["TESTS", "arguments", "progress", "scratch", "verdict"]


def arguments(description: str | None) -> argparse.ArgumentParser:
    """
    Return a parser with the options that all proofs have.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--writer", choices=["append", "mmap"], help="only this writer; both if not given")
    parser.add_argument("--keep", action="store_true", help="leave the files, and say where they are")
    return parser


@contextmanager
def scratch(*, keep: bool) -> Iterator[Path]:
    """
    Give a folder, and take it away again.
    """
    folder = Path(tempfile.mkdtemp(prefix="tierlog-proof-"))
    try:
        yield folder
    finally:
        if keep:
            print(f"files: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def progress(text: str) -> None:
    """
    Show how far it is, where somebody looks.
    """
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns - 1
        print(f"\r{text[:width]:<{width}}", end="", file=sys.stderr, flush=True)


def verdict(name: str, facts: str, problems: list[str]) -> int:
    """
    Print one line, and what is wrong above it.

    Returns:
        The exit code.
    """
    progress("")
    if sys.stderr.isatty():
        print("\r", end="", file=sys.stderr, flush=True)
    for problem in problems[:20]:
        print(f"  {problem}")
    print(f"{'FAILED' if problems else 'PROVED'} {name}: {facts}{f'; {len(problems)} problems' if problems else ''}")
    return int(bool(problems))
