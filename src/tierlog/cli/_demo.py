"""
``tierlog demo``.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import click
import orjson
from rich.console import Console

from tierlog.cli._demo_view import show
from tierlog.cli._errors import WrongUse
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
    is_new = root is None or not root.exists()
    folder = _prepared(root)
    console = make_console()
    try:
        facts = _run(folder, console, is_quiet=as_json)
        if as_json:
            text = orjson.dumps({**facts.as_json(), "kept": keep}, option=orjson.OPT_INDENT_2 if sys.stdout.isatty() else None)
            click.echo(text)
        else:
            show(facts, console, is_kept=keep)
    finally:
        if not keep:
            _remove(folder, is_new=is_new)
    check(facts)


def check(facts: Facts) -> None:
    """
    Pass if all claims hold.

    Raises:
        DemoError: One doesn't; it says which.
    """
    if facts.failures:
        raise DemoError(f"the demo failed: {'; '.join(claim.text for claim in facts.failures)}")


def _prepared(root: Path | None) -> Path:
    """
    Return an empty folder that can be written.
    """
    try:
        if root is None:
            return Path(tempfile.mkdtemp(prefix="tierlog-demo-"))
        root.mkdir(parents=True, exist_ok=True)
        is_empty = not any(root.iterdir())
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as e:
        folder = root or tempfile.gettempdir()
        raise WrongUse(f"--root: '{folder}' can't be written ({e.strerror or e}), choose a folder that can") from e
    if not is_empty:
        raise WrongUse(f"--root: '{root}' isn't empty, choose a new folder so that nothing of yours is mixed in")
    return root.absolute()


def _run(folder: Path, console: Console, *, is_quiet: bool) -> Facts:
    if is_quiet or not console.is_terminal:
        return run(folder)
    with console.status("") as status:
        return run(folder, lambda stage, records: status.update(f"{stage} … {records:,} records".replace(",", " ")))


def _remove(folder: Path, *, is_new: bool) -> None:
    for path in [folder] if is_new else list(folder.iterdir()):
        shutil.rmtree(path, ignore_errors=True)
