"""
What a run of the demo found, ready to be shown or to be printed as JSON.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tierlog._version import __version__


__all__ = ["BuildLog", "Claim", "Example", "Facts", "File", "Process"]


@dataclass(frozen=True, slots=True)
class Process:
    """
    One process of the demo.

    Attributes:
        name: Its name.

        instance: Its ``instanceId``.

        pid: Its process id.

        ended: ``clean``, ``killed`` or ``exit code`` and its number.

        acknowledged: Records whose log call had returned, as it told its parent.

        found: Those of them that are in the files.
    """

    name: str
    instance: str
    pid: int
    ended: str
    acknowledged: int
    found: int

    @property
    def lost(self) -> int:
        """
        Acknowledged records that are not in the files.
        """
        return self.acknowledged - self.found


@dataclass(frozen=True, slots=True)
class Claim:
    """
    Something that was to be proved.

    Attributes:
        name: Its name.

        holds: Whether it is so.

        text: What was counted.
    """

    name: str
    holds: bool
    text: str


@dataclass(frozen=True, slots=True)
class File:
    """
    A segment: its path below the root, its size, its lines, and who wrote it.
    """

    path: str
    bytes: int
    lines: int
    writers: list[str]


@dataclass(frozen=True, slots=True)
class Example:
    """
    A record with a secret: what was logged, shortened, and what was written.
    """

    name: str
    logged: str
    written: str


@dataclass(frozen=True, slots=True)
class BuildLog:
    """
    The build that two processes wrote, one of which was killed.

    Attributes:
        id: Its id.

        path: Its file.

        lines: How many there are.

        before: Events up to the killed process's last one, which is the last.

        skipped: How many events stand between those and *after*.

        after: Events of the process that went on.

        rest: How many follow.
    """

    id: str
    path: str
    lines: int
    before: list[dict[str, Any]]
    skipped: int
    after: list[dict[str, Any]]
    rest: int


@dataclass(frozen=True, slots=True)
class Facts:
    """
    All of it. Times are in **seconds**, sizes in bytes.

    Attributes:
        root: The folder.

        seconds: How long it took.

        processes: Who logged.

        killed: Name of the one that was killed.

        tiers: Records by tier.

        files: Segments, by path.

        recovered: What the recovery did; see :class:`tierlog.segments.Recovered`.

        sequence: ``instances``, ``records``, and how many numbers are ``missing``
            or ``doubled``.

        secrets: How many were ``planted``, and how many parts of them ``found``.

        redactions: Secrets hidden, by rule, as the processes counted them.

        examples: Records with a secret.

        build: The build that two processes wrote.

        claims: What was to be proved.
    """

    root: str
    seconds: float
    processes: list[Process]
    killed: str
    tiers: dict[str, int]
    files: list[File]
    recovered: dict[str, int]
    sequence: dict[str, int]
    secrets: dict[str, int]
    redactions: dict[str, int]
    examples: list[Example]
    build: BuildLog
    claims: list[Claim]

    @property
    def failures(self) -> list[Claim]:
        """
        What was to be proved and isn't so.
        """
        return [claim for claim in self.claims if not claim.holds]

    def as_json(self) -> dict[str, Any]:
        """
        Return all of it as builtins.
        """
        facts = asdict(self)
        for own, process in zip(facts["processes"], self.processes, strict=True):
            own["lost"] = process.lost
        return {"tierlog": __version__, "ok": not self.failures, **facts}
