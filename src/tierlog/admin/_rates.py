"""
How often may be asked: by whom a token names, and by an address.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from limits import RateLimitItem, parse
from limits.errors import ConfigurationError
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from tierlog.admin._problems import ProblemError
from tierlog.errors import ConfigError
from tierlog.report import report
from tierlog.typing import Clock


__all__ = ["Rates"]

_T = TypeVar("_T")

_REDIS = ("redis://", "rediss://", "redis+")
_SOON = {"socket_timeout": 1.0, "socket_connect_timeout": 1.0}  # seconds; without, redis waits for ever
_PAUSE = 10.0  # seconds
_THREADS = 16
_FAILURES = "30/minute"
_ADDRESS_FACTOR = 4  # several people may be behind one address


class Rates:
    """
    Counts what is asked.

    Args:
        rate: How often, such as ``300/minute``, one subject may ask; an address may four
            times as often.

        storage: Where it is counted: ``memory://``, or what the servers of a fleet share,
            such as ``redis://host``. While that doesn't answer, nobody is limited.

        clock: Returns nanoseconds since the epoch.
    """

    def __init__(self, rate: str, storage: str, *, clock: Clock) -> None:
        try:
            item = parse(rate)
        except ValueError:
            raise ConfigError("rate_limit", f"{rate!r} isn't a rate such as '300/minute'") from None
        self._is_near = storage.startswith("memory://")
        try:
            kept = storage_from_string(storage, **(_SOON if storage.startswith(_REDIS) else {}))
            self._limiter = MovingWindowRateLimiter(kept)
        except Exception as e:
            hint = "; pip install redis" if isinstance(e, ConfigurationError) and storage.startswith(_REDIS) else ""
            raise ConfigError("rate_storage", f"can't be used ({e}){hint}; there are memory:// and redis://host:port") from e
        self._threads: CapacityLimiter | None = None
        self._down_until = 0.0
        self._clock = clock
        self._subject = item
        self._address = type(item)(item.amount * _ADDRESS_FACTOR, item.multiples)
        self._failure = parse(_FAILURES)

    async def check_address(self, address: str) -> None:
        """
        Count a request from *address*.

        Raises:
            ProblemError: There were too many.
        """
        await self._check(self._address, "address", _network(address))

    async def check_subject(self, name: str) -> None:
        """
        Count a request of a subject.

        Raises:
            ProblemError: There were too many.
        """
        await self._check(self._subject, "subject", name)

    async def check_failure(self, address: str) -> None:
        """
        Count a request from *address* that is refused.

        Raises:
            ProblemError: There were too many.
        """
        await self._check(self._failure, "failures", _network(address))

    async def _check(self, item: RateLimitItem, *names: str) -> None:
        if time.monotonic() < self._down_until:
            return
        try:
            is_allowed = await self._asked(self._limiter.hit, item, *names)
            reset = 0.0 if is_allowed else (await self._asked(self._limiter.get_window_stats, item, *names)).reset_time
        except Exception as e:  # noqa: BLE001 -- logs are needed most when something else is down
            self._down_until = time.monotonic() + _PAUSE
            report("admin-rates", f"requests can't be counted, and aren't limited for {_PAUSE:.0f} s: {type(e).__name__}: {e}")
            return
        if not is_allowed:
            wait = max(1, round(reset - self._clock() / 1e9 + 0.5))
            raise ProblemError(429, f"too many requests; ask again in {wait} s", headers={"Retry-After": str(wait)})

    async def _asked(self, ask: Callable[..., _T], item: RateLimitItem, *names: str) -> _T:
        if self._is_near:
            return ask(item, *names)
        self._threads = self._threads or CapacityLimiter(_THREADS)
        return await to_thread.run_sync(partial(ask, item, *names), limiter=self._threads)


def _network(address: str) -> str:
    """
    Return what stands for who has *address*: of IPv6, one has a whole network.

    >>> _network("192.0.2.7"), _network("2001:db8:1:2:3::4"), _network("::ffff:192.0.2.7"), _network("unix")
    ('192.0.2.7', '2001:db8:1:2::/64', '192.0.2.7', 'unix')
    """
    try:
        found = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    return str(found.ipv4_mapped or ipaddress.IPv6Network((int(found), 64), strict=False))
