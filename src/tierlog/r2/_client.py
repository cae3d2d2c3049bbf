"""
A boto3 client for R2. Needs ``tierlog[r2]``.

Each setting is one that R2 needs or that would cost without it. They are measured
against Cloudflare's own simulator.
"""

from __future__ import annotations

from typing import Any

from tierlog.errors import MissingExtraError


try:
    import boto3.session
    from botocore.config import Config
    from botocore.handlers import add_expect_header
except ImportError as e:
    raise MissingExtraError("r2") from e


__all__ = ["new_client"]


def new_client(
    *,
    endpoint_url: str | None,
    access_key_id: str | None,
    secret_access_key: str | None,
    region: str,
    connect_timeout: float,
    read_timeout: float,
    connections: int,
    attempts: int,
) -> Any:
    """
    Return a client that threads may share, and forked children may not.

    Args:
        endpoint_url: As for :class:`tierlog.r2.R2Store`, and so are the others.

        access_key_id: boto3's own chain if None.

        secret_access_key: See *access_key_id*.

        region: ``auto`` for R2.

        connect_timeout: **Seconds**.

        read_timeout: **Seconds**.

        connections: How many are kept open.

        attempts: How often botocore tries; 1 where the caller does it.
    """
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        # R2 refuses the checksum trailer that boto3 sends over https by default.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries={"mode": "standard", "total_max_attempts": attempts},
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
        max_pool_connections=connections + 1,
        tcp_keepalive=True,
    )
    # A session of our own: the default one belongs to the application.
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint_url,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key,
        region_name=region if endpoint_url is not None or region != "auto" else None,
        config=config,
    )
    # R2 never answers "100 Continue", for which each PUT would wait a second.
    client.meta.events.unregister("before-call.s3", add_expect_header)
    return client
