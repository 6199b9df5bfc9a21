"""Objects in a store by key: the one place that knows obstore and botocore, which are imported when first needed."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from wiretape_capture.errors import UsageError, WiretapeError
from wiretape_capture.snapshot.private import FOLDER
from wiretape_server.store.address import Address
from wiretape_server.store.failing import endpoint_url, told

if TYPE_CHECKING:
    from obstore.store import ObjectStore

PIECE = 8 << 20
"""Bytes of one request: a larger file goes in parts, and a slow line has `PIECE_SECONDS` for each."""
PIECE_SECONDS = 120
CONNECT_SECONDS = 5
RETRIES, RETRY_SECONDS = 4, 20
CREDENTIAL_MINUTES = 10
LARGEST_ENTRY = 4 << 20


class Objects:
    """All objects below a store's prefix."""

    def __init__(self, address: Address, store: ObjectStore, made: str = "") -> None:
        self.address = address
        self._store = store
        self.made = made
        """The folder that was made for it."""

    @classmethod
    def open(cls, address: Address, *, write: bool = False) -> Self:
        """Get ready; asks the store for nothing yet. `write` makes the folder of a `file` store, no others above it."""
        try:
            import obstore.store  # noqa: F401 - optional, and 30 ms of start-up that only stores need
        except ImportError:
            raise missing_extra() from None
        made = _found(Path(address.prefix), make=write) if address.scheme == "file" else ""
        with told(address):
            return cls(address, _opened(address), made)

    def read(self, key: str) -> tuple[bytes, dict[str, Any]]:
        """A small object and what a replacement has to name; raises `Absent`."""
        import obstore

        with told(self.address):
            found = obstore.get(self._store, key)
            mark = {name: found.meta[name] for name in ("e_tag", "version")}
            return b"" if found.meta["size"] > LARGEST_ENTRY else bytes(found.bytes()), mark

    def create(self, key: str, data: bytes) -> None:
        """Write a small object where none is; raises `Taken`."""
        import obstore

        with told(self.address), self._kept_from_others():
            obstore.put(self._store, key, data, mode="create", use_multipart=False)

    def replace(self, key: str, data: bytes, mark: dict[str, Any]) -> None:
        """Write it in the place of the one that `read` gave; raises `Taken` when another one is there by now."""
        import obstore

        with told(self.address), self._kept_from_others():
            # Folders know no conditional replacement; there the last one wins.
            mode: Any = "overwrite" if self.address.scheme == "file" else {k: v for k, v in mark.items() if v}
            obstore.put(self._store, key, data, mode=mode, use_multipart=False)

    def upload(self, key: str, path: Path) -> None:
        """Write a file, in parts where it is large: it is there as a whole or not at all."""
        import obstore

        with told(self.address), self._kept_from_others():
            obstore.put(self._store, key, path, chunk_size=PIECE, max_concurrency=4)

    def size(self, key: str) -> int:
        """Bytes of an object; raises `Absent`."""
        import obstore

        with told(self.address):
            return obstore.head(self._store, key)["size"]

    def pieces(self, key: str, size: int) -> Iterator[bytes]:
        """The object of that size, a piece at a time."""
        import obstore

        for start in range(0, size, PIECE):
            with told(self.address):
                yield bytes(obstore.get_range(self._store, key, start=start, end=min(start + PIECE, size)))

    def keys(self, folder: str) -> list[str]:
        """The objects right below a folder, without those in folders of their own."""
        import obstore

        with told(self.address):
            try:
                found = obstore.list_with_delimiter(self._store, prefix=folder)
            except FileNotFoundError:
                return []
        return [each["path"] for each in found["objects"]]

    @contextmanager
    def _kept_from_others(self) -> Iterator[None]:
        """What is written into a folder is for its owner, and for the group that may write there: it is shared."""
        if self.address.scheme != "file":
            yield
            return
        shared = Path(self.address.prefix).stat().st_mode & stat.S_IWGRP
        before = os.umask(0o007 if shared else 0o077)
        try:
            yield
        finally:
            os.umask(before)


def missing_extra() -> UsageError:
    """What a store needs is not installed."""
    return UsageError("a store needs libraries that are not installed", "install them with: pip install 'wiretape[s3]'")


def _found(folder: Path, *, make: bool) -> str:
    """See to the folder of a store, which is made where only it is missing: a mistyped path is no new place."""
    if folder.is_dir():
        return ""
    if not make:
        raise UsageError(f"there is no folder {folder}", "correct the store's URL, or push something first")
    try:
        folder.mkdir(mode=FOLDER)
    except FileNotFoundError:
        make_it = f"mkdir -p {shlex.quote(str(folder))}"
        raise UsageError(f"there is no folder {folder.parent} to make {folder.name} in",
                         f"correct the store's URL, or make it with: {make_it}") from None  # fmt: skip
    except OSError as error:
        raise UsageError(f"the folder {folder} cannot be made: {(error.strerror or str(error)).lower()}",
                         "correct the store's URL, or make it yourself") from None  # fmt: skip
    return str(folder)


def _opened(address: Address) -> ObjectStore:
    from obstore.store import LocalStore, from_url

    if address.scheme == "file":
        return LocalStore(address.prefix)
    if address.scheme == "s3":
        return _s3(address)
    return from_url(str(address), client_options=_client(), retry_config=_retries())


def _s3(address: Address) -> ObjectStore:
    from obstore.store import S3Store

    try:
        import botocore.exceptions
        import botocore.session
    except ImportError:
        raise missing_extra() from None
    # The AWS tools' own rules for where credentials, region and endpoint come from: variables, profiles, roles, SSO.
    try:
        session = botocore.session.Session()
        credentials = session.get_credentials()
        profile = session.get_scoped_config()
    except botocore.exceptions.BotoCoreError as error:
        raise WiretapeError(f"the AWS credentials cannot be used ({type(error).__name__})",
                            "correct AWS_PROFILE and the AWS configuration") from None  # fmt: skip
    if credentials is None:
        raise WiretapeError(f"there are no AWS credentials for {address}",
                            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")  # fmt: skip

    def current() -> Any:
        try:
            frozen = credentials.get_frozen_credentials()
        except botocore.exceptions.BotoCoreError as error:
            raise WiretapeError(f"the AWS credentials cannot be renewed ({type(error).__name__})",
                                "log in again, or choose others with AWS_PROFILE") from None  # fmt: skip
        return {"access_key_id": frozen.access_key, "secret_access_key": frozen.secret_key, "token": frozen.token,
                "expires_at": datetime.now(UTC) + timedelta(minutes=CREDENTIAL_MINUTES)}  # fmt: skip

    current()
    endpoint = endpoint_url() or profile.get("endpoint_url")
    region = os.environ.get("AWS_REGION") or session.get_config_variable("region") or "us-east-1"
    options: dict[str, Any] = {"region": region} | ({"endpoint": endpoint} if endpoint else {})
    return S3Store(address.bucket, prefix=address.prefix or None, **options, credential_provider=current,
                   client_options=_client(endpoint), retry_config=_retries())  # fmt: skip


def _client(endpoint: str | None = None) -> Any:
    return {"connect_timeout": timedelta(seconds=CONNECT_SECONDS), "timeout": timedelta(seconds=PIECE_SECONDS),
            "allow_http": (endpoint or "").startswith("http://")}  # fmt: skip


def _retries() -> Any:
    return {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_SECONDS)}
