"""
Errors of the command line's own.
"""

from __future__ import annotations

import click


__all__ = ["WrongUse"]


class WrongUse(click.UsageError):
    """
    A command was used wrongly, and the message itself says what to do.
    """
