"""A server that answers for ever, a store that cannot be opened or is just made, copied runs, a clock set back."""

import json
import shutil
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from raymm.errors import LockedError, TrackingError
from raymm.storage.layout import lock_of_file
from raymm.tracking.mlflow import MlflowTracker, deadline, local, local_store, register_model, replay
from raymm.tracking.mlflow import client as module
from raymm.tracking.mlflow.deadline import Deadlines
from raymm.tracking.mlflow.writer import MlflowClient, RunWriter
from raymm.tracking.outbox import Outbox
from tests.holders import held
from tests.tracking.contract import INFO

MakeStore = Callable[[str], tuple[str, Path]]


def run_of(uri: str) -> Any:
    client = MlflowClient(tracking_uri=uri)
    (run,) = client.search_runs([client.get_experiment_by_name(INFO.experiment).experiment_id])
    return run


def history(uri: str, name: str) -> list[tuple[int, float]]:
    found = MlflowClient(tracking_uri=uri).get_metric_history(run_of(uri).info.run_id, name)
    return sorted((metric.step, metric.value) for metric in found)


@pytest.fixture
def trickling_port() -> Iterator[tuple[int, list[socket.socket]]]:
    """A server that answers with a byte every tenth of a second and never ends, and its connections so far."""
    listener = socket.create_server(("127.0.0.1", 0))
    accepted: list[socket.socket] = []
    done = threading.Event()

    def answer(connection: socket.socket) -> None:
        try:
            connection.recv(65536)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999999\r\n\r\n{"
            )
            while not done.wait(0.1):
                connection.sendall(b" ")
        except OSError:
            pass
        connection.close()

    def accept() -> None:
        while True:
            try:
                accepted.append(listener.accept()[0])
            except OSError:
                return
            threading.Thread(target=answer, args=(accepted[-1],), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield listener.getsockname()[1], accepted
    done.set()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_a_server_that_answers_for_ever_stops_nothing(
    make_store: MakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trickling_port: Any, caplog: Any
) -> None:
    port, accepted = trickling_port
    monkeypatch.setattr(module, "CALL_PATIENCE", 0.5)
    began = time.monotonic()
    tracker = MlflowTracker(f"http://127.0.0.1:{port}", tmp_path / "run")
    tracker.start(INFO)
    for epoch in range(50):
        tracker.log_epoch(epoch, {"val/accuracy": epoch / 100})
    tracker.finish("FINISHED")
    assert time.monotonic() - began < 10  # twice half a second, on a busy machine
    while len(accepted) < 2 and time.monotonic() - began < 10:  # the server's thread may not have had its turn yet
        time.sleep(0.01)
    assert len(accepted) == 2
    assert "does not answer (no whole answer within 0.5 s); records wait in the run" in caplog.text
    assert tracker.waiting == 52
    uri, artifacts = make_store("later")
    assert replay(tmp_path / "run", uri, artifacts) == 0
    assert history(uri, "val/accuracy") == [(epoch, epoch / 100) for epoch in range(50)]


def test_a_server_that_is_late_is_asked_by_a_few_threads_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trickling_port: Any
) -> None:
    port, accepted = trickling_port
    monkeypatch.setattr(module, "CALL_PATIENCE", 0.2)
    monkeypatch.setattr(module, "RETRY_AFTER", 0.0)
    tracker = MlflowTracker(f"http://127.0.0.1:{port}", tmp_path / "run")
    tracker.start(INFO)
    for epoch in range(20):
        tracker.log_epoch(epoch, {"val/accuracy": 0.5})
    assert len(accepted) == deadline.MOST_LATE
    late = [thread for thread in threading.enumerate() if thread.name == "raymm-tracking"]
    assert len(late) == deadline.MOST_LATE
    assert all(thread.daemon for thread in late)  # the end of the process does not wait for them


def test_a_slow_store_takes_a_tenth_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    asked = []

    def slow(*_: Any) -> None:
        asked.append(clock[0])
        clock[0] += 12.0
        raise ConnectionError("no answer")

    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(module, "RunWriter", slow)
    tracker = MlflowTracker("http://127.0.0.1:1", tmp_path)
    monkeypatch.setattr(tracker._deadlines, "within", lambda _seconds, function: function())
    tracker.start(INFO)
    for epoch in range(300):
        clock[0] += 1.0
        tracker.log_epoch(epoch, {"val/accuracy": 0.5})
    assert asked == [0.0, 120.0, 240.0]


def test_a_late_call_comes_to_nothing_and_others_come_through() -> None:
    calls = Deadlines()
    assert calls.within(60, lambda: 3) == 3
    with pytest.raises(KeyError):
        calls.within(60, lambda: {}["a"])
    release = threading.Event()
    for _ in range(deadline.MOST_LATE):
        with pytest.raises(TimeoutError, match=r"no whole answer within 0\.01 s"):
            calls.within(0.01, release.wait)
    with pytest.raises(TimeoutError, match="3 earlier requests are still being answered"):
        calls.within(60, lambda: 3)
    release.set()
    for call in calls._late:
        call.join()
    assert calls.within(60, lambda: 3) == 3


