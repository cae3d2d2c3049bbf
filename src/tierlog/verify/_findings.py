"""
What verification reports: a bounded list, and how much more there is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple


__all__ = ["MOST_OF_A_KIND", "Finding", "Report", "Verified"]

MOST_OF_A_KIND = 1_000
"""More findings of one kind are counted and not listed."""


class Finding(NamedTuple):
    """
    Something that was found.

    Attributes:
        kind: What: see :class:`Verified`.

        detail: All of it in one sentence.

        instance: The stream it is about; empty if it isn't about one.

        first_seq: The first number it is about, None if it isn't about numbers.

        last_seq: The last one.

        segment: The file below the root, or the key in the store; empty if it isn't
            about one.

        offset: Bytes from the beginning of the segment, uncompressed, if it is about
            a line.
    """

    kind: str
    detail: str
    instance: str = ""
    first_seq: int | None = None
    last_seq: int | None = None
    segment: str = ""
    offset: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """
        Return what is known, with the keys of JSON.
        """
        found = self._asdict()
        names = {"instance": "instance", "segment": "segment", "first_seq": "firstSeq", "last_seq": "lastSeq", "offset": "offset"}
        known = {names[name]: found[name] for name in names if found[name] not in {"", None}}
        return {"kind": self.kind, **known, "detail": self.detail}


@dataclass(frozen=True)
class Verified:
    """
    What a verification found.

    Attributes:
        local: Segments read below the root.

        remote: Objects read from the store.

        foreign: Files and objects that aren't ours, and weren't read.

        stored_bytes: Bytes read, as they are stored.

        size: Bytes of lines, uncompressed; those of copies too.

        records: Envelopes, each counted once however many copies there are.

        instances: Streams.

        seconds: How long it took.

        findings: What must not be: numbers that are ``missing`` or ``doubled``, lines
            in ``disorder``, ``torn``, ``misplaced`` or no envelopes at all
            (``foreign_line``), segments that are ``gone`` or ``unreadable``, a
            ``hash``, ``facts`` or a ``chain`` that isn't what was noted. At most
            1,000 of each kind.

        counts: All findings by kind, those too that aren't listed.

        information: What is no fault: each ``copy`` of a segment, numbers that are
            ``expired``, ``elsewhere`` or ``pending``, streams that were ``cut`` or are
            ``open``, chains that ``begin_late``, objects with ``no_metadata``.

        information_counts: All of that by kind.
    """

    local: int = 0
    remote: int = 0
    foreign: int = 0
    stored_bytes: int = 0
    size: int = 0
    records: int = 0
    instances: int = 0
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    information: list[Finding] = field(default_factory=list)
    information_counts: dict[str, int] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """
        Whether there's no finding.
        """
        return not self.counts

    def as_dict(self) -> dict[str, Any]:
        """
        Return all of it as JSON has it.
        """
        return {
            "isClean": self.is_clean,
            "segments": {"local": self.local, "remote": self.remote, "foreign": self.foreign},
            "storedBytes": self.stored_bytes,
            "bytes": self.size,
            "records": self.records,
            "instances": self.instances,
            "seconds": round(self.seconds, 3),
            "counts": dict(self.counts),
            "findings": [one.as_dict() for one in self.findings],
            "informationCounts": dict(self.information_counts),
            "information": [one.as_dict() for one in self.information],
        }


class Report:
    """
    Findings as they come: the first of each kind, and how many there were.
    """

    def __init__(self) -> None:
        self.listed: list[Finding] = []
        self.counts: Counter[str] = Counter()

    def add(self, finding: Finding, times: int = 1) -> None:
        """
        Put in *finding*, which stands for as many as *times*.
        """
        if self.counts[finding.kind] < MOST_OF_A_KIND:
            self.listed.append(finding)
        self.counts[finding.kind] += times
