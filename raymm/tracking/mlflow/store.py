"""Which store is written: `MLFLOW_TRACKING_URI` where it is set, else a local SQLite file.

Locations are absolute, because a Ray worker's working directory is not the user's. MLflow is told here, before
it is imported, not to wait for minutes on a server that is away, and to keep its telemetry off.
"""

import logging
import os
from pathlib import Path
from urllib.parse import urlparse

from raymm.errors import TrackingError

__all__ = ["check_uri", "local_store", "store_of"]

DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "3",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
}

SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks")


def store_of(folder: Path) -> tuple[str, Path | None]:
    """Tracking URI and artifact folder: the environment's, or a local store in `folder`."""
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if uri:
        check_uri(uri)
        return uri, None
    return local_store(folder)


def local_store(folder: Path) -> tuple[str, Path]:
    """URI of an SQLite file in `folder`, and the folder of its artifacts, both absolute."""
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder / 'mlflow.db'}", folder / "artifacts"


def check_uri(uri: str) -> None:
    """Refuse a tracking URI that can never work.

    Raises
    ------
    TrackingError
        Saying what to use instead.
    """
    scheme = urlparse(uri).scheme.split("+")[0]
    if scheme in {"", "file"}:
        raise TrackingError(
            f"tracking URI '{uri}' is a folder of files, which MLflow no longer writes; use sqlite:////path/mlflow.db "
            "on one machine, or the http address of an `mlflow server`"
        )
    if scheme not in SCHEMES:
        raise TrackingError(f"tracking URI '{uri}': '{scheme}' is none of {', '.join(SCHEMES)}")


def set_defaults() -> None:
    """Give MLflow its settings; what the user has set stays."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
