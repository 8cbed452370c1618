"""Record a run in MLflow: every event goes to the outbox first, then to the server when it answers.

Nothing is recorded twice. The number of events sent travels as a tag in the same request as the metrics. MLflow
writes metrics and tags in two transactions, so after a crash between them the first unsent metrics are compared
with what the server has.
"""

import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from raymm.errors import TrackingError
from raymm.tracking.base import Parameter, RunInfo, Status
from raymm.tracking.mlflow.model import save_served
from raymm.tracking.mlflow.store import check_uri, set_defaults
from raymm.tracking.outbox import Outbox

set_defaults()

from mlflow.entities import Metric, Param, RunTag  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402
from mlflow.tracking import MlflowClient  # noqa: E402

__all__ = ["MlflowTracker"]

log = logging.getLogger(__name__)

SENT = "raymm.sent"
METRIC_NAME = re.compile(r"[\w\-. :/]{1,250}")
UNSENT_ERRORS = (MlflowException, OSError)


class MlflowTracker:
    """A tracker over a tracking server or an SQLite file.

    Parameters
    ----------
    uri
        Tracking URI; a folder is refused.
    run_dir
        Folder of the run; its outbox lies in it.
    artifacts
        Where a new experiment keeps its artifacts; None leaves it to the server.

    Raises
    ------
    TrackingError
        When the URI can never work.
    """

    def __init__(self, uri: str, run_dir: Path, artifacts: Path | None = None) -> None:
        check_uri(uri)
        self._uri = uri
        self._artifacts = artifacts
        self._outbox = Outbox(run_dir / "outbox")
        self._client: MlflowClient | None = None
        self._info: RunInfo | None = None
        self._sent = 0
        self._doubt = True
        self._warned = False
        self.run_id: str | None = None

    def start(self, info: RunInfo) -> None:
        """Find the run of this key or create it; send what is waiting."""
        self._info = info
        try:
            self._connect()
        except UNSENT_ERRORS as cause:
            if self._uri.startswith("sqlite"):
                raise TrackingError(f"{self._uri}: the store cannot be used ({_short(cause)})") from cause
        self._flush()

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Record metrics at step `epoch`."""
        self._add_metrics(metrics, epoch, f"epoch {epoch}")

    def log_summary(self, metrics: Mapping[str, float]) -> None:
        """Record the final metrics at step 0."""
        self._add_metrics(metrics, 0, "summary")

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Record a file."""
        if Path(folder).is_absolute() or ".." in Path(folder).parts:
            raise TrackingError(f"artifact folder '{folder}': must lie within the run")
        event = {"kind": "artifact", "path": str(path.absolute()), "folder": folder}
        self._add(event, once=f"artifact {folder}/{path.name}")

    def log_model(self, folder: Path, loader: str) -> None:
        """Record a model that `mlflow models` can load."""
        self._add({"kind": "model", "path": str(folder.absolute()), "loader": loader}, once=f"model {folder.name}")

    def finish(self, status: Status) -> None:
        """End the run with this status."""
        self._add({"kind": "status", "status": status})
        waiting = len(self._outbox.events) - self._sent
        if waiting:
            log.warning("%d records wait in the outbox of the run; the same command sends them later", waiting)

    def _add_metrics(self, metrics: Mapping[str, float], step: int, once: str) -> None:
        bad = sorted(name for name in metrics if not METRIC_NAME.fullmatch(name))
        if bad:
            raise TrackingError(f"metric names {bad}: use letters, digits and any of _ - . : / and space")
        finite = {name: float(value) for name, value in metrics.items() if isfinite(value)}
        now = int(time.time() * 1000)
        self._add({"kind": "metrics", "step": step, "time": now, "metrics": finite}, once=once)

    def _add(self, event: dict[str, Any], once: str | None = None) -> None:
        self._outbox.add(event, once)
        self._flush()

    def _flush(self) -> None:
        """Send what waits; stop at the first failure, so that a server that is away costs one time-out."""
        try:
            self._connect()
            while self._sent < len(self._outbox.events):
                self._send(self._outbox.events[self._sent])
            self._warned = False
        except UNSENT_ERRORS as cause:
            self._doubt = True
            if not self._warned:
                log.warning("tracking at %s does not answer (%s); records wait in the run", self._uri, _short(cause))
            self._warned = True

    def _connect(self) -> None:
        if self.run_id is not None or self._info is None:
            return
        self._client = self._client or MlflowClient(tracking_uri=self._uri)
        experiment = self._experiment(self._client, self._info.experiment)
        run = self._find(self._client, experiment, self._info.key)
        if run is None:
            run = self._create(self._client, experiment, self._info)
        elif run.info.status != "RUNNING":
            self._client.update_run(run.info.run_id, status="RUNNING")
        self._sent = int(run.data.tags.get(SENT, "0"))
        self.run_id = run.info.run_id

    def _experiment(self, client: MlflowClient, name: str) -> str:
        found = client.get_experiment_by_name(name)
        if found is None:
            location = None if self._artifacts is None else self._artifacts.as_uri()
            try:
                return str(client.create_experiment(name, artifact_location=location))
            except MlflowException:
                found = client.get_experiment_by_name(name)  # somebody else was quicker
                if found is None:
                    raise
        return str(found.experiment_id)

    @staticmethod
    def _find(client: MlflowClient, experiment: str, key: str) -> Any:
        runs = client.search_runs([experiment], filter_string=f"tags.`raymm.key` = '{key}'", max_results=1)
        return runs[0] if runs else None

    def _create(self, client: MlflowClient, experiment: str, info: RunInfo) -> Any:
        tags = {**info.tags, "raymm.key": info.key, "mlflow.note.content": info.description}
        if info.parent_key is not None:
            parent = self._find(client, experiment, info.parent_key)
            if parent is not None:
                tags["mlflow.parentRunId"] = parent.info.run_id
        run = client.create_run(experiment, tags=tags, run_name=info.name)
        params = [Param(name, _text(value)) for name, value in info.params.items()]
        for start in range(0, len(params), 100):
            client.log_batch(run.info.run_id, params=params[start : start + 100])
        return run

    def _send(self, event: dict[str, Any]) -> None:
        """Send one event and the mark that says so; in doubt, leave out what has arrived before."""
        assert self._client is not None
        assert self.run_id is not None
        metrics: Sequence[Metric] = ()
        if event["kind"] == "metrics":
            metrics = self._metrics(event)
        else:
            self._senders()[event["kind"]](event)
        mark = RunTag(SENT, str(self._sent + 1))
        self._client.log_batch(self.run_id, metrics=metrics, tags=[mark])
        self._sent += 1
        self._doubt = False

    def _metrics(self, event: dict[str, Any]) -> list[Metric]:
        found = [Metric(name, value, event["time"], event["step"]) for name, value in event["metrics"].items()]
        return [metric for metric in found if not (self._doubt and self._has(metric))]

    def _has(self, metric: Metric) -> bool:
        assert self._client is not None
        history = self._client.get_metric_history(self.run_id, metric.key)
        return any(known.step == metric.step and known.timestamp == metric.timestamp for known in history)

    def _senders(self) -> dict[str, Callable[[dict[str, Any]], None]]:
        return {"artifact": self._send_artifact, "model": self._send_model, "status": self._send_status}

    def _send_artifact(self, event: dict[str, Any]) -> None:
        assert self._client is not None
        self._client.log_artifact(self.run_id, event["path"], event["folder"] or None)

    def _send_model(self, event: dict[str, Any]) -> None:
        assert self._client is not None
        with save_served(Path(event["path"]), event["loader"]) as folder:
            self._client.log_artifacts(self.run_id, str(folder), "model")

    def _send_status(self, event: dict[str, Any]) -> None:
        assert self._client is not None
        self._client.set_terminated(self.run_id, event["status"])


def _text(value: Parameter) -> str:
    return "" if value is None else str(value)


def _short(cause: BaseException) -> str:
    return " ".join(str(cause).split())[:160] or type(cause).__name__