def test_a_run_that_was_cut_off_goes_on_by_a_new_connection(
    store: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The late request arrives after all; nothing is lost, and nothing is recorded twice."""
    monkeypatch.setattr(module, "database_of", lambda _: None)  # as if the file were a server
    monkeypatch.setattr(module, "RETRY_AFTER", 0.0)
    tracker = MlflowTracker(store[0], tmp_path / "run", store[1])
    tracker.start(INFO)
    tracker.log_epoch(0, {"val/accuracy": 0.0})
    real, late = RunWriter.send, threading.Event()

    def send(writer: RunWriter, event: Any) -> None:
        real(writer, event)
        if event.get("step") == 1 and not late.is_set():
            late.set()
            time.sleep(1.0)  # the request has arrived, the answer is late

    monkeypatch.setattr(RunWriter, "send", send)
    monkeypatch.setattr(module, "CALL_PATIENCE", 0.3)
    tracker.log_epoch(1, {"val/accuracy": 0.1})
    assert late.is_set()
    monkeypatch.setattr(module, "CALL_PATIENCE", 60.0)
    tracker.log_epoch(2, {"val/accuracy": 0.2})
    tracker.finish("FINISHED")
    assert tracker.waiting == 0
    assert tracker.run_id == run_of(store[0]).info.run_id
    assert history(store[0], "val/accuracy") == [(0, 0.0), (1, 0.1), (2, 0.2)]


def test_registering_at_such_a_server_ends(monkeypatch: pytest.MonkeyPatch, trickling_port: Any) -> None:
    monkeypatch.setattr("raymm.tracking.mlflow.registry.PATIENCE", 0.3)
    with pytest.raises(TrackingError, match=r"is not registered \(no whole answer within 0\.3 s\); the run is safe"):
        register_model(f"http://127.0.0.1:{trickling_port[0]}", "e", "k", "name")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda file: file.mkdir(), "mlflow.db is a folder where a file is needed"),
        (lambda file: file.write_bytes(b"this is no database " * 100), "file is not a database"),
        (lambda file: file.symlink_to(file.parent / "gone" / "mlflow.db"), "unable to open database file"),
        (lambda file: file.symlink_to(file), "unable to open database file"),
    ],
    ids=["folder", "text", "dangling", "loop"],
)
def test_a_store_that_cannot_be_opened_is_refused_at_once(
    tmp_path: Path, spoil: Callable[[Path], Any], words: str
) -> None:
    uri, artifacts = local_store(tmp_path / "store")
    spoil(tmp_path / "store" / "mlflow.db")
    began = time.monotonic()
    with pytest.raises(TrackingError) as caught:
        MlflowTracker(uri, tmp_path / "run", artifacts).start(INFO)
    assert time.monotonic() - began < 5
    assert str(caught.value).startswith(f"tracking at {uri} cannot be used: ")
    assert words in str(caught.value)


def test_a_store_that_may_only_be_read_is_refused_for_records_and_shown(
    store: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from raymm.tracking.mlflow import run_tables

    tracker = MlflowTracker(store[0], tmp_path / "run", store[1])
    tracker.start(INFO)
    tracker.finish("FINISHED")
    real = sqlite3.connect
    monkeypatch.setattr(
        local.sqlite3, "connect", lambda address, **more: real(address.partition("?")[0] + "?mode=ro", **more)
    )
    with pytest.raises(TrackingError, match="cannot be used: attempt to write a readonly database"):
        MlflowTracker(store[0], tmp_path / "run", store[1]).start(INFO)
    assert list(run_tables(store[0], "http://here")) == [INFO.experiment]


def test_a_store_that_is_just_written_is_waited_for(store: tuple[str, Path], tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "my store" / "mlflow.db", isolation_level=None, check_same_thread=False) as other:
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.5, other.execute, ("ROLLBACK",))
        release.start()
        tracker = MlflowTracker(store[0], tmp_path / "run", store[1])
        tracker.start(INFO)
        release.join()
    assert tracker.waiting == 0


def test_a_store_is_made_by_one_process_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri, artifacts = local_store(tmp_path / "store")
    monkeypatch.setattr(local, "PATIENCE", 0.3)
    with held(lock_of_file(tmp_path / "store" / "mlflow.db")) as process:
        with pytest.raises(LockedError) as caught:
            MlflowTracker(uri, tmp_path / "run", artifacts).start(INFO)
        assert str(caught.value).startswith(
            f"the MLflow store {tmp_path / 'store'} is in use by process {process.pid} on this machine ("
        )
    assert not (tmp_path / "store" / "mlflow.db").read_bytes()


def test_a_folder_that_was_copied_and_both_go_on_record_everything_once(
    store: tuple[str, Path], tmp_path: Path, caplog: Any
) -> None:
    """Train in A, copy A to B, go on in B, go on in A, and in B again, with one store."""

    def go_on(folder: str, epochs: int) -> MlflowTracker:
        tracker = MlflowTracker(store[0], tmp_path / folder, store[1])
        tracker.start(replace(INFO, tags={**INFO.tags, "raymm.run_dir": str(tmp_path / folder)}))
        for epoch in range(epochs):
            tracker.log_epoch(epoch, {"val/accuracy": epoch / 10})
        tracker.log_summary({"test/accuracy": epochs / 10})
        tracker.finish("FINISHED")
        assert tracker.waiting == 0
        return tracker

    go_on("a", 2)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    for folder, epochs in (("b", 3), ("a", 4), ("b", 5), ("a", 5), ("b", 6)):
        go_on(folder, epochs)
        assert history(store[0], "val/accuracy") == [(epoch, epoch / 10) for epoch in range(max(epochs, 2))]
        assert run_of(store[0]).data.metrics["test/accuracy"] == epochs / 10
        assert run_of(store[0]).info.status == "FINISHED"
    assert "the store has records of this run that" in caplog.text
    assert "none is recorded twice" in caplog.text


@pytest.mark.parametrize("kept", range(6))
def test_an_outbox_that_is_shorter_than_the_store_loses_and_doubles_nothing(
    store: tuple[str, Path], tmp_path: Path, kept: int
) -> None:
    """A backup of the folder is brought back, of any age."""
    first = MlflowTracker(store[0], tmp_path, store[1])
    first.start(INFO)
    for epoch in range(4):
        first.log_epoch(epoch, {"val/accuracy": epoch / 10})
    first.finish("FINISHED")
    events = tmp_path / "outbox" / "events.jsonl"
    events.write_text("".join(events.read_text().splitlines(keepends=True)[:kept]))
    again = MlflowTracker(store[0], tmp_path, store[1])
    again.start(INFO)
    for epoch in range(5):
        again.log_epoch(epoch, {"val/accuracy": epoch / 10})
    again.finish("FINISHED")
    assert again.waiting == 0
    assert history(store[0], "val/accuracy") == [(epoch, epoch / 10) for epoch in range(5)]
    assert run_of(store[0]).info.status == "FINISHED"


def test_the_mark_of_an_earlier_version_is_understood(store: tuple[str, Path], tmp_path: Path, caplog: Any) -> None:
    import hashlib

    first = MlflowTracker(store[0], tmp_path, store[1])
    first.start(INFO)
    first.log_epoch(0, {"val/accuracy": 0.0})
    event = json.loads((tmp_path / "outbox" / "events.jsonl").read_text().splitlines()[0])
    old = hashlib.sha256(json.dumps([event]).encode()).hexdigest()[:12]
    MlflowClient(tracking_uri=store[0]).set_tag(first.run_id, "raymm.sent", f"{old}:2")
    second = MlflowTracker(store[0], tmp_path, store[1])
    second.start(INFO)
    assert second.waiting == 0
    assert caplog.text == ""


@pytest.mark.parametrize("mark", ["", ":", "x", "abc:1", "abc:-1", "abc:99", "abc:²", "abc:1:2", ":1"])
def test_a_mark_that_is_not_of_these_events_counts_none(tmp_path: Path, mark: str) -> None:
    outbox = Outbox(tmp_path)
    for number in range(3):
        outbox.add({"kind": "tags", "tags": {"a": str(number)}})
    assert outbox.count_of(mark) is None
    assert [outbox.count_of(outbox.mark(count)) for count in (1, 2, 3)] == [1, 2, 3]
    assert Outbox(tmp_path).mark(3) == outbox.mark(3)


@pytest.mark.parametrize(
    "line", ["null", "[]", "3", '"a"', "{}", '{"kind": 3}', '{"kind": "tags", "time": "x"}', "[" * 100_000]
)
def test_a_line_that_is_no_record_is_said(tmp_path: Path, line: str) -> None:
    (tmp_path / "events.jsonl").write_text(line + "\n")
    with pytest.raises(
        TrackingError, match=r"events\.jsonl: line 1 is damaged: .*; delete the file to record the run"
    ):
        Outbox(tmp_path)


def test_a_clock_that_is_set_back_leaves_the_end_after_the_start(
    store: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1_790_000_000.0]
    monkeypatch.setattr(module.time, "time", lambda: clock[0])
    tracker = MlflowTracker(store[0], tmp_path, store[1])
    tracker.start(INFO)
    for epoch in range(3):
        clock[0] -= 3600
        if epoch == 1:  # a new process
            tracker = MlflowTracker(store[0], tmp_path, store[1])
            tracker.start(INFO)
        tracker.log_epoch(epoch, {"val/accuracy": epoch / 10})
        tracker.log_summary({"test/accuracy": epoch / 10})
    tracker.finish("FINISHED")
    run = run_of(store[0])
    assert run.info.start_time == 1_790_000_000_000
    assert run.info.end_time >= run.info.start_time
    assert run.data.metrics == {"val/accuracy": 0.2, "test/accuracy": 0.2}
    found = MlflowClient(tracking_uri=store[0]).get_metric_history(run.info.run_id, "val/accuracy")
    assert [metric.timestamp >= run.info.start_time for metric in found] == [True, True, True]
