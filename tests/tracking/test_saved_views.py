"""The views that an experiment has in MLflow's UI, read back as that reads them."""

import base64
import json
import random
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from mlflow.tracking import MlflowClient

from raymm.tracking import RunInfo
from raymm.tracking.about import DataInput, View
from raymm.tracking.mlflow import MlflowTracker, replay, run_tables
from raymm.tracking.mlflow.saved_views import CHARTS, TABLE, record_views

PHI = "phi of each modality"
ONE = View(("params.method.name", "metrics.best/accuracy"), {PHI: ("phi/val_rgb",)}, {"Test": ("test/accuracy",)})
OTHER = View(("params.method.name", "metrics.best/loss"), {PHI: ("phi/val_text", "phi/val_rgb")})
INFO = RunInfo("run-1", "first", "digits", view=ONE)
DATA = DataInput("digits", "0123456789abcdef", "/data/digits", {"rgb": "uint8[4, 8]", "words": "text"}, {"train": 5})
OTHER_DATA = DataInput("letters", "fedcba", "/data/letters", {"rgb": "uint8[4, 8]"}, {"train": 3, "test": 2})


class Store:
    """An experiment whose tags are kept in memory, and the tags that were written to it."""

    def __init__(self, tags: dict[str, str]) -> None:
        self.experiment = SimpleNamespace(experiment_id="7", tags=tags)
        self.written: list[str] = []

    def get_experiment(self, experiment_id: str) -> Any:
        assert experiment_id == "7"
        return SimpleNamespace(experiment_id="7", tags=dict(self.experiment.tags))

    def set_experiment_tag(self, experiment_id: str, name: str, value: str) -> None:
        assert experiment_id == "7"
        self.experiment.tags[name] = value
        self.written.append(name)


def state_of(tag: str) -> dict[str, Any]:
    """What MLflow makes of the tag of a view: of a named one the state within, which zlib has packed."""
    packed = tag if tag.startswith("deflate;") else json.loads(tag)["state"]
    scheme, _, content = packed.partition(";")
    assert scheme == "deflate"
    return dict(json.loads(zlib.decompress(base64.b64decode(content))))


def experiment_of(uri: str, name: str = "digits") -> Any:
    return MlflowClient(tracking_uri=uri).get_experiment_by_name(name)


def test_a_view_has_the_columns_of_all_runs_and_each_chart_once() -> None:
    store = Store({})
    for view in (ONE, OTHER, ONE):
        record_views(store, "7", view)
    for key in (TABLE, CHARTS):
        state = state_of(store.experiment.tags[f"mlflow.sharedViewState.{key}"])
        columns = ["params.`method.name`", "metrics.`best/accuracy`", "metrics.`best/loss`"]
        assert state["selectedColumns"][:3] == columns
        assert state["columnOrder"][2:5] == columns
        assert state["columnWidths"]["metrics.`best/accuracy`"] > 100  # MLflow's own width clips this name
        charts = [(c["type"], c["displayName"], c["selectedMetricKeys"]) for c in state["compareRunCharts"]]
        assert charts == [("LINE", PHI, ["phi/val_rgb", "phi/val_text"]), ("BAR", "Test", ["test/accuracy"])]
        sections = {section["uuid"] for section in state["compareRunSections"]}
        assert {chart["metricSectionId"] for chart in state["compareRunCharts"]} == sections


class Turns:
    """The experiment of several clients that work at the same time, whose requests take turns at random."""

    def __init__(self, seed: int) -> None:
        self.tags: dict[str, str] = {}
        self.draw = random.Random(seed)
        self.lock = threading.Condition()
        self.waiting: list[int] = []
        self.clients = 0

    def take(self, number: int) -> None:
        """Wait until every other client that works asks for something too, and this one is drawn."""
        self.waiting.append(number)
        self._draw()
        self.lock.wait_for(lambda: self.turn == number)
        self.turn = None

    def _draw(self) -> None:
        if len(self.waiting) == self.clients:
            self.turn = self.draw.choice(self.waiting)
            self.waiting.remove(self.turn)
            self.lock.notify_all()

    turn: int | None = None

    def run(self, works: list[Callable[["Client"], None]]) -> None:
        """Do several works at the same time."""
        self.clients = len(works)
        with ThreadPoolExecutor(len(works)) as threads:
            list(threads.map(self._work, range(len(works)), works))

    def _work(self, number: int, work: Callable[["Client"], None]) -> None:
        try:
            work(Client(self, number))
        finally:
            with self.lock:
                self.clients -= 1
                if self.clients:
                    self._draw()


@dataclass
class Client:
    """One of the clients of an experiment."""

    turns: Turns
    number: int

    def get_experiment(self, _: str) -> Any:
        with self.turns.lock:
            self.turns.take(self.number)
            return SimpleNamespace(experiment_id="7", tags=dict(self.turns.tags))

    def set_experiment_tag(self, _: str, name: str, value: str) -> None:
        with self.turns.lock:
            self.turns.take(self.number)
            self.turns.tags[name] = value


