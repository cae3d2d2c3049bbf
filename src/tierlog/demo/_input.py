"""
What is replayed: the output of real commands, and logs of real jobs.
"""

from __future__ import annotations

import gzip
import re
from importlib.resources import files
from typing import NamedTuple

import orjson


__all__ = ["Line", "Transcript", "job_log", "transcript"]

_DATA = files("tierlog.demo") / "data"
_STAMP = re.compile(r"\ufeff?\d{4}-\d\d-\d\dT[\d:.]+Z ?")


class Line(NamedTuple):
    """
    One line that a command wrote.

    Attributes:
        stream: ``stdout`` or ``stderr``.

        text: The line, escape sequences and all.

        ms: Milliseconds since the command's start.
    """

    stream: str
    text: str
    ms: float


class Transcript(NamedTuple):
    """
    What a command wrote, and how it ended.
    """

    command: str
    exit_code: int
    duration_ms: int
    lines: list[Line]


def transcript(name: str) -> Transcript:
    """
    Return the transcript called *name*.
    """
    rows = [orjson.loads(row) for row in (_DATA / "transcripts" / f"{name}.ndjson").read_bytes().splitlines()]
    meta = rows[0]["meta"]
    lines = [Line(row["stream"], row["line"], row["t_ms"]) for row in rows[1:]]
    return Transcript(meta["cmd"], meta["exit_code"], meta["duration_ms"], lines)


def job_log(name: str) -> list[str]:
    """
    Return the lines of the job called *name*, without their timestamps.
    """
    text = gzip.decompress((_DATA / "logs" / f"{name}.txt.gz").read_bytes()).decode("utf-8", "replace")
    return [_STAMP.sub("", line, count=1) for line in text.splitlines() if not line.startswith("#=")]
