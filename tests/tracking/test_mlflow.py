import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from raymm.errors import TrackingError
from raymm.tracking import Tracker
from raymm.tracking.mlflow import MlflowTracker, local_store, replay, store_of
from raymm.tracking.mlflow import client as module
from raymm.tracking.mlflow.writer import MlflowClient, RunWriter
from raymm.tracking.outbox import Outbox
from tests.tracking.contract import INFO, RecordingContract, Seen

MakeStore = Callable[[str], tuple[str, Path]]


def run_of(uri: str, info: Any = INFO) -> Any:
    """The only run of the key, as MLflow has it."""
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(info.experiment)
    runs = client.search_runs([experiment.experiment_id], filter_string=f"tags.`raymm.key` = '{info.key}'")
    assert len(runs) == 1
    return runs[0]


def history(uri: str, name: str) -> list[tuple[int, float]]:
    found = MlflowClient(tracking_uri=uri).get_metric_history(run_of(uri).info.run_id, name)
    return [(metric.step, metric.value) for metric in sorted(found, key=lambda m: (m.step, m.timestamp, m.value))]


def files(uri: str, folder: str | None = None) -> set[str]:
    client, found = MlflowClient(tracking_uri=uri), set()
    for item in client.list_artifacts(run_of(uri).info.run_id, folder):
        found |= files(uri, item.path) if item.is_dir else {item.path}
    return found


def contents(uri: str) -> dict[str, bytes]:
    """Artifacts by path, where the store keeps them on this disk."""
    root = Path(run_of(uri).info.artifact_uri.removeprefix("file://").replace("%20", " "))
    return {name: (root / name).read_bytes() for name in files(uri)}


class TestMlflow(RecordingContract):
    @pytest.fixture(autouse=True)
    def _store(self, store: tuple[str, Path]) -> None:
        self.store = store

    def tracker(self, folder: Path) -> Tracker:
        return MlflowTracker(self.store[0], folder / "run", self.store[1])

    def seen(self) -> Seen:
        run, uri = run_of(self.store[0]), self.store[0]
        metrics = {name: history(uri, name) for name in run.data.metrics}
        assert {name: pairs[-1][1] for name, pairs in metrics.items()} == run.data.metrics
        description = run.data.tags["mlflow.note.content"]
        return Seen(metrics, contents(uri), run.data.params, run.data.tags, description, run.info.status)


def test_a_run_shows_its_name_description_tags_and_parent(store: tuple[str, Path], tmp_path: Path) -> None:
    parent = replace(INFO, key="sweep", name="sweep")
    MlflowTracker(store[0], tmp_path / "parent", store[1]).start(parent)
    MlflowTracker(store[0], tmp_path / "child", store[1]).start(replace(INFO, parent_key="sweep"))
    run = run_of(store[0])
    assert run.info.run_name == "sample, seed 0"
    assert run.data.tags["mlflow.note.content"] == "Strategy **sample**"
    assert run.data.tags["raymm.kind"] == "train"
    assert run.data.tags["mlflow.parentRunId"] == run_of(store[0], parent).info.run_id


def test_more_params_than_a_request_holds_arrive(store: tuple[str, Path], tmp_path: Path) -> None:
    params = {f"section.field_{number}": number for number in range(250)} | {"long": "x" * 7000}
    MlflowTracker(store[0], tmp_path, store[1]).start(replace(INFO, params=params))
    found = run_of(store[0]).data.params
    assert len(found) == 251
    assert found["section.field_249"] == "249"


def test_a_new_process_goes_on_with_the_same_run(store: tuple[str, Path], tmp_path: Path) -> None:
    for attempt in range(3):
        tracker = MlflowTracker(store[0], tmp_path, store[1])
        tracker.start(INFO)
        for epoch in range(attempt + 2):
            tracker.log_epoch(epoch, {"val/accuracy": epoch / 10})
    assert history(store[0], "val/accuracy") == [(0, 0.0), (1, 0.1), (2, 0.2), (3, 0.3)]


