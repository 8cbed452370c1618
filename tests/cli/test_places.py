"""Full disks, read-only places and few descriptors: one line that names the place, and the last commit is kept.

The places are small file systems in memory, which only root may mount; where that is not so, a limit on the size of
files stands in for the full disk.
"""

import os
import resource
import shutil
import subprocess
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from raymm.cli import main
from raymm.data.dataset import open_dataset
from raymm.storage.directory import verify
from raymm.storage.layout import committed_epochs, epoch_folder, result_folder
from raymm.tracking.mlflow import local_store
from tests.games import small_dataset

SMALL = ["training.epochs=3", "method.warmup=1", "model.feature_size=16", "training.keep=3"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return small_dataset(tmp_path_factory.mktemp("data") / "d", 90)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("template")
    MlflowClient(tracking_uri=local_store(folder)[0]).search_experiments()
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory, dataset, template):
    """A run that had all the room it needs: its model, and the bytes of its folder."""
    folder = tmp_path_factory.mktemp("whole")
    shutil.copytree(template, folder / "mlflow")
    with pytest.raises(SystemExit):
        main(training(dataset, folder / "run", folder / "mlflow"))
    return model(folder / "run"), sum(file.stat().st_size for file in (folder / "run").rglob("*") if file.is_file())


class Disk:
    """A file system in memory."""

    def __init__(self, path):
        self.path = path

    def set(self, *options):
        command = ["mount", "-o", ",".join(["remount", *options]), str(self.path)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(path)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small file system here")
    yield Disk(path)
    subprocess.run(["umount", "-l", str(path)], check=True)


def training(dataset, out, store):
    places = ["--data", dataset.path, "--out", out, "--store", store, "--backend", "local"]
    return [str(word) for word in ["train", *places, *SMALL]]


def valuing(dataset, out, *more):
    places = ["--data", dataset.path, "--model", "tests.games:own_model", "--out", out, "--backend", "local"]
    return [str(word) for word in ["value", *places, *more]]


def model(run):
    return (result_folder(run) / "model" / "model.safetensors").read_bytes()


def refused(capfd, words):
    """The line that a command ends with."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    said = [line for line in capfd.readouterr().err.splitlines() if not line.startswith("valuing blocks")]
    assert ended.value.code == 2, said
    assert len(said) == 1, said
    assert said[0].startswith("error: ")
    return said[0]


def unfinished(folder):
    return [file for file in folder.rglob("*") if file.name.endswith((".tmp", ".writer"))]


@pytest.mark.parametrize(
    "share", [0.0, pytest.param(0.3, marks=pytest.mark.long), pytest.param(0.6, marks=pytest.mark.long), 0.95]
)
def test_a_training_on_a_full_disk_keeps_its_commits(capfd, tmp_path, disk, dataset, template, whole, share):
    weights, needed = whole
    shutil.copytree(template, tmp_path / "mlflow")
    run = disk.path / "run"
    assert disk.set(f"size={max(16, int(share * needed / 1024))}k")
    said = refused(capfd, training(dataset, run, tmp_path / "mlflow"))
    assert str(disk.path) in said
    assert "the disk is full; free some space and repeat the command, which goes on from what was committed" in said
    kept = committed_epochs(run)
    assert len(kept) == (0 if share == 0.0 else pytest.approx(2, abs=1))
    for epoch in kept:
        verify(epoch_folder(run, epoch))
    assert not unfinished(disk.path)
    assert disk.set("size=64m")
    with pytest.raises(SystemExit) as ended:
        main(training(dataset, run, tmp_path / "mlflow"))
    assert ended.value.code == 0
    assert model(run) == weights
    assert not unfinished(disk.path)


@pytest.mark.parametrize("option", ["--out", "--html", "--report"])
def test_a_table_or_a_page_on_a_full_disk(capfd, tmp_path, disk, dataset, option):
    assert disk.set("size=8k")
    there, here = disk.path / "there", tmp_path / "t.parquet"
    words = valuing(dataset, there) if option == "--out" else valuing(dataset, here, option, there)
    assert f"{disk.path}/" in (said := refused(capfd, words))
    assert "the disk is full" in said
    assert not unfinished(tmp_path)
    assert not (disk.path / "there").is_file()
    assert disk.set("size=64m")
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0


def test_a_store_on_a_full_disk_is_refused_before_anything_is_trained(capfd, tmp_path, disk, dataset):
    assert disk.set("size=4k")
    (disk.path / "full").write_bytes(b"1" * 4096)
    said = refused(capfd, training(dataset, tmp_path / "run", disk.path / "mlflow"))
    assert f"{disk.path}/mlflow" in said
    assert "the disk is full" in said
    assert committed_epochs(tmp_path / "run") == []


@pytest.mark.parametrize("which", ["run", "store", "table"])
def test_a_place_that_can_only_be_read_is_named_before_any_work(capfd, tmp_path, disk, dataset, template, which):
    shutil.copytree(template, tmp_path / "mlflow")
    assert disk.set("ro")
    out = disk.path / "x"
    words = {
        "run": training(dataset, out, tmp_path / "mlflow"),
        "store": training(dataset, tmp_path / "run", out),
        "table": valuing(dataset, out / "t.parquet"),
    }[which]
    said = refused(capfd, words)
    assert str(disk.path) in said
    assert "this file system can only be read; choose another place" in said
    assert committed_epochs(tmp_path / "run") == []


@pytest.mark.parametrize(
    ("out", "store", "words"),
    [
        ("x" * 256, "mlflow", "the name is too long for this file system; choose a shorter one"),
        ("run", "y" * 256, "the name is too long for this file system; choose a shorter one"),
        ("run", "/proc/mlflow", "/proc/mlflow: there is no such file or folder in /proc, and none can be made there"),
        ("/proc/run", "mlflow", "/proc/run: there is no such file or folder in /proc, and none can be made there"),
    ],
)
def test_a_name_that_no_folder_can_have(capfd, tmp_path, dataset, out, store, words):
    assert words in refused(capfd, training(dataset, tmp_path / out, tmp_path / store))
    assert committed_epochs(tmp_path / "run") == []


def test_what_is_finished_can_be_read_from_a_place_that_can_only_be_read(capfd, tmp_path, disk, dataset):
    shutil.copytree(dataset.path, disk.path / "data")
    assert disk.set("ro")
    with pytest.raises(SystemExit) as ended:
        main(valuing(open_dataset(disk.path / "data"), tmp_path / "t.parquet"))
    assert ended.value.code == 0


def test_a_limit_on_the_size_of_files(capfd, tmp_path, dataset):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, before[1]))
    try:
        said = refused(capfd, valuing(dataset, tmp_path / "t.parquet", "--html", tmp_path / "page.html"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert f"{tmp_path}/" in said
    assert "the file would be larger than may be written here (see `ulimit -f`)" in said
    assert not unfinished(tmp_path)


LONG = [pytest.param(spare, marks=pytest.mark.long) for spare in (1, 4, 16)]


@pytest.mark.parametrize("spare", [0, 2, 8, 40, *LONG])
def test_few_descriptors_are_enough_or_said(capfd, tmp_path, dataset, template, spare):
    shutil.copytree(template, tmp_path / "mlflow")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 1 + spare, before[1]))
    try:
        with pytest.raises(SystemExit) as ended:
            main(training(dataset, tmp_path / "run", tmp_path / "mlflow"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    said = capfd.readouterr().err
    assert "Traceback" not in said
    assert ended.value.code == 0 or (ended.value.code == 2 and said.strip().splitlines()[-1].startswith("error: "))
    for epoch in committed_epochs(tmp_path / "run"):
        verify(epoch_folder(tmp_path / "run", epoch))
