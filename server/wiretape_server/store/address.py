"""The URL of a store, checked before anything is asked of it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from wiretape_capture.errors import UsageError

SCHEMES = ("s3", "gs", "az", "file")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()/-]*")
"""Characters that are safe in a key everywhere
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html)."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a store is."""

    scheme: str
    bucket: str
    """The bucket or container; empty for `file`."""
    prefix: str
    """The path inside of it without slashes at its ends; for `file` the absolute path of the folder."""

    def __str__(self) -> str:
        """The URL as people write it."""
        if self.scheme == "file":
            return f"file://{self.prefix}"
        return f"{self.scheme}://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")


def address_of(url: str) -> Address:
    """Read a store's URL; raises `UsageError` and never repeats what may be a password."""
    scheme, mark, _ = url.partition("://")
    if not mark or scheme.lower() not in SCHEMES:
        shown = f'"{scheme}://"' if mark and scheme.isalnum() else "this"
        raise UsageError(f"{shown} is no store", "write it as s3://BUCKET/PREFIX or file:///FOLDER")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise UsageError("the store's URL cannot be read", "write it as s3://BUCKET/PREFIX") from None
    if "@" in parts.netloc or ":" in parts.netloc:
        raise UsageError("the store's URL holds more than a bucket before its path",
                         "leave credentials and ports to AWS_PROFILE and AWS_ENDPOINT_URL")  # fmt: skip
    if parts.query or parts.fragment:
        raise UsageError("the store's URL has a ? or a #", "write it as s3://BUCKET/PREFIX")
    return _folder(parts.netloc, parts.path) if scheme.lower() == "file" else _bucket(scheme, parts.netloc, parts.path)


def _folder(host: str, path: str) -> Address:
    if host not in ("", "localhost") or not path.strip("/"):
        raise UsageError(
            "a folder's URL has three slashes and an absolute path", "write it as file:///mnt/shared/tapes"
        )
    return Address("file", "", "/" + unquote(path).strip("/"))


def _bucket(scheme: str, bucket: str, path: str) -> Address:
    prefix = path.strip("/")
    if not _BUCKET.fullmatch(bucket):
        raise UsageError(f'"{bucket}" cannot be a bucket', f"write the store as {scheme}://BUCKET/PREFIX")
    if not _PREFIX.fullmatch(prefix) or any(part in ("", ".", "..") for part in prefix.split("/") if prefix):
        raise UsageError(f'"{prefix}" cannot be the prefix of a store', "use letters, digits, '-', '_', '.' and '/'")
    return Address(scheme.lower(), bucket, prefix)
