"""
The hashes from segment to segment: each instance's segments, one behind the other.

A chain has one beginning, and each of the others follows exactly one that is there.
So nobody takes a segment away, or puts one in, without it showing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator
from typing import NamedTuple

from tierlog.verify._findings import Finding


__all__ = ["Chain", "Link"]

_UNKNOWN = "unknown"  # the instance of what no instance can be told of: it has no chain


class Link(NamedTuple):
    """
    A segment in its chain.

    Attributes:
        key: Where it is.

        prev: Hash of the one before it; empty if it is the first.

        ts: Its last ``ts``; 0 if that isn't known.
    """

    key: str
    prev: bytes
    ts: int


class Chain:
    """
    The chains of all instances.
    """

    def __init__(self) -> None:
        self._links: dict[str, dict[bytes, Link]] = defaultdict(dict)
        self._conflicts: dict[tuple[str, bytes], Finding] = {}

    def add(self, instance: str, key: str, sha256: str, prev_sha256: str, ts: int = 0) -> None:
        """
        Put in a segment; it may be told of more than once.
        """
        try:
            name, prev = bytes.fromhex(sha256), bytes.fromhex(prev_sha256)
        except ValueError:
            self._conflicts[instance, key.encode()] = Finding("chain", f"{key}: its hashes are none", instance, segment=key)
            return
        if instance == _UNKNOWN or not name:
            return
        known = self._links[instance].setdefault(name, Link(key, prev, ts))
        if known.prev != prev:
            detail = f"{known.key} follows {_short(known.prev)}, and as {key} it follows {_short(prev)}"
            self._conflicts[instance, name] = Finding("chain", detail, instance, segment=key)
            if not known.prev or known.prev in self._links[instance]:
                return
            self._links[instance][name] = Link(key, prev, ts)  # one wrong note is one finding

    def check(
        self, seen: Container[bytes], *, is_whole: bool, is_elsewhere: bool, young_ms: int, local: Container[str]
    ) -> Iterator[tuple[bool, Finding]]:
        """
        Yield what isn't as it should be, and whether it is a fault.

        Args:
            seen: Hashes of segments that are there, in no chain yet or in one.

            is_whole: Whether what went by age is in the chains, too.

            is_elsewhere: Whether a part of the chains isn't looked at.

            young_ms: What is later than this may follow what another machine hasn't
                stored yet.

            local: Instances of this machine.
        """
        for finding in self._conflicts.values():
            yield True, finding
        for instance, links in self._links.items():
            followers: dict[bytes, list[bytes]] = defaultdict(list)
            for name, link in links.items():
                followers[link.prev].append(name)
            for prev, names in followers.items():
                if len(names) > 1:
                    yield True, _fork(instance, links, prev, names)
            lost = [prev for prev in followers if prev and prev not in links and prev not in seen]
            is_late = len(lost) == 1 and b"" not in followers
            for prev in lost:
                link = links[followers[prev][0]]
                is_fault = not (is_elsewhere or (is_late and not is_whole) or (link.ts > young_ms and instance not in local))
                yield is_fault, _orphan(instance, link, is_fault=is_fault)
            yield from ((True, one) for one in _cycles(instance, links, followers))


def _fork(instance: str, links: dict[bytes, Link], prev: bytes, names: list[bytes]) -> Finding:
    one, other = sorted(links[name].key for name in names)[:2]
    what = f"both follow {_short(prev)}" if prev else "both are the first of their instance"
    return Finding("chain", f"{one} and {other} {what}", instance, segment=other)


def _orphan(instance: str, link: Link, *, is_fault: bool) -> Finding:
    if is_fault:
        return Finding(
            "chain", f"{link.key} follows {_short(link.prev)}, and no segment has that hash", instance, segment=link.key
        )
    detail = f"the chain begins with {link.key}, after {_short(link.prev)}, which isn't here"
    return Finding("begin_late", detail, instance, segment=link.key)


def _cycles(instance: str, links: dict[bytes, Link], followers: dict[bytes, list[bytes]]) -> Iterator[Finding]:
    reached = [name for prev, names in followers.items() if prev not in links for name in names]
    left = set(links) - set(reached)
    while reached:
        for name in followers.get(reached.pop(), ()):
            left.discard(name)
            reached.append(name)
    if left:
        key = min(links[name].key for name in left)
        yield Finding("chain", f"{len(left)} segments follow one another in a circle; one is {key}", instance, segment=key)


def _short(sha256: bytes) -> str:
    return f"the segment with hash {sha256.hex()[:12]}" if sha256 else "none"
