"""The model registry: the model of a run under a name for others to load, as `models:/NAME@best`."""

import re
from collections.abc import Mapping
from typing import Any

from raymm.errors import TrackingError
from raymm.tracking.base import check_tags
from raymm.tracking.mlflow.deadline import within
from raymm.tracking.mlflow.store import check_uri, redact
from raymm.tracking.mlflow.writer import STORE_ERRORS, find_run, one_line, open_store

__all__ = ["register_model"]

MODEL_NAME = re.compile(r"[A-Za-z0-9_\-][A-Za-z0-9_\-. ]{0,199}")
ALIAS = re.compile(r"(?!latest$|v[0-9]+$)[A-Za-z][A-Za-z0-9_\-]{0,199}", re.IGNORECASE)
PATIENCE = 120.0  # seconds for the whole of it
FOLDER = "model"  # where `log_model` puts it within the run


def register_model(
    uri: str,
    experiment: str,
    key: str,
    name: str,
    tags: Mapping[str, str] | None = None,
    alias: str = "best",
) -> int:
    """Register the model of a run and set an alias to it; returns the version.

    A run that is already registered keeps its version; its tags and the alias are updated.

    Parameters
    ----------
    uri
        Tracking URI of the store of the run and the registry.
    experiment, key
        Of the run, as in `RunInfo`; its model has been sent.
    name
        Of the registered model, which is created if it does not exist.
    tags
        Facts about this version.
    alias
        Alias that is set to this version.

    Raises
    ------
    TrackingError
        When the name or the alias is unusable, the run or its model is not in the store, or the store refuses
        or does not answer.
    """
    check_uri(uri)
    if not MODEL_NAME.fullmatch(name):
        raise TrackingError(f"model name {name!r}: use 1 to 200 letters a-z, digits, _ - . and space")
    if not ALIAS.fullmatch(alias):
        raise TrackingError(f"alias {alias!r}: use a word, as in 'best', that is neither 'latest' nor a version")
    try:
        version = within(PATIENCE, lambda: _register(uri, experiment, key, name, check_tags(tags or {}), alias))
    except STORE_ERRORS as cause:
        raise TrackingError(
            f"tracking at {redact(uri)}: model '{name}' is not registered ({one_line(cause)}); the run is safe, "
            "so do it again once the store answers"
        ) from cause
    return int(version)


def _register(uri: str, experiment: str, key: str, name: str, tags: Mapping[str, str], alias: str) -> str:
    client = open_store(uri)
    run = _run_with_model(client, redact(uri), experiment, key)
    version = _version(client, run, name)
    for tag, value in tags.items():
        client.set_model_version_tag(name, version, tag, value)
    client.set_registered_model_alias(name, alias, version)
    return version


def _run_with_model(client: Any, where: str, experiment: str, key: str) -> Any:
    found = client.get_experiment_by_name(experiment)
    run = None if found is None else find_run(client, found.experiment_id, key)
    if run is None:
        raise TrackingError(
            f"tracking at {where}: experiment '{experiment}' has no run with key '{key}'; send its records first"
        )
    if not client.list_artifacts(run.info.run_id, FOLDER):
        raise TrackingError(
            f"run '{run.info.run_name}' ({key}) at {where} holds no model; only a run that has ended well does, "
            "once its records are sent"
        )
    return run


def _version(client: Any, run: Any, name: str) -> str:
    """The version of this run, made when it is missing."""
    run_id = run.info.run_id
    if not client.search_registered_models(f"name = '{name}'", max_results=1):
        client.create_registered_model(name)
    known = client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'", max_results=1)
    source = f"{run.info.artifact_uri}/{FOLDER}"  # `runs:/` would be looked up in whatever store the reader has set
    made = known[0] if known else client.create_model_version(name, source, run_id=run_id)
    return str(made.version)
