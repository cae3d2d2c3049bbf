"""
The table of ratios, and the verdict on it.
"""

from __future__ import annotations

import pytest


class Verdicts:
    """
    Ratios and what they are allowed to be.
    """

    def __init__(self) -> None:
        self.rows: list[tuple[str, float, float]] = []

    def add(self, name: str, ratio: float, allowed: float) -> None:
        """
        Note a ratio; the table at the end says which are too large.
        """
        self.rows.append((name, ratio, allowed))


_VERDICTS = Verdicts()


@pytest.fixture(name="verdicts", scope="session")
def _verdicts() -> Verdicts:
    return _VERDICTS


def pytest_addoption(parser: pytest.Parser) -> None:
    """
    Let a run be judged, or only measured.
    """
    parser.addoption("--gate", action="store_true", help="fail when a ratio is larger than what is aimed at")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """
    Fail a gated run with a ratio that is too large.
    """
    if session.config.getoption("--gate") and any(ratio > allowed for _, ratio, allowed in _VERDICTS.rows):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """
    Show the table.
    """
    if not _VERDICTS.rows:
        return
    terminalreporter.section("ratios, tierlog / peer (smaller is better)")
    for name, ratio, allowed in _VERDICTS.rows:
        verdict = "ok" if ratio <= allowed else "MISSED"
        terminalreporter.write_line(f"{name:42s} {ratio:6.2f}   aim {allowed:4.2f}   {verdict}")
