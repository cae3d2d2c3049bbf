"""
Texts that this service gives out and recognises: cursors and tickets.

Nothing is kept of them, so that any server with the same key knows them.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode


__all__ = ["Signer"]

_MAC_BYTES = 15  # 20 characters, and 120 bits


class Signer:
    """
    Signs texts, each for one purpose.

    Args:
        secret: What the keys are derived of.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = hmac.digest(secret, b"tierlog.admin signer 1", "sha256")

    def sign(self, purpose: str, text: str, bound_to: str = "") -> str:
        """
        Return *text*, which is good for a URL, with a signature.

        Args:
            purpose: What it is for: for anything else it isn't valid.

            text: What is signed.

            bound_to: What else must be the same when it comes back.
        """
        return f"{text}.{self._mac(purpose, text, bound_to)}"

    def verify(self, purpose: str, text: str, bound_to: str = "") -> str | None:
        """
        Return what was signed; None if it wasn't, or not for this.
        """
        signed, _, mac = text.rpartition(".")
        is_ours = mac.isascii() and hmac.compare_digest(mac, self._mac(purpose, signed, bound_to))
        return signed if is_ours else None

    def _mac(self, purpose: str, text: str, bound_to: str) -> str:
        key = hmac.digest(self._secret, purpose.encode(), "sha256")
        bound = bound_to.encode("utf-8", "surrogatepass")
        body = text.encode("utf-8", "surrogatepass")
        mac = hmac.digest(key, b"%d:%b%b" % (len(bound), bound, body), "sha256")[:_MAC_BYTES]
        return urlsafe_b64encode(mac).decode()
