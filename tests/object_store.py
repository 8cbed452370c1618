"""An S3 server on the loopback interface, for tests of what is kept on an object store."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from moto.server import ThreadedMotoServer
from pyarrow.fs import S3FileSystem

__all__ = ["object_store"]


@contextmanager
def object_store() -> Iterator[Callable[[], str]]:
    """Yield a function that makes an empty bucket and returns the URI of a prefix in it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    options = {"endpoint_override": f"{host}:{port}", "scheme": "http", "region": "us-east-1"}
    count = itertools.count()

    def new_prefix() -> str:
        bucket = f"bucket-{next(count)}"
        S3FileSystem(**options, allow_bucket_creation=True).create_dir(bucket)
        return f"s3://{bucket}/runs?" + "&".join(f"{name}={value}" for name, value in options.items())

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "key")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        yield new_prefix
    server.stop()
