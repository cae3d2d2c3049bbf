"""
``tierlog redact``.
"""

from __future__ import annotations

import codecs
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from tierlog.cli._errors import WrongUse
from tierlog.cli._scan import Found, Tree, scan, shown_path
from tierlog.cli._tables import read_table
from tierlog.cli._terminal import log_text, make_console
from tierlog.redact import Redactor, StreamRedactor
from tierlog.stream import stream_options


__all__ = ["filtered", "options_in", "redact"]

_CHUNK = 65_536
_FOUND, _UNREAD, _INTERRUPTED = 1, 2, 130


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(), metavar="[PATH]...")
@click.option("--scan", "is_scan", is_flag=True, help="Look for secrets in the files and folders PATH, and change nothing.")
@click.option("--pii", multiple=True, metavar="KIND", help="Hide personal data, too: email, card, ip, iban. May be repeated.")
@click.option("--known-env", multiple=True, metavar="NAME", help="Hide the value of this variable, too. May be repeated.")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Options of a Redactor, as JSON or TOML; in TOML also below [redact] or [tool.tierlog.redact].",
)
@click.option("--stats", is_flag=True, help="Say at the end, on standard error, how many secrets were hidden, by rule.")
@click.option(
    "--json/--text",
    "as_json",
    default=None,
    help="Findings and --stats as one JSON object a line, or as text.",
)
def redact(
    paths: tuple[str, ...],
    is_scan: bool,  # noqa: FBT001 -- click's own way
    pii: tuple[str, ...],
    known_env: tuple[str, ...],
    config: Path | None,
    stats: bool,  # noqa: FBT001 -- click's own way
    as_json: bool | None,  # noqa: FBT001 -- click's own way
) -> None:
    """
    Hide secrets in standard input, or look for them in files.

    Without --scan it copies standard input to standard output, with a mark in the
    place of each secret and all other bytes as they are. Lines are written as they
    come, so it can stand between two commands that run for long.

    With --scan it tells where secrets are, never what they are. Compressed files
    are looked into; .git, binary files and links are left out, and counted.

    Exit codes: 0 done and, with --scan, nothing found; 1 found, or failed;
    2 wrong usage, or something couldn't be read; 130 stopped; 141 nobody reads
    the output any more.
    """
    if bool(paths) is not is_scan:
        raise WrongUse(
            "--scan needs a PATH: the files and folders to look through"
            if is_scan
            else f"'{paths[0]}' isn't read without --scan; to hide what is in it: tierlog redact <'{paths[0]}'"
        )
    redactor = _redactor(config, pii, known_env)
    if is_scan:
        is_json = as_json if as_json is not None else not sys.stdout.isatty()
        exit_code = _scan(paths, redactor, is_json=is_json)
    else:
        exit_code = _filter(redactor, (_json_stats if as_json else _text_stats) if stats else None)
    click.get_current_context().exit(exit_code)


# -- what is hidden ------------------------------------------------------------


def options_in(path: Path) -> dict[str, Any]:
    """
    Return the options of a redactor that the file at *path* has.

    Raises:
        WrongUse: It has none, or isn't what its name says.
    """
    given = read_table(path)
    for place in (("tool", "tierlog", "redact"), ("redact",), ()):
        options = _at(given, place)
        if isinstance(options, dict) and (place or "tool" not in options):
            return options
    raise WrongUse(f"--config: '{path}' has no options of a redactor; put them below [redact] or [tool.tierlog.redact]")


def _at(given: Any, place: Iterable[str]) -> Any:
    for name in place:
        given = given.get(name) if isinstance(given, dict) else None
    return given


def _redactor(config: Path | None, pii: Iterable[str], known_env: Iterable[str]) -> Redactor:
    options = options_in(config) if config else {}
    wanted = [kind.strip() for kinds in pii for kind in kinds.split(",") if kind.strip()]
    if wanted:
        options["pii"] = list(dict.fromkeys([*options.get("pii", ()), *wanted]))
    made = stream_options(instance_name="cli", instance_id=None, default_tier="system", id_format="ulid", redact=options)
    redactor = cast("Redactor", made.redactor)
    for name in known_env:
        value = os.environ.get(name)
        if value:
            redactor.add_known({name: value})
        else:
            click.echo(f"tierlog redact: --known-env: the variable {name} isn't set, so there's nothing of it to hide", err=True)
    return redactor


# -- standard input to standard output -----------------------------------------


