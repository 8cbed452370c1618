"""One run of a store, found or created by its key, and the number of events that have arrived there.

The number of events sent is the tag `raymm.sent`, sent in the same request as the metrics; files, which may come
twice, are counted with the next event that is none. MLflow commits metrics before tags, so after a crash or a
time-out between the two the next metrics are compared with those of the store: an epoch's with its history, a
summary's with the latest value. The tag also says which events they were. Where those are others (the outbox was
lost, is an older copy, or a copy of the folder went on), all metrics are compared.
"""

import logging
import math
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from raymm.tracking.about import DataInput, View
from raymm.tracking.base import RunInfo
from raymm.tracking.metrics import split_metric
from raymm.tracking.mlflow.inputs import dataset_input
from raymm.tracking.mlflow.links import NOTE, has_links, with_links
from raymm.tracking.mlflow.local import opening, require_usable
from raymm.tracking.mlflow.logged_model import About, log_logged_model
from raymm.tracking.mlflow.model import save_served
from raymm.tracking.mlflow.relocation import OWN_ARTIFACTS, follow_folder
from raymm.tracking.mlflow.saved_views import children_view, record_views
from raymm.tracking.mlflow.store import ARTIFACTS, PATH_TAGS, database_of, path_in_tags, redact, set_defaults
from raymm.tracking.outbox import Event, Outbox

set_defaults()

from mlflow.entities import Metric, Param, RunTag  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402
from mlflow.tracking import MlflowClient  # noqa: E402
from mlflow.tracking.context.registry import resolve_tags  # noqa: E402
from sqlalchemy.exc import SQLAlchemyError  # noqa: E402

__all__ = [
    "ENDED",
    "FIRST_EPOCH",
    "LONGEST_VALUE",
    "STORE_ERRORS",
    "MlflowClient",
    "RunWriter",
    "find_run",
    "is_refusal",
    "one_line",
    "open_store",
]

STORE_ERRORS = (MlflowException, SQLAlchemyError, OSError, sqlite3.Error)

log = logging.getLogger(__name__)

SENT = "raymm.sent"
SEVERAL = "raymm.several_folders"
"""The tag of a run that a copy of its folder has recorded too: what it holds is more than one folder knows of."""
FIRST_EPOCH = "raymm.first_epoch"
"""In the first event of an outbox, and a tag: the step of the first epoch. Older records, without it, begin at 0."""
ENDED = "raymm.ended"
"""The tag that says in words how an arm or a trial stands."""
FILE = "artifact"
"""The kind of an event that is a file."""
NOT_IMPLEMENTED = 501
A_REQUEST = 100  # parameters, or tags
OF_A_MODEL = ("mlflow.user", "mlflow.source.name", "mlflow.source.type")
"""Tags of a run that its model has too."""
LONGEST_VALUE = 6000
"""Characters of a parameter or tag; what is longer is cut."""


