"""
What both sides of a cleanup share.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tierlog.retention._catalog import Forgiving
from tierlog.retention._cleaned import Cleaned
from tierlog.retention._limits import Hold


__all__ = ["Job"]


class Job(NamedTuple):
    """
    A cleanup.

    Attributes:
        hold: What is held.

        catalog: What is told.

        cleaned: What is reported.

        is_dry: Whether nothing is to be deleted.

        look: Called after each segment that was looked at.
    """

    hold: Hold
    catalog: Forgiving
    cleaned: Cleaned
    is_dry: bool
    look: Callable[[], None]
