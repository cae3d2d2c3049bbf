"""
Ids as people type them: whole, or their end as a terminal shows it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice

from tierlog.cli._errors import WrongUse
from tierlog.cli._inert import inert
from tierlog.envelope import valid_id
from tierlog.query import LogStore, open_store


__all__ = ["whole_id"]

_SHOWN = 3
_LEAST = 4  # characters


def whole_id(store: LogStore, argument: str, given: str, tiers: Collection[str]) -> str:
    """
    Return the id that *given* is, or that ends so, if there's one on the disk alone.

    Args:
        store: Where it is looked for.

        argument: What errors call it.

        given: What was typed.

        tiers: The tiers whose segments are named after such ids.

    Raises:
        WrongUse: It is neither, and ids are ULIDs here.
    """
    if valid_id(given, "ulid"):
        return given
    known = set(_ids(open_store(store.roots), tiers)) if store.roots else set(islice(_ids(store, tiers), 1))
    if given in known or not all(valid_id(one, "ulid") for one in known):
        return given
    end = given.lstrip("…").upper()
    found = sorted(one for one in known if len(end) >= _LEAST and one.endswith(end))
    if len(found) == 1:
        return found[0]
    if found:
        shown = ", ".join([*found[:_SHOWN], *(["…"] if found[_SHOWN:] else [])])
        raise WrongUse(f"{argument}: {len(found)} end so ({shown}); give one whole")
    if not known and not store.stores:
        return given  # there's nothing at all
    raise WrongUse(f"{argument}: '{inert(given)}' isn't a ULID, and no id here ends so; --full shows ids whole")


def _ids(store: LogStore, tiers: Collection[str]) -> Iterator[str]:
    return (one.id for one in store.segments(tiers=tiers) if one.id is not None)
