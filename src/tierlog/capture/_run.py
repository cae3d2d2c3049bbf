"""
Starting a command, and waiting for it.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tierlog.capture._console import console_writers
from tierlog.capture._interrupt import put_off
from tierlog.capture._output import WITHHELD, Output
from tierlog.capture._output_file import output_file
from tierlog.capture._process import checked_command, checked_path, end_at_once, environment, folder_of
from tierlog.capture._process import start as start_process
from tierlog.capture._result import Result
from tierlog.capture._running import Limits, Running
from tierlog.capture._target import Records, redactor_in_use
from tierlog.context import current, restore, to_env, unbind
from tierlog.errors import CommandError
from tierlog.kinds import TIERS
from tierlog.options import boolean, choice, seconds
from tierlog.typing import RedactsValues


__all__ = ["run", "run_async", "start"]


def start(
    command: Sequence[str | os.PathLike[str]],
    *,
    tier: str | None = None,
    kind: str | None = None,
    src: str | None = None,
    project_id: str | None = None,
    build_id: str | None = None,
    user_id: str | None = None,
    req_id: str | None = None,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    stdin: Any = subprocess.DEVNULL,
    console: Any = True,
    levels: bool = True,
    timeout: float | str | None = None,
    kill_grace: float | str = 10.0,
    drain_timeout: float | str = 5.0,
    merge_output_file: str | os.PathLike[str] | bool | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> Running:
    """
    Start *command*, each line of which becomes a record, and don't wait for it.

    Its start and its end become records, too. It runs in a session of its own,
    with the ids in its environment.

    Args:
        command: The program and its arguments; no shell is involved.

        tier: The records' tier; the context's, else ``build``.

        kind: The lines' kind; ``line`` if None, where the tier has it.

        src: The producer, such as ``wrangler``; ``stdout`` or ``stderr`` for each
            line if None.

        project_id: Stands instead of the context's.

        build_id: Likewise.

        user_id: Likewise.

        req_id: Likewise.

        cwd: The folder to run in.

        env: The environment, to which the ids are added; this process's if None.

        stdin: As :class:`subprocess.Popen` takes it; nothing to read if not given.

        console: Whether the output is passed on to this process's own, byte for
            byte; or two open files to write it to.

        levels: Whether lines that the command marks as errors or warnings have that
            level; else all have ``info``.

        timeout: After so many **seconds** the command is ended.

        kill_grace: It is killed so long after it was told to end.

        drain_timeout: So long after its end, what it has started may still print.

        merge_output_file: A file that the command appends ND-JSON to, as wrangler does:
            its entries become records. None for a temporary one if *src* is
            ``wrangler``; False for none.

        monotonic: Returns seconds, as :func:`time.monotonic` does.

    Raises:
        ConfigError: An option can't work.

        CommandNotFoundError: There is no such program, or no such folder.

        CommandError: It can't be started.
    """
    argv = checked_command(command)
    limits = Limits(
        None if timeout is None else seconds("timeout", timeout),
        seconds("kill_grace", kill_grace),
        seconds("drain_timeout", drain_timeout),
    )
    levels = boolean("levels", levels)
    writers = console_writers(console)
    records = _records(tier, kind, src, project_id=project_id, build_id=build_id, user_id=user_id, req_id=req_id)
    redactor = redactor_in_use()
    shown = _shown(argv, redactor)
    token = restore(records.context)
    try:
        variables = environment(env, to_env())
    finally:
        unbind(token)
    folder = None if cwd is None else checked_path("cwd", cwd)
    file = output_file(merge_output_file, src, variables)
    facts = {"event": "start", "command": shown, "cwd": folder_of(folder)}
    outputs = [
        (Output(name, src, redactor, records.lines, monotonic, levels=levels), writer)
        for name, writer in zip(("stdout", "stderr"), writers, strict=True)
    ]
    process = None
    try:
        process = start_process(argv, cwd=folder, env=variables | (file.variables if file else {}), stdin=stdin)
        return Running(process, shown, records, outputs, limits, file, {**facts, "pid": process.pid})
    except BaseException as e:
        if isinstance(e, CommandError):
            records.event("error", str(e), {**facts, "event": "start_failed"})
        if process is not None:  # there are too many threads, for example; nobody would read what it prints
            end_at_once(process)
        if file is not None:
            file.remove()
        raise


def _records(tier: str | None, kind: str | None, src: str | None, **ids: str | None) -> Records:
    context = current()
    chosen = choice("tier", tier or context.tier or "build", TIERS)
    given = {name: value for name, value in ids.items() if value is not None}
    return Records(context.replace({**given, "tier": None, "kind": None, "src": None}), chosen, kind, src)


def _shown(argv: list[str], redactor: RedactsValues | None) -> str:
    """
    Return a command as one would type it, without secrets.
    """
    if redactor is None:
        return shlex.join(argv)
    clean = redactor.data({"command": argv})
    parts = clean.get("command") if type(clean) is dict else None
    return redactor.text(shlex.join(map(str, parts))) if type(parts) is list else WITHHELD


def run(command: Sequence[str | os.PathLike[str]], **options: Any) -> Result:
    """
    Run *command*, each line of which becomes a record, and wait for its end.

    Args:
        command: The program and its arguments; no shell is involved.

        options: As for :func:`start`.

    Returns:
        How it ended; a command that fails is no error here.

    Raises:
        ConfigError: An option can't work.

        CommandNotFoundError: There is no such program, or no such folder.

        CommandError: It can't be started.
    """
    running = None
    try:
        with put_off():
            running = start(command, **options)
        return running.wait()
    except BaseException:
        if running is not None:
            running.end()
        raise


async def run_async(command: Sequence[str | os.PathLike[str]], **options: Any) -> Result:
    """
    Do what :func:`run` does, without holding up the event loop: what it takes, returns
    and raises is the same.

    A task that is cancelled ends the command, and is over when that is.
    """
    import asyncio  # noqa: PLC0415 -- only those who await have it

    loop = asyncio.get_running_loop()
    running = start(command, **options)
    done = asyncio.Event()
    running.when_done(lambda: loop.call_soon_threadsafe(done.set))
    try:
        await done.wait()
    except asyncio.CancelledError:
        running.stop()
        while not done.is_set():
            try:
                await done.wait()
            except asyncio.CancelledError:
                running.stop(now=True)
        raise
    return running.wait()
