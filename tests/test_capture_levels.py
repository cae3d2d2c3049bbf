"""
The levels of what commands print: what tools mark as errors and warnings, and what only looks like it.
"""

from __future__ import annotations

import pytest

import tierlog
from conftest import ULID
from tierlog import capture
from tierlog.capture._levels import Levels
from tierlog.errors import ConfigError
from tierlog.sinks import MemorySink


ERRORS = """\
ERROR: No matching distribution found for no-such-package
npm error code ETARGET
npm ERR! code E404
error: linker `cc` not found
error[E0308]: mismatched types
error TS2304: Cannot find name 'x'.
error Command failed with exit code 1.
error during build:
fatal: not a git repository
FATAL out of memory
panic: runtime error: index out of range
Traceback (most recent call last):
ValueError: invalid literal for int()
java.lang.IllegalStateException: no
[ERROR] Failed to execute goal
\u2718 [ERROR] Could not resolve "./x"
X [ERROR] Could not resolve "./x"
\u2717 Build failed in 200ms
E: Unable to locate package foo
src/a.ts(3,5): error TS2304: Cannot find name 'x'.
src/a.ts:3:5 - error TS2304: Cannot find name 'x'.
src/a.c:3:5: error: expected ';'
main.c:1:10: fatal error: x.h: No such file or directory
/usr/bin/ld: error: undefined symbol: main
2024-01-01 12:00:00,123 ERROR module: broken
2024-01-01 12:00:00,123 - app.main - ERROR - broken
2024-01-01T12:00:00.123Z [build 7] ERROR: broken
[12:00:00] [ERROR] broken
#8 1.234 ERROR: failed to solve
ERROR:root:broken
  ERROR in ./src/index.js
make: *** [Makefile:2: all] Error 1
time="2024-01-01T12:00:00Z" level=error msg=broken
thread 'main' panicked at src/main.rs:2:5:
"""
WARNINGS = """\
warning: unused variable
src/a.c:3:1: warning: unused variable
npm warn deprecated inflight@1.0.6
npm WARN deprecated inflight@1.0.6
WARN no lock file
WARNING:root:careful
[WARNING] careful
\u25b2 [WARNING] careful
\u26a0 careful
2024-01-01 12:00:00,123 WARNING careful
12:00:00  WARNING - KeyError: 'x'
warning: error: x was ignored
foo.py:3: DeprecationWarning: old
(node:123) ExperimentalWarning: new
warning "x > y@1.0.0" has unmet peer dependency
"""
NEITHER = """\
0 errors
Found 0 errors, 0 warnings
error: 0
errors: 0
Error count: 0
ERROR_CODE=1
ERROR.md
error-handler.js
src/error.ts
--no-error
error handling is done
error-ex@1.3.2
compiling error.c
no error: fine
INFO error: rate 3
2024-01-01 12:00:00 INFO ERROR page rendered
tests/test_errors.py::test_error PASSED
TestError passed
warnings.py
@types/warning 3.0
2 warnings
E
E:/x/y
*** done
"""
LINES = [(line, lvl) for text, lvl in ((ERRORS, "error"), (WARNINGS, "warn"), (NEITHER, "info")) for line in text.splitlines()]


@pytest.mark.parametrize(("line", "lvl"), LINES)
def test_the_level_of_a_line(line, lvl):
    """
    A line has the level that its tool has marked it with, alone and among others.
    """
    around = ["compiling", line, "done"]

    assert capture.level_of(line) == lvl
    assert [(level, text) for level, texts in Levels().split(around) for text in texts] == [
        ("info", "compiling"),
        (lvl, line),
        ("info", "done"),
    ]


def test_lines_of_a_level_stay_together():
    """
    Lines are divided where the level changes and nowhere else, in order.
    """
    lines = ["one", "two", "error: a", "error: b", "\udcff warn", "three", "warning: c", "two\nlines", "error: d"]

    assert Levels().split(lines) == [
        ("info", ["one", "two"]),
        ("error", ["error: a", "error: b"]),
        ("info", ["\udcff warn", "three"]),
        ("warn", ["warning: c"]),
        ("info", ["two\nlines"]),
        ("error", ["error: d"]),
    ]
    assert Levels().split(lines[:2]) == [("info", lines[:2])]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({}, ["info", "error", "warn", "info"], id="by default"),
        pytest.param({"levels": False}, ["info"] * 4, id="switched off"),
    ],
)
def test_what_a_command_prints(options, expected):
    """
    Records have the level of their line, colours or not; that it came on stderr says nothing.
    """
    script = r"echo hello; printf '\033[31merror:\033[0m no\n'; echo 'npm warn old'; echo progress"

    sink = MemorySink()
    tierlog.configure(sink=sink, process_events=False)

    capture.run(["sh", "-c", f"({script}) >&2"], build_id=ULID, console=False, **options)

    assert [event["lvl"] for event in sink.events if event["kind"] == "line"] == expected


def test_what_is_no_choice():
    """
    An option that is neither yes nor no is refused before anything is started.
    """
    with pytest.raises(ConfigError, match="levels"):
        capture.run(["true"], levels="some")
