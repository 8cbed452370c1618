"""Opening a local store: refused at once where MLflow would try for minutes, and made by one process at a time.

Records need no lock of raymm: SQLite has its own, and several runs may record into one store at the same time. MLflow
makes the tables of a new store, and those of a newer version, without one; two processes that begin together would
each find half of the other's.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from raymm.storage.layout import lock_of_file
from raymm.storage.lock import writing

__all__ = ["opening", "require_usable"]

PATIENCE = 60.0
"""Seconds to wait while another process makes the store; it takes some four."""

BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def require_usable(database: Path, *, to_write: bool) -> None:
    """Open an SQLite file, or make it, and take its lock where it is `to_write`.

    A file that another process is just writing is usable: MLflow waits for that.

    Raises
    ------
    sqlite3.Error
        When it cannot be opened, is no database, or cannot be written.
    """
    if database.is_dir():
        raise sqlite3.OperationalError(f"{database} is a folder where a file is needed")
    address = database.as_uri() + ("" if to_write else "?mode=ro")
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=0.0, isolation_level=None)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master")
            if to_write:
                _try_to_write(connection)
    except sqlite3.Error as cause:
        if getattr(cause, "sqlite_errorcode", 0) & 0xFF not in BUSY:
            raise


def _try_to_write(connection: sqlite3.Connection) -> None:
    """Write what is there already and take it back: a transaction alone does not tell that a file is read-only."""
    connection.execute("BEGIN IMMEDIATE")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {version}")
    connection.execute("ROLLBACK")


@contextmanager
def opening(database: Path) -> Iterator[None]:
    """Hold the lock under which a store is made or rewritten; a store that can only be read needs none.

    Raises
    ------
    LockedError
        When another process holds it for more than a minute.
    """
    with ExitStack() as stack:
        with suppress(OSError):
            stack.enter_context(writing(lock_of_file(database), f"the MLflow store {database.parent}", PATIENCE))
        yield
