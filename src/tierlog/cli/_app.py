"""
The commands, and how their errors are told: in one line that says what to do.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module

import click

from tierlog._version import __version__
from tierlog.cli._errors import WrongUse
from tierlog.errors import ConfigError, MissingExtraError, QueryError, TierlogError


__all__ = ["app", "run"]

_FAILED, _USAGE, _INTERRUPTED, _UNREAD = 1, 2, 130, 141
_GUESS = re.compile(r"\. \(?Did you mean (.*?\?)\)?$")

_MODULES = {
    "build": "_build",
    "catalog": "_catalog",
    "cleanup": "_cleanup",
    "compact": "_compact",
    "completion": "_completion",
    "demo": "_demo",
    "doctor": "_doctor",
    "lnav": "_lnav",
    "r2": "_r2",
    "recover": "_ship",
    "redact": "_redact",
    "search": "_search",
    "serve": "_serve",
    "run": "_run",
    "ship": "_ship",
    "sql": "_sql",
    "stats": "_stats",
    "tail": "_tail",
    "timeline": "_timeline",
    "verify": "_verify",
}
"""Where each command is, under its own name."""


class _Commands(Mapping[str, click.Command]):
    """
    The commands, each imported when it is asked for: all of them take 0.2 s.
    """

    def __getitem__(self, name: str) -> click.Command:
        command: click.Command = getattr(import_module(f"tierlog.cli.{_MODULES[name]}"), name)
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)


@click.group(
    commands=_Commands(),
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="'tierlog COMMAND --help' tells more about a command.",
)
@click.version_option(__version__, message="tierlog %(version)s")
@click.pass_context
def app(context: click.Context) -> None:
    """
    Structured logging that survives a kill and keeps secrets out.

    Exit codes: 0 done; 1 failed, found a fault, or found nothing; 2 wrong usage, or
    something couldn't be read; 130 stopped; 141 nobody reads the output any more.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def run(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command that *arguments* name, or ``sys.argv``, and return its exit code.
    """
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 -- closed by the shell, as by >&-
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a pipe may not know every character
    try:
        exit_code = _run(arguments)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit) as e:  # the latter is all that click makes of it
        if isinstance(e, SystemExit) and not e.code:
            return 0  # a shell has asked for completions
        _give_up_output()
        return _UNREAD
    except OSError as e:
        _give_up_output()
        return _told("tierlog", _problem(e), _FAILED)
    return exit_code


def _run(arguments: Sequence[str] | None) -> int:
    try:
        return app.main(arguments, prog_name="tierlog", standalone_mode=False) or 0
    except click.UsageError as e:
        path = e.ctx.command_path if e.ctx else "tierlog"
        return _told(path, str(e) if isinstance(e, WrongUse) else _with_hint(e.format_message(), path), e.exit_code)
    except click.ClickException as e:
        return _told("tierlog", e.format_message(), e.exit_code)
    except (ConfigError, QueryError, MissingExtraError) as e:
        return _told("tierlog", str(e), _USAGE)
    except (TierlogError, OSError) as e:
        if isinstance(e, BrokenPipeError):
            raise
        if isinstance(e, OSError) and e.filename is None:  # it is the output, most likely
            _give_up_output()
        return _told("tierlog", _problem(e), _FAILED)
    except click.Abort:
        return _told("tierlog", "stopped", _INTERRUPTED)


def _give_up_output() -> None:
    """
    Let what is flushed at exit go nowhere, so that the exit code stays.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _told(path: str, problem: str, exit_code: int) -> int:
    click.echo(f"{path}: {problem}", err=True)
    return exit_code


def _problem(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}; see that it can be read and written"
    return str(getattr(error, "strerror", None) or error)


def _with_hint(text: str, path: str) -> str:
    """
    Return click's sentences as one line, with where to look.
    """
    line = _GUESS.sub(r", did you mean \1", " ".join(text.split()).rstrip("."))
    return f"{line[:1].lower()}{line[1:]}{'' if line.endswith('?') else ';'} see '{path} --help'"
