"""A local store in another folder than its database says: one that was copied or moved.

MLflow records absolute addresses of artifacts, so a copy would read and write the files of its original. When raymm
opens a local store it therefore compares the addresses below the store's own artifact folder with the present folder,
and rewrites them in the database where they differ. Other addresses are never changed.

A folder is known to have been the store's own by the tag that raymm gives its experiments, or, in stores of 0.1.0, by
the folders of runs (their names are unique) that lie in the present one.
"""

import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from raymm.errors import TrackingError
from raymm.tracking.mlflow.store import ARTIFACTS, PATH_TAGS, database_of, path_in_tags

__all__ = ["OWN_ARTIFACTS", "follow_folder", "former_folders"]

OWN_ARTIFACTS = "raymm.artifacts"
"""Tag of experiments whose artifacts lie in the store's own folder; its value is `ARTIFACTS`."""

ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Columns of MLflow's schema that hold addresses of artifacts."""

_IS_PATH = f"key IN {PATH_TAGS}"

PATIENCE = 20.0  # seconds to wait for a lock, as MLflow does

log = logging.getLogger(__name__)


def follow_folder(uri: str) -> list[Path]:
    """Rewrite the addresses of artifacts in a local store that was copied or moved, and say so.

    A store that lies where its database says is not written to, and neither is a server.

    Returns
    -------
    The artifact folders that the addresses named before; none where nothing was rewritten.

    Raises
    ------
    TrackingError
        When the database cannot be written.
    """
    database = database_of(uri)
    if database is None or not (former := former_folders(database)):
        return []
    here = database.parent / ARTIFACTS
    if _is_left_behind(here, former):
        _say_left_behind(database, former[0])
        return []
    try:
        with _transaction(database) as connection:
            roots = _former_roots(connection, here)
            for table, column in ADDRESSES:
                _rewrite(connection, table, column, lambda address: _moved(address, roots, here.as_uri()))
            _rewrite(connection, "tags", "value", lambda path: _path_moved(path, former, uri), _IS_PATH)
    except sqlite3.Error as cause:
        raise TrackingError(
            f"{database}: the store was copied or moved from {former[0].parent}, and the addresses of its artifacts "
            f"cannot be rewritten ({cause}); make the file writable"
        ) from cause
    log.warning("the store was copied or moved from %s; its artifacts are now those of %s", former[0].parent, here)
    return former


def former_folders(database: Path) -> list[Path]:
    """Artifact folders other than the present one that the addresses of this store name; only reads.

    An absent or unreadable database has none: whoever opens it by MLflow says what is wrong.
    """
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=PATIENCE)) as connection:
            roots = _former_roots(connection, database.parent / ARTIFACTS)
    except sqlite3.Error:
        return []
    return sorted({path for root in roots if (path := _path(root))})


def _former_roots(connection: sqlite3.Connection, here: Path) -> set[str]:
    """The addresses of former artifact folders, as the database spells them."""
    locations = {location for (location,) in connection.execute("SELECT artifact_location FROM experiments")}
    query = (
        "SELECT artifact_location FROM experiments JOIN experiment_tags USING (experiment_id) "
        "WHERE key = ? AND value = ?"
    )
    own = {_path(location) for (location,) in connection.execute(query, (OWN_ARTIFACTS, ARTIFACTS))}
    present = {folder.name for folder in here.iterdir()} if here.is_dir() else set()
    for run, address in connection.execute("SELECT run_uuid, artifact_uri FROM runs"):
        root, suffix, rest = (address or "").rpartition(f"/{run}/")
        if suffix and rest == "artifacts":
            locations.add(root)
            own |= {_path(root)} if run in present else set()
    return {root for root in locations if (path := _path(root)) in own and path and not _is_same(path, here)}


def _path(address: str | None) -> Path | None:
    """The folder of this machine that an address names, if it is called as artifact folders of raymm are."""
    parts = urlsplit(address or "")
    if parts.scheme != "file" or parts.netloc:
        return None
    path = Path(unquote(parts.path))
    return path if path.name == ARTIFACTS else None


def _is_same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one folder, be it through links."""
    return one.resolve() == other.resolve() or (one.exists() and other.exists() and one.samefile(other))


def _is_left_behind(here: Path, former: Iterable[Path]) -> bool:
    """Whether the database was copied alone: the artifacts are still where they were, and none are here."""
    return not here.is_dir() and any(folder.is_dir() and any(folder.iterdir()) for folder in former)


@cache
def _say_left_behind(database: Path, folder: Path) -> None:
    """Once a process: a sweep opens the store for each of its trials."""
    log.warning(
        "%s has its artifacts in %s; copy that folder beside it to have the whole store here", database, folder
    )


@contextmanager
def _transaction(database: Path) -> Iterator[sqlite3.Connection]:
    """A connection that holds the lock for writing; what was written is kept whole or not at all."""
    with closing(sqlite3.connect(database, timeout=PATIENCE, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def _rewrite(
    connection: sqlite3.Connection, table: str, column: str, change: Callable[[str], str], condition: str = "1"
) -> None:
    query = f"SELECT rowid, {column} FROM {table} WHERE {column} IS NOT NULL AND {condition}"  # noqa: S608
    rows = connection.execute(query).fetchall()
    changed = [(new, row) for row, old in rows if (new := change(old)) != old]
    connection.executemany(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", changed)  # noqa: S608


def _moved(address: str, roots: Iterable[str], here: str) -> str:
    """An address below one of the roots, below `here` instead; others as they are."""
    for root in roots:
        if address == root or address.startswith(f"{root}/"):
            return here + address.removeprefix(root)
    return address


def _path_moved(path: str, former: Iterable[Path], uri: str) -> str:
    """An absolute path of 0.1.0 in a tag, relative where the folder was copied or moved together with the store."""
    database = database_of(uri)
    assert database is not None
    for store in (artifacts.parent for artifacts in former):
        if Path(path).is_relative_to(store.parent):
            now = Path(os.path.normpath(database.parent / os.path.relpath(path, store)))
            return path_in_tags(str(now), uri) if now.exists() else path
    return path
