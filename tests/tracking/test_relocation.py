"""A local store that was copied or moved, with and without its original."""

import hashlib
import shutil
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pytest
from mlflow.tracking import MlflowClient

from raymm.api.progress import Progress
from raymm.api.stores import Store
from raymm.api.tracked import train_tracked
from raymm.cli import main
from raymm.cli.machine import tracking
from raymm.data import Dataset
from raymm.errors import TrackingError
from raymm.tracking import RunInfo
from raymm.tracking.mlflow import MlflowTracker, local_store, register_model, run_tables
from raymm.tracking.mlflow.relocation import follow_folder, former_folders
from raymm.training.run import create_or_open
from tests.games import settings, small_dataset

EXPERIMENT = "trials"


@dataclass(frozen=True)
class Tree:
    """A folder with a store and the runs beside it."""

    path: Path

    @property
    def database(self) -> Path:
        return self.path / "mlflow" / "mlflow.db"

    @property
    def artifacts(self) -> Path:
        return self.path / "mlflow" / "artifacts"

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.database}"

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.uri)

    def copied(self, path: Path) -> "Tree":
        shutil.copytree(self.path, path)
        return Tree(path)

    def digest(self) -> str:
        return hashlib.sha256(self.database.read_bytes()).hexdigest()

    def mentions(self, text: str) -> set[tuple[str, str]]:
        """Every table and column of the database with a value that contains a text."""
        with closing(sqlite3.connect(self.database)) as connection:
            tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            columns = [
                (table, name) for table in tables for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")
            ]
            return {
                (table, name)
                for table, name in columns
                if connection.execute(f'SELECT 1 FROM "{table}" WHERE instr("{name}", ?)', (text,)).fetchone()
            }

    def execute(self, statement: str) -> None:
        with closing(sqlite3.connect(self.database)) as connection:
            connection.executescript(statement)

    def locations(self) -> dict[str, str]:
        return {each.name: each.artifact_location for each in self.client.search_experiments()}

    def files(self, folder: str | None = None) -> dict[str, bytes]:
        """The artifacts of the trained run, as MLflow lists and downloads them."""
        (run,) = self.client.search_runs(["1"], "tags.`raymm.kind` = 'train'")
        found: dict[str, bytes] = {}
        for item in self.client.list_artifacts(run.info.run_id, folder):
            if item.is_dir:
                found |= self.files(item.path)
            else:
                found[item.path] = Path(self.client.download_artifacts(run.info.run_id, item.path)).read_bytes()
        return found


@dataclass(frozen=True)
class Trained:
    """A tree with a trained and registered run, and what its model answered there."""

    tree: Tree
    run_id: str
    data: Dataset
    answer: object
    files: dict[str, bytes]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Trained:
    tree = Tree(tmp_path_factory.mktemp("origin") / "first ü")
    local_store(tree.path / "mlflow")
    shutil.copy(mlflow_template, tree.database)
    data = small_dataset(tmp_path_factory.mktemp("data") / "d")
    run = create_or_open(tree.path / "runs" / "tiny", settings(training={"epochs": 2}), data)
    train_tracked(run, data, "local", Store.of(tree.path / "mlflow"), EXPERIMENT, Progress())
    register_model(tree.uri, EXPERIMENT, run.key, "tiny")
    tree.client.create_logged_model("1", "logged")
    (found,) = tree.client.search_runs(["1"])
    return Trained(tree, found.info.run_id, data, answer_of(tree, data, "models:/tiny@best"), tree.files())


@pytest.fixture
def away(trained: Trained) -> Iterator[None]:
    """The original is gone."""
    hidden = trained.tree.path.with_name("gone")
    trained.tree.path.rename(hidden)
    yield
    shutil.rmtree(trained.tree.path, ignore_errors=True)
    hidden.rename(trained.tree.path)


def answer_of(tree: Tree, data: Dataset, model: str) -> object:
    """What a model says, for somebody who has set the tracking URI and nothing else."""
    rows = data.rows("test")[:3]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", tree.uri)
        loaded = mlflow.pyfunc.load_model(model)
        return loaded.predict({name: list(data.shards.read(name, rows)) for name in data.schema.names}).to_dict()


