"""
``tierlog run``.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click

import tierlog
from tierlog import capture, context
from tierlog.cli._errors import WrongUse
from tierlog.cli._inert import inert
from tierlog.envelope import make_head
from tierlog.errors import CommandError, CommandNotFoundError
from tierlog.kinds import TIERS


__all__ = ["run"]

_TIMED_OUT, _NOT_EXECUTABLE, _NOT_FOUND = 124, 126, 127
_ENDING = ("SIGTERM", "SIGHUP")
_PASSED_ON = ("SIGINT", "SIGQUIT", *_ENDING)
_FORMS = {
    "ulid": "a ULID: 26 digits and capitals, such as 01JD3Z05KQ2W4R6T8Y0M1N3P5Q",
    "slug": "an id: 1 to 64 letters, digits, '_' and '-'",
}
_IDS = ("project_id", "build_id", "user_id", "req_id")


@click.command(context_settings={"allow_interspersed_args": False})
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[--] COMMAND [ARG]...")
@click.option("--tier", type=click.Choice(TIERS), default="build", show_default=True, help="The tier of the records.")
@click.option("--kind", metavar="KIND", help="The kind of the lines.  [default: line, where the tier has it]")
@click.option("--src", metavar="NAME", help="The producer, such as wrangler.  [default: stdout or stderr]")
@click.option("--project-id", metavar="ID", help="The project; so with the other ids.  [default: $TIERLOG_PROJECT_ID]")
@click.option("--build-id", metavar="ID", help="The build.")
@click.option("--user-id", metavar="ID", help="The user.")
@click.option("--req-id", metavar="ID", help="The request.")
@click.option("--root", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the segments.  [default: logs]")
@click.option("--quiet", is_flag=True, help="Show nothing of what the command prints.")
@click.option("--no-levels", is_flag=True, help="Log lines that are marked as errors or warnings as info, too.")
@click.option("--timeout", metavar="TIME", help="End the command after this time, such as 90 or 15m.")
@click.option("--kill-grace", metavar="TIME", default="10s", show_default=True, help="Kill it so long after it was told to end.")
@click.option(
    "--drain-timeout",
    metavar="TIME",
    default="5s",
    show_default=True,
    help="Read on for so long after its end, while something it has started still prints.",
)
def run(command: tuple[str, ...], *, root: Path | None, quiet: bool, no_levels: bool, **options: Any) -> int:
    """
    Run COMMAND, and log every line that it prints.

    What it prints is shown, too, byte for byte. Its start and its end are logged, and
    its environment has the ids. Interrupt and end signals are passed on to it and to
    all that it has started. Where to and what else is configured by variables, as for
    tierlog.configure: TIERLOG_ROOT, TIERLOG_BUCKET and so on.

    Exit codes: that of COMMAND, 128 and the signal's number if one ended it; 124 its time
    was over; 126 it can't be run; 127 there is no such program.
    """
    if not command:
        raise WrongUse("name the command to run, for example: tierlog run -- npm run build")
    handler = tierlog.configure(**({} if root is None else {"root": root}))
    context.from_env()
    ids = {name: value for name in _IDS if (value := options.pop(name))}
    try:
        with tierlog.bound(**ids):
            _check_ids(handler.pipeline.sink, options["tier"], ids)
            return _run(list(command), console=not quiet, levels=not no_levels, stdin=None, **options)
    finally:
        tierlog.shutdown()


def _check_ids(sink: object, tier: str, given: Mapping[str, str]) -> None:
    """
    See to it that the lines will be where they are looked for, or say where they are.

    Raises:
        WrongUse: An id can't be one.
    """
    id_format = getattr(sink, "id_format", "ulid")
    fields = context.current().fields()
    notes = make_head(0, "", {**fields, "tier": tier}, "info", default_tier=tier, id_format=id_format, redact=str).notes or {}
    for name in _IDS:
        if name in fields and f"{name[:-3]}Id" in notes.get("invalid", ()):
            which = f"--{name.replace('_', '-')}" if name in given else f"TIERLOG_{name.upper()}"
            raise WrongUse(f"{which}: '{inert(fields[name])}' isn't {_FORMS[id_format]}")
    if "rerouted" in notes:
        root = getattr(sink, "root", None)
        where = "" if root is None else f" ('{inert(str(root / 'system'))}')"
        owner = "build" if tier in {"build", "deploy"} else "project"
        click.echo(
            f"tierlog run: the lines go to the tier system{where}, since there's no --{owner}-id to log them under", err=True
        )


def _run(command: list[str], **options: Any) -> int:
    if hasattr(signal, "SIGCHLD"):  # ignored by who started this, it would hide the exit code
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signals = _Signals()
    with signals.caught():
        try:
            running = capture.start(command, **options)
        except CommandError as e:
            click.echo(f"tierlog run: {e}", err=True)
            return _NOT_FOUND if isinstance(e, CommandNotFoundError) else _NOT_EXECUTABLE
        signals.pass_on(running)
        result = running.wait()
    return _TIMED_OUT if result.timed_out else result.exit_code


class _Signals:
    """
    Signals that are the command's; those that come while it is started wait until it is
    there, since it would run on if they ended this process.
    """

    def __init__(self) -> None:
        self._running: capture.Running | None = None
        self._early: list[int] = []

    @contextmanager
    def caught(self) -> Iterator[None]:
        """
        Catch them, but for those that are ignored, as nohup wants it.
        """
        numbers = [getattr(signal, name) for name in _PASSED_ON if hasattr(signal, name)]
        before = {number: handler for number in numbers if (handler := signal.getsignal(number)) != signal.SIG_IGN}
        for number in before:
            signal.signal(number, self._came)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def pass_on(self, running: capture.Running) -> None:
        """
        Pass them on to the command, from now on at once.
        """
        self._running = running
        for number in self._early:
            self._pass(number, running)

    def _came(self, number: int, _frame: FrameType | None) -> None:
        if self._running is None:
            self._early.append(number)
        else:
            self._pass(number, self._running)

    def _pass(self, number: int, running: capture.Running) -> None:
        if signal.Signals(number).name in _ENDING:
            running.stop(number=number)  # a kill follows
        else:
            running.send_signal(number)
