"""Whether the MLflow store of a run can be used, and the disk below a folder that is not there yet."""

import os
import sqlite3
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from raymm.cluster.probe import Finding
from raymm.errors import TrackingError

__all__ = ["existing_folder", "tracking"]


def tracking(store: Path) -> Finding:
    """Whether the MLflow store that runs would be written to can be used; nothing is made there."""
    name = "MLflow store"
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    try:
        from raymm.tracking.mlflow.store import check_uri, database_of, local_uri, redact

        if uri:
            check_uri(uri)
    except ImportError as cause:
        return Finding(
            name, f"MLflow cannot be imported ({cause})", "install it again: `make clean`, then `make test`"
        )
    except TrackingError as cause:
        return Finding(name, redact(uri), f"{cause}")
    database = database_of(uri or local_uri(store))
    if database is not None:
        return _sqlite(name, database)
    shown = redact(uri)
    return _server(name, shown) if uri.startswith("http") else Finding(name, f"{shown} (not asked)")


def _sqlite(name: str, path: Path) -> Finding:
    if not path.exists():
        parent = existing_folder(path.parent)
        advice = "" if os.access(parent, os.W_OK) else f"{parent} cannot be written; choose another --store"
        return Finding(name, f"{path} is made by the first run", advice)
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            database.execute("select count(*) from experiments")
    except sqlite3.Error as cause:
        return Finding(name, f"{path}: {cause}", "this is no MLflow database; move it away or choose another --store")
    from raymm.tracking.mlflow.relocation import former_folders

    former = [str(folder.parent) for folder in former_folders(path.absolute())]
    moved = f", copied or moved from {', '.join(former)}: the next run or `raymm ui` follows" if former else ""
    return Finding(name, f"{path}{moved}")


def _server(name: str, uri: str) -> Finding:
    """Whether a server answers; `uri` is without user name and password, which `/health` of MLflow does not ask for.

    A proxy before it may ask: it answers then, and whether the login is right is only known by sending it.
    """
    try:
        with urlopen(f"{uri.rstrip('/')}/health", timeout=3):  # noqa: S310  (check_uri allowed only known schemes)
            return Finding(name, f"{uri} answers")
    except (URLError, OSError, ValueError, HTTPException) as cause:
        if isinstance(cause, HTTPError) and cause.code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return Finding(name, f"{uri} answers, and asks for a login ({cause}); it is not tried here")
        advice = "start `mlflow server` there or unset MLFLOW_TRACKING_URI; runs keep their records until it answers"
        return Finding(name, f"{uri} does not answer ({cause})", advice)


def existing_folder(path: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    return next(folder for folder in (path, *path.parents) if folder.exists())
