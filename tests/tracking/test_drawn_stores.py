"""Drawn orders: copies of a run that go on with one store, and several processes that make one store."""

import itertools
import shutil
import sqlite3
import threading
import time
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from raymm.storage import lock
from raymm.storage.layout import lock_of_file
from raymm.tracking.mlflow import MlflowTracker, local_store
from raymm.tracking.mlflow import writer as module
from raymm.tracking.mlflow.writer import open_store
from tests.holders import held
from tests.tracking.contract import INFO

pytestmark = pytest.mark.usefixtures("without_waiting_for_the_disk")


class Store:
    """A store of one run in dictionaries, which keeps whatever it is told as often as it is told."""

    def __init__(self) -> None:
        self.tags: dict[str, str] = {}
        self.metrics: dict[str, list[Any]] = defaultdict(list)
        self.status = ""

    def get_experiment_by_name(self, name: str) -> Any:
        return SimpleNamespace(experiment_id=name)

    def search_runs(self, *_: Any, **__: Any) -> list[Any]:
        return [self.get_run("0")] if self.status else []

    def create_run(self, *_: Any, tags: dict[str, str], **__: Any) -> Any:
        assert not self.status, "the run is there"
        self.tags, self.status = dict(tags), "RUNNING"
        return self.get_run("0")

    def get_run(self, run_id: str) -> Any:
        latest = {name: max(own, key=lambda metric: metric.timestamp).value for name, own in self.metrics.items()}
        data = SimpleNamespace(tags=dict(self.tags), metrics=latest)
        return SimpleNamespace(info=SimpleNamespace(run_id=run_id, status=self.status), data=data)

    def get_metric_history(self, _: str, name: str) -> list[Any]:
        return self.metrics[name]

    def log_batch(self, _: str, metrics: Any = (), params: Any = (), tags: Any = ()) -> None:
        del params
        self.tags |= {tag.key: tag.value for tag in tags}
        for metric in metrics:
            self.metrics[metric.key].append(metric)

    def update_run(self, _: str, status: str) -> None:
        self.status = status

    def set_terminated(self, _: str, status: str, __: int) -> None:
        self.status = status


FOLDERS = st.sampled_from("abc")
STEPS = st.one_of(
    st.tuples(st.just("copy"), FOLDERS, FOLDERS), st.tuples(st.just("train"), FOLDERS, st.integers(1, 5))
)


@settings(max_examples=15)
@example(steps=[("train", "b", 1), ("train", "b", 2)])
@given(steps=st.lists(STEPS, min_size=3, max_size=10))
def test_copies_of_a_run_that_go_on_in_any_order_record_everything_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Any]
) -> None:
    """A folder that is not there begins anew, as after a loss."""
    place, store, most = tmp_path_factory.mktemp("copies"), Store(), 0
    for what, first, second in [("train", "a", 2), *steps]:
        if what == "copy":
            if first != second and (place / first).exists():
                shutil.rmtree(place / second, ignore_errors=True)
                shutil.copytree(place / first, place / second)
            continue
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "open_store", lambda _: store)
            tracker = MlflowTracker("http://127.0.0.1:1", place / first)
            tracker.start(INFO)
            for epoch in range(second):
                tracker.log_epoch(epoch, {"val/accuracy": epoch / 10})
            tracker.log_summary({"test/accuracy": 0.5})
            tracker.finish("FINISHED")
        assert tracker.waiting == 0
        most = max(most, second)
        recorded = sorted((metric.step, metric.value) for metric in store.metrics["val/accuracy"])
        assert recorded == [(epoch, epoch / 10) for epoch in range(most)]
        assert [metric.value for metric in store.metrics["test/accuracy"]] == [0.5]
        assert store.status == "FINISHED"


class DiedError(Exception):
    """A process that makes a store ends before it is whole."""


def upgrade(database: Path, dies_at: int, pause: float) -> None:
    """Make the columns of a store one after the other, as MLflow does: what version it has is asked, then changed."""
    for step in range(1, 4):
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            time.sleep(pause)
            if step == dies_at:
                raise DiedError
            if version < step:
                change = "CREATE TABLE runs (c1)" if step == 1 else f"ALTER TABLE runs ADD COLUMN c{step}"
                connection.execute(change)
                connection.execute(f"PRAGMA user_version = {step}")


def columns_of(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return [row[1] for row in connection.execute("PRAGMA table_info(runs)")]


@settings(max_examples=10)
@given(
    makers=st.lists(
        st.tuples(st.sampled_from([0, 0, 1, 2, 3]), st.sampled_from([0.0, 0.001, 0.003])), min_size=2, max_size=4
    )
)
def test_of_several_that_make_one_store_at_once_each_finds_it_whole(
    tmp_path_factory: pytest.TempPathFactory, makers: list[tuple[int, float]]
) -> None:
    """Some of them die at a drawn step; one that lives comes last."""
    uri, _ = local_store(tmp_path_factory.mktemp("store"))
    database = Path(uri.removeprefix("sqlite:///"))
    makers = [*makers, (0, 0.0)]
    turns, found, start = itertools.count(), [], threading.Barrier(len(makers))

    def made(**_: Any) -> None:
        dies_at, pause = makers[next(turns)]
        upgrade(database, dies_at, pause)

    def work() -> None:
        start.wait()
        try:
            open_store(uri)
        except DiedError:
            found.append("died")
        except sqlite3.Error as cause:
            found.append(str(cause))
        else:
            found.append(" ".join(columns_of(database)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lock, "POLL", 0.002)
        patch.setattr(module, "MlflowClient", made)
        patch.setattr(module, "follow_folder", lambda _: None)
        threads = [threading.Thread(target=work) for _ in makers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    dead = sum(dies_at > 0 for dies_at, _ in makers)
    assert sorted(found) == ["c1 c2 c3"] * (len(makers) - dead) + ["died"] * dead


def test_a_store_whose_maker_is_killed_is_made_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri, _ = local_store(tmp_path / "store")
    database = tmp_path / "store" / "mlflow.db"
    monkeypatch.setattr(lock, "POLL", 0.01)
    monkeypatch.setattr(module, "MlflowClient", lambda **_: upgrade(database, 0, 0.0))
    monkeypatch.setattr(module, "follow_folder", lambda _: None)
    with held(lock_of_file(database)) as process:
        with pytest.raises(DiedError):
            upgrade(database, 2, 0.0)
        killed = threading.Timer(0.2, process.kill)
        killed.start()
        open_store(uri)
        assert killed.finished.is_set()
        assert process.wait() < 0
    assert columns_of(database) == ["c1", "c2", "c3"]
