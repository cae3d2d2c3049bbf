"""
What the files say: every line of a tree, read with nothing but the format.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tierlog.demo._facts import File
from tierlog.layout import parse_local
from tierlog.ndjson import decode


__all__ = ["Evidence"]


class Evidence:
    """
    The tree below *root*, as it is.

    Attributes:
        files: Its segments, by path.

        events: All events, in ``(ts, instanceId, seq)`` order.

        numbers: The ``seq`` of each instance, in the order of its lines' files.

        kept: By instance, how often each record stands there; a record carries
            the number by which it is acknowledged.

        strange: Lines that are not envelopes, or not where their tier belongs.

        found: Parts of secrets that are in a file or its name.
    """

    def __init__(self, root: Path, needles: Iterable[bytes]) -> None:
        self.files: list[File] = []
        self.events: list[dict[str, Any]] = []
        self.numbers: dict[str, list[int]] = defaultdict(list)
        self.kept: dict[str, Counter[int]] = defaultdict(Counter)
        self.strange = 0
        everything = []
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            name, content = path.relative_to(root).as_posix(), path.read_bytes()
            everything += [name.encode(), content]
            if (place := parse_local(name)) is not None:
                self._take(name, content, place.tier)
        self.events.sort(key=lambda event: (event["ts"], event["instanceId"], event["seq"]))
        haystack = b"\n".join(everything)
        self.found = sum(needle in haystack for needle in needles)

    def _take(self, name: str, content: bytes, tier: str) -> None:
        lines = [line for line in content.split(b"\n") if line.strip()]
        writers = set()
        for line in lines:
            try:
                event = decode(line)
            except ValueError:
                self.strange += 1
                continue
            self.strange += event["tier"] != tier
            writers.add(event["instanceId"])
            self.events.append(event)
            self.numbers[event["instanceId"]].append(event["seq"])
            if "n" in event["data"]:
                self.kept[event["instanceId"]][event["data"]["n"]] += 1
        self.files.append(File(name, len(content), len(lines), sorted(writers)))

    def missing(self) -> int:
        """
        Return how many numbers are missing between 0 and each instance's last.
        """
        return sum(max(numbers) + 1 - len(set(numbers)) for numbers in self.numbers.values())

    def doubled(self) -> int:
        """
        Return how many numbers, or records, stand there once more than they should.
        """
        numbers = sum(len(numbers) - len(set(numbers)) for numbers in self.numbers.values())
        return max(numbers, sum(kept.total() - len(kept) for kept in self.kept.values()))

    def found_of(self, instance: str, acknowledged: set[int]) -> int:
        """
        Return how many of the records that *instance* acknowledged are there.
        """
        return len(acknowledged & self.kept[instance].keys())

    def tiers(self) -> dict[str, int]:
        """
        Return how many events each tier has.
        """
        counts: dict[str, int] = defaultdict(int)
        for event in self.events:
            counts[event["tier"]] += 1
        return dict(counts)
