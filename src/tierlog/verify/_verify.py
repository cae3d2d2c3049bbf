"""
A verification from beginning to end, also of what moves meanwhile.

Writers write and shippers move while it reads. So before it says that something is
missing, it looks again at what has come or changed since: of the numbers that
there were at the first look, all must be there at the second.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from tierlog.layout import Place, parse_remote
from tierlog.stores import Store
from tierlog.typing import Clock
from tierlog.verify._findings import Finding, Report, Verified
from tierlog.verify._known import Known, Noted
from tierlog.verify._scan import Progress, Scan
from tierlog.verify._streams import Rules


__all__ = ["CatalogLike", "SealedLike", "verify"]

_LOOKS = 4
_PAUSE = 0.5  # seconds; longer than a buffer is kept
_SETTLE = 7200.0  # seconds; twice as long as a segment is open
_STATES = ("local", "shipped", "expired")
_SUSPICIOUS = frozenset(["missing", "gone", "chain"])


class SealedLike(Protocol):
    """
    A segment that was sealed: what ``tierlog.shipping.sealed`` yields.
    """

    @property
    def key(self) -> str:
        """
        Its path below the root.
        """

    @property
    def instance(self) -> str:
        """
        The instance in whose chain it is.
        """

    @property
    def sha256(self) -> str:
        """
        SHA-256 of its bytes.
        """

    @property
    def prev_sha256(self) -> str:
        """
        That of the segment before it; empty if it is the first.
        """


class CatalogLike(Protocol):
    """
    What is needed of a ``tierlog.catalog.Catalog``.
    """

    def find(self, *, states: Sequence[str]) -> Iterator[Any]:
        """
        Yield the entries that are in one of *states*.
        """

    def get(self, key: str) -> Any:
        """
        Return the entry of *key*, None if there's none.
        """


class _Row(NamedTuple):
    key: str
    state: str
    sha256: bytes
    place: Place
    streams: tuple[tuple[str, int, int, int], ...]


def verify(
    root: Path | None,
    store: Store | None,
    *,
    catalog: CatalogLike | None = None,
    sealed: Iterable[SealedLike] = (),
    progress: Progress | None = None,
    clock: Clock = time.time_ns,
    sleep: Callable[[float], None] = time.sleep,
    settle: float = _SETTLE,
    gone_before_ms: int | None = None,
) -> Verified:
    """
    Read all segments, and tell what is missing, doubled or changed.

    Nothing is written. Processes may log and ship meanwhile.

    Args:
        root: The folder of the segments; None if there's none to be looked at.

        store: Where segments are shipped to; None if it isn't to be looked at.

        catalog: A :class:`tierlog.catalog.Catalog`: what it says is compared, and it
            knows what went by age.

        sealed: What ``tierlog.shipping.sealed(root)`` yields: what was sealed below
            the root is compared.

        progress: Called after each segment, with its name and its bytes as stored.

        clock: Returns nanoseconds since the epoch.

        sleep: Waits for some seconds, between two looks.

        settle: **Seconds** after which what another machine logged should be in the
            store.

        gone_before_ms: What was logged before this, in milliseconds since the epoch,
            may have gone by age without the catalog knowing; None if nothing may.

    Raises:
        StoreError: The store doesn't tell what it has.

        CatalogError: The catalog can't be read.
    """
    began = clock()
    known = Known()
    rows, noted = _notes(known, catalog, sealed)
    scan = Scan(root, store, known, noted, progress)
    is_elsewhere = store is None and root is not None and (root / ".tierlog" / "ships").exists()
    rules = Rules(is_elsewhere, began // 1_000_000 - int(settle * 1000), gone_before_ms)
    judge = _Judge(known, rules, rows, catalog, has_root=root is not None, has_store=store is not None)
    scan.look()
    faults, information = judge.judge(is_first=True)
    for look in range(1, _LOOKS):
        if not _is_suspicious(known, faults):
            break
        known.freeze()
        if look > 1:
            sleep(_PAUSE)
        if not scan.look():
            break
        faults, information = judge.judge(is_first=False)
    return Verified(
        local=scan.local,
        remote=scan.remote,
        foreign=scan.foreign,
        stored_bytes=scan.stored_bytes,
        size=known.size,
        records=sum(total.numbers.count() for total in known.totals.values()),
        instances=sum(bool(total.spans) for total in known.totals.values()),
        seconds=(clock() - began) / 1e9,
        findings=faults.listed,
        counts=dict(faults.counts),
        information=information.listed,
        information_counts=dict(information.counts),
    )


def _notes(known: Known, catalog: CatalogLike | None, sealed: Iterable[SealedLike]) -> tuple[list[_Row], dict[str, list[Noted]]]:
    """
    Return the rows of the catalog, and what was noted of each segment by its name.
    """
    noted: dict[str, list[Noted]] = defaultdict(list)
    rows: list[_Row] = []
    for one in sealed:
        noted[one.key].append(Noted("the ledger", one.sha256))
        known.chain.add(one.instance, one.key, one.sha256, one.prev_sha256)
        rows.append(_Row(one.key, "sealed", _hash(one.sha256), Place(""), ()))
    for entry in catalog.find(states=_STATES) if catalog is not None else ():
        facts = entry.facts
        streams = tuple((instance, *seqs) for instance, seqs in facts.seqs.items())
        rows.append(_Row(entry.key, entry.state, _hash(facts.sha256), entry.place, streams))
        if entry.state != "expired":
            names = ("size", "lines", "first_ts", "last_ts")
            noted[entry.key].append(Noted("the catalog", facts.sha256, tuple((name, getattr(facts, name)) for name in names)))
        if parse_remote(entry.key) is not None:
            instance = entry.place.instance or facts.instance
            known.chain.add(instance, entry.key, facts.sha256, entry.prev_sha256, facts.last_ts)
        if entry.state == "expired":
            for instance, first, last, lines in streams:
                known.totals[instance].excuse(first, last, lines, "expired")
    return rows, noted


def _hash(sha256: str) -> bytes:
    """
    Return the bytes of a hash, those of its text if it is none: they are nobody's.
    """
    try:
        return bytes.fromhex(sha256)
    except ValueError:
        return sha256.encode()


def _is_suspicious(known: Known, faults: Report) -> bool:
    return bool(_SUSPICIOUS & faults.counts.keys()) or any(True for _ in known.passing())


class _Judge:
    """
    What is to be said of all that is known.
    """

    def __init__(
        self, known: Known, rules: Rules, rows: list[_Row], catalog: CatalogLike | None, *, has_root: bool, has_store: bool
    ) -> None:
        self._known = known
        self._rules = rules
        self._rows = rows
        self._catalog = catalog
        self._has_root = has_root
        self._has_store = has_store

    def judge(self, *, is_first: bool) -> tuple[Report, Report]:
        """
        Return the faults, and what is no fault.
        """
        faults, information = Report(), Report()
        for report, into in ((self._known.lasting, faults), (self._known.information, information)):
            into.listed += report.listed
            into.counts.update(report.counts)
        for finding, times in self._known.passing():
            faults.add(finding, times)
        for row in self._rows:
            for finding in self._where_is(row, is_first=is_first):
                faults.add(finding)
        for instance, total in sorted(self._known.totals.items()):
            if not is_first and total.horizon is None:
                total.horizon = -1  # it has come since; what it misses may come yet
            total.is_local |= instance in self._known.local
            for is_fault, finding, times in total.check(instance, self._rules):
                (faults if is_fault else information).add(finding, times)
        for is_fault, finding in self._known.chain.check(
            self._known.hashes | {row.sha256 for row in self._rows},
            is_whole=self._catalog is not None,
            is_elsewhere=not self._has_store or (self._catalog is None and self._rules.gone_before_ms is not None),
            young_ms=self._rules.young_ms,
            local={instance for instance, total in self._known.totals.items() if total.is_local},
        ):
            (faults if is_fault else information).add(finding)
        return faults, information

    def _where_is(self, row: _Row, *, is_first: bool) -> Iterator[Finding]:
        """
        Yield what is wrong if a segment that was noted isn't there.
        """
        if row.state == "expired" or row.sha256 in self._known.hashes or row.key in self._known.read:
            return
        if not self._is_looked_at(row):
            if is_first:
                for instance, first, last, lines in row.streams:
                    self._known.totals[instance].excuse(first, last, lines, "elsewhere")
            return
        if self._catalog is not None and row.state != "sealed":
            now = self._catalog.get(row.key)
            if now is None or now.state == "expired":
                return
        by = "ledger" if row.state == "sealed" else "catalog"
        yield Finding("gone", f"{row.key} is in the {by}, and nowhere else", row.place.instance or "", segment=row.key)

    def _is_looked_at(self, row: _Row) -> bool:
        if row.state == "sealed":
            return self._has_store and self._has_root
        if row.state == "shipped":
            return self._has_store
        return self._has_root and any(self._known.totals[instance].is_local for instance, *_ in row.streams)