def record(tree: Tree, name: str, experiment: str = EXPERIMENT) -> str:
    """A new run with one file, recorded by raymm; returns the address of its artifacts."""
    tracker = MlflowTracker(tree.uri, tree.path / "runs" / name, tree.artifacts)
    tracker.start(RunInfo(name, name, experiment))
    (tree.path / "note.txt").write_text(name)
    tracker.log_artifact(tree.path / "note.txt")
    tracker.finish("FINISHED")
    return str(tree.client.get_run(tracker.run_id).info.artifact_uri)


def test_a_copy_works_without_its_original(trained, away, tmp_path, caplog):
    tree = Tree(trained.tree.path.with_name("gone")).copied(tmp_path / "second place")
    assert tree.files() == {}
    assert tree.mentions(trained.tree.path.as_uri()) >= {
        ("experiments", "artifact_location"),
        ("model_versions", "source"),
    }
    run_tables(tree.uri, "http://127.0.0.1")
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith(
        f"the store was copied or moved from {trained.tree.path / 'mlflow'}; its artifacts are now"
    )
    assert tree.mentions(trained.tree.path.as_uri()) == tree.mentions(f"{trained.tree.path}/mlflow") == set()
    assert trained.files
    assert tree.files() == trained.files
    for model in (f"runs:/{trained.run_id}/model", "models:/tiny@best", "models:/tiny/1"):
        assert answer_of(tree, trained.data, model) == trained.answer
    assert record(tree, "later").startswith(tree.artifacts.as_uri())
    assert not trained.tree.path.exists()


def test_a_copy_beside_the_living_original_reads_and_writes_its_own_files(trained, tmp_path):
    first = trained.tree
    second = first.copied(tmp_path / "copy")
    changed = first.artifacts / trained.run_id / "artifacts" / "config.yaml"
    kept, before = changed.read_bytes(), first.digest()
    files = set(first.artifacts.rglob("*"))
    try:
        changed.write_bytes(b"#" + kept[1:])
        assert second.files()["config.yaml"] == b"#" + kept[1:]
        record(second, "later")
        assert second.files() == trained.files
        assert first.files()["config.yaml"] == b"#" + kept[1:]
    finally:
        changed.write_bytes(kept)
    assert first.digest() == before
    assert set(first.artifacts.rglob("*")) == files


def test_a_store_that_did_not_move_is_not_touched(trained, tmp_path, caplog):
    before = trained.tree.digest()
    (tmp_path / "link").symlink_to(trained.tree.path)
    for tree in (trained.tree, Tree(tmp_path / "link"), Tree(trained.tree.path / "mlflow" / "..")):
        assert follow_folder(tree.uri) == []
        run_tables(tree.uri, "http://127.0.0.1")
    assert trained.tree.digest() == before
    assert not caplog.records
    moved = trained.tree.copied(tmp_path / "moved")
    assert moved.digest() == before
    assert follow_folder(moved.uri) == [trained.tree.artifacts]
    assert moved.digest() != before
    after = moved.digest()
    assert follow_folder(moved.uri) == []
    assert moved.digest() == after


def test_experiments_that_lie_elsewhere_keep_their_place(trained, tmp_path):
    tree = trained.tree.copied(tmp_path / "a")
    follow_folder(tree.uri)
    elsewhere = {
        "shared": (tmp_path / "shared" / "artifacts").as_uri(),
        "longer": f"{tree.artifacts.as_uri()}-of-another",
        "bucket": "s3://bucket/artifacts",
    }
    for name, location in elsewhere.items():
        tree.client.create_experiment(name, artifact_location=location)
    run = tree.client.create_run(tree.client.get_experiment_by_name("shared").experiment_id)
    (tmp_path / "shared" / "artifacts" / run.info.run_id / "artifacts").mkdir(parents=True)
    default = tree.locations()["Default"]
    second = tree.copied(tmp_path / "b")
    assert follow_folder(second.uri) == [tree.artifacts]
    assert second.locations() == {**elsewhere, "Default": default, EXPERIMENT: second.artifacts.as_uri()}
    assert second.client.get_run(run.info.run_id).info.artifact_uri == run.info.artifact_uri


@pytest.mark.parametrize("tagged", [True, False])
def test_a_store_without_files_is_known_by_the_tag_of_its_experiment(trained, tmp_path, tagged):
    tree = trained.tree.copied(tmp_path / "copy")
    shutil.rmtree(tree.artifacts)
    tree.artifacts.mkdir()
    tree.execute("" if tagged else "DELETE FROM experiment_tags;")
    assert former_folders(tree.database) == ([trained.tree.artifacts] if tagged else [])
    follow_folder(tree.uri)
    assert tree.locations()[EXPERIMENT] == (tree if tagged else trained.tree).artifacts.as_uri()