class RunWriter:
    """Writes events to the run of `info.key`, in order.

    Parameters
    ----------
    uri
        Tracking URI.
    outbox
        The events; the first holds the `RunInfo`. The run is created if the experiment has none of its key.
    artifacts
        Where a new experiment keeps its artifacts; None leaves it to the server.
    run_dir
        Folder to which relative paths in events refer.

    Raises
    ------
    STORE_ERRORS
        When the store refuses or does not answer.
    """

    def __init__(self, uri: str, outbox: Outbox, artifacts: Path | None, run_dir: Path) -> None:
        self._uri = uri
        self._client = open_store(uri)
        self._run_dir = run_dir
        self._outbox = outbox
        first = outbox.events[0]
        info = _run_info(first["info"])
        experiment = self._experiment(info.experiment, artifacts)
        self._view = info.view
        run = find_run(self._client, experiment, info.key)
        known = run is not None
        self._marked = run is not None and run.info.status != "RUNNING"
        run = run or self._create(experiment, info, first["time"])
        self.run_id: str = run.info.run_id
        self._experiment_id = experiment
        self._shift = int(run.data.tags.get(FIRST_EPOCH, 0)) - first.get(FIRST_EPOCH, 0) if known else 0
        if has_links(info.description) and run.data.tags.get(NOTE) == info.description:
            self._send_tags({NOTE: info.description})  # the links need the identifier that the run has just received
        self.sent = outbox.count_of(run.data.tags.get(SENT, "")) or 0
        own = self.sent > 0 or not known
        self._several = SEVERAL in run.data.tags or (not own and SENT in run.data.tags)
        self._compare = math.inf if self._several or not own else float(self._after_files() if known else -1)
        if not own and SENT in run.data.tags:
            log.warning(
                "the store has records of this run that %s has not: a copy of the folder went on, or this is an "
                "older one; all metrics are compared, and none is recorded twice",
                outbox.path,
            )

    def _after_files(self) -> int:
        """The next event that may have arrived without its mark: files before it arrived without one."""
        events = self._outbox.events
        return next((i for i in range(self.sent, len(events)) if events[i]["kind"] != FILE), len(events))

    def go_on(self) -> None:
        """Show a run as running that was marked as killed (`raymm.tracking.mlflow.left_runs`)."""
        if self._marked:
            self._client.update_run(self.run_id, status="RUNNING")
            known = self._outbox.newest("tags")
            self._send_tags({ENDED: known[ENDED]} if ENDED in known else {})
            self._marked = False

    def send(self, event: Event) -> None:
        """Send the next event and the new count; an event that the store refuses is skipped with a warning."""
        try:
            if event["kind"] not in {"metrics", "summary"}:
                self._send_other(event)
            if event["kind"] != FILE:
                self._mark(event)
        except MlflowException as cause:
            if not is_refusal(cause):
                raise
            self._mark({})
            log.warning("the tracking store refused %s: %s", event.get("once", event["kind"]), one_line(cause))
        self.sent += 1

    def mark_uncertain(self) -> None:
        """Compare the next metrics with the store: it is not known whether the last request arrived."""
        self._compare = max(self._compare, float(self.sent))

    def _mark(self, event: Event) -> None:
        tags = [RunTag(SENT, self._outbox.mark(self.sent + 1))]
        if event.get("not_finite"):
            tags.append(RunTag("raymm.not_finite", str(event["not_finite"])))
        if self._several:
            tags.append(RunTag(SEVERAL, "True"))
        self._client.log_batch(self.run_id, metrics=self._metrics(event), tags=tags)

    def _metrics(self, event: Event) -> list[Metric]:
        values = event.get("metrics", {}) | event.get("summary", {})
        finite = [(name, value) for name, value in values.items() if value is not None]
        finite.sort(
            key=lambda pair: not pair[0].startswith(split_metric("val", ""))
        )  # MLflow's comparison opens with the first
        shift = self._shift if event.get("kind") == "metrics" else 0
        found = [Metric(name, value, event["time"], event["step"] + shift) for name, value in finite]
        if not found or self.sent > self._compare:
            return found
        if event["kind"] == "summary":
            latest = self._client.get_run(self.run_id).data.metrics
            return [metric for metric in found if latest.get(metric.key) != metric.value]
        return [metric for metric in found if not self._has(metric)]

    def _has(self, metric: Metric) -> bool:
        history = self._client.get_metric_history(self.run_id, metric.key)
        return any(known.step == metric.step for known in history)

    def _send_other(self, event: Event) -> None:
        kind = event["kind"]
        if kind == "run":
            self._send_params(event["info"]["params"])
            self._send_about(_run_info(event["info"]))
        elif kind == "tags":
            self._send_tags(event["tags"])
        elif kind == "status" and event["status"] == "RUNNING":
            self._client.update_run(self.run_id, status="RUNNING")
        elif kind == "status":
            self._client.set_terminated(self.run_id, event["status"], event["time"])
        else:
            self._send_files(event, self._run_dir / event["path"])

    def _send_params(self, params: Mapping[str, str]) -> None:
        for part in _batched([Param(name, value[:LONGEST_VALUE]) for name, value in params.items()]):
            self._client.log_batch(self.run_id, params=part)

    def _send_about(self, info: RunInfo) -> None:
        """Its data set, and what the pages of its experiment show of it; a server that knows neither goes without."""
        try:
            if info.data:
                self._client.log_inputs(self.run_id, [dataset_input(each, self._uri) for each in info.data])
            if info.view is not None:
                record_views(self._client, self._experiment_id, info.view)
        except MlflowException as cause:
            if not is_refusal(cause) and cause.get_http_status_code() != NOT_IMPLEMENTED:
                raise
            log.warning("the tracking store takes no data set or view: %s", one_line(cause))

    def _send_tags(self, tags: Mapping[str, str]) -> None:
        known = {name: self._linked(value) if name == NOTE else value for name, value in tags.items()}
        for part in _batched([RunTag(name, value[:LONGEST_VALUE]) for name, value in known.items()]):
            self._client.log_batch(self.run_id, tags=part)

    def _linked(self, text: str) -> str:
        """The description with the addresses of its links, whose charts are a view of the children."""

        def address(metric: str) -> str:
            return children_view(self._client, self._experiment_id, self.run_id, metric, self._view)

        return with_links(text, address)

    def _send_files(self, event: Event, path: Path) -> None:
        if not path.exists():
            log.warning("%s is gone, so it is not recorded", path)
        elif event["kind"] == FILE:
            self._client.log_artifact(self.run_id, str(path), event["folder"] or None)
        else:
            with save_served(path, event["loader"]) as folder:
                self._client.log_artifacts(self.run_id, str(folder), "model")
                self._send_logged_model(folder)

    def _send_logged_model(self, folder: Path) -> None:
        """The model with the settings and the final metrics of its run, as far as these have been sent."""
        info = _run_info(self._outbox.events[0]["info"])
        sent: dict[str, Event] = {}
        for event in self._outbox.events[: self.sent]:
            if event["kind"] == "summary":
                sent |= dict.fromkeys(event["summary"], event)
        metrics = [
            Metric(name, event["summary"][name], event["time"], event["step"])
            for name, event in sent.items()
            if event["summary"][name] is not None
        ]
        params = {name: str(value)[:LONGEST_VALUE] for name, value in info.params.items()}
        data = (info.data[0].name, info.data[0].digest) if len(info.data) == 1 else None
        known = self._client.get_run(self.run_id).data.tags
        tags = {NOTE: info.description, **{name: known[name] for name in OF_A_MODEL if name in known}}
        about = About(tags, params, metrics, data)
        log_logged_model(self._client, self._experiment_id, self.run_id, folder, about)

    def _experiment(self, name: str, artifacts: Path | None) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is None:
            location = None if artifacts is None else artifacts.as_uri()
            database = database_of(self._uri)
            own = database is not None and artifacts == database.parent / ARTIFACTS
            tags = {OWN_ARTIFACTS: ARTIFACTS} if own else {}
            try:
                return str(self._client.create_experiment(name, artifact_location=location, tags=tags))
            except MlflowException:
                found = self._client.get_experiment_by_name(name)  # somebody else was quicker
                if found is None:
                    raise
        return str(found.experiment_id)

    def _create(self, experiment: str, info: RunInfo, time: int) -> Any:
        places = {name: path_in_tags(info.tags[name], self._uri) for name in PATH_TAGS if name in info.tags}
        tags = {**resolve_tags(), **info.tags, **places, "raymm.key": info.key, NOTE: info.description}
        if FIRST_EPOCH in self._outbox.events[0]:
            tags[FIRST_EPOCH] = str(self._outbox.events[0][FIRST_EPOCH])
        parent = find_run(self._client, experiment, info.parent_key) if info.parent_key else None
        if parent is not None:
            tags["mlflow.parentRunId"] = parent.info.run_id
        return self._client.create_run(experiment, start_time=time, tags=tags, run_name=info.name)


