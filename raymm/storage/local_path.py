"""Text as a path of this machine: `file:///...` is the path that it names, any other address is refused."""

import re
from os import PathLike, fspath
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from raymm.errors import ConfigError

__all__ = ["as_path", "local_path"]

ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")

STORES = (
    "abfs",
    "abfss",
    "adl",
    "az",
    "dbfs",
    "file",
    "gcs",
    "gs",
    "hdfs",
    "http",
    "https",
    "oss",
    "s3",
    "s3a",
    "wasbs",
)
SHORTENED = re.compile(rf"({'|'.join(STORES)}):/(?=[^/])", re.IGNORECASE)
"""What `Path` makes of an address: `Path("s3://bucket")` is `s3:/bucket`, which nobody means as a folder `s3:`."""


def local_path(given: str | PathLike[str]) -> Path:
    """The path that a text, or what stands for a path, names on this machine.

    Raises
    ------
    ConfigError
        For the address of an object store or of a server, saying what to give.

    Examples
    --------
    >>> local_path("file:///mnt/my%20data"), local_path("runs/12:30")
    (PosixPath('/mnt/my data'), PosixPath('runs/12:30'))
    >>> local_path("gs://bucket/run")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    raymm.errors.ConfigError: gs://bucket/run: is an address, and a folder or file of this machine is needed: ...
    """
    text = fspath(given)
    if not isinstance(given, str):
        text = SHORTENED.sub(lambda found: f"{found[1]}://{'/' if found[1].lower() == 'file' else ''}", text, count=1)
    found = ADDRESS.match(text)
    if found is None:
        return Path(given)
    shown = re.sub(r"://[^/?#\s]*@", "://", text.partition("?")[0])
    if found[1].lower() != "file":
        raise ConfigError(
            f"{shown}: is an address, and a folder or file of this machine is needed: give a local path, or that "
            "of a drive that is mounted here; copies of what is trained go to an object store by "
            "cluster.mirror=s3://bucket/prefix"
        )
    parts = urlsplit(text)
    if parts.netloc not in {"", "localhost"} or parts.query or parts.fragment or not parts.path:
        raise ConfigError(
            f"{shown}: write a file of this machine as its plain path, or as file:///folder/name with three slashes, "
            "%23 for # and %3F for ?"
        )
    return Path(unquote(parts.path))


def as_path(given: Any) -> Any:
    """What stands for a path as one, and so an address of a file; anything else as it is.

    Raises
    ------
    ConfigError
        For other addresses, see `local_path`.

    Examples
    --------
    >>> as_path("mine.data:clips"), as_path("file:///clips"), as_path(3)
    ('mine.data:clips', PosixPath('/clips'), 3)
    """
    if isinstance(given, PathLike):
        return local_path(given)
    return local_path(given) if isinstance(given, str) and "://" in given else given
