"""Runs that a store shows as running although nobody works on them any more: they are marked KILLED.

A process that is killed outright (SIGKILL, no memory left) cannot say so to the store. Whoever opens the store next
does: the next command that records a run there, and `raymm ui`. A run counts as left only where the lock of its
folder, or of the study, sweep or demo around it, says so (`raymm.storage.lock_state.left_since`): its holder was a
process of this machine, which is gone. The same command that trained it goes on with it and marks it running again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from raymm.storage.lock_state import left_since
from raymm.tracking.mlflow.deadline import within
from raymm.tracking.mlflow.store import check_uri, database_of, redact
from raymm.tracking.mlflow.writer import ENDED, STORE_ERRORS, one_line, open_store

__all__ = ["end_left_runs"]

log = logging.getLogger(__name__)

FOLDER = "raymm.run_dir"
"""The tag that holds the folder of a run."""

PATIENCE = 5.0  # seconds for all of it, where the store is a server
A_PAGE = 1000


def end_left_runs(uri: str) -> list[str]:
    """Mark runs KILLED that were left while they were running, with the time of their last sign of life.

    What the store does not answer is left for the next time.

    Returns
    -------
    Their names.

    Raises
    ------
    TrackingError
        When the URI can never work.
    """
    check_uri(uri)
    try:
        if database_of(uri) is not None:
            return _end_left_runs(uri)
        return within(PATIENCE, lambda: _end_left_runs(uri))
    except STORE_ERRORS as cause:
        log.debug("tracking at %s: runs that were left are not looked for: %s", redact(uri), one_line(cause))
        return []


def _end_left_runs(uri: str) -> list[str]:
    client, ended = open_store(uri), []
    for run in _running(client):
        folder = _folder(run.data.tags.get(FOLDER, ""), uri)
        since = None if folder is None else left_since(folder)
        if folder is None or since is None:
            continue
        client.set_terminated(run.info.run_id, "KILLED", round(since * 1000))
        if left_since(folder) is None:  # somebody goes on with it since
            client.update_run(run.info.run_id, status="RUNNING")
            continue
        if run.data.tags.get(ENDED) == "running":  # of an arm or a trial
            client.set_tag(run.info.run_id, ENDED, "its process was killed; the same command goes on with it")
        log.info("%s: was left by a process that is gone; it is KILLED in the store", folder)
        ended.append(str(run.info.run_name))
    return ended


def _running(client: Any) -> Iterator[Any]:
    """The runs that a store shows as running."""
    experiments = [each.experiment_id for each in client.search_experiments()]
    token = None
    while experiments:
        page = client.search_runs(experiments, "attributes.status = 'RUNNING'", max_results=A_PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _folder(tag: str, uri: str) -> Path | None:
    """The folder of a run by its tag (`path_in_tags`); None where that names none on this machine."""
    database = database_of(uri)
    folder = Path(tag) if database is None else database.parent / tag
    return folder if tag and folder.is_absolute() and folder.is_dir() else None
