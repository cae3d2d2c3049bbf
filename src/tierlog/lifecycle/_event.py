"""
What a committed transition says, as an event.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple


__all__ = ["Event", "Transition", "event_of"]

_RENAMED = {"total_duration_ms": "durationMs"}
_FLAGS = frozenset(["is_initial_build", "is_update", "is_retry"])
_LONGEST_NUMBER = 15  # digits


class Transition(NamedTuple):
    """
    A row of the outbox, with its claim.

    Attributes:
        id: Its number.

        source: The table that it is of.

        build_id: The build.

        status: What the build is now.

        attempt: The number of the attempt; empty if it has none.

        project_id: The build's project; None if it has none.

        previous: What it was before; None if it is new.

        at_ms: When it was made, **milliseconds** since the epoch.

        data: Other columns of the build's row then, as JSON.

        claim_root: The log that it is to be written to; None if nobody does so.

        claim_instance: The ``instanceId`` of who writes it.

        claimed_ms: When that was said, **milliseconds** since the epoch.
    """

    id: int
    source: str
    build_id: str
    status: str
    attempt: str
    project_id: str | None
    previous: str | None
    at_ms: int
    data: str
    claim_root: str | None = None
    claim_instance: str | None = None
    claimed_ms: int | None = None

    @property
    def key(self) -> str:
        """
        What the transition is known by, in its table.
        """
        return f"{self.build_id}:{self.status}:{self.attempt or '-'}"


class Event(NamedTuple):
    """
    What is to be written.
    """

    ms: int
    kind: str
    lvl: str
    msg: str
    data: dict[str, Any]
    ids: dict[str, str]


def event_of(transition: Transition, now_ms: int) -> Event:
    """
    Return the event that tells of *transition*.

    Its time is when the transition was made, unless the database's clock is ahead.
    """
    columns = _columns(transition.data)
    stage = columns.get("failure_stage")
    is_failure = transition.status.lower() == "failed"
    steps = transition.status if transition.previous is None else f"{transition.previous} -> {transition.status}"
    is_deploy = transition.status.lower().startswith("deploy") or stage == "deploy"
    ids = {"project_id": transition.project_id, "build_id": transition.build_id, "user_id": columns.pop("user_id", None)}
    attempt = transition.attempt
    return Event(
        min(transition.at_ms, now_ms),
        "deploy" if is_deploy else "build",
        "error" if is_failure else "info",
        f"build {transition.build_id}: {steps}{f' ({stage})' if is_failure and stage is not None else ''}",
        {
            "status": transition.status,
            "previous": transition.previous,
            "attempt": int(attempt) if attempt.isdecimal() and len(attempt) <= _LONGEST_NUMBER else attempt or None,
            **{_camel(name): _value(name, value) for name, value in columns.items() if value is not None},
            "key": transition.key,
            "table": transition.source,
        },
        {name: str(value) for name, value in ids.items() if value is not None},
    )


def _columns(data: str) -> dict[str, Any]:
    try:
        columns = json.loads(data)
    except ValueError:
        return {"columns": data}  # as the database made it: it is told as it is
    return dict(columns) if isinstance(columns, Mapping) else {}


def _camel(name: str) -> str:
    first, *more = name.split("_")
    return _RENAMED.get(name) or first + "".join(word.capitalize() for word in more)


def _value(name: str, value: Any) -> Any:
    return bool(value) if name in _FLAGS else value
