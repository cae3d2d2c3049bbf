"""
Personal data that is hidden on request.
"""

from __future__ import annotations

import pytest

from tierlog.redact import Redactor
from tierlog.redact._pii import PII


KINDS = list(dict.fromkeys(name for name, *_ in PII))


@pytest.fixture(name="redactor", scope="module")
def _redactor():
    return Redactor(pii=KINDS)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("email", "bob@example.com"),
        ("email", "first.last+tag@mail.example.co.uk"),
        ("card", "4111111111111111"),
        ("card", "4111-1111-1111-1111"),
        ("card", "3782 822463 10005"),
        ("card", "5555 5555 5555 4444"),
        ("ip", "93.184.216.34"),
        ("ip", "2001:4860:4860::8888"),
        ("iban", "DE89370400440532013000"),
        ("iban", "GB29 NWBK 6016 1331 9268 19"),
    ],
)
@pytest.mark.parametrize("around", ["{}", "from {} today", '{{"x":"{}"}}', "({})", "a, {}; b"])
def test_is_hidden(redactor, kind, text, around):
    """
    Each kind is hidden whole, whatever stands around it, which stays.
    """
    assert redactor.text(around.format(text)) == around.format(f"[REDACTED:{kind}]")


@pytest.mark.parametrize(
    "text",
    [
        "logo@2x.png",
        "getty@tty1.service",
        "left-pad@1.3.0",
        "git@github.com:a/b.git",
        "1767225600000",
        "ts 1767225600123 seq 17",
        "4111111111111112",
        "0.4111111111111111",
        "version 1.2.3.4-beta",
        "10.0.0.1.2",
        "DE89370400440532013001",
        "12:34:56",
    ],
)
def test_look_alikes_stay(redactor, text):
    """
    Files, versions, times and numbers with wrong check digits aren't personal data.
    """
    assert redactor.text(text) == text


@pytest.mark.parametrize("text", ["bob@example.com", "4111 1111 1111 1111", "93.184.216.34", "DE89370400440532013000"])
def test_stays_unless_asked_for(text):
    """
    Nothing of this is hidden unless it is asked for.
    """
    assert Redactor().text(f"from {text} today") == f"from {text} today"
