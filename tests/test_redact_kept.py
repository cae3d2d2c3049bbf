"""
Compiled rules are kept beside the bytecode.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


SECRET = "ghp_" + "a1B2c3D4" * 4 + "e5F6"
HIDE = f"import tierlog.redact, sys; print(tierlog.redact.Redactor(%s).text('x {SECRET} y'))"


@pytest.fixture(name="hide")
def _hide(tmp_path):
    """
    Redact in a process of its own, whose bytecode is in *tmp_path*.
    """

    def hide(options="", **environment):
        own = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        command = [sys.executable, "-c", HIDE % options]
        return subprocess.run(
            command, env={**own, "PYTHONPYCACHEPREFIX": str(tmp_path), **environment}, check=True, capture_output=True, text=True
        ).stdout.strip()

    return hide


def kept(tmp_path):
    return sorted(tmp_path.rglob("rules-*"))


def test_next_process_loads_what_the_first_one_compiled(tmp_path, hide):
    """
    What is compiled once is kept, used by the next process as it is, and hides the same.
    """
    first = hide()
    [file] = kept(tmp_path)
    before = file.stat()

    second = hide()

    assert first == second == "x [REDACTED:github-token] y"
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(lambda content: content[:1000], id="cut"),
        pytest.param(lambda content: content[:5000] + b"\0" * 5000 + content[10000:], id="changed"),
    ],
)
def test_damaged_file_changes_nothing(tmp_path, hide, damage):
    """
    A file that isn't whole is not used.
    """
    hide()
    [file] = kept(tmp_path)
    file.write_bytes(damage(file.read_bytes()))

    assert hide() == "x [REDACTED:github-token] y"


def test_nothing_is_kept_where_python_keeps_no_bytecode(tmp_path, hide):
    """
    PYTHONDONTWRITEBYTECODE holds for rules, too.
    """
    assert hide(PYTHONDONTWRITEBYTECODE="1") == "x [REDACTED:github-token] y"
    assert kept(tmp_path) == []


def test_rules_and_values_of_users_are_not_kept(tmp_path, hide):
    """
    What isn't tierlog's own may hold a secret, and isn't written anywhere.
    """
    own = "rules=[{'name': 'own', 'pattern': 'ab12cd[0-9]{4}', 'literals': ['ab12cd']}], known=['a-known-secret-value']"

    assert hide(own) == "x [REDACTED:github-token] y"
    assert not [file for file in kept(tmp_path) if b"known" in file.read_bytes() or b"ab12cd" in file.read_bytes()]
    assert kept(tmp_path) == []
