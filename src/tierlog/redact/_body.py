"""
What a row of a private key looks like, and what only stands beside one.

Rows come behind the prefixes of logs, within quotes, coloured, or several on one
line with spaces between them. Random base64 is told from words, names and paths by
its letters: capitals among them, and far fewer small ones.
"""

from __future__ import annotations

import base64
import itertools
import re
import string
from collections.abc import Iterator
from typing import Final, NamedTuple

from tierlog._platform import possessive


__all__ = [
    "BREAK",
    "MARK",
    "SIGNS",
    "Row",
    "bare_keys",
    "is_known",
    "is_naked",
    "is_short_end",
    "judge",
    "may_be_bare",
    "may_break",
    "shape",
    "tail_start",
    "without_ansi",
]

MARK: Final = "[REDACTED:private-key]"

BREAK = re.compile(
    r"(?<!\\)\\{1,16}+(?:r\\{1,16}+n|[nr]|u000[aAdD]|x0[aAdD])|%0[Dd]%0[Aa]|%0[AaDd]|&#(?:10|13|x[aAdD]);|<br[ ]?/?>",
)
"""A newline within a line, as it is escaped in JSON, in an environment, in a URL, in HTML."""

_MIN_STRONG = 20  # characters of a token that is body wherever it stands
_MIN_LONE = 12  # of one that stands alone on its row
_MIN_LONG = 40
_MIN_BARE = 48  # of the smallest key without a header
_MAX_NAKED = 200
_MAX_FIELD = 400
_MAX_TAIL = 16_384
_SAMPLE = 256
_LOWER = string.ascii_lowercase.encode()
_LOWER_SHARE = 0.7  # of words and paths; of random base64 it is 0.4

_ANSI = re.compile(r"\x1b\[[0-9;:?]{0,32}[@-~]|\x1b\][^\x07\x1b]{0,256}(?:\x07|\x1b\\)|[\u200b-\u200d\ufeff]")
_TOKEN = re.compile(possessive(r"[A-Za-z0-9+/]++(?:(?:\\{1,4}+/|%2[BbFf])[A-Za-z0-9+/]*+)*+(?:=|%3[Dd]|\\{1,4}u003[dD]){0,2}"))
_WORD = re.compile(r"[A-Za-z]{2}")
_FILLER = re.compile(r"[\s\"'`,+\\|>#*;.()\[\]-]*\Z")
_CHECKSUM = re.compile(r"[^A-Za-z0-9]{0,40}=[A-Za-z0-9+/]{4}[^A-Za-z0-9]{0,8}\Z")
_FIELD = re.compile(
    r"(?:Proc-Type|DEK-Info|Key-Info|Version|Comment|Subject|Hash|Charset|MessageID|Encryption|Public-Lines|Private-Lines"
    r"|Key-Derivation|Argon2-[A-Za-z]{1,12}|x-[A-Za-z-]{1,32})[ ]?:[ ]?[^ ]{0,200}",
)
_DIGITS = re.compile(r"[0-9]+")
_SPACES = re.compile(r"\s+")

# How the commonest keys begin, in base64, and a piece of each to look for first.
_BARE_SIGNS = (
    "IBAAK",
    "IBADA",
    "gEAM",
    "K2V",
    "gEBB",
    "CAQEE",
    "hkiG9w0BB",
    "hkiG9w0BDAE",
    "b3BlbnNzaC1rZXktdjE",
    "lFgE",
    "lIYE",
)
_BARE = re.compile(
    r"MI[I-L][A-Za-z0-9+/]{2}[AQgw]IBA(?:AK[BC]|DA[LNLCQ]|DBB)"  # PKCS#1, DSA, PKCS#8
    r"|MI[GH][A-Za-z0-9+/]AgE(?:AM[A-D]|BB[CDE])|M[A-Za-z0-9+/]{2}CAQEE[A-P]"  # EC
    r"|M[A-Za-z0-9+/]{2}CAQ[AE]wBQYDK2V"  # Ed25519 and its like
    r"|MI[G-L][A-Za-z0-9+/]{2,7}(?:BgkqhkiG9w0BBQ|BgoqhkiG9w0BDAE|YJKoZIhvcNAQUN)"  # encrypted PKCS#8
    r"|b3BlbnNzaC1rZXktdjE"
    r"|l(?:FgE|IYE)[A-Za-z0-9+/]{60}(?![A-Za-z0-9+/])",  # PGP
)


