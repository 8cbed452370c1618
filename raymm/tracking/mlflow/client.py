"""Record a run in MLflow: every event is written to the outbox first and sent when the store answers.

Training never waits long for a store: a request times out after three seconds and all requests of a record after
fifteen, a call stops at its first failure, and the next attempt follows ten seconds later (later still where this one
took long) or at the end of the run.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from raymm.errors import TrackingError
from raymm.storage import layout
from raymm.storage.directory import sha256_of
from raymm.tracking.base import RunInfo, TrackingStatus, check_folder, check_tags, finite_metrics
from raymm.tracking.mlflow.deadline import Deadlines
from raymm.tracking.mlflow.links import NOTE
from raymm.tracking.mlflow.store import check_uri, database_of, redact
from raymm.tracking.mlflow.writer import (
    FIRST_EPOCH,
    LONGEST_VALUE,
    STORE_ERRORS,
    RunWriter,
    is_refusal,
    one_line,
)
from raymm.tracking.outbox import Event, Outbox

__all__ = ["MlflowTracker", "replay"]

log = logging.getLogger(__name__)

T = TypeVar("T")

TABLES = "mlflow.loggedArtifacts"
"""The tag by which MLflow knows which files are tables."""

RETRY_AFTER = 10.0  # seconds between two attempts at an unreachable store
EPOCH_PATIENCE = 5.0  # seconds that one call may spend on sending pending events
FINAL_PATIENCE = 60.0  # the same at the start and the end of a run
LAST_PATIENCE = 10.0  # the same at the end of a run that was killed: whoever ended it does not wait long
CALL_PATIENCE = 15.0  # seconds for all requests of one record
FILES_PATIENCE = 60.0  # the same for files, and a second more for every 100 KB


class MlflowTracker:
    """A tracker over a tracking server or an SQLite file.

    Parameters
    ----------
    uri
        Tracking URI; a folder is refused.
    run_dir
        Folder of the run, which contains its outbox.
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
        self._run_dir = run_dir.absolute()
        self._outbox = Outbox(self._run_dir / layout.OUTBOX)
        self._writer: RunWriter | None = None
        self._run_id: str | None = None
        self._sent = 0
        self._deadlines = Deadlines()
        self._retry_at = 0.0
        self._warned = False
        self._running = False

    @property
    def run_id(self) -> str | None:
        """MLflow's identifier of the run; None until the store has answered."""
        return self._run_id

    @property
    def waiting(self) -> int:
        """Number of events that have not been sent."""
        return len(self._outbox.events) - self._sent

    def start(self, info: RunInfo) -> None:
        """Find or create the run of this key, and send pending events.

        Raises
        ------
        TrackingError
            When the store refuses the run, when a local store cannot be opened, or when the outbox belongs to
            another run.
        """
        first = {"kind": "run", "time": self._now(), "info": _plain(info), FIRST_EPOCH: 1}
        self._outbox.add(first, once="run")
        known = self._outbox.events[0]["info"]["key"]
        if known != info.key:
            raise TrackingError(f"{self._outbox.path}: holds the records of run '{known}', not of '{info.key}'")
        if self._last_status() not in {None, "RUNNING"}:
            self._outbox.add({"kind": "status", "status": "RUNNING"})
        self._running = True  # also where it was left and marked as killed
        self.resend()

    def resend(self) -> None:
        """Send pending events, even right after a failed attempt; raises as `start`."""
        self._retry_at, began = 0.0, time.monotonic()
        try:
            self._connect()
        except STORE_ERRORS as cause:
            if is_refusal(cause) or database_of(self._uri):
                raise TrackingError(f"tracking at {redact(self._uri)} cannot be used: {one_line(cause)}") from cause
            self._on_unreachable(cause, began)
        self._flush(FINAL_PATIENCE)

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Record metrics at step `epoch`; a record that began when epochs were counted from 0 goes on so."""
        finite = finite_metrics(metrics)
        step = epoch if FIRST_EPOCH in self._outbox.events[0] else epoch - 1
        event = {"kind": "metrics", "step": step, "time": self._now(), "metrics": finite}
        self._add({**event, **self._not_finite(f"epoch {epoch}", set(metrics) - set(finite))}, once=f"epoch {step}")

    def log_summary(self, metrics: Mapping[str, float]) -> None:
        """Record the final metrics that have changed, at step 0; MLflow shows the newest."""
        finite = finite_metrics(metrics)
        changed = self._changed("summary", {name: finite.get(name) for name in metrics})
        if changed:
            event = {"kind": "summary", "step": 0, "time": self._after_summary(), "summary": changed}
            self._add({**event, **self._not_finite("summary", set(changed) - set(finite))})

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Record the tags that have changed."""
        changed = self._changed("tags", check_tags(tags))
        if changed:
            self._add({"kind": "tags", "tags": changed})

    def log_description(self, text: str) -> None:
        """Record a description, if it has changed."""
        changed = self._changed("tags", {NOTE: text})
        if changed:
            self._add({"kind": "tags", "tags": changed})

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Record a file, if its content has changed."""
        check_folder(folder)
        event = {"kind": "artifact", "path": self._stored(path), "folder": folder, "digest": _digest(path)}
        self._add(event, once=f"artifact {folder}/{path.name}")

    def log_table(self, path: Path, folder: str = "") -> None:
        """Record a file as `log_artifact` does; MLflow shows it as a table, as many of a run as a tag can name."""
        self.log_artifact(path, folder)
        where = PurePosixPath(folder, path.name).as_posix()
        tables = json.loads(self._outbox.newest("tags").get(TABLES, "[]"))
        value = json.dumps([*tables, {"path": where, "type": "table"}])
        if where not in {table["path"] for table in tables} and len(value) <= LONGEST_VALUE:  # cut, it is no JSON
            self._add({"kind": "tags", "tags": {TABLES: value}})

    def log_model(self, folder: Path, loader: str) -> None:
        """Record a model that `mlflow models` can load."""
        self._add({"kind": "model", "path": self._stored(folder), "loader": loader}, once=f"model {folder.name}")

    def finish(self, status: TrackingStatus) -> None:
        """End the run with this status."""
        self._outbox.add({"kind": "status", "status": status, "time": self._now()})
        self._running = False
        self._retry_at = 0.0
        self._flush(LAST_PATIENCE if status == "KILLED" else FINAL_PATIENCE)
        if self.waiting:
            log.warning("%d records wait in %s; the same command sends them later", self.waiting, self._outbox.path)

    def _not_finite(self, what: str, left_out: set[str]) -> Event:
        """The count of left-out values so far, when there are some in this event."""
        if not left_out:
            return {}
        log.warning("%s: %s not finite, so not recorded", what, ", ".join(sorted(left_out)))
        return {"not_finite": len(left_out) + max((e.get("not_finite", 0) for e in self._outbox.events), default=0)}

    def _changed(self, kind: str, values: Event) -> Event:
        """The values that differ from the newest in the outbox."""
        known = self._outbox.newest(kind)
        return {name: value for name, value in values.items() if name not in known or known[name] != value}

    def _after_summary(self) -> int:
        """A time after the newest summary's: of two values at one step, MLflow shows the later."""
        return max([self._now(), *(event["time"] + 1 for event in self._outbox.events if event["kind"] == "summary")])

    def _add(self, event: Event, once: str | None = None) -> None:
        assert self._outbox.events, "start comes first"
        self._outbox.add(event, once)
        self._flush(EPOCH_PATIENCE)

    def _flush(self, patience: float) -> None:
        """Send pending events up to the first failure: an unreachable store costs one time-out."""
        if time.monotonic() < self._retry_at:
            return
        began = time.monotonic()
        try:
            writer = self._connect()
            while self.waiting and time.monotonic() < began + patience:
                self._send(writer, self._outbox.events[writer.sent])
        except STORE_ERRORS as cause:
            self._on_unreachable(cause, began)
        else:
            self._warned = False

    def _connect(self) -> RunWriter:
        if self._writer is None:
            writer = self._call(
                CALL_PATIENCE, lambda: RunWriter(self._uri, self._outbox, self._artifacts, self._run_dir)
            )
            if self._running:
                self._call(CALL_PATIENCE, writer.go_on)
            self._writer, self._run_id, self._sent = writer, writer.run_id, writer.sent
        return self._writer

    def _send(self, writer: RunWriter, event: Event) -> None:
        self._call(_patience(event, self._run_dir), lambda: writer.send(event))
        self._sent = writer.sent

    def _call(self, seconds: float, function: Callable[[], T]) -> T:
        """Call a server with a deadline; a local store has its own, and stays in this thread."""
        return function() if database_of(self._uri) else self._deadlines.within(seconds, function)

    def _on_unreachable(self, cause: Exception, began: float) -> None:
        now = time.monotonic()
        # where an attempt is slow, waiting for the store takes at most a tenth of the time
        self._retry_at = now + max(RETRY_AFTER, 9 * (now - began) if now - began > EPOCH_PATIENCE else 0.0)
        if isinstance(cause, TimeoutError):
            self._writer = None  # a late call may still be using it
        if self._writer is not None:
            self._writer.mark_uncertain()
        if not self._warned:
            log.warning(
                "tracking at %s does not answer (%s); records wait in the run", redact(self._uri), one_line(cause)
            )
        self._warned = True

    def _now(self) -> int:
        """The present in milliseconds, and not before an earlier record, wherever the clock was set to since."""
        return max(int(time.time() * 1000), self._outbox.latest)

    def _last_status(self) -> str | None:
        return next((event["status"] for event in reversed(self._outbox.events) if event["kind"] == "status"), None)

    def _stored(self, path: Path) -> str:
        """A path as the outbox keeps it: relative if inside the run, which may be moved before a replay."""
        path = path.absolute()
        return str(path.relative_to(self._run_dir) if path.is_relative_to(self._run_dir) else path)


