"""
What went wrong on the way to the bucket, in one line that says what to do.

No credentials, and nothing that was sent, are in any of them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from tierlog.errors import MissingExtraError, ObjectExistsError, ObjectNotFoundError, StoreError


try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError as e:
    raise MissingExtraError("r2") from e


__all__ = ["BOTO_ERRORS", "store_error"]

# ValueError: an endpoint that botocore can't make sense of. KeyError: an answer that lacks what S3 answers.
BOTO_ERRORS: tuple[type[Exception], ...] = (BotoCoreError, ClientError, OSError, ValueError, KeyError)
"""All that a client raises for what isn't the caller's mistake."""

_NOT_FOUND, _EXISTS, _UNAUTHORIZED, _FORBIDDEN = 404, 412, 401, 403
_MOST_CHARS = 300

_KEYS = "the store refuses the access key ({code}); check access_key_id and secret_access_key, and that they are of this account"
_BY_CODE = {
    "NoSuchBucket": "there's no bucket {bucket!r} at {endpoint}; make it, or correct sink.bucket or sink.endpoint_url",
    "AccessDenied": "the access key may not do this with bucket {bucket!r} ({code}); let its token read and write objects there",
    "SignatureDoesNotMatch": _KEYS,
    "InvalidAccessKeyId": _KEYS,
    "InvalidArgument": "the store doesn't take the request ({said}); check access_key_id, which is 32 characters long in R2",
    "Unauthorized": _KEYS,
    "BadDigest": "the store got other bytes than were sent ({code})",
    "ExpiredToken": "the credentials have expired; renew them",
    "TooManyRequests": "the store asks to go slower ({code})",
    "SlowDown": "the store asks to go slower ({code})",
}
_NO_S3 = "the answer of {endpoint} isn't that of an S3 store; check sink.endpoint_url"
_BY_TYPE = {
    "NoCredentialsError": "there are no credentials; give access_key_id and secret_access_key, or what boto3 looks for",
    "PartialCredentialsError": "the credentials are incomplete; give both access_key_id and secret_access_key",
    "EndpointConnectionError": "{endpoint} can't be reached; check sink.endpoint_url and the network",
    "ConnectTimeoutError": "{endpoint} doesn't answer (connect_timeout)",
    "ReadTimeoutError": "{endpoint} doesn't answer (read_timeout)",
    "ConnectionClosedError": "{endpoint} closed the connection",
    "SSLError": "{endpoint} has no certificate that is trusted here ({said}); check sink.endpoint_url, or set AWS_CA_BUNDLE",
    "ResponseParserError": _NO_S3,
    "KeyError": _NO_S3,
}


def store_error(error: Exception, *, bucket: str, key: str, endpoint: str | None) -> StoreError:
    """
    Return *error* as one of ours.

    Args:
        error: One of :data:`BOTO_ERRORS`.

        bucket: The bucket.

        key: What was asked for.

        endpoint: Where; None for AWS.
    """
    response = getattr(error, "response", None)
    about = {"bucket": bucket, "endpoint": endpoint or "AWS", "said": _one_line(str(error))}
    if isinstance(error, ClientError) and isinstance(response, Mapping):
        return _refused(response, key, about)
    code = type(error).__name__
    problem = _BY_TYPE.get(code, f"{{endpoint}}: {code}: {{said}}").format(**about)
    return StoreError(problem, code=code)


def _refused(response: Mapping[str, Any], key: str, about: dict[str, str]) -> StoreError:
    meta = response.get("ResponseMetadata", {})
    status = meta.get("HTTPStatusCode")
    code = str(response.get("Error", {}).get("Code") or status)
    about = {**about, "code": code}
    if status == _EXISTS:
        return ObjectExistsError(
            f"{key}: there's an object under this key, or another one than expected", code=code, status=status
        )
    if status == _NOT_FOUND and code != "NoSuchBucket":
        return ObjectNotFoundError(f"{key}: there's no such object in bucket {about['bucket']!r}", code=code, status=status)
    if code == "RequestTimeTooSkewed":
        return StoreError(_skewed(meta.get("HTTPHeaders", {})), code=code, status=status)
    if code not in _BY_CODE and status in {_UNAUTHORIZED, _FORBIDDEN}:
        code = "AccessDenied" if status == _FORBIDDEN else "Unauthorized"
    problem = _BY_CODE.get(code, "the store answers {code} ({said})").format(**about)
    return StoreError(problem, code=code, status=status)


def _skewed(headers: Mapping[str, str]) -> str:
    try:
        off = f"{time.time() - parsedate_to_datetime(headers['date']).timestamp():+,.0f} s"  # noqa: TID251 -- botocore's clock
    except (KeyError, ValueError, TypeError):
        off = "too far"
    return f"the clock of this machine is {off} off from the store's, which refuses it; set it (timedatectl set-ntp true)"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MOST_CHARS else f"{line[:_MOST_CHARS]}…"
