"""
What the layout of the modules promises.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import tierlog


SOURCE = Path(tierlog.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))


def names(paths):
    return [str(path.relative_to(SOURCE)) for path in paths]


@pytest.mark.parametrize("path", MODULES, ids=names(MODULES))
class TestModule:
    def test_says_what_it_is_for(self, path):
        """
        Every module begins with its purpose.
        """
        assert ast.get_docstring(ast.parse(path.read_text()))

    def test_declares_what_is_public(self, path):
        """
        Every module with something public says what.
        """
        tree = ast.parse(path.read_text())
        has_all = any(isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__" for node in tree.body)
        public = [node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name[0] != "_"]

        assert has_all or not public

    def test_fcntl_is_in_one_place(self, path):
        """
        Only one module knows the operating systems' locks.
        """
        text = path.read_text()

        assert ("import fcntl" in text or "import msvcrt" in text) == (path.name == "_platform.py")

    def test_prints_nothing(self, path):
        """
        Only the command line writes to standard output.
        """
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]

        assert "cli" in path.parts or not [call for call in calls if getattr(call.func, "id", "") == "print"]


def test_everything_in_all_exists():
    """
    What the package says is public is there.
    """
    assert [name for name in tierlog.__all__ if not hasattr(tierlog, name)] == []