@pytest.mark.parametrize("seed", range(40))
def test_runs_that_begin_together_lose_none_of_their_columns(seed: int) -> None:
    turns = Turns(seed)
    views = [View((f"metrics.{letter}", "params.method.name"), {letter: (f"val/{letter}",)}) for letter in "abc"]
    turns.run([lambda client, view=view: record_views(client, "7", view) for view in views])
    columns = {f"metrics.`{letter}`" for letter in "abc"} | {"params.`method.name`"}
    for key in (TABLE, CHARTS):
        state = state_of(turns.tags[f"mlflow.sharedViewState.{key}"])
        assert columns <= set(state["selectedColumns"])
        assert sorted(chart["displayName"] for chart in state["compareRunCharts"]) == ["a", "b", "c"]


def test_what_is_there_already_is_not_written_again() -> None:
    store = Store({})
    record_views(store, "7", ONE)
    assert len(store.written) == 6
    record_views(store, "7", ONE)
    record_views(store, "7", View())
    assert len(store.written) == 6


def test_the_description_and_the_kind_that_people_gave_stay() -> None:
    store = Store({"mlflow.note.content": "ours", "mlflow.experimentKind": "finetuning"})
    record_views(store, "7", ONE)
    assert store.experiment.tags["mlflow.note.content"] == "ours"
    assert store.experiment.tags["mlflow.experimentKind"] == "finetuning"
    assert f"mlflow.sharedViewState.{TABLE}" in store.experiment.tags


def test_a_view_that_is_too_long_for_a_tag_is_left_out() -> None:
    store = Store({})
    record_views(store, "7", View(tuple(f"metrics.{number:0200d}" for number in range(200))))
    assert store.written == ["mlflow.experimentKind", "mlflow.note.content"]


def test_a_run_brings_its_view_and_the_command_prints_where_it_is(store: tuple[str, Path], tmp_path: Path) -> None:
    for name in ("one", "again"):
        MlflowTracker(store[0], tmp_path / name, store[1]).start(replace(INFO, key=name))
    experiment = experiment_of(store[0])
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    places = run_tables(store[0], "http://127.0.0.1:5000")
    assert list(places) == ["digits", "digits, charts"]
    for place, key in zip(places.values(), (TABLE, CHARTS), strict=True):
        address = urlsplit(urlsplit(place).fragment)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        assert address.path == f"/experiments/{experiment.experiment_id}/runs"
        assert query.pop("viewStateShareKey") == key
        assert query.pop("workflowType") == "machine_learning"
        assert query == ({} if key == TABLE else {"compareRunsMode": "CHART"})
        assert place.removeprefix("http://127.0.0.1:5000/") in experiment.tags["mlflow.note.content"]


def test_children_have_a_view_of_their_own_the_best_first(store: tuple[str, Path], tmp_path: Path) -> None:
    info = replace(INFO, description="[Compare](children:best/loss)")
    tracker = MlflowTracker(store[0], tmp_path, store[1])
    tracker.start(info)
    state = state_of(experiment_of(store[0]).tags[f"mlflow.sharedViewState.raymm-{tracker.run_id}-best-loss"])
    assert state["searchFilter"] == f"tags.`mlflow.parentRunId` = '{tracker.run_id}'"
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`best/loss`", False)
    assert [chart["displayName"] for chart in state["compareRunCharts"]] == [PHI, "Test"]
    note = MlflowClient(tracking_uri=store[0]).get_run(tracker.run_id).data.tags["mlflow.note.content"]
    assert f"viewStateShareKey=raymm-{tracker.run_id}-best-loss" in note


def test_a_view_that_has_no_room_leaves_mlflow_to_draw_its_own(store: tuple[str, Path], tmp_path: Path) -> None:
    wide = View(tuple(f"metrics.{sha256(bytes([n % 251, n // 251])).hexdigest()}" for n in range(1000)))
    tracker = MlflowTracker(store[0], tmp_path, store[1])
    tracker.start(replace(INFO, description="[Compare](children:best/loss)", view=wide))
    assert tracker.waiting == 0
    assert not [name for name in experiment_of(store[0]).tags if name.startswith("mlflow.sharedViewState")]
    note = MlflowClient(tracking_uri=store[0]).get_run(tracker.run_id).data.tags["mlflow.note.content"]
    assert "compareRunsMode=CHART" in note
    assert f"mlflow.parentRunId%60%20%3D%20%27{tracker.run_id}" in note


