"""
How often may be asked: by whom a token names, and by an address.
"""

from __future__ import annotations

from functools import partial

from anyio import to_thread
from limits import RateLimitItem, parse
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from tierlog.admin._problems import ProblemError
from tierlog.errors import ConfigError
from tierlog.report import report
from tierlog.typing import Clock


__all__ = ["Rates"]

_FAILURES = "30/minute"
_ADDRESS_FACTOR = 4  # several people may be behind one address


class Rates:
    """
    Counts what is asked.

    Args:
        rate: How often, such as ``300/minute``, one subject may ask; an address may four
            times as often.

        storage: Where it is counted: ``memory://``, or what the servers of a fleet share,
            such as ``redis://host``.

        clock: Returns nanoseconds since the epoch.
    """

    def __init__(self, rate: str, storage: str, *, clock: Clock) -> None:
        try:
            item = parse(rate)
        except ValueError:
            raise ConfigError("rate_limit", f"{rate!r} isn't a rate such as '300/minute'") from None
        try:
            kept = storage_from_string(storage)
        except Exception as e:
            raise ConfigError("rate_storage", f"can't be used ({e}); there are memory:// and redis://host:port") from e
        self._limiter = MovingWindowRateLimiter(kept)
        self._is_near = storage.startswith("memory://")
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
        await self._check(self._address, "address", address)

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
        await self._check(self._failure, "failures", address)

    async def _check(self, item: RateLimitItem, *names: str) -> None:
        ask = self._limiter.hit
        try:
            is_allowed = ask(item, *names) if self._is_near else await to_thread.run_sync(partial(ask, item, *names))
            if is_allowed:
                return
            window = partial(self._limiter.get_window_stats, item, *names)
            reset = (window() if self._is_near else await to_thread.run_sync(window)).reset_time
        except Exception as e:  # noqa: BLE001 -- logs are needed most when something else is down
            report("admin-rates", f"what was asked can't be counted: {type(e).__name__}: {e}")
            return
        wait = max(1, round(reset - self._clock() / 1e9 + 0.5))
        raise ProblemError(429, f"too many requests; ask again in {wait} s", headers={"Retry-After": str(wait)})
