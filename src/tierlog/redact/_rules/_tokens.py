"""
Tokens that can be told by their own form.
"""

from __future__ import annotations

from tierlog.redact._rule import Rule
from tierlog.redact._rules._tokens_cloud import CLOUD
from tierlog.redact._rules._tokens_dev import DEV
from tierlog.redact._rules._tokens_services import SERVICES


__all__ = ["TOKENS"]

TOKENS: tuple[Rule, ...] = (*CLOUD, *DEV, *SERVICES)
