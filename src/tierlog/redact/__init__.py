"""
Hiding secrets before they are written.

What is looked for is data: names of fields in ``_keys``, forms of secrets in
``_rules``. The walk over a record's data that hides them is the walk that copies
it to exact builtins, which the encoder needs anyway.
"""

from __future__ import annotations

from tierlog.redact._redactor import Copier, Guarded, Redactor


__all__ = ["Copier", "Guarded", "Redactor"]
