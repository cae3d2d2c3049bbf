"""
What secrets look like, as data.
"""

from __future__ import annotations

from tierlog.redact._rule import Rule
from tierlog.redact._rules._contexts import CONTEXTS
from tierlog.redact._rules._general import GENERAL
from tierlog.redact._rules._named import NAMED
from tierlog.redact._rules._tokens import TOKENS
from tierlog.redact._rules._told import TOLD


__all__ = ["RULES"]

RULES: tuple[Rule, ...] = (*TOKENS, *NAMED, *CONTEXTS, *GENERAL, *TOLD)
"""In the order in which they name a mark: what is precise comes first."""