def replay(run_dir: Path, uri: str, artifacts: Path | None = None) -> int:
    """Send the pending events of a run, for example once a server is back; returns how many are still pending.

    To a store that does not know the run, all its events are sent.

    Raises
    ------
    TrackingError
        When the folder holds no records, or the store cannot be used.
    """
    if not (run_dir / layout.OUTBOX / layout.EVENTS).is_file():
        raise TrackingError(f"{run_dir}: holds no outbox, so there is nothing to send")
    tracker = MlflowTracker(uri, run_dir, artifacts)
    if not tracker.waiting:
        raise TrackingError(f"{run_dir}: the outbox is empty, so there is nothing to send")
    tracker.resend()
    return tracker.waiting


def _plain(info: RunInfo) -> dict[str, Any]:
    """The run as JSON; parameters are text, as MLflow keeps them."""
    params = {name: str(value) for name, value in info.params.items()}
    more: dict[str, Any] = {"view": asdict(info.view)} if info.view is not None else {}
    if info.data:
        more["data"] = [asdict(each) for each in info.data]
    left_out = {"view", "data"}
    kept = {name: value for name, value in vars(info).items() if name not in left_out}
    return {**kept, "params": params, "tags": dict(info.tags), **more}


def _digest(path: Path) -> str | None:
    return sha256_of(path) if path.is_file() else None


def _patience(event: Event, run_dir: Path) -> float:
    """Seconds that the requests of an event may take."""
    if "path" not in event:
        return CALL_PATIENCE
    path = run_dir / event["path"]
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    return FILES_PATIENCE + sum(file.stat().st_size for file in files if file.is_file()) / 100_000
