"""One S3 server for all tests of a worker, a prefix of its own for each test, and two machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from object_store import BUCKET, S3, Machine, moto


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[S3]:
    with moto(tmp_path_factory.mktemp("s3"), free_port()) as server:
        server.client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield server


@pytest.fixture
def prefix() -> str:
    return f"team/{uuid4().hex[:8]}"


@pytest.fixture
def url(prefix: str) -> str:
    return f"s3://{BUCKET}/{prefix}"


@pytest.fixture
def first(tmp_path: Path, s3: S3) -> Machine:
    return Machine(tmp_path / "first", s3.environment)


@pytest.fixture
def second(tmp_path: Path, s3: S3) -> Machine:
    return Machine(tmp_path / "second", s3.environment)
