"""
Public keys that tokens are checked by: JSON Web Key Sets (RFC 7517).
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
import urllib.request
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlsplit

import jwt
import orjson
from anyio import to_thread

from tierlog.admin._problems import ProblemError
from tierlog.errors import ConfigError
from tierlog.report import report


__all__ = ["FetchedKeys", "GivenKeys"]

_ALGORITHMS: Mapping[Any, str] = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
_LEAST_RSA_BITS = 2_048
_MOST_BYTES = 1_048_576
_TIMEOUT = 5  # seconds
_FRESH, _COOL_DOWN = 300.0, 30.0  # seconds


class _Key(NamedTuple):
    kid: str | None
    algorithm: str
    key: Any


class GivenKeys:
    """
    Keys that are known from the beginning.

    Args:
        jwks: The set, as a mapping or as JSON.

    Raises:
        ConfigError: There's no key in it that can be used.
    """

    def __init__(self, jwks: Mapping[str, Any] | str | bytes) -> None:
        try:
            self._keys = _parsed(jwks if isinstance(jwks, Mapping) else orjson.loads(jwks))
        except ValueError as e:
            raise ConfigError("jwks", f"isn't a JSON Web Key Set ({e})") from e
        if not self._keys:
            raise ConfigError("jwks", "has no key for RS256, ES256 or EdDSA; give the set of public keys")
        self.algorithms = frozenset(one.algorithm for one in self._keys)

    async def key(self, kid: str | None, algorithm: str) -> Any | None:
        """
        Return the key that a token names; None if there is none of this algorithm.
        """
        return _found(self._keys, kid, algorithm)


class FetchedKeys:
    """
    Keys that are fetched when they are needed, and kept; whatever is asked, it is once in
    half a minute at most.

    Args:
        url: Where the set is: https, or this machine.

    Raises:
        ConfigError: It is neither.
    """

    algorithms = frozenset(_ALGORITHMS.values())

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname)):
            raise ConfigError("jwks_url", f"{url!r} isn't an https URL, and what comes over others can be forged")
        self._url = url
        self._keys: list[_Key] = []
        self._fetched = self._tried = -1e9
        self._fetching: asyncio.Task[None] | None = None

    async def key(self, kid: str | None, algorithm: str) -> Any | None:
        """
        Return the key that a token names; None if there is none of this algorithm.

        Raises:
            ProblemError: No keys could be fetched yet.
        """
        found = _found(self._keys, kid, algorithm)
        now = time.monotonic()
        if found is None or now - self._fetched > _FRESH:
            fetching = self._begin(now)
            if found is None and fetching is not None:
                await asyncio.shield(fetching)
                found = _found(self._keys, kid, algorithm)
        if found is None and not self._keys:
            raise ProblemError(503, "the keys that tokens are checked by can't be had at present", headers={"Retry-After": "30"})
        return found

    def _begin(self, now: float) -> asyncio.Task[None] | None:
        if self._fetching is None and now - self._tried >= _COOL_DOWN:
            self._tried = now
            self._fetching = asyncio.ensure_future(self._fetch())
        return self._fetching

    async def _fetch(self) -> None:
        try:
            keys = _parsed(await to_thread.run_sync(_get, self._url))
            if keys:
                self._keys, self._fetched = keys, time.monotonic()
            else:
                report("admin-jwks", f"{self._url} has no key for RS256, ES256 or EdDSA; the last ones are used further")
        except Exception as e:  # noqa: BLE001 -- whatever was answered, the keys that there are stay good
            report("admin-jwks", f"{self._url} can't be read: {type(e).__name__}: {e}")
        finally:
            self._fetching = None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _get(url: str) -> Any:
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(url, timeout=_TIMEOUT) as answer:
            return orjson.loads(answer.read(_MOST_BYTES))
    except HTTPError as e:
        e.close()  # it holds the connection
        raise


def _parsed(jwks: Any) -> list[_Key]:
    """
    Return the keys of a set that can be used; others are passed over, as the RFC wants it.
    """
    keys = jwks.get("keys") if isinstance(jwks, Mapping) else None
    if not isinstance(keys, list):
        raise ValueError("it has no list of keys")  # noqa: TRY004 -- it is the input that is wrong
    found = []
    for one in keys:
        if not isinstance(one, Mapping):
            continue
        curve = one.get("crv")
        algorithm = _ALGORITHMS.get((str(one.get("kty")), None if curve is None else str(curve)))
        if algorithm is None or one.get("alg", algorithm) != algorithm or one.get("use", "sig") != "sig":
            continue
        try:
            key = jwt.PyJWK(dict(one), algorithm=algorithm).key
        except Exception:  # noqa: BLE001, S112 -- whatever is wrong with it, it is none that can be used
            continue
        if getattr(key, "key_size", _LEAST_RSA_BITS) >= _LEAST_RSA_BITS or algorithm != "RS256":
            found.append(_Key(one.get("kid"), algorithm, key))
    return found


def _found(keys: list[_Key], kid: str | None, algorithm: str) -> Any | None:
    mine = [one for one in keys if one.algorithm == algorithm and (kid is None or one.kid == kid)]
    return mine[0].key if len(mine) == 1 or (mine and kid is not None) else None


def _is_loopback(host: str | None) -> bool:
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"
