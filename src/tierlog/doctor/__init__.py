"""
What will go wrong, and how to mend it, before it does.

``_setup`` makes a plain description of a ``dictConfig``, which ``_wiring`` and
``_formats`` judge; ``_options`` tries what handlers and sinks are given, ``_root`` looks
at the folder of the segments, ``_surroundings`` at the environment and what is
installed, ``_code`` reads the program's log calls, and ``_bucket`` puts an object and
takes it away again.
"""

from __future__ import annotations

from tierlog.doctor._bucket import bucket_findings, server_clock, skew_findings
from tierlog.doctor._code import code_findings
from tierlog.doctor._finding import SEVERITIES, Finding, of_error
from tierlog.doctor._formats import format_findings
from tierlog.doctor._options import option_findings
from tierlog.doctor._root import RootFacts, root_facts, root_findings
from tierlog.doctor._setup import Setup, setup_of
from tierlog.doctor._surroundings import surroundings_findings
from tierlog.doctor._wiring import wiring_findings


__all__ = [
    "SEVERITIES",
    "Finding",
    "RootFacts",
    "Setup",
    "bucket_findings",
    "code_findings",
    "format_findings",
    "of_error",
    "option_findings",
    "root_facts",
    "root_findings",
    "server_clock",
    "setup_of",
    "skew_findings",
    "surroundings_findings",
    "wiring_findings",
]