def open_store(uri: str, *, to_write: bool = True) -> Any:
    """MLflow's client of a store; the addresses in a local one that was copied or moved are rewritten first."""
    database = database_of(uri)
    if database is None:
        return MlflowClient(tracking_uri=uri, registry_uri=uri)
    require_usable(database, to_write=to_write)
    with opening(database):
        follow_folder(uri)
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _run_info(saved: Mapping[str, Any]) -> RunInfo:
    """The run of an outbox's first event."""
    view, data = saved.get("view"), saved.get("data", [])
    data = [data] if isinstance(data, Mapping) else data  # one was written as it is before there were several
    more = {"view": view and View.of(view), "data": tuple(map(DataInput.of, data))}
    return RunInfo(**{**saved, **more})


def find_run(client: Any, experiment: str, key: str) -> Any:
    """The run of this key in the experiment of this id, or None."""
    runs = client.search_runs([experiment], filter_string=f"tags.`raymm.key` = '{key}'", max_results=1)
    return runs[0] if runs else None


def _batched(entities: list[Any]) -> list[list[Any]]:
    """The entities in lists that are short enough for one request."""
    return [entities[start : start + A_REQUEST] for start in range(0, len(entities), A_REQUEST)]


def is_refusal(cause: BaseException) -> bool:
    """Whether the store answered with a refusal: another attempt would not help."""
    return isinstance(cause, MlflowException) and cause.get_http_status_code() in {400, 401, 403, 404}


def one_line(cause: BaseException) -> str:
    """An exception's text on one line, without passwords."""
    return redact(" ".join(str(cause).split()))[:200] or type(cause).__name__
