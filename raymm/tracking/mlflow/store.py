"""The store that is used: `MLFLOW_TRACKING_URI` if it is set, else a local SQLite file.

Locations are absolute, because a Ray worker's working directory is not the user's. MLflow is configured here, before
it is imported, not to wait minutes for an unreachable server, and to keep its telemetry off.
"""

import logging
import os
import re
from pathlib import Path
from urllib.parse import urlparse

from raymm.errors import TrackingError
from raymm.storage.atomic import require_writable

__all__ = [
    "ARTIFACTS",
    "DATABASE",
    "PATH_TAGS",
    "check_uri",
    "database_of",
    "local_store",
    "local_uri",
    "path_in_tags",
    "redact",
    "store_of",
]

DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "3",
    "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT": "60",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_UV_AUTO_DETECT": "false",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
}


DATABASE = "mlflow.db"
"""The SQLite file of a local store."""

ARTIFACTS = "artifacts"
"""The folder of artifacts, beside the database."""

PATH_TAGS = ("raymm.run_dir", "raymm.log")
"""Tags that hold paths, see `path_in_tags`."""


def store_of(folder: Path) -> tuple[str, Path | None]:
    """Tracking URI and artifact folder: the environment's, or a local store in `folder`.

    Raises
    ------
    TrackingError
        When `MLFLOW_TRACKING_URI` can never work.
    OSError
        When the folder of a local store cannot be written.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        require_writable(folder)
        return local_store(folder)
    check_uri(uri)
    database = database_of(uri)
    if database is None:
        return uri, None
    require_writable(database.parent)  # without it MLflow retries for a minute
    return f"sqlite:///{database}", database.parent / ARTIFACTS


def local_store(folder: Path) -> tuple[str, Path]:
    """URI of an SQLite file in `folder`, and the folder of its artifacts, both absolute."""
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return local_uri(folder), folder / ARTIFACTS


def local_uri(folder: Path) -> str:
    """URI of the local store in `folder`, whether it is there or not."""
    return f"sqlite:///{folder.absolute() / DATABASE}"


def database_of(uri: str) -> Path | None:
    """The SQLite file of a local store, absolute; None where the URI names a server.

    Examples
    --------
    >>> database_of("sqlite:////stores/demo/mlflow.db")
    PosixPath('/stores/demo/mlflow.db')
    >>> database_of("http://127.0.0.1:5000") is None
    True
    """
    scheme, found, path = uri.partition(":///")
    return Path(path).absolute() if found and scheme == "sqlite" else None


def path_in_tags(path: str, uri: str) -> str:
    """A path as tags hold it: relative to a local store's folder where it lies below or beside that folder.

    A store that is copied or moved together with its runs then still names them. Other paths stay absolute, as do all
    those of a server.

    Examples
    --------
    >>> path_in_tags("/demo/runs/joint", "sqlite:////demo/mlflow/mlflow.db")
    '../runs/joint'
    >>> path_in_tags("/other/joint", "sqlite:////demo/mlflow/mlflow.db")
    '/other/joint'
    >>> path_in_tags("/demo/runs/joint", "http://127.0.0.1:5000")
    '/demo/runs/joint'
    """
    database = database_of(uri)
    if database is None or not Path(path).is_absolute():
        return path
    folder = database.parent
    around = folder if folder.parent == Path(folder.anchor) else folder.parent
    return os.path.relpath(path, folder) if Path(path).is_relative_to(around) else path


def check_uri(uri: str) -> None:
    """Refuse a tracking URI that can never work.

    Raises
    ------
    TrackingError
        Saying what to use instead.
    """
    parts = urlparse(uri)
    where = f"tracking URI '{redact(uri)}'"
    advice = "use sqlite:////path/mlflow.db on one machine, or the http address of an `mlflow server`"
    if parts.scheme in {"", "file"}:
        raise TrackingError(f"{where} is a folder of files, which MLflow no longer writes; {advice}")
    if parts.scheme not in {"http", "https", "sqlite"}:
        raise TrackingError(f"{where}: scheme '{parts.scheme}' is not known; {advice}")
    if (parts.scheme == "sqlite") == bool(parts.netloc) or (parts.scheme == "sqlite" and len(parts.path) < 2):
        raise TrackingError(f"{where} names no server and no file; {advice}")


def redact(text: str) -> str:
    """A URI, or a text that contains URIs, without user names and passwords."""
    return re.sub(r"://[^/?#\s]*@", "://", text)


def set_defaults() -> None:
    """Configure MLflow; variables that the user has set are kept."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # its errors are raised as well
