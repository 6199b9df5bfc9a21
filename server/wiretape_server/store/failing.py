"""What an object store's errors mean to a user: one sentence, and what to do.

Their own texts are never shown: they repeat signed requests, keys and whole answers of the server.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_server.store.address import Address

_CODE = re.compile(r"<Code>([A-Za-z]+)</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_SYSTEM = re.compile(r"\(os error (\d+)\)")
CREDENTIALS = frozenset({
    "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired",
    "InvalidSecurity",
})  # fmt: skip
REGION = frozenset(
    {"AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect", "IllegalLocationConstraintException"}
)


def endpoint_url() -> str | None:
    """Where S3 is, if not at Amazon, as the AWS tools are told it."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


class Absent(Exception):
    """There is no such object."""


class Taken(Exception):
    """An object that was to be new is there, or one that was to be replaced is another by now."""


@contextmanager
def told(address: Address) -> Iterator[None]:
    """Turn the library's errors into `Absent`, `Taken` or one sentence."""
    from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

    try:
        yield
    except (AlreadyExistsError, PreconditionError):
        raise Taken from None
    except FileNotFoundError as error:
        if _code(error) == "NoSuchBucket":
            raise _no_bucket(address) from None
        raise Absent from None
    except (BaseError, NotImplementedError, PermissionError, OSError) as error:
        raise meaning(address, error) from None


def meaning(address: Address, error: Exception) -> WiretapeError:
    """One sentence for an error that is neither of those."""
    text, code = str(error), _code(error)
    status = found[1] if (found := _STATUS.search(text)) else ""
    if code == "NoSuchBucket":
        return _no_bucket(address)
    if code in REGION or "incorrectly configured region" in text:
        return WiretapeError(f"the bucket {address.bucket} is in another region", "set AWS_REGION to the bucket's own")
    if code in CREDENTIALS or (status == "401" and not code):
        return WiretapeError(f"{address} refused the credentials{f' ({code})' if code else ''}",
                             "renew them, or choose others with AWS_PROFILE")  # fmt: skip
    if code == "RequestTimeTooSkewed":
        return WiretapeError(f"{address} refused the request: this machine's clock is wrong", "set the clock")
    if code == "AccessDenied" or status == "403" or isinstance(error, PermissionError):
        return WiretapeError(f"{address} does not allow this", "ask for the right to list, read and write there")
    if isinstance(error, NotImplementedError) or code == "NotImplemented" or status == "501":
        return WiretapeError(f"{address} cannot write an object only where none is",
                             "use a store that knows If-None-Match, as S3 and MinIO do")  # fmt: skip
    return _transport(address, text, code or (f"status {status}" if status else ""))


def _transport(address: Address, text: str, answered: str) -> WiretapeError:
    if answered:
        return WiretapeError(f"{address} answered with an error ({answered})", "try again later")
    if (system := _SYSTEM.search(text)) and address.scheme == "file":
        return WiretapeError(f"{address} failed: {os.strerror(int(system[1])).lower()}", "check the folder")
    if "kind: Timeout" in text or "operation timed out" in text:
        return WiretapeError(f"{address} did not answer in time", "check the network, then try again")
    if "error sending request" in text or "kind: Connect" in text or "dns error" in text:
        return WiretapeError(f"{address} cannot be reached{_endpoint(address)}",
                             "check the network and the endpoint")  # fmt: skip
    return WiretapeError(f"{address} failed", "check the store's URL, its endpoint and the network")


def _endpoint(address: Address) -> str:
    """Where it was looked for, without what may stand before an @."""
    host = urlsplit(endpoint_url() or "").netloc.rpartition("@")[2]
    return f" at {host}" if address.scheme == "s3" and host else ""


def _no_bucket(address: Address) -> UsageError:
    return UsageError(f"there is no bucket {address.bucket}", "correct the store's URL, or make the bucket")


def _code(error: Exception) -> str:
    found = _CODE.search(str(error))
    return found[1] if found else ""
