"""
What secrets look like, as data.

A rule is tried only on texts that hold one of its literals. Patterns are written
for :mod:`re` without unbounded repeats in sequence, so each runs in linear time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import NamedTuple


__all__ = ["RULES", "Rule"]


class Rule(NamedTuple):
    """
    One kind of secret.

    Attributes:
        name: What the mark says.

        literals: A text without any of these holds no such secret; compared
            with the text itself, or with its lower case if *folded*.

        pattern: Finds it. What its group ``secret`` (or ``quoted``, or ``bare``)
            matches is hidden, or all of it if there is no such group. If it has a
            group ``name``, that must be a sensitive one.

        folded: Whether *literals* are lower case and compared without case.

        accepts: Tells of what was matched whether it is a secret at all.
    """

    name: str
    literals: tuple[str, ...]
    pattern: re.Pattern[str]
    folded: bool = False
    accepts: Callable[[str], bool] | None = None


_FILLER = re.compile(
    r"(?:[*x.X#-]+|<[^>]{0,40}>|\$\{?[\w.]{1,60}\}?|\{\{?[^}]{0,60}\}\}?|%\(?\w{0,40}\)?s?|\[REDACTED.*|none|null|true|false|"
    r"undefined|nil|yes|no|required|optional|missing|invalid|expired|empty|string|str|not|is|was|the|for|must|has|could)\Z",
    re.IGNORECASE,
)


_PATH = re.compile(r"(?:~?/|\.{1,2}/|[A-Za-z]:[\\/])[^\s/\\]*[/\\]")


def _not_filler(value: str) -> bool:
    return _FILLER.match(value) is None and _PATH.match(value) is None


def _entropy(text: str) -> float:
    size = len(text)
    return -sum(n / size * math.log2(n / size) for n in map(text.count, set(text)))


def _looks_random(value: str) -> bool:
    if not _not_filler(value) or len(value) < 8:  # noqa: PLR2004
        return False
    has_digit = any(char.isdigit() for char in value)
    return has_digit and _entropy(value[:256]) > 2.5  # noqa: PLR2004 -- bits per character


# A token begins where no word goes on, or behind an escape that ends in a letter
# or digit: \\n, \\u003d, %3D, a colour.
_BEFORE = (
    r"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrtbf])|(?<=\\x[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2})"
    r"|(?<=\[m)|(?<=\[\dm)|(?<=\[\d\dm)|(?<=;\dm)|(?<=;\d\dm)|(?<=;\d\d\dm))"
)


def _token(name: str, literals: str, pattern: str) -> Rule:
    whole = rf"{_BEFORE}(?:{pattern})(?![A-Za-z0-9])"
    return Rule(name, tuple(literals.split()), re.compile(whole, re.ASCII))


_NAME_END = r"[\w.\-]{0,30})[\"'`]{0,2}\\{0,3}[\"']?"
_SEPARATOR = r"[ \t]{0,3}(?::=|=>|={1,2}|:|%3[Dd])[ \t]{0,3}"
_VALUE = (
    r"(?:\\{0,3}[\"'`](?P<quoted>[^\"'`\\\r\n]{1,512})"
    r"|(?P<bare>(?:[^\s\"'`,;&<>(){}\[\]\\]|,(?![\s\"'])(?![\w.\-]{1,40}[=:])){1,512}))"
)

RULES: tuple[Rule, ...] = (
    _token("aws-access-key", "AKIA ASIA ABIA ACCA", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}"),
    _token("gcp-api-key", "AIza", r"AIza[\w-]{35}"),
    _token("gcp-oauth", "ya29. GOCSPX-", r"ya29\.[\w-]{20,512}|GOCSPX-[\w-]{28}"),
    _token("github-token", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", r"gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_\w{36,255}"),
    _token(
        "gitlab-token",
        "glpat- gldt- glrt- glcbt- glptt- glft- glimt- glagent- gloas- glsoat- glffct- glrtr- GR1348941",
        r"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat|ffct|rtr)-[\w.-]{20,128}|GR1348941[\w-]{20}",
    ),
    _token("slack-token", "xox xapp- xoxe", r"(?:xox[abeoprs](?:\.xox[bp])?|xapp)-[A-Za-z0-9-]{10,255}"),
    _token("slack-webhook", "hooks.slack.com", r"https://hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{30,90}"),
    _token("stripe-key", "sk_ rk_ whsec_", r"(?:sk|rk)_(?:live|test|prod)_[A-Za-z0-9]{10,255}|whsec_[A-Za-z0-9+/=]{24,255}"),
    _token("anthropic-key", "sk-ant-", r"sk-ant-[A-Za-z0-9_-]{20,255}"),
    _token("openai-key", "sk-", r"sk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,255}"),
    _token("huggingface-token", "hf_ api_org_", r"hf_[A-Za-z]{34}|api_org_[A-Za-z]{34}"),
    _token("npm-token", "npm_", r"npm_[A-Za-z0-9]{36}"),
    _token("pypi-token", "pypi-", r"pypi-[\w-]{50,1000}"),
    _token("sendgrid-key", "SG.", r"SG\.[\w.-]{60,70}"),
    _token("twilio-key", "SK", r"SK[0-9a-fA-F]{32}"),
    _token("digitalocean-token", "doo_v1_ dop_v1_ dor_v1_", r"do[opr]_v1_[a-f0-9]{64}"),
    _token("shopify-token", "shp", r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    _token("vercel-token", "vcp_ vci_ vca_ vcr_ vck_", r"vc[piark]_[A-Za-z0-9]{24,64}"),
    _token("cloudflare-token", "v1.0- cfut_ cfat_ cfk_", r"v1\.0-[a-f0-9]{24}-[a-f0-9]{146}|cf(?:ut|at|k)_[\w-]{30,128}"),
    _token(
        "grafana-token",
        "glc_ glsa_ eyJrIjoi",
        r"glc_[A-Za-z0-9+/]{32,400}={0,2}|glsa_\w{32}_[A-Fa-f0-9]{8}|eyJrIjoi\w{70,400}",
    ),
    _token("sentry-token", "sntrys_ sntryu_", r"sntrys_eyJ[\w+/=]{80,400}|sntryu_[a-f0-9]{64}"),
    _token("databricks-token", "dapi", r"dapi[a-f0-9]{32}(?:-\d)?"),
    _token("linear-key", "lin_api_", r"lin_api_[A-Za-z0-9]{40}"),
    _token("doppler-token", "dp.", r"dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{40,100}"),
    _token("planetscale-token", "pscale_", r"pscale_(?:tkn|oauth|pw)_[\w.=-]{32,64}"),
    _token("pulumi-token", "pul-", r"pul-[a-f0-9]{40}"),
    _token("rubygems-token", "rubygems_", r"rubygems_[a-f0-9]{48}"),
    _token("postman-token", "PMAK-", r"PMAK-[a-fA-F0-9]{24}-[a-fA-F0-9]{34}"),
    _token("vault-token", "hvs. hvb.", r"hv[sb]\.[\w-]{24,300}"),
    _token("atlassian-token", "ATATT3 ATCTT3", r"AT[AC]TT3[A-Za-z0-9_\-=]{100,300}"),
    _token("age-key", "AGE-SECRET-KEY-", r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
    _token("docker-token", "dckr_pat_ dckr_oat_", r"dckr_[po]at_[\w-]{20,64}"),
    _token("telegram-token", ":AA", r"\d{5,16}:AA[\w-]{32,36}"),
    _token("jwt", "eyJ", r"eyJ[\w-]{8,4096}\.eyJ[\w-]{8,8192}\.[\w-]{0,2048}|eyJ[\w-]{16,4096}\.[\w-]{16,8192}\.[\w-]{16,2048}"),
    Rule(
        "bearer",
        ("bearer ", "bearer%20"),
        re.compile(r"\bbearer(?: {1,3}|%20)[\"']?(?P<secret>[A-Za-z0-9._~+/=\-]{8,4096})", re.IGNORECASE),
        folded=True,
        accepts=lambda value: any(char.isdigit() for char in value) or len(value) > 24,  # noqa: PLR2004
    ),
    Rule(
        "basic-auth",
        ("basic ",),
        re.compile(r"\bbasic {1,3}(?P<secret>[A-Za-z0-9+/]{8,4096}={0,2})(?![A-Za-z0-9+/])", re.IGNORECASE),
        folded=True,
        accepts=lambda value: len(value) % 4 == 0 and (value[-1] == "=" or any(char.isdigit() for char in value)),
    ),
    Rule(
        "authorization",
        ("authorization",),
        re.compile(
            r"authorization[\"'`]{0,2}\\{0,3}[\"']?" + _SEPARATOR + r"\\{0,3}[\"'`]?"
            r"(?:(?:bearer|basic|digest|token|apikey|negotiate|aws4-hmac-sha256)[ \t]{1,3})?"
            r"(?P<secret>[^\r\n\"'`\\]{1,8192})",
            re.IGNORECASE,
        ),
        folded=True,
        accepts=_not_filler,
    ),
    Rule(
        "cookie",
        ("cookie",),
        re.compile(
            r"cookie[\"'`]{0,2}\\{0,3}[\"']?" + _SEPARATOR + r"\\{0,3}[\"'`]?(?P<secret>[^\r\n\"'`\\]{1,8192})", re.IGNORECASE
        ),
        folded=True,
        accepts=_not_filler,
    ),
    Rule(
        "url-credentials",
        ("://",),
        re.compile(r"://[^\s/:@\"'<>?#]{0,256}:(?P<secret>[^\s/@\"'<>?#]{1,512})@(?=[\w\[.-])"),
        folded=True,
        accepts=_not_filler,
    ),
    Rule(
        "password",
        ("passw", "passphrase", "pwd", "passcode", "secret"),
        re.compile(
            r"(?P<name>(?:passw(?:or)?d|passwort|passphrase|passcode|pwd|secret)" + _NAME_END + _SEPARATOR + _VALUE, re.IGNORECASE
        ),
        folded=True,
        accepts=_not_filler,
    ),
    Rule(
        "secret-assignment",
        ("token", "key", "auth", "credential", "session", "sid", "dsn", "jwt", "csrf", "xsrf"),
        re.compile(
            r"(?P<name>(?:token|(?:api|access|private|signing|encryption|account|auth|license|master|service|client)[_.\- ]?key"
            r"|(?<![a-z])auth(?![a-z])|credentials?|session[_-]?id|sessid|\bsid|dsn|jwt|[cx]srf)"
            + _NAME_END
            + _SEPARATOR
            + _VALUE,
            re.IGNORECASE,
        ),
        folded=True,
        accepts=_looks_random,
    ),
)
"""In the order in which they are tried: what is precise comes first."""