def _in_base64() -> Iterator[str]:
    for header, before in itertools.product((b"PRIVATE KEY--", b"PRIVATE KEY BLOCK--"), range(3)):
        encoded = base64.b64encode(b"\0" * before + header).decode()
        yield encoded[(0, 2, 3)[before] : (before + len(header)) * 8 // 6]


_WRAPPED = tuple(_in_base64())  # a header in base64, at the three alignments

SIGNS: Final = (*_BARE_SIGNS, *_WRAPPED)
"""What is in every key that may be found without a header."""


class Row(NamedTuple):
    """
    What is left of a row.

    Attributes:
        kept: What may be written; None for nothing.

        body: How many characters of a key were hidden.

        is_last: Whether the row is one that a body ends with.
    """

    kept: str | None
    body: int
    is_last: bool = False


def may_break(text: str) -> bool:
    """
    Tell, by a few literals, whether a :data:`BREAK` may be in *text*.
    """
    return "\\" in text or "%0" in text or "&#1" in text or "&#x" in text or "<br" in text


def without_ansi(text: str) -> str:
    """
    Return *text* without colours and characters of no width.
    """
    return text if text.isascii() and "\x1b" not in text else _ANSI.sub("", text)


def shape(prefix: str) -> str:
    """
    Return what the prefixes of one log's lines have in common.
    """
    return _DIGITS.sub("0", _SPACES.sub(" ", without_ansi(prefix)))[:256]


def judge(row: str, prefix: str, *, is_after_full: bool = False) -> Row:
    """
    Tell what may be written of a *row* within a key's block.

    Args:
        row: The row, without what ends it.

        prefix: The :func:`shape` of what stood before the header.

        is_after_full: Whether the last row of the body was a full one, so that one
            which looks like a word may be the body's end.
    """
    plain = without_ansi(row)
    if _FILLER.match(plain):
        return Row(None, 0)
    tokens = list(_TOKEN.finditer(plain))
    strong = [token for token in tokens if _is_strong(token[0])]
    if strong:
        return _judge_strong(plain, strong, prefix)
    if _CHECKSUM.match(_after(plain, prefix)):
        return Row(None, 5, is_last=True)
    if tokens and _stands_alone(plain, tokens[-1], prefix) and _is_lone(tokens[-1][0], is_after_full=is_after_full):
        return Row(None, len(tokens[-1][0]), is_last=True)
    field = _FIELD.search(plain, 0, _MAX_FIELD)
    if field and (not _WORD.search(plain[: field.start()]) or is_known(plain[: field.start()], prefix)):
        return Row(None, 0)
    return Row(row, 0)


def _judge_strong(plain: str, strong: list[re.Match[str]], prefix: str) -> Row:
    before, position, body, parts = plain[: strong[0].start()], strong[0].start(), 0, []
    if not is_known(before, prefix):
        parts.append(before)
    for token in strong:
        parts.append(plain[position : token.start()])
        position = token.end()
        body += len(token[0])
    after = plain[position:]
    rest = _TOKEN.search(after)
    if rest and _FILLER.match(after[: rest.start()]) and _FILLER.match(after[rest.end() :]):
        after = ""  # the last, short piece of a body whose rows stand on one line
    words = "".join([*parts, after])
    if len(words) <= _MAX_FIELD:
        words = _FIELD.sub("", words)
    is_last = strong[-1][0].endswith("=")
    if not _WORD.search(words):
        return Row(None, body, is_last)
    return Row(f"{''.join(parts)}{MARK}{after}", body, is_last)


def _is_strong(token: str) -> bool:
    """
    Tell that *token* is random, and no word, path or digest.
    """
    if len(token) < _MIN_STRONG or not _is_random(token):
        return False
    return len(token) >= _MIN_LONG or any(not char.isalpha() for char in token)


def _is_random(token: str) -> bool:
    sample = token[:_SAMPLE].encode()
    lower = len(sample) - len(sample.translate(None, _LOWER))
    return 0 < lower <= _LOWER_SHARE * len(sample) and sample.upper() != sample and not sample.islower()


def _is_lone(token: str, *, is_after_full: bool) -> bool:
    """
    Tell that *token*, which has its row for itself, is body.
    """
    if is_after_full and len(token) % 2 == 0:
        return True
    if token.endswith("="):
        return True
    if token.isalpha():
        return len(token) >= _MIN_LONE and _is_random(token)
    if len(token) >= _MIN_LONE:
        return not token.isdigit() and ("/" not in token or _is_random(token))
    return not token.isdigit() and not token.islower() and "/" not in token[:1]


def _stands_alone(plain: str, token: re.Match[str], prefix: str) -> bool:
    before, after = plain[: token.start()], plain[token.end() :]
    if any(map(str.isalnum, after)) or "%" in after:
        return False
    return is_known(before, prefix) or not _WORD.search(before)


def is_known(before: str, prefix: str) -> bool:
    """
    Tell that *before* is what the lines of this log begin with.
    """
    return bool(prefix) and prefix.startswith(shape(before))


def _after(plain: str, prefix: str) -> str:
    found = plain.rfind("=")
    return plain[found:] if found > 0 and is_known(plain[:found], prefix) else plain


def may_be_bare(text: str) -> bool:
    """
    Tell, by a few literals, whether a key without a header may be in *text*.
    """
    return len(text) >= _MIN_BARE and _has_sign(text)


def _has_sign(text: str) -> bool:
    for sign in SIGNS:  # noqa: SIM110 -- a generator costs as much as the looking
        if sign in text:
            return True
    return False


def bare_keys(text: str) -> Iterator[tuple[int, int]]:
    """
    Yield where a key without a header, or a key in base64, begins and its row ends.
    """
    for token in _TOKEN.finditer(text):
        if len(token[0]) < _MIN_BARE:
            continue
        start = next((start for start in (token.start(), token.start() + 1) if _BARE.match(text, start)), None)
        if start is not None:
            yield start, token.end()
        elif any(form in token[0] for form in _WRAPPED):
            yield token.start(), token.end()


def is_naked(text: str) -> bool:
    """
    Tell that *text* is a row as of a key's body, and nothing else but a prefix.
    """
    if len(text) > _MAX_NAKED or len(text) < _MIN_STRONG:
        return False
    if " " in text[-_MIN_LONE:-3] or "." in text[-_MIN_LONE:]:
        return False
    plain = without_ansi(text).rstrip(" \t\"',\\+")
    token = next((token for token in _TOKEN.finditer(plain) if token.end() == len(plain)), None)
    if not token or not (_is_strong(token[0]) or token[0].endswith("=")):
        return False
    before = plain[: token.start()]
    return not _WORD.search(before) or before.rstrip().endswith("|")


def is_short_end(text: str) -> bool:
    """
    Tell that *text* may be the last, short row of a body.
    """
    if len(text) > _MAX_NAKED:
        return False
    plain = without_ansi(text)
    tokens = list(_TOKEN.finditer(plain))
    if not tokens:
        return False
    before = plain[: tokens[-1].start()]
    return _stands_alone(plain, tokens[-1], shape(before) if before.rstrip().endswith("|") else "") and _is_lone(
        tokens[-1][0], is_after_full=True
    )


def tail_start(before: str) -> int:
    """
    Return where the rows begin that end with the end of *before*.
    """
    before = BREAK.sub(lambda found: " " * len(found[0]), before)
    floor = max(0, len(before) - _MAX_TAIL)
    start, has_strong = len(before), False
    for token in reversed(list(_TOKEN.finditer(before, floor))):
        is_strong = _is_strong(token[0])
        if not _FILLER.match(before[token.end() : start]) or not (
            is_strong or (not has_strong and _is_lone(token[0], is_after_full=True))
        ):
            break
        start, has_strong = token.start(), has_strong or is_strong
    return start if has_strong else len(before)
