"""Addresses of the runs of a store in the MLflow UI."""

from raymm.errors import TrackingError
from raymm.tracking.mlflow.store import check_uri, redact
from raymm.tracking.mlflow.writer import STORE_ERRORS, one_line, open_store

__all__ = ["run_tables"]


def run_tables(uri: str, server: str) -> dict[str, str]:
    """The experiments of a store that have runs, the newest first, each with the address of its table of runs.

    The front page of MLflow 3.17 leads to views for language models instead, which are empty here.

    Parameters
    ----------
    uri
        Tracking URI of the store.
    server
        Address of a server of that store.

    Raises
    ------
    TrackingError
        When the store cannot be read.
    """
    check_uri(uri)
    try:
        client = open_store(uri, to_write=False)
        experiments = client.search_experiments(order_by=["creation_time DESC"])
        used = [each for each in experiments if client.search_runs([each.experiment_id], max_results=1)]
    except STORE_ERRORS as cause:
        raise TrackingError(f"tracking at {redact(uri)} cannot be read: {one_line(cause)}") from cause
    return {
        each.name: f"{server}/#/experiments/{each.experiment_id}/runs?workflowType=machine_learning" for each in used
    }