def test_a_store_of_0_1_0_is_known_by_the_folders_of_its_runs(trained, away, tmp_path):
    tree = Tree(trained.tree.path.with_name("gone")).copied(tmp_path / "copy")
    tag = f"UPDATE tags SET value = '{trained.tree.path / 'runs' / 'tiny'}' WHERE key = 'raymm.run_dir';"
    tree.execute(f"DELETE FROM experiment_tags; {tag}")
    assert record(tree, "later").startswith(tree.artifacts.as_uri())
    assert tree.files() == trained.files
    assert tree.client.get_run(trained.run_id).data.tags["raymm.run_dir"] == "../runs/tiny"


def test_a_database_that_was_copied_alone_keeps_the_files_that_it_has(trained, tmp_path, caplog):
    tree = Tree(tmp_path / "alone")
    tree.database.parent.mkdir(parents=True)
    shutil.copy(trained.tree.database, tree.database)
    before = tree.digest()
    assert follow_folder(tree.uri) == []
    assert tree.digest() == before
    assert f"{tree.database} has its artifacts in {trained.tree.artifacts}; copy that folder" in caplog.text
    assert tree.files() == trained.files


def test_all_addresses_are_rewritten_or_none(trained, tmp_path):
    tree = trained.tree.copied(tmp_path / "copy")
    tree.execute("CREATE TRIGGER no BEFORE UPDATE ON model_versions BEGIN SELECT RAISE(ABORT, 'refused'); END;")
    before = tree.mentions(trained.tree.path.as_uri())
    with pytest.raises(
        TrackingError, match=r"mlflow\.db: the store was copied or moved from .*\(refused\); make the"
    ):
        MlflowTracker(tree.uri, tree.path / "runs" / "later", tree.artifacts).start(RunInfo("k", "k", EXPERIMENT))
    assert tree.mentions(trained.tree.path.as_uri()) == before
    assert tree.locations() == trained.tree.locations()


def test_many_may_open_a_copy_at_once(trained, tmp_path):
    tree = trained.tree.copied(tmp_path / "copy")
    threads = [threading.Thread(target=follow_folder, args=(tree.uri,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tree.mentions(trained.tree.path.as_uri()) == set()
    assert tree.files() == trained.files


def test_the_folder_of_a_run_is_named_from_the_store(trained, tmp_path):
    tags = trained.tree.client.get_run(trained.run_id).data.tags
    assert tags["raymm.run_dir"] == "../runs/tiny"
    assert (trained.tree.path / "mlflow" / tags["raymm.run_dir"] / "run.json").is_file()
    tree = trained.tree.copied(tmp_path / "copy")
    tracker = MlflowTracker(tree.uri, tmp_path / "run", tree.artifacts)
    tracker.start(RunInfo("far", "far", EXPERIMENT, tags={"raymm.run_dir": str(tmp_path / "run")}))
    assert tree.client.get_run(tracker.run_id).data.tags["raymm.run_dir"] == str(tmp_path / "run")


def test_doctor_and_ui_say_that_a_store_was_moved(trained, tmp_path, monkeypatch, caplog):
    tree = trained.tree.copied(tmp_path / "copy")
    before = tree.digest()
    moved = f"copied or moved from {trained.tree.path / 'mlflow'}"
    assert moved in tracking(tree.path / "mlflow").value
    assert tree.digest() == before
    monkeypatch.setattr("os.execve", lambda *_: None)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    with pytest.raises(SystemExit, match="0"):
        main(["ui", "--store", str(tree.path / "mlflow"), "--port", str(port)])
    assert moved in caplog.text
    assert tree.files() == trained.files
    assert moved not in tracking(tree.path / "mlflow").value


def test_what_is_no_store_has_no_former_folders(tmp_path):
    assert former_folders(tmp_path / "absent.db") == []
    assert not (tmp_path / "absent.db").exists()
    (tmp_path / "text.db").write_text("no database")
    assert former_folders(tmp_path / "text.db") == []
    assert follow_folder("http://127.0.0.1:1") == []
