"""
Who asks: bearer tokens, which are JSON Web Tokens (RFC 7519).

A key is used with the algorithms of its own kind and no other, whatever a token says.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import jwt

from tierlog.admin._problems import ProblemError
from tierlog.errors import ConfigError
from tierlog.typing import Clock


__all__ = ["SCOPES", "Keys", "Subject", "Verifier", "checked_secret", "token"]

SCOPES = ("logs:read", "logs:raw", "logs:admin")
"""What a token may allow: to search and tail; to read whole segments; to see figures of
the service itself. The last one allows the others, too."""

_HMAC = ("HS256", "HS384", "HS512")
_LONGEST = 8_192  # characters
_LEAST_SECRET = 32  # bytes, as RFC 7518 wants it
_MOST_PROJECTS = 1_000
_LONGEST_ID = 512  # characters
_STRANGE = frozenset(["crit", "zip", "b64", "jwk", "jku", "x5u", "x5c"])
_CHALLENGE = 'Bearer realm="tierlog"'


class Subject(NamedTuple):
    """
    Who asks.

    Attributes:
        name: The token's ``sub``.

        scopes: What it allows.

        projects: The projects that may be seen; all if None.

        expires: Until when, **seconds** since the epoch.
    """

    name: str
    scopes: frozenset[str]
    projects: tuple[str, ...] | None
    expires: float = 0.0

    def may(self, scope: str) -> bool:
        """
        Tell whether *scope* is allowed.
        """
        return scope in self.scopes or "logs:admin" in self.scopes

    def sees(self, project_id: str | None) -> bool:
        """
        Tell whether what is of this project may be seen.
        """
        return self.projects is None or (project_id is not None and project_id in self.projects)


class Keys(Protocol):
    """
    Public keys.
    """

    algorithms: frozenset[str]
    """What their tokens may be signed with."""

    async def key(self, kid: str | None, algorithm: str) -> Any | None:
        """
        Return the key that a token names; None if there is none of this algorithm.
        """


class Verifier:
    """
    Tells who asks, from a token.

    Args:
        secret: The shared secret; None if there is none.

        keys: The public keys; None if there are none.

        audience: What ``aud`` must hold.

        issuer: What ``iss`` must be.

        algorithms: The only ones that are taken; those of the keys if None.

        leeway: By how many **seconds** clocks may differ.
    """

    def __init__(
        self,
        *,
        secret: bytes | None,
        keys: Keys | None,
        audience: str,
        issuer: str,
        algorithms: Sequence[str] | None,
        leeway: float,
    ) -> None:
        self._secret = secret
        self._keys = keys
        self._audience = audience
        self._issuer = issuer
        self._leeway = leeway
        mine = frozenset(_HMAC[:1] if algorithms is None else _HMAC) if secret is not None else frozenset()
        theirs = keys.algorithms if keys is not None else frozenset()
        self._algorithms = mine | theirs
        if algorithms is not None:
            for name in algorithms:
                if name not in self._algorithms:
                    raise ConfigError.unknown("algorithms", f"no key given is for {name!r}", self._algorithms, given=name)
            self._algorithms = frozenset(algorithms)

    async def subject(self, token: str) -> Subject:
        """
        Return whom *token* names.

        Raises:
            ProblemError: It isn't valid.
        """
        if len(token) > _LONGEST:
            raise _refused(f"the token has more than {_LONGEST} characters")
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise _refused("the token isn't a JSON Web Token") from None
        key, algorithm = await self._key_of(header)
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._issuer,
                leeway=self._leeway,
                options={"require": ["exp", "aud", "iss"]},
            )
            return _subject(claims)
        except jwt.PyJWTError as e:
            raise _refused(_reason(e)) from None
        except (ValueError, TypeError, OverflowError, RecursionError):
            raise _refused("the token's claims can't be read") from None

    async def _key_of(self, header: dict[str, Any]) -> tuple[Any, str]:
        algorithm, kid = header.get("alg"), header.get("kid")
        if type(algorithm) is not str or algorithm not in self._algorithms:
            raise _refused(f"the token's algorithm isn't one of {', '.join(sorted(self._algorithms))}")
        if not _STRANGE.isdisjoint(header) or (kid is not None and type(kid) is not str):
            raise _refused("the token's header has what isn't taken here")
        if algorithm in _HMAC:
            return self._secret, algorithm
        key = await self._keys.key(kid, algorithm) if self._keys is not None else None
        if key is None:
            raise _refused("the token names a key that isn't known")
        return key, algorithm


def checked_secret(secret: str | bytes, setting: str = "jwt_secret") -> bytes:
    """
    Return a shared secret as bytes.

    Raises:
        ConfigError: It is too short to be one.
    """
    found = secret.encode() if isinstance(secret, str) else secret
    if type(found) is not bytes or len(found) < _LEAST_SECRET:
        raise ConfigError(setting, f"has fewer than {_LEAST_SECRET} bytes; make one with 'openssl rand -hex 32'")
    return found


def _subject(claims: dict[str, Any]) -> Subject:
    name = claims.get("sub", "")
    name.encode()  # a lone surrogate is no text
    projects = None
    if "projects" in claims:  # null isn't all of them: it is what comes of a user who has none
        projects = claims["projects"]
        is_list = type(projects) is list and len(projects) <= _MOST_PROJECTS and all(map(_is_id, projects))
        if not is_list:
            raise _refused(f"the token's projects aren't a list of at most {_MOST_PROJECTS} ids")
        projects = tuple(dict.fromkeys(projects))
    return Subject(name, frozenset(_scopes(claims)), projects, float(claims["exp"]))


def _is_id(one: Any) -> bool:
    return type(one) is str and 0 < len(one) <= _LONGEST_ID and bool(one.encode())


def _scopes(claims: dict[str, Any]) -> list[str]:
    given = claims.get("scope", claims.get("scopes", []))
    names = given.split() if isinstance(given, str) else given if isinstance(given, list) else []
    return [name for name in names if name in SCOPES]


def _reason(error: jwt.PyJWTError) -> str:
    if isinstance(error, jwt.ExpiredSignatureError):
        return "the token has expired"
    if isinstance(error, jwt.ImmatureSignatureError):
        return "the token isn't valid yet"
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"the token has no {error.claim}"
    if isinstance(error, jwt.InvalidAudienceError):
        return "the token is for another audience"
    if isinstance(error, jwt.InvalidIssuerError):
        return "the token is of another issuer"
    return "the token isn't valid"


def _refused(problem: str) -> ProblemError:
    headers = {"WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"'}
    return ProblemError(401, problem, headers=headers)


def token(
    secret: str | bytes,
    *,
    subject: str,
    scopes: Sequence[str] = ("logs:read",),
    projects: Sequence[str] | None = None,
    lifetime: float = 3_600,
    audience: str = "tierlog",
    issuer: str = "tierlog",
    clock: Clock = time.time_ns,
) -> str:
    """
    Return a token for :func:`create_app` with the same *secret*.

    Args:
        secret: The shared secret.

        subject: Whom it is for.

        scopes: What it allows, of :data:`SCOPES`.

        projects: The projects that may be seen; all if None.

        lifetime: For how many **seconds** it is good.

        audience: As of :func:`create_app`.

        issuer: Likewise.

        clock: Returns nanoseconds since the epoch.

    Raises:
        ConfigError: The secret is too short, or there is no such scope.
    """
    for name in scopes:
        if name not in SCOPES:
            raise ConfigError.unknown("scopes", f"there's no {name!r}", SCOPES, given=name)
    now = clock() // 1_000_000_000
    claims: dict[str, Any] = {
        "sub": subject, "scope": " ".join(scopes), "aud": audience, "iss": issuer, "iat": now, "exp": now + int(lifetime),
    }  # fmt: skip
    if projects is not None:
        claims["projects"] = list(projects)
    return jwt.encode(claims, checked_secret(secret), "HS256")