def filtered(redactor: Redactor, read: Callable[[int], bytes], write: Callable[[bytes], object]) -> Counter[str]:
    """
    Copy what *read* gives to *write*, without secrets, byte for byte but for them.

    What was read before Ctrl-C is written.

    Args:
        redactor: What hides secrets.

        read: Returns at most so many bytes as soon as there are any, none at the end.

        write: Takes bytes, and passes them on at once.

    Returns:
        How many were hidden, by rule.

    Raises:
        KeyboardInterrupt: It was stopped.
    """
    blocks: list[str] = []
    stream = StreamRedactor(redactor, count=blocks.append)
    decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode

    def put(text: str) -> None:
        if text:
            write(text.encode("utf-8", "surrogateescape"))

    try:
        while chunk := read(_CHUNK):
            put(stream.feed(decode(chunk)))
        put(stream.feed(decode(b"", final=True)))
    finally:
        put(stream.close())
    return Counter(redactor.counts()) + Counter(blocks)


def _filter(redactor: Redactor, show: Callable[[Counter[str]], None] | None) -> int:
    if sys.stdin is None:
        raise WrongUse("there's no standard input; give it one: COMMAND | tierlog redact")
    if sys.stdin.isatty():
        click.echo("tierlog redact: reading from the terminal until Ctrl-D; secrets in each line are hidden", err=True)
    try:
        counts = filtered(redactor, _read, _write)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        raise
    except OSError as e:
        raise click.ClickException(f"standard input couldn't be copied: {e.strerror or e}") from e
    if show is not None:
        show(counts)
    return 0


def _read(size: int) -> bytes:
    return os.read(0, size)


def _write(content: bytes) -> None:
    """
    Write all of *content* past the buffers, so that none of it is left over if that fails.
    """
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(1, rest) :]


def _json_stats(counts: Counter[str]) -> None:
    click.echo(orjson.dumps({"redactions": dict(counts.most_common())}), err=True)


def _text_stats(counts: Counter[str]) -> None:
    rows = [*counts.most_common(), ("in all", counts.total())]
    width = max(len(name) for name, _ in rows)
    for name, count in rows:
        click.echo(f"{name:{width}} {count:>8}", err=True)


# -- files ---------------------------------------------------------------------


def _scan(paths: Iterable[str], redactor: Redactor, *, is_json: bool) -> int:
    """
    Tell what is found below *paths*, and return the exit code.
    """
    tree = Tree(paths)
    console = make_console()
    found: Counter[str] = Counter()
    with _progress(console, is_shown=console.is_terminal and not is_json) as progress:
        task = progress.add_task("looking", total=sum(size for _, size in tree.files))
        for one in scan(tree, redactor, lambda size: progress.advance(task, size)):
            found[one.path] += 1
            if is_json:
                click.echo(_as_json(one))
            else:
                console.print(_as_text(one), soft_wrap=True)
    for path, reason in tree.problems:
        click.echo(f"tierlog redact: '{log_text(shown_path(path, redactor)).plain}' couldn't be read: {reason}", err=True)
    click.echo(_summary(tree, found), err=True)
    return _FOUND if found else _UNREAD if tree.problems else 0


def _progress(console: Console, *, is_shown: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not is_shown)


def _as_json(found: Found) -> bytes:
    fields = {"path": found.path, **found.finding._asdict()}
    return orjson.dumps({name: _writable(value) for name, value in fields.items()})


def _writable(value: Any) -> Any:
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace") if isinstance(value, str) else value


def _as_text(found: Found) -> Text:
    path, finding = found
    place = [str(number) for number in (finding.line, finding.column) if number is not None]
    text = log_text(_writable(":".join([path, *place])))
    text.stylize("bold")
    text.append(f": {finding.rule}", "yellow")
    where = "in the name: " if finding.line is None else f"{finding.field}: " if finding.field else ""
    return text.append("  ").append_text(log_text(_writable(f"{where}{finding.excerpt}")))


def _summary(tree: Tree, found: Counter[str]) -> str:
    unread = len({path for path, _ in tree.problems})
    read = len(tree.files) - tree.skipped["binary"]
    secrets = f"{_number(found.total(), 'secret')} in {len(found)} of {_number(read, 'file')}" if found else ""
    parts = [secrets or f"no secrets in {_number(read, 'file')}"]
    if unread:
        parts.append(f"couldn't be read: {unread}")
    left_out = ", ".join(f"{count} {kind}" for kind, count in sorted(tree.skipped.items()) if count)
    if left_out:
        parts.append(f"left out: {left_out}")
    return "tierlog redact: " + "; ".join(parts)


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}".replace(",", " ")
