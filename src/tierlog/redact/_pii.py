"""
Personal data that may be hidden on request: e-mail addresses, card numbers, IP addresses, IBANs.

Each has a pattern for its form, and a function for what a pattern can't tell:
check digits, issuers, ranges. Nothing is guessed from words nearby.
"""

from __future__ import annotations

from collections.abc import Callable


__all__ = ["PII"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# --- e-mail ---

_NOT_LOCAL = r"\s\"'`<>()\[\]{},;:=@|\\/&?#*^%\x00-\x1f"
_NOT_LABEL = r"\s!-,./:-@\[-`{-~\x00-\x1f"  # all of ASCII but letters, digits and dashes
_EMAIL = rf"(?<![^{_NOT_LOCAL}])[^{_NOT_LOCAL}]{{1,64}}+(?:@|%40)[^{_NOT_LABEL}]{{1,63}}+(?:\.[^{_NOT_LABEL}]{{1,63}}+){{1,8}}+"
_NO_TOP_LEVEL = _words(  # files and units of systemd
    "png jpg jpeg gif svg webp avif ico css scss js mjs ts tsx jsx json map html htm xml txt md yaml yml toml lock "
    "log tgz gz whl jar service socket timer mount automount target slice scope device swap path local-path"
)
_NOBODY = frozenset(["git"])


def _is_email(text: str) -> bool:
    """
    Tell addresses from files such as ``logo@2x.png`` and ``getty@tty1.service``,
    from versions such as ``left-pad@1.3.0`` and from ``git@github.com``.
    """
    local, _, domain = text.replace("%40", "@").partition("@")
    top = domain.rpartition(".")[2].lower()
    if local in _NOBODY or top in _NO_TOP_LEVEL or domain[0] == "-":
        return False
    return top.startswith("xn--") or top.replace("-", "").isalpha()


# --- card numbers ---

# Not in the middle of a word, number or decimal; behind an escaped line break is no middle.
_CARD = (
    r"[2-689](?<![0-9A-Zabcdefghijklmopqsuvwxyz]\d)(?<![^\\][nrt]\d)(?<!\d[.-]\d)\d{3}"
    r"(?:\d{9,15}+|[ -]\d{4}(?:\d\d[ -]\d{4,5}+|[ -]\d{4}[ -]\d{4}(?:[ -]\d{3})?+))(?![0-9A-Za-z]|[.-]\d)"
)
_USUAL = 16
# First and last number that an issuer's cards begin with, and how many digits they have.
_ISSUERS = (
    ("4", "4", (13, 16, 19)),  # Visa
    ("51", "55", (16,)),  # Mastercard
    ("2221", "2720", (16,)),
    ("34", "34", (15,)),  # American Express
    ("37", "37", (15,)),
    ("300", "305", (14, 16, 17, 18, 19)),  # Diners Club
    ("3095", "3095", (14, 16, 17, 18, 19)),
    ("36", "36", (14, 16, 17, 18, 19)),
    ("38", "39", (14, 16, 17, 18, 19)),
    ("3528", "3589", (16, 17, 18, 19)),  # JCB
    ("6011", "6011", (16, 17, 18, 19)),  # Discover
    ("644", "659", (16, 17, 18, 19)),
    ("62", "62", (16, 17, 18, 19)),  # UnionPay
    ("81", "81", (16, 17, 18, 19)),
    ("5018", "5018", tuple(range(13, 20))),  # Maestro
    ("5020", "5020", tuple(range(13, 20))),
    ("5038", "5038", tuple(range(13, 20))),
    ("5893", "5893", tuple(range(13, 20))),
    ("6304", "6304", tuple(range(13, 20))),
    ("6759", "6763", tuple(range(13, 20))),
    ("9792", "9792", (16,)),  # Troy
    ("2200", "2204", (16, 17, 18, 19)),  # Mir
)


def _is_card(text: str) -> bool:
    """
    Tell card numbers by issuer, length and check digit (H. P. Luhn, 1954).

    Times in milliseconds have 13 digits and begin with 1, as no issuer here does;
    for the same reason the travel cards that begin with 1 stay.
    """
    digits = text.replace(" ", "").replace("-", "")
    # Three digits more behind a blank may be the card's own, or its security code.
    return _is_card_number(digits) or (len(text) > len(digits) and _is_card_number(digits[:_USUAL]))


def _is_card_number(digits: str) -> bool:
    size = len(digits)
    if not any(first <= digits[: len(first)] <= last and size in sizes for first, last, sizes in _ISSUERS):
        return False
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (doubled + sum(map(int, digits[::-2]))) % 10 == 0


# --- IP addresses ---

_PREFIX = r"(?:/\d{1,3}+(?![\w/]))?+"
_V4 = r"\d{0,2}+\.\d{1,3}+\.\d{1,3}+\.\d{1,3}+"
# What stands before a version and not before an address: a product and a slash, a package and a dash, an operator.
_NO_VERSION = r"(?<![A-Za-z][/-]\d)(?<![<>=!~]=\d)(?<!ersion[ =:]\d)(?<!ersion: \d)"
_IP4 = rf"\d(?<![\w.~^]\d)(?=[\d.]){_NO_VERSION}{_V4}{_PREFIX}(?![\w+]|\.\w|-[A-Za-z])"
# What isn't an address behind all, _is_ip tells.
_IP6 = rf"[0-9A-Fa-f:](?<![\w.:][0-9A-Fa-f:])[0-9A-Fa-f]{{0,3}}+:[0-9A-Fa-f:.]{{1,40}}+{_PREFIX}(?!\w)"
# Without upper bounds: to count takes long in a text that is nothing else.
_IP4_TRIGGER = r"\d\.\d+\.\d+\.\d"
_IP6_TRIGGER = r":[0-9a-f]*:"
_GROUPS = 8
_LOOPBACK = 127


def _is_ip(text: str) -> bool:
    """
    Tell addresses that may be somebody's: loopback and unspecified ones stay, they
    are everybody's and say where a service listens.
    """
    address, _, prefix = text.partition("/")
    if ":" not in address:
        return _is_v4(address) and (not prefix or int(prefix) <= 32)  # noqa: PLR2004
    if address[-1] in ".:" and address[-2] != ":":  # the end of a sentence or a label
        address = address[:-1]
    return _is_v6(address) and (not prefix or int(prefix) <= 128)  # noqa: PLR2004


def _is_v4(text: str) -> bool:
    parts = _v4_parts(text)
    return bool(parts) and parts[0] != _LOOPBACK and any(parts)


def _v4_parts(text: str) -> list[int]:
    parts = text.split(".")
    if len(parts) != 4 or not all(part == "0" or (part.isdigit() and part[0] != "0") for part in parts):  # noqa: PLR2004
        return []
    numbers = [int(part) for part in parts]
    return numbers if max(numbers) <= 255 else []  # noqa: PLR2004


def _is_v6(text: str) -> bool:
    groups = _v6_groups(text)
    if not groups or not any(char.isdigit() for char in text):  # a path such as dead::beef
        return False
    mapped = groups[6] >> 8
    is_mapped = not any(groups[:5]) and groups[5] == 0xFFFF  # noqa: PLR2004
    return mapped != _LOOPBACK if is_mapped else any(groups[:7]) or groups[7] > 1


def _v6_groups(text: str) -> list[int]:
    """
    Return the eight numbers of an address, none if it isn't one.
    """
    last = text.rpartition(":")[2]
    if "." in last:
        parts = _v4_parts(last)
        if not parts:
            return []
        text = f"{text[: -len(last)]}{parts[0] << 8 | parts[1]:x}:{parts[2] << 8 | parts[3]:x}"
    head, gap, tail = text.partition("::")
    left, right = (side.split(":") if side else [] for side in (head, tail))
    missing = _GROUPS - len(left) - len(right)
    if "" in left + right or (missing < 1 if gap else missing != 0):
        return []
    return [int(group, 16) for group in [*left, *(["0"] * missing), *right]]


# --- IBAN ---

_IBAN = (
    r"[A-Z](?<![0-9A-Za-z][A-Z])[A-Z]\d\d"
    r"(?:[A-Z0-9]{11,30}+| [A-Z0-9]{4} [A-Z0-9]{4}(?: [A-Z0-9]{4}\b){0,5}+(?: [A-Z0-9]{1,3}\b)?+)\b"
)
# How long an IBAN is, by country (SWIFT, IBAN Registry).
_SIZES = {
    country: size
    for size, countries in {
        15: "NO",
        16: "BE",
        18: "DK FO FI GL NL SD FK",
        19: "MK SI",
        20: "AT BA EE KZ LT LU XK MN",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM TL SO",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}


def _is_iban(text: str) -> bool:
    """
    Tell IBANs by country, length and check digits (ISO 7064, mod 97-10).

    A word in capitals behind an IBAN in groups counts as one more group, and
    is hidden with it.
    """
    compact = text.replace(" ", "")
    size = _SIZES.get(compact[:2], 0)
    if not size or len(compact) < size or (len(compact) > size and " " not in text):
        return False
    number = "".join(str(int(char, 36)) for char in compact[4:size] + compact[:4])
    return int(number) % 97 == 1


PII: tuple[tuple[str, str, Callable[[str], bool], str], ...] = (
    ("email", _EMAIL, _is_email, ""),
    ("card", _CARD, _is_card, ""),
    ("ip", _IP6, _is_ip, _IP6_TRIGGER),
    ("ip", _IP4, _is_ip, _IP4_TRIGGER),
    ("iban", _IBAN, _is_iban, ""),
)
"""Name, pattern (of :mod:`re`, for ASCII), what tells of a match whether it is one, and what the first look asks for."""
