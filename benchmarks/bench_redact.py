"""
What the longest and most hostile texts cost, for every rule.
"""

from __future__ import annotations

import time

import pytest

from tierlog.redact import Redactor
from tierlog.redact._rule import sample
from tierlog.redact._rules import RULES


SIZE = 262_144
ALLOWED_MS = 20.0
GENERAL = [
    *("a", "A", "0", " ", "=", ":", "-", ".", "_", "/", "\\", '"', "'", "\n", "\t", "%", "é", "\U0001f642"),
    *(
        "a=",
        "a:",
        'a="',
        "key=",
        "token=a ",
        "password=",
        "password: ",
        "secret",
        "://",
        "http://a:",
        "://a:b",
        "a:b@",
        "Bearer ",
    ),
    *(
        "Basic a",
        "cookie: a; ",
        "-----BEGIN ",
        "PRIVATE KEY",
        "-----BEGIN PRIVATE KEY-----\n",
        "eyJ",
        "eyJ.",
        "a.",
        "a-",
        "0:",
        "1.1.",
    ),
    *(
        "password=" + "a" * 1_000 + " ",
        "token: " + "aB1" * 500 + "\n",
        'secret="' + "a." * 500 + '" ',
        "Bearer " + "a" * 4_000 + " ",
    ),
    *("4111 ", "4111-", "a@", "a@a.", "{", "[", '{"a":', "\\n", "\\u0041", "%3D", "\x1b[31m", "x" * 63 + "\n"),
]


def _shapes(rule):
    """
    Yield what is near *rule*: its literals again and again, and samples that are cut or go on too long.
    """
    for literal in rule.literals[:6]:
        yield literal
        yield literal + "a"
        yield literal + "A" * 15 + " "
        yield literal + "a1" * 30
        yield literal + " = "
    for template in rule.positive[:3]:
        text = sample(template)[0]
        yield text
        yield text + " "
        yield text[:-1] + "!"
        yield text[: len(text) // 2]


def _milliseconds(redactor, part):
    line = (part * (SIZE // len(part) + 1))[:SIZE]
    times = []
    for _ in range(3):
        start = time.process_time()
        redactor.text(line)
        times.append((time.process_time() - start) * 1e3)
    return min(times)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.benchmark(group="hostile 256 KiB")
def bench_hostile(benchmark, verdicts, rule):
    """
    The slowest of the texts made of what a rule looks for.
    """
    _measure(benchmark, verdicts, rule.name, list(_shapes(rule)))


@pytest.mark.benchmark(group="hostile 256 KiB")
def bench_hostile_in_general(benchmark, verdicts):
    """
    The slowest of the texts made of what all rules have in common.
    """
    _measure(benchmark, verdicts, "any", GENERAL)


def _measure(benchmark, verdicts, name, shapes):
    redactor = Redactor(pii=["email", "card", "ip", "iban"])
    worst = max(shapes, key=lambda part: _milliseconds(redactor, part))
    line = (worst * (SIZE // len(worst) + 1))[:SIZE]
    benchmark.extra_info["text"] = worst[:40]
    benchmark.pedantic(redactor.text, args=(line,), rounds=3)
    verdicts.add(f"{name}: ms of {ALLOWED_MS:g}", _milliseconds(redactor, worst) / ALLOWED_MS, 1.0)
