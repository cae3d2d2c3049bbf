"""
``tierlog demo``.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

import click
import orjson
from rich.console import Console

from tierlog.cli._demo_view import show
from tierlog.cli._errors import WrongUse
from tierlog.cli._stopping import stopped_by_kill
from tierlog.cli._terminal import make_console
from tierlog.demo import DemoError, Facts, run


__all__ = ["check", "demo"]


@click.command()
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where to write: a new or empty folder. A temporary one if not given.",
)
@click.option("--keep/--no-keep", default=True, show_default=True, help="Whether the folder stays when it is done.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the report.")
def demo(root: Path | None, keep: bool, as_json: bool) -> None:  # noqa: FBT001 -- click's own way
    """
    Show the whole of it in a few seconds, on real output.

    Four processes replay what wrangler, vercel, vite, npm, pip and CI jobs really
    printed, through plain logging calls, with secrets among it. One process is
    killed with SIGKILL in the middle of its work. Then the files are recovered, and
    it is proved from them that every record that was logged is there, once, and no
    secret is.

    The exit code is 0 if all of it is proved and 1 if not.
    """
    console = make_console()
    with stopped_by_kill(), _folder(root, is_kept=keep) as folder:
        facts = _run(folder, console, is_quiet=as_json)
        if as_json:
            text = orjson.dumps({**facts.as_json(), "kept": keep}, option=orjson.OPT_INDENT_2 if sys.stdout.isatty() else None)
            click.echo(text)
        else:
            show(facts, console, is_kept=keep)
    check(facts)


def check(facts: Facts) -> None:
    """
    Pass if all claims hold.

    Raises:
        DemoError: One doesn't; it says which.
    """
    if facts.failures:
        raise DemoError(f"the demo failed: {'; '.join(claim.text for claim in facts.failures)}")


@contextmanager
def _folder(root: Path | None, *, is_kept: bool) -> Generator[Path]:
    """
    Make a folder, or take *root* if that is empty; unless it is to be kept, what wasn't
    there before is gone again behind it, even if Ctrl-C comes in the moment in which it is made.
    """
    folder = Path(tempfile.gettempdir(), f"tierlog-demo-{token_hex(8)}") if root is None else root.absolute()
    is_new = not folder.exists()
    if not is_new and any(_writable(folder).iterdir()):
        raise WrongUse(f"--root: '{root}' isn't empty, choose a new folder so that nothing of yours is mixed in")
    try:
        yield _writable(folder, mode=0o700 if root is None else 0o777)
    finally:
        if not is_kept:
            for path in [folder] if is_new else list(folder.iterdir()):
                shutil.rmtree(path, ignore_errors=True)


def _writable(folder: Path, *, mode: int = 0o777) -> Path:
    """
    Return a folder that can be written, made if it isn't there.
    """
    try:
        folder.mkdir(mode, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as e:
        raise WrongUse(f"--root: '{folder}' can't be written ({e.strerror or e}), choose a folder that can") from e
    return folder


def _run(folder: Path, console: Console, *, is_quiet: bool) -> Facts:
    if is_quiet or not console.is_terminal:
        return run(folder)
    with console.status("") as status:
        return run(folder, lambda stage, records: status.update(f"{stage} … {records:,} records".replace(",", " ")))