def test_another_key_is_another_run_and_needs_another_folder(store: tuple[str, Path], tmp_path: Path) -> None:
    MlflowTracker(store[0], tmp_path / "a", store[1]).start(INFO)
    MlflowTracker(store[0], tmp_path / "b", store[1]).start(replace(INFO, key="other"))
    assert run_of(store[0]).info.run_id != run_of(store[0], replace(INFO, key="other")).info.run_id
    with pytest.raises(TrackingError, match=r"holds the records of run 'study-7/sample\.0', not of 'other'"):
        MlflowTracker(store[0], tmp_path / "a", store[1]).start(replace(INFO, key="other"))


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_around_the_mark_loses_and_doubles_nothing(
    store: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """The process dies before the request, or when metrics have arrived and the mark has not."""
    first = MlflowTracker(store[0], tmp_path, store[1])
    first.start(INFO)
    first.log_epoch(0, {"val/accuracy": 0.1, "val/loss": 1.0})
    real = MlflowClient.log_batch

    def dies(client: MlflowClient, run_id: str, metrics: Any = (), **_: Any) -> None:
        if moment == "after":
            moved = [type(m)(m.key, m.value, m.timestamp + 7, m.step) for m in metrics]  # a server's own clock
            real(client, run_id, metrics=moved)
        raise KeyboardInterrupt

    monkeypatch.setattr(MlflowClient, "log_batch", dies)
    with pytest.raises(KeyboardInterrupt):
        first.log_epoch(1, {"val/accuracy": 0.2, "val/loss": 0.5})
    monkeypatch.setattr(MlflowClient, "log_batch", real)
    second = MlflowTracker(store[0], tmp_path, store[1])
    second.start(INFO)
    second.log_epoch(1, {"val/accuracy": 0.2, "val/loss": 0.5})
    second.log_epoch(2, {"val/accuracy": 0.3, "val/loss": 0.25})
    assert history(store[0], "val/accuracy") == [(0, 0.1), (1, 0.2), (2, 0.3)]
    assert history(store[0], "val/loss") == [(0, 1.0), (1, 0.5), (2, 0.25)]


@pytest.mark.parametrize("files", [1, 3])
def test_files_before_metrics_whose_mark_did_not_arrive_hide_them_not(
    store: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    """Files are counted by the mark of the event after them; it dies with the process when its metrics are there."""
    first = MlflowTracker(store[0], tmp_path / "run", store[1])
    first.start(INFO)
    first.log_epoch(0, {"val/accuracy": 0.1})
    for number in range(files):
        (tmp_path / "run" / f"{number}.csv").write_text(str(number))
        first.log_artifact(tmp_path / "run" / f"{number}.csv")
    assert first.waiting == 0
    real = MlflowClient.log_batch

    def dies(client: MlflowClient, run_id: str, metrics: Any = (), **_: Any) -> None:
        moved = [type(m)(m.key, m.value, m.timestamp + 7, m.step) for m in metrics]  # a server's own clock
        real(client, run_id, metrics=moved)
        raise KeyboardInterrupt

    monkeypatch.setattr(MlflowClient, "log_batch", dies)
    with pytest.raises(KeyboardInterrupt):
        first.log_epoch(1, {"val/accuracy": 0.2})
    monkeypatch.setattr(MlflowClient, "log_batch", real)
    second = MlflowTracker(store[0], tmp_path / "run", store[1])
    second.start(INFO)
    second.log_epoch(2, {"val/accuracy": 0.3})
    second.finish("FINISHED")
    assert history(store[0], "val/accuracy") == [(0, 0.1), (1, 0.2), (2, 0.3)]
    assert contents(store[0]) == {f"{number}.csv": str(number).encode() for number in range(files)}
    assert second.waiting == 0


def test_the_files_of_a_run_are_counted_at_its_end(store: tuple[str, Path], tmp_path: Path) -> None:
    """One mark for all of them; another process finds nothing to send."""
    tracker = MlflowTracker(store[0], tmp_path / "run", store[1])
    tracker.start(INFO)
    for number in range(4):
        (tmp_path / "run" / f"{number}.csv").write_text(str(number))
        tracker.log_artifact(tmp_path / "run" / f"{number}.csv")
    assert run_of(store[0]).data.tags["raymm.sent"].endswith(":1")
    tracker.finish("FINISHED")
    assert run_of(store[0]).data.tags["raymm.sent"].endswith(":6")


def sweep_metrics(best: float, finished: int) -> dict[str, float]:
    return {"best/val_accuracy": best, "trials/finished": float(finished)}


def test_only_news_is_sent(store: tuple[str, Path], tmp_path: Path) -> None:
    """Of a summary the values that differ, of tags the same, of files those with another content."""
    file = tmp_path / "run" / "trials.csv"
    for finished, content in ((3, "a"), (3, "a"), (4, "b"), (4, "b")):
        tracker = MlflowTracker(store[0], tmp_path / "run", store[1])
        tracker.start(INFO)
        file.write_text(content)
        for _ in range(2):
            tracker.log_summary(sweep_metrics(0.5, finished))
            tracker.log_tags({"raymm.best_trial": "3", "raymm.finished": str(finished)})
            tracker.log_artifact(file, "sweep")
    events = Outbox(tmp_path / "run" / "outbox").events
    assert [event["kind"] for event in events] == ["run", *(["summary", "tags", "artifact"] * 2)]
    assert events[4]["summary"] == {"trials/finished": 4.0}
    assert events[5]["tags"] == {"raymm.finished": "4"}
    assert history(store[0], "best/val_accuracy") == [(0, 0.5)]
    assert history(store[0], "trials/finished") == [(0, 3.0), (0, 4.0)]
    assert contents(store[0]) == {"sweep/trials.csv": b"b"}


def test_of_two_summaries_in_one_millisecond_the_second_is_shown(
    store: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow would show the greater value; the same when the clock has been put back."""
    tracker = MlflowTracker(store[0], tmp_path, store[1])
    tracker.start(INFO)
    later = time.time()
    for now, best in ((50, 0.75), (50, 0.5), (40, 0.25)):
        monkeypatch.setattr(module.time, "time", lambda now=now: later + now)
        tracker.log_summary({"best/val_accuracy": best})
        assert run_of(store[0]).data.metrics == {"best/val_accuracy": best}


@pytest.mark.parametrize("arrived", [False, True])
def test_killed_while_a_newer_summary_is_sent(
    store: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arrived: bool
) -> None:
    first = MlflowTracker(store[0], tmp_path, store[1])
    first.start(INFO)
    first.log_summary(sweep_metrics(0.5, 1))
    real = MlflowClient.log_batch

    def dies(client: MlflowClient, run_id: str, metrics: Any = (), **_: Any) -> None:
        if arrived:
            moved = [type(m)(m.key, m.value, m.timestamp + 7, m.step) for m in metrics]  # a server's own clock
            real(client, run_id, metrics=moved)
        raise KeyboardInterrupt

    monkeypatch.setattr(MlflowClient, "log_batch", dies)
    with pytest.raises(KeyboardInterrupt):
        first.log_summary(sweep_metrics(0.75, 2))
    monkeypatch.setattr(MlflowClient, "log_batch", real)
    MlflowTracker(store[0], tmp_path, store[1]).start(INFO)
    assert history(store[0], "best/val_accuracy") == [(0, 0.5), (0, 0.75)]
    assert history(store[0], "trials/finished") == [(0, 1.0), (0, 2.0)]


def test_a_sweep_whose_outbox_was_lost_says_how_it_stands(store: tuple[str, Path], tmp_path: Path) -> None:
    for folder, best, finished in (("lost", 0.5, 3), ("new", 0.5, 5)):
        tracker = MlflowTracker(store[0], tmp_path / folder, store[1])
        tracker.start(INFO)
        tracker.log_summary(sweep_metrics(best, finished))
        tracker.log_tags({"raymm.best_trial": folder})
    assert history(store[0], "best/val_accuracy") == [(0, 0.5)]
    assert history(store[0], "trials/finished") == [(0, 3.0), (0, 5.0)]
    assert run_of(store[0]).data.tags["raymm.best_trial"] == "new"


def test_links_to_the_children_are_those_of_the_store_that_holds_them(
    make_store: MakeStore, tmp_path: Path, closed_port: int
) -> None:
    """The outbox knows no addresses: a run recorded without a server links well wherever it is sent."""
    info = replace(INFO, description="Before. [All](children:score)")
    tracker = MlflowTracker(f"http://127.0.0.1:{closed_port}", tmp_path / "run")
    tracker.start(info)
    tracker.log_description("[Trials](children:best/val_accuracy), [joint](https://example.org/children:x)")
    for name in ("one", "other"):
        uri, artifacts = make_store(name)
        first = MlflowTracker(uri, tmp_path / name, artifacts)
        first.start(replace(info, key="first", experiment="before"))
        run = run_of(uri, replace(info, key="first", experiment="before"))
        assert run.data.tags["mlflow.note.content"] == f"Before. [All](#/{view(run, 'score')})"
        assert replay(tmp_path / "run", uri, artifacts) == 0
        run = run_of(uri)
        assert run.data.tags["mlflow.note.content"] == (
            f"[Trials](#/{view(run, 'best%2Fval_accuracy')}), [joint](https://example.org/children:x)"
        )


def test_links_are_made_also_after_a_crash_between_two_requests(
    store: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    info = replace(INFO, description="[All](children:score)")
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", dies)
        with pytest.raises(KeyboardInterrupt):
            MlflowTracker(store[0], tmp_path, store[1]).start(info)
    assert run_of(store[0]).data.tags["mlflow.note.content"] == "[All](children:score)"
    MlflowTracker(store[0], tmp_path, store[1]).start(info)
    assert run_of(store[0]).data.tags["mlflow.note.content"] == f"[All](#/{view(run_of(store[0]), 'score')})"


def view(run: Any, metric: str) -> str:
    return (
        f"experiments/{run.info.experiment_id}/runs"
        f"?searchFilter=tags.%60mlflow.parentRunId%60%20%3D%20%27{run.info.run_id}%27"
        f"&orderByKey=metrics.%60{metric}%60&orderByAsc=false&compareRunsMode=CHART&workflowType=machine_learning"
    )


def test_validation_metrics_are_stored_first(
    store: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow's comparison of runs opens with the metric that was stored first; the rest keeps its order."""
    stored: list[list[str]] = []
    real = MlflowClient.log_batch

    def spy(client: MlflowClient, run_id: str, metrics: Any = (), **others: Any) -> None:
        stored.append([metric.key for metric in metrics])
        real(client, run_id, metrics=metrics, **others)

    tracker = MlflowTracker(store[0], tmp_path, store[1])
    tracker.start(INFO)
    monkeypatch.setattr(MlflowClient, "log_batch", spy)
    tracker.log_epoch(0, {"train/loss": 1.0, "val/accuracy": 0.5, "phi/val_audio": 1.0, "val/loss": 1.0})
    assert stored == [["val/accuracy", "val/loss", "train/loss", "phi/val_audio"]]


def test_many_and_long_tags_arrive(store: tuple[str, Path], tmp_path: Path) -> None:
    tracker = MlflowTracker(store[0], tmp_path, store[1])
    tracker.start(INFO)
    tracker.log_tags({f"trial.{number}": str(number) for number in range(250)} | {"cause": "x" * 9000})
    tags = run_of(store[0]).data.tags
    assert [tags[f"trial.{number}"] for number in range(250)] == [str(number) for number in range(250)]
    assert tags["cause"] == "x" * 6000


def test_a_lost_outbox_doubles_nothing(store: tuple[str, Path], tmp_path: Path) -> None:
    for folder in ("lost", "new"):
        tracker = MlflowTracker(store[0], tmp_path / folder, store[1])
        tracker.start(INFO)
        for epoch in range(3 if folder == "lost" else 5):
            tracker.log_epoch(epoch, {"val/accuracy": epoch / 10})
    assert history(store[0], "val/accuracy") == [(0, 0.0), (1, 0.1), (2, 0.2), (3, 0.3), (4, 0.4)]


def test_an_older_copy_of_the_folder_goes_on_and_doubles_nothing(store: tuple[str, Path], tmp_path: Path) -> None:
    tracker = MlflowTracker(store[0], tmp_path / "run", store[1])
    tracker.start(INFO)
    tracker.log_epoch(0, {"val/accuracy": 0.0})
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    for epoch in (1, 2):
        tracker.log_epoch(epoch, {"val/accuracy": epoch / 10})
    copy = MlflowTracker(store[0], tmp_path / "copy", store[1])
    copy.start(INFO)
    for epoch in (1, 2, 3):
        copy.log_epoch(epoch, {"val/accuracy": epoch / 10})
    assert copy.waiting == 0
    assert history(store[0], "val/accuracy") == [(0, 0.0), (1, 0.1), (2, 0.2), (3, 0.3)]


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def hanging_port() -> Iterator[tuple[int, list[Any]]]:
    """A server that accepts and never answers, and its connections so far."""
    listener = socket.create_server(("127.0.0.1", 0))
    accepted: list[Any] = []

    def accept() -> None:
        while True:
            try:
                accepted.append(listener.accept()[0])
            except OSError:
                return

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield listener.getsockname()[1], accepted
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    for connection in accepted:
        connection.close()


def whole_run(tracker: MlflowTracker, file: Path, epochs: int = 20) -> None:
    tracker.start(INFO)
    for epoch in range(epochs):
        tracker.log_epoch(epoch, {"val/accuracy": epoch / 100, "phi/val_audio": 1 - epoch / 50})
    for accuracy in (0.875, 0.75):
        tracker.log_summary({"test/accuracy": accuracy})
        tracker.log_tags({"raymm.best": str(accuracy)})
    tracker.log_artifact(file, "tables")
    tracker.finish("FINISHED")


def test_an_unreachable_server_loses_nothing(
    make_store: MakeStore, tmp_path: Path, closed_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "run" / "t.csv"
    file.parent.mkdir()
    file.write_text("a\n")
    away = MlflowTracker(f"http://me:secret@127.0.0.1:{closed_port}", tmp_path / "run")
    whole_run(away, file)
    assert away.run_id is None
    assert [record.getMessage()[:45] for record in caplog.records] == [
        f"tracking at http://127.0.0.1:{closed_port} does not an"[:45],
        f"{away.waiting} records wait in {tmp_path}"[:45],
    ]
    assert "secret" not in caplog.text
    assert "secret" not in (tmp_path / "run" / "outbox" / "events.jsonl").read_text()
    moved = (tmp_path / "run").rename(tmp_path / "moved")
    uri, artifacts = make_store("later")
    assert replay(moved, uri, artifacts) == 0
    assert replay(moved, uri, artifacts) == 0
    assert history(uri, "val/accuracy") == [(epoch, epoch / 100) for epoch in range(20)]
    assert history(uri, "test/accuracy") == [(0, 0.875), (0, 0.75)]
    assert run_of(uri).data.metrics["test/accuracy"] == 0.75
    assert run_of(uri).data.tags["raymm.best"] == "0.75"
    assert files(uri) == {"tables/t.csv"}
    assert run_of(uri).info.status == "FINISHED"
    assert run_of(uri).data.params["optimizer.lr"] == "0.001"


def test_a_hanging_server_is_asked_once_and_then_left_alone(
    tmp_path: Path, hanging_port: tuple[int, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    port, accepted = hanging_port
    tracker = MlflowTracker(f"http://127.0.0.1:{port}", tmp_path)
    tracker.start(INFO)
    assert len(accepted) == 1
    for epoch in range(50):
        tracker.log_epoch(epoch, {"val/accuracy": 0.5})
    assert len(accepted) == 1
    tracker.finish("FAILED")
    assert len(accepted) == 2
    assert tracker.waiting == 52  # the run, its epochs and its end


def test_a_store_that_comes_back_gets_everything_within_the_run(
    make_store: MakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    uri, artifacts = make_store("s")
    monkeypatch.setattr(module, "RETRY_AFTER", 0.0)
    tracker = MlflowTracker(uri, tmp_path / "run", artifacts)
    tracker.start(INFO)
    real = MlflowClient.log_batch

    def away(*_: Any, **__: Any) -> None:
        raise ConnectionError("no route to host")

    tracker.log_epoch(0, {"val/accuracy": 0.0})
    monkeypatch.setattr(MlflowClient, "log_batch", away)
    for epoch in range(1, 4):
        tracker.log_epoch(epoch, {"val/accuracy": epoch / 10})
    assert tracker.waiting == 3
    monkeypatch.setattr(MlflowClient, "log_batch", real)
    tracker.log_epoch(4, {"val/accuracy": 0.4})
    assert tracker.waiting == 0
    assert history(uri, "val/accuracy") == [(0, 0.0), (1, 0.1), (2, 0.2), (3, 0.3), (4, 0.4)]
    assert caplog.text.count("no route to host") == 1


def test_what_the_store_refuses_does_not_block_the_rest(
    store: tuple[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    params = {"bad(name)": 1}
    tracker = MlflowTracker(store[0], tmp_path, store[1])
    tracker.start(replace(INFO, params=params))
    tracker.log_artifact(tmp_path / "gone.csv")
    tracker.log_epoch(0, {"val/accuracy": 0.5})
    assert tracker.waiting == 0
    assert history(store[0], "val/accuracy") == [(0, 0.5)]
    assert "bad(name)" in caplog.text
    assert "gone.csv is gone" in caplog.text


def test_what_is_not_finite_is_counted_and_said(
    store: tuple[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = MlflowTracker(store[0], tmp_path, store[1])
    tracker.start(INFO)
    tracker.log_epoch(0, {"val/accuracy": 0.5})
    assert "raymm.not_finite" not in run_of(store[0]).data.tags
    tracker.log_epoch(1, {"val/loss": float("nan"), "train/loss": float("inf"), "val/accuracy": 0.5})
    tracker.log_epoch(2, {"val/loss": float("nan")})
    assert run_of(store[0]).data.tags["raymm.not_finite"] == "3"
    assert "epoch 1: train/loss, val/loss not finite" in caplog.text


def test_replay_ends_a_status_in_order(make_store: MakeStore, tmp_path: Path, closed_port: int) -> None:
    """A run that was killed and went on, all of it without a server, is finished in the end."""
    for status in ("KILLED", "FINISHED"):
        tracker = MlflowTracker(f"http://127.0.0.1:{closed_port}", tmp_path / "run")
        tracker.start(INFO)
        tracker.finish(status)  # type: ignore[arg-type]
    uri, artifacts = make_store("s")
    sent: list[str] = []
    real = RunWriter.send
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunWriter, "send", lambda w, e: (sent.append(e.get("status", e["kind"])), real(w, e))[1])
        replay(tmp_path / "run", uri, artifacts)
    assert sent == ["run", "KILLED", "RUNNING", "FINISHED"]
    assert run_of(uri).info.status == "FINISHED"


def test_replay_of_a_folder_without_records_says_so(store: tuple[str, Path], tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match="holds no outbox, so there is nothing to send"):
        replay(tmp_path, store[0])
    assert not (tmp_path / "outbox").exists()


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("file:///tmp/mlruns", "folder of files.*use sqlite:////path/mlflow.db"),
        ("mlruns", "folder of files"),
        ("./runs", "folder of files"),
        ("ftp://host/x", "scheme 'ftp' is not known"),
        ("http://", "names no server"),
        ("sqlite://", "names no server and no file"),
        ("sqlite://relative.db", "names no server and no file"),
        ("postgresql://me:secret@host/db", "'postgresql://host/db'"),
    ],
)
def test_a_store_that_can_never_work_is_refused_with_advice(uri: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match=words) as caught:
        MlflowTracker(uri, tmp_path)
    assert "mlflow server" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_local_store_that_cannot_be_opened_is_an_error_at_start(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("this is no database, whatever its name says")
    tracker = MlflowTracker(*reorder(local_store(tmp_path), tmp_path / "run"))
    with pytest.raises(TrackingError, match=r"tracking at sqlite:////.*mlflow\.db cannot be used: "):
        tracker.start(INFO)


def reorder(store: tuple[str, Path], run_dir: Path) -> tuple[str, Path, Path]:
    return store[0], run_dir, store[1]


def test_a_deleted_experiment_is_an_error_at_start(store: tuple[str, Path], tmp_path: Path) -> None:
    client = MlflowClient(tracking_uri=store[0])
    client.delete_experiment(client.create_experiment(INFO.experiment))
    with pytest.raises(TrackingError, match=r"cannot be used: .*must be in the 'active' state"):
        MlflowTracker(store[0], tmp_path, store[1]).start(INFO)


def test_store_of_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert store_of(Path("mlflow")) == (f"sqlite:///{tmp_path}/mlflow/mlflow.db", tmp_path / "mlflow" / "artifacts")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking:5000")
    assert store_of(Path("mlflow")) == ("http://tracking:5000", None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///here.db")
    assert store_of(Path("mlflow")) == (f"sqlite:///{tmp_path}/here.db", tmp_path / "artifacts")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "mlruns")
    with pytest.raises(TrackingError, match="folder of files"):
        store_of(Path("mlflow"))


def test_the_users_own_settings_of_mlflow_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    from raymm.tracking.mlflow.store import set_defaults

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY")
    set_defaults()
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
