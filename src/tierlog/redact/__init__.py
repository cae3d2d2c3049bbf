"""
Hiding secrets before they are written.

What is looked for is data: names of fields in ``_keys``, forms of secrets in
``_rules``. The walk over a record's data that hides them is the walk that copies
it to exact builtins, which the encoder needs anyway.
"""

from __future__ import annotations

from tierlog.redact._below import Below
from tierlog.redact._copier import Copier
from tierlog.redact._guarded import Guarded
from tierlog.redact._known import from_environment
from tierlog.redact._redactor import Redactor, hide_value
from tierlog.redact._rule import Rule
from tierlog.redact._stream import StreamRedactor


__all__ = ["Below", "Copier", "Guarded", "Redactor", "Rule", "StreamRedactor", "from_environment", "hide_value"]
