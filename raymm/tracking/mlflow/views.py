"""Addresses of the runs of a store in the MLflow UI."""

from typing import Any

from raymm.errors import TrackingError
from raymm.tracking.mlflow.saved_views import CHARTS, TABLE, has_views, view_address
from raymm.tracking.mlflow.store import check_uri, redact
from raymm.tracking.mlflow.writer import STORE_ERRORS, one_line, open_store

__all__ = ["run_tables"]


def run_tables(uri: str, server: str) -> dict[str, str]:
    """The experiments of a store that have runs, the newest first, each with the address of its table of runs.

    Charts follow as `NAME, charts`. Experiments of earlier versions have no views, and MLflow's own table.

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
    return {name: f"{server}/{place}" for each in used for name, place in _places(each).items()}


def _places(experiment: Any) -> dict[str, str]:
    """The part of the addresses that follows the server's."""
    name, number = experiment.name, experiment.experiment_id
    if not has_views(experiment):
        return {name: f"#/experiments/{number}/runs?workflowType=machine_learning"}
    return {name: view_address(number, TABLE), f"{name}, charts": view_address(number, CHARTS)}
