"""
Which segments are followed, and which are done.

A segment is known by a key that stays the same when it is renamed, packed, shipped and
taken away. What isn't followed, and is neither done nor sought, is new if it was written
to behind the horizon, and was delivered long ago if not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tierlog.errors import ObjectNotFoundError, StoreError
from tierlog.layout import Place, local_path
from tierlog.query._folder import Folder, Found, status_of
from tierlog.query._followed import Followed, Gone
from tierlog.query._handles import Handles
from tierlog.query._listing import Listed, elsewhere
from tierlog.query._past import Done, Past, Sought
from tierlog.query._position import Position
from tierlog.query._problem import Problem, note
from tierlog.query._rest import Rest
from tierlog.query._watch import STORE_SLACK_MS, Appeared, Seen, StoreWatch


__all__ = ["Following"]

_MS_NS = 1_000_000
_SLACK_MS = 60_000  # by how much the file system's clock may be behind
_LEAST_SLACK_MS = 1_000  # the same, where so much is finished that a cursor would have to name many
_MOST_LATELY = 64  # finished segments that a cursor names, if the least slack allows
_AGREED_MS = 60_000  # between a file's time and that of its last record, if they are of one clock
_HOUR_MS = 3_600_000
_MOST_WATCHED = 1_024
_MOST_HELD = 64  # finished files that are kept open

_Segment = Followed | Rest


class Following:
    """
    The segments that are read as they grow.

    Args:
        folders: Where segments come.

        stores: Where finished ones appear.

        position: Where to begin.

        handles: Opens files.

        problems: Where it is noted what can't be read.
    """

    def __init__(
        self, folders: list[Folder], stores: StoreWatch, position: Position, handles: Handles, problems: list[Problem]
    ) -> None:
        self._folders = folders
        self._stores = stores
        self._handles = handles
        self._problems = problems
        self._start = position
        self._files: dict[tuple[int, int] | bytes, _Segment] = {}
        self._keys: set[bytes] = set()
        self._foreign = set(position.foreign)
        self._copies: dict[bytes, Listed] = {}
        self._past = Past(position, has_stores=stores.has_any, problems=problems)
        self._changes = [0] * len(folders)
        self._missing: list[list[tuple[str, Place]]] = [[] for _ in folders]
        self._looked = 0
        self._now_ns = 0

    def look(self, now_ns: int, monotonic_ns: int) -> None:
        """
        Notice what came, went, or ended.
        """
        self._now_ns = monotonic_ns
        for number, folder in enumerate(self._folders):
            looked_ns = folder.looked_ns
            for found in folder.look(now_ns):
                self._discover(number, found)
            if folder.looked_ns != looked_ns:
                self._go_on(number)
            if folder.changes != self._changes[number] or self._missing[number]:
                self._follow_open(number, is_changed=folder.changes != self._changes[number])
                self._changes[number] = folder.changes
        seen = self._stores.look(self._past.stored_ms - STORE_SLACK_MS, monotonic_ns)
        if seen is not None:
            self._appeared(seen)
        looked = sum(folder.looked_ns for folder in self._folders)
        if looked != self._looked or seen is not None:
            self._looked = looked
            self._forget(now_ns // _MS_NS)
            if not self._stores.has_any:
                self._past.give_up()

    @property
    def is_due(self) -> bool:
        """
        Whether something came or went, and wasn't looked for yet.
        """
        return any(folder.is_due for folder in self._folders)

    def is_behind(self, ends: Mapping[bytes, int]) -> bool:
        """
        Tell whether all that there is of some segments was read up to these ends.
        """
        sought = {key: one.offset for key, one in self._past.sought.items()}
        offsets = {segment.key: segment.offset for segment in self._files.values()}
        return all(sought.get(key, end) >= end and offsets.get(key, end) >= end for key, end in ends.items())

    def ready(self) -> Iterator[_Segment]:
        """
        Yield the segments that may have something to read.
        """
        for segment in list(self._files.values()):
            try:
                if segment.look():
                    yield segment
                elif not segment.is_open:
                    self.finish(segment)
            except (Gone, OSError) as e:
                self.failed(segment, e)

    def taken(self, segment: _Segment) -> None:
        """
        Note that lines were taken of a segment.
        """
        if segment.key is not None:
            self._keys.add(segment.key)

    def finish(self, segment: _Segment) -> None:
        """
        Note that a segment was read to its end, and doesn't grow any more.
        """
        self._drop(segment)
        if segment.key is not None and segment.offset:
            modified_ms = segment.modified_ns // _MS_NS
            stored_ms = modified_ms if segment.is_stored else None
            self._past.done.pop(segment.key, None)
            done = Done(segment.offset, modified_ms, stored_ms, segment.is_shared, self._now_ns)
            self._past.done[segment.key] = done._replace(found=segment.found, number=segment.number)

    def failed(self, segment: _Segment, error: Exception) -> None:
        """
        Go on elsewhere with a segment that isn't where it was, and note what can't be read.
        """
        copy = self._copies.get(segment.key or b"")
        self._drop(segment)
        if isinstance(error, (Gone, FileNotFoundError, ObjectNotFoundError)):
            if segment.key is None:
                if segment.size:
                    note(self._problems, segment.name, "was taken away before it was read")
            elif not self._found_here(segment, segment.key):
                if copy is None:
                    self._seek(segment.key, segment.offset, segment.name)
                else:
                    self._rest(Rest(copy, segment.key, segment.offset, floor_ms=segment.floor_ms))
            return
        problem = getattr(error, "problem", None) or getattr(error, "strerror", None) or str(error) or type(error).__name__
        note(self._problems, segment.name, f"can't be read: {problem}")
        if segment.key is not None and isinstance(error, StoreError):
            self._seek(segment.key, segment.offset, segment.name, segment.modified_ns // _MS_NS)

    def skip_all(self, now_ns: int) -> None:
        """
        Go behind everything that there is.
        """
        for segment in list(self._files.values()):
            try:
                if isinstance(segment, Followed):
                    segment.skip_all()
                if not segment.is_open:
                    self.finish(segment)
            except (Gone, OSError) as e:
                self.failed(segment, e)
        self._forget(now_ns // _MS_NS)

    def position(self) -> Position:
        """
        Return how far everything was read.
        """
        past = self._past
        offsets = dict(past.offsets())
        for segment in self._files.values():
            if segment.key is not None and (segment.offset or segment.is_open or segment.is_stored):
                offsets[segment.key] = segment.offset
        return self._start._replace(
            horizon=past.horizon_ms,
            stored=past.stored_ms,
            offsets=offsets,
            whole=frozenset(past.done.keys() & offsets.keys()),
            foreign=frozenset(self._foreign & offsets.keys()),
            ends={},
            last=None,
        )

    def let_go(self) -> None:
        """
        Close all files.
        """
        for segment in self._files.values():
            segment.let_go()

    def _discover(self, number: int, found: Found) -> None:
        known = self._files.get((number, found.inode))
        if isinstance(known, Followed):
            try:
                if known.rename(found):
                    return
            except (Gone, OSError):
                return
            self.failed(known, Gone())
        folder = self._folders[number]
        if found.place.packing is not None:
            self._packed(folder, found)
            return
        segment = Followed(folder.root, found, self._handles, is_open=folder.is_open(found), number=number)
        try:
            self._begin(segment)
        except (Gone, OSError) as e:
            self.failed(segment, e)

    def _begin(self, segment: Followed) -> None:
        """
        Follow a file, from where it was left or from its beginning, unless it was done
        long ago.
        """
        age_ms = self._past.horizon_ms - segment.modified_ns // _MS_NS
        is_new = segment.is_open or age_ms <= 0
        is_first_look = not self._looked
        if not (is_new or self._past.sought or self._past.done or (is_first_look and age_ms < _HOUR_MS)):
            return
        key = segment.first_key()
        if key is not None:
            if key in self._keys:
                return  # it was renamed to this, or is here twice
            offset = self._past.left(key)
            if offset is None and is_new:
                is_new = self._is_asked(segment)
            is_new = is_new or offset is not None
            segment.offset = segment.offset if offset is None else offset
            if not is_new and is_first_look and age_ms < _HOUR_MS:  # it may go on
                segment.offset = segment.size
                self.finish(segment)
        if is_new:
            if segment.is_open or len(self._files) < _MOST_HELD:
                segment.hold()
            self._files[segment.who] = segment
            self.taken(segment)

    def _is_asked(self, segment: Followed) -> bool:
        """
        Tell whether a segment that is new may have what is asked for; go behind what was
        delivered, if it is that of a build that went on after a long time.
        """
        modified_ms = segment.modified_ns // _MS_NS
        since = 0 if self._start.is_from_now else self._start.since
        if not segment.is_open and modified_ms < since:
            last = segment.last_ts()
            if last is not None and last < since:
                return False
        is_first_look = not self._looked and not self._start.is_from_now
        was_there = segment.is_shared if is_first_look else self._folders[segment.number].knew(segment.path)
        if was_there and segment.head_ts < self._past.horizon_ms:
            last = segment.last_ts()
            if last is not None and abs(modified_ms - last) < _AGREED_MS:
                segment.skip(self._past.horizon_ms)
        return True

    def _packed(self, folder: Folder, found: Found) -> None:
        key = Followed(folder.root, found, self._handles, is_open=False).key
        if key is None or key in self._keys:
            return
        offset = self._past.left(key)
        if offset is None and found.modified_ns // _MS_NS < self._past.horizon_ms:
            return
        listed = Listed(found.path, found.place, found.size, folder.root, inode=found.inode, modified_ns=found.modified_ns)
        self._rest(Rest(listed, key, offset or 0))

    def _rest(self, rest: Rest) -> None:
        if rest.key is not None:
            self._files[rest.key] = rest
            self._keys.add(rest.key)

    def _follow_open(self, number: int, *, is_changed: bool) -> None:
        """
        Follow all that is open. What is noted isn't made yet at that moment.
        """
        folder = self._folders[number]
        missing: list[tuple[str, Place]] = []
        for path, place in list(folder.open.items()) if is_changed else self._missing[number]:
            status = status_of(f"{folder.root}/{path}")
            if status is None:
                missing.append((path, place))
            elif getattr(self._files.get((number, status.st_ino)), "name", "") != path:
                self._discover(number, Found(path, place, status.st_ino, status.st_size, status.st_mtime_ns))
        self._missing[number] = missing
        for segment in self._files.values() if is_changed else ():
            if isinstance(segment, Followed) and segment.root == folder.root:
                segment.is_open = segment.path in folder.open

    def _go_on(self, number: int) -> None:
        """
        Follow what was done and has grown: a build went on, or a segment that its process
        had closed for a while was taken for one that was left behind. A new file may have
        the number of one that was taken away, too, so its first line says which it is.
        """
        watched = [(key, one) for key, one in self._past.done.items() if one.found is not None and one.number == number]
        for key, one in watched[-_MOST_WATCHED:]:
            assert one.found is not None  # noqa: S101 -- as was seen
            status = status_of(f"{self._folders[number].root}/{one.found.path}")
            if status is None or status.st_ino != one.found.inode:
                continue
            if status.st_size > one.offset or status.st_mtime_ns // _MS_NS != one.modified_ms:
                self._past.done[key] = one._replace(found=None)
                self._discover(number, one.found._replace(size=status.st_size, modified_ns=status.st_mtime_ns))

    def _found_here(self, segment: _Segment, key: bytes) -> bool:
        """
        Tell whether a segment is here under another name, and go on with that.
        """
        for number, folder in enumerate(self._folders):
            for one in [segment.place, *elsewhere(segment.place, [])] if folder.root == segment.root else ():
                path = local_path(one)
                status = status_of(f"{folder.root}/{path}")
                if status is not None and path != segment.name:
                    self._seek(key, segment.offset, segment.name)
                    self._discover(number, Found(path, one, status.st_ino, status.st_size, status.st_mtime_ns))
                    return key in self._keys
        return False

    def _appeared(self, seen: Seen | None) -> None:
        """
        Read what appeared in the stores, unless it was read here.
        """
        if seen is None:
            return
        for one in seen.objects:
            self._appeared_one(one)
        if seen.is_complete:
            past = self._past
            unread = [one.modified_ns // _MS_NS for one in self._files.values() if one.is_stored]
            unread += [one.stored_ms for one in past.sought.values() if one.stored_ms is not None]
            past.seen_ns = seen.began_ns
            past.stored_ms = max(past.stored_ms, min([seen.until_ms, *unread]))
            past.give_up(seen.began_ns)

    def _appeared_one(self, one: Appeared) -> None:
        past = self._past
        done = past.done.get(one.key)
        if done is not None and one.size <= done.offset:
            past.done[one.key] = done._replace(stored_ms=one.listed.modified_ns // _MS_NS)
        elif done is not None or one.key in past.sought:  # it may have gone on before it was shipped
            self._rest(Rest(one.listed, one.key, past.left(one.key) or 0, floor_ms=self._floor(one.key)))
        elif one.key in self._keys:
            self._copies[one.key] = one.listed
        elif not one.is_old:
            self._foreign.add(one.key)
            self._rest(Rest(one.listed, one.key, 0, floor_ms=self._floor(one.key)))

    def _floor(self, key: bytes) -> int:
        return self._start.since if self._start.is_from_now and key in self._foreign else 0

    def _seek(self, key: bytes, offset: int, name: str, stored_ms: int | None = None) -> None:
        self._past.sought[key] = Sought(offset, name, self._now_ns, stored_ms)

    def _forget(self, now_ms: int) -> None:
        """
        Move the horizon, and forget what isn't met again.
        """
        looked = min((folder.looked_ns for folder in self._folders), default=0) // _MS_NS
        crowded = self._past.crowded_ms(_MOST_LATELY)
        seen = min(looked - _LEAST_SLACK_MS, max(looked - _SLACK_MS, crowded))
        unread = [one.modified_ns // _MS_NS for one in self._files.values() if one.is_unread and not one.is_stored]
        self._past.horizon_ms = max(self._past.horizon_ms, min([seen, *unread]))
        self._past.forget(now_ms)
        self._foreign.intersection_update([*self._past.done, *self._past.sought, *self._keys])

    def _drop(self, segment: _Segment) -> None:
        if self._files.get(segment.who) is segment:
            del self._files[segment.who]
        if segment.key is not None:
            self._keys.discard(segment.key)
            self._copies.pop(segment.key, None)
        segment.let_go()