def test_the_data_of_a_run_is_an_input_once(store: tuple[str, Path], tmp_path: Path) -> None:
    for _ in range(2):
        tracker = MlflowTracker(store[0], tmp_path, store[1])
        tracker.start(replace(INFO, data=(DATA, OTHER_DATA)))
    inputs = MlflowClient(tracking_uri=store[0]).get_run(tracker.run_id).inputs.dataset_inputs
    found, other = sorted(inputs, key=lambda each: each.dataset.name)
    assert (other.dataset.name, other.dataset.digest) == ("letters", "fedcba")
    assert (found.dataset.name, found.dataset.digest) == ("digits", "0123456789abcdef")
    assert json.loads(found.dataset.source) == {"uri": "/data/digits"}
    columns = json.loads(found.dataset.schema)["mlflow_colspec"]
    assert [(column["name"], column["type"]) for column in columns] == [("rgb", "array"), ("words", "string")]
    assert json.loads(found.dataset.profile)["num_rows"] == 5
    assert {tag.key: tag.value for tag in found.tags} == {"mlflow.data.context": "train"}


def test_an_outbox_that_holds_one_data_set_by_itself_is_sent(make_store: Any, tmp_path: Path) -> None:
    """As it was written before a run could have several."""
    first, second = make_store("first"), make_store("second")
    MlflowTracker(first[0], tmp_path / "run", first[1]).start(replace(INFO, data=(DATA,)))
    events = tmp_path / "run" / "outbox" / "events.jsonl"
    saved = json.loads(events.read_text())
    (saved["info"]["data"],) = saved["info"]["data"]
    events.write_text(json.dumps(saved) + "\n")
    assert replay(tmp_path / "run", second[0], second[1]) == 0
    (run,) = MlflowClient(tracking_uri=second[0]).search_runs([experiment_of(second[0]).experiment_id])
    (found,) = run.inputs.dataset_inputs
    assert (found.dataset.name, found.dataset.digest) == ("digits", DATA.digest)


def test_an_outbox_of_an_earlier_version_has_no_view(store: tuple[str, Path], tmp_path: Path) -> None:
    MlflowTracker(store[0], tmp_path, store[1]).start(replace(INFO, view=None))
    assert "mlflow.experimentKind" not in experiment_of(store[0]).tags
    assert list(run_tables(store[0], "")) == ["digits"]


def test_a_table_is_listed_as_one(store: tuple[str, Path], tmp_path: Path) -> None:
    tracker = MlflowTracker(store[0], tmp_path / "run", store[1])
    tracker.start(INFO)
    for name in ("lowest", "other"):
        (tmp_path / f"{name}.json").write_text('{"columns": ["sample"], "data": [["a"]]}')
        tracker.log_table(tmp_path / f"{name}.json", "samples")
        tracker.log_table(tmp_path / f"{name}.json", "samples")
    tags = MlflowClient(tracking_uri=store[0]).get_run(tracker.run_id).data.tags
    listed = [{"path": f"samples/{name}.json", "type": "table"} for name in ("lowest", "other")]
    assert json.loads(tags["mlflow.loggedArtifacts"]) == listed
    for letter in "abcdefghij":
        tracker.log_table(tmp_path / "other.json", "/".join([letter * 200] * 4))
    tags = MlflowClient(tracking_uri=store[0]).get_run(tracker.run_id).data.tags
    assert json.loads(tags["mlflow.loggedArtifacts"])[:2] == listed  # not all have room, and none is cut


@pytest.mark.parametrize("lost", [False, True])
def test_a_record_that_began_at_epoch_0_goes_on_so(store: tuple[str, Path], tmp_path: Path, lost: bool) -> None:
    """As 0.1.0 wrote it; also when its outbox was lost since."""
    tracker = MlflowTracker(store[0], tmp_path / "run", store[1])
    tracker.start(INFO)
    tracker.log_epoch(1, {"val/accuracy": 0.1})
    _make_old(store[0], tmp_path / "run" / "outbox" / "events.jsonl", str(tracker.run_id))
    again = MlflowTracker(store[0], tmp_path / ("elsewhere" if lost else "run"), store[1])
    again.start(INFO)
    assert again.run_id == tracker.run_id
    for epoch in (1, 2, 3):
        again.log_epoch(epoch, {"val/accuracy": epoch / 10})
    history = MlflowClient(tracking_uri=store[0]).get_metric_history(again.run_id, "val/accuracy")
    assert sorted((point.step, point.value) for point in history) == [(0, 0.1), (1, 0.2), (2, 0.3)]


def _make_old(uri: str, events: Path, run_id: str) -> None:
    """Write the records of a run of one epoch as versions did that counted from 0, on disk and in the store."""
    import sqlite3

    lines = [json.loads(line) for line in events.read_text().splitlines()]
    del lines[0]["raymm.first_epoch"]
    lines[1] |= {"step": 0, "once": "epoch 0"}
    events.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with sqlite3.connect(uri.removeprefix("sqlite:///")) as database:
        database.execute("UPDATE metrics SET step = 0")
        database.execute("UPDATE latest_metrics SET step = 0")
        database.execute("DELETE FROM tags WHERE key = 'raymm.first_epoch' AND run_uuid = ?", (run_id,))
