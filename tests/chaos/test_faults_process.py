"""F23 to F32: the process that trains is killed or asked to end, the disk is full, and files of a run are damaged."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest

from raymm.errors import CheckpointError, DataError
from raymm.models.export import load_model
from raymm.storage.directory import verify
from raymm.storage.layout import committed_epochs, epoch_folder
from raymm.training.checkpoint import load_latest
from raymm.training.loop import Backends, train
from raymm.training.run import open_run
from tests.chaos.runs import (
    EPOCHS,
    KILLER,
    ROOT,
    by_command,
    mounted,
    numbers,
    one_line,
    order,
    recorded,
    train_words,
)
from tests.cli.calling import call
from tests.games import StopError, stop_after

SAMPLES = 120


@pytest.fixture(scope="module")
def whole(tmp_path_factory, dataset, store):
    """A run that nothing disturbed; its epochs are copied by tests that damage them."""
    folder = tmp_path_factory.mktemp("whole")
    shutil.copytree(store, folder / "mlflow")
    code, _, err = by_command(train_words(dataset.path, folder))
    assert code == 0, err
    return folder / "run"


@pytest.fixture
def copy(whole, tmp_path):
    """A copy of that run, as if it had been stopped before its result was written."""
    shutil.copytree(whole, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "result")
    return tmp_path / "run"


KILLS = [
    pytest.param("mid-epoch", id="F23"),
    pytest.param("valuation", id="F24"),
    pytest.param("in a file", id="F25_while_a_file_is_written"),
    pytest.param("after the commit", id="F25_after_it"),
]


@pytest.mark.chaos
@pytest.mark.parametrize("phase", KILLS)
def test_a_killed_driver(place, dataset, whole, phase):
    orders = order(place / "orders", phase=phase, epoch=1)
    words = train_words(dataset.path, place, "--plugins", str(KILLER))
    code, _, _ = by_command(words, RAYMM_CHAOS=str(orders))
    assert code == -signal.SIGKILL
    assert (orders / "fault-0-0.done").exists()
    assert committed_epochs(place / "run") == ([1, 2] if phase == "after the commit" else [1])
    assert not (place / "run" / "result").exists()
    code, _out, err = by_command(words, RAYMM_CHAOS=str(orders))
    assert code == 0, err
    assert numbers(place / "run") == numbers(whole)
    assert recorded(place) == ("FINISHED", list(range(1, EPOCHS + 1)))


@pytest.mark.ray
@pytest.mark.chaos
@pytest.mark.timeout(300)
def test_F23_a_killed_driver_of_ray(place, dataset, whole):
    words = train_words(dataset.path, place, "cluster.actors=0", backend="ray")
    command = [sys.executable, "-m", "raymm", *words]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not committed_epochs(place / "run") and time.monotonic() < until:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    code, _, err = by_command(words, timeout=150)
    assert code == 0, err
    assert numbers(place / "run") == numbers(whole)
    assert recorded(place) == ("FINISHED", list(range(1, EPOCHS + 1)))


@pytest.mark.chaos
@pytest.mark.parametrize("phase", ["mid-epoch", "in a file"])
def test_F26_a_driver_that_is_asked_to_end(place, dataset, whole, phase):
    orders = order(place / "orders", phase=phase, epoch=1, signal=signal.SIGTERM)
    words = train_words(dataset.path, place, "--plugins", str(KILLER))
    started = time.monotonic()
    code, _, err = by_command(words, RAYMM_CHAOS=str(orders))
    assert time.monotonic() - started < 60
    assert code == 128 + signal.SIGTERM, err
    assert "Traceback" not in err
    assert "ended by SIGTERM; what was committed is kept, the same command goes on from there" in err
    assert committed_epochs(place / "run") == [1]
    verify(epoch_folder(place / "run", 1))
    assert recorded(place) == ("KILLED", [1])
    code, _, err = by_command(words, RAYMM_CHAOS=str(orders))
    assert code == 0, err
    assert numbers(place / "run") == numbers(whole)
    assert recorded(place) == ("FINISHED", list(range(1, EPOCHS + 1)))


def temporary_files(folder):
    return [path for path in folder.rglob("*") if path.name.endswith(".tmp") or path.name.startswith(".")]


@pytest.mark.chaos
@pytest.mark.parametrize("room", [0, 20_000])
def test_F27_a_disk_that_is_full_while_an_epoch_is_committed(place, dataset, whole, room):
    """The second epoch finds `room` bytes; with more of them it goes on."""
    with mounted(place / "disk", "size=16m") as disk:
        words = train_words(dataset.path, place)
        words[words.index("--out") + 1] = str(disk / "run")
        orders = order(place / "orders", phase="mid-epoch", epoch=1, signal=signal.SIGTERM)
        code, _, _ = by_command([*words, "--plugins", str(KILLER)], RAYMM_CHAOS=str(orders))
        assert code == 143
        assert committed_epochs(disk / "run") == [1]
        leave(disk, room)
        code, _, err = by_command([*words, "--plugins", str(KILLER)], RAYMM_CHAOS=str(orders))
        assert code == 2, err
        said = one_line(err)
        assert str(disk / "run") in said
        assert "the disk is full; free some space and repeat the command" in said
        assert temporary_files(disk / "run") == []
        assert load_latest(disk / "run").epoch == 1
        (disk / "filler").unlink()
        code, _, err = by_command([*words, "--plugins", str(KILLER)], RAYMM_CHAOS=str(orders))
        assert code == 0, err
        assert numbers(disk / "run") == numbers(whole)


def leave(disk, room):
    """Fill a disk up to so many bytes."""
    with (disk / "filler").open("wb") as file:
        free = os.statvfs(disk)
        os.posix_fallocate(file.fileno(), 0, max(1, free.f_bavail * free.f_frsize - room))


@pytest.mark.parametrize("size", [0, 1000])
def test_F27_a_file_of_an_epoch_that_may_not_grow(tmp_path, dataset, whole, copy, size):
    """Where nothing can be mounted: no file of the process may be larger than that."""
    for epoch in (2, 3):
        shutil.rmtree(epoch_folder(copy, epoch))
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    run = open_run(copy)
    data = run.dataset()
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        with pytest.raises(OSError) as said:
            train(run, data, Backends())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert said.value.filename, said.value
    assert load_latest(copy).epoch == 1
    assert temporary_files(copy) == []
    train(open_run(copy), data, Backends())
    assert numbers(copy) == numbers(whole)


def test_F28_a_disk_that_is_full_while_a_table_is_written(capfd, tmp_path, dataset, whole):
    with mounted(tmp_path / "disk", "size=64k") as disk:
        leave(disk, 4096)
        for words in (["--out", disk / "t.parquet"], ["--out", tmp_path / "t.parquet", "--html", disk / "t.html"]):
            code, _, err = call(
                capfd, "value", "--data", dataset.path, "--checkpoint", whole, "--backend", "local", *words
            )
            assert code == 2, err
            said = one_line(err)
            assert "the disk is full" in said
            assert str(disk) in said
            assert not (disk / "t.parquet").exists()
            assert not (disk / "t.html").exists()
            assert [path for path in disk.rglob("*") if path.name.endswith(".tmp")] == []
        (disk / "filler").unlink()
    code, _, err = call(
        capfd, "value", "--data", dataset.path, "--checkpoint", whole, "--backend", "local", "--out", tmp_path / "u.p"
    )
    assert code == 0, err


@pytest.mark.parametrize("tenth", range(10))
def test_F29_an_epoch_that_is_cut(dataset, whole, copy, tenth):
    """All files of the epoch, one after the other, end at a tenth of their bytes."""
    folder = epoch_folder(copy, EPOCHS)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    left = sum(file.stat().st_size for file in files) * tenth // 10
    for file in files:
        size = file.stat().st_size
        file.write_bytes(file.read_bytes()[:left])
        left = max(0, left - size)
    assert load_latest(copy).epoch == EPOCHS - 1
    train(open_run(copy), dataset, Backends())
    assert numbers(copy) == numbers(whole)


def flip(file, share):
    content = bytearray(file.read_bytes())
    content[int(len(content) * share)] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "plan.safetensors", "state.json"])
def test_F30_a_flipped_bit_of_the_newest_epoch(dataset, whole, copy, name, share):
    flip(epoch_folder(copy, EPOCHS) / name, share)
    assert load_latest(copy).epoch == EPOCHS - 1
    train(open_run(copy), dataset, Backends())
    assert numbers(copy) == numbers(whole)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_F30_a_flipped_bit_of_the_best_epoch(tmp_path, dataset, whole, share, monkeypatch):
    from raymm.training import epoch_end

    monkeypatch.setattr(epoch_end, "best_epoch", lambda *_: 1)
    shutil.copytree(whole, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "result")
    for epoch in (2, 3):
        shutil.rmtree(epoch_folder(tmp_path / "run", epoch))
    with pytest.raises(StopError):
        train(open_run(tmp_path / "run"), dataset, Backends(report=stop_after(EPOCHS)))
    assert load_latest(tmp_path / "run").best_epoch == 1
    flip(epoch_folder(tmp_path / "run", 1) / "model.safetensors", share)
    with pytest.raises(CheckpointError, match=r"epoch-00001.*model\.safetensors was changed"):
        train(open_run(tmp_path / "run"), dataset, Backends())
    assert not (tmp_path / "run" / "result").exists()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("name", ["model.safetensors", "model.json"])
def test_F30_a_flipped_bit_of_the_exported_model(capfd, tmp_path, dataset, whole, name, share):
    model = shutil.copytree(whole / "result" / "model", tmp_path / "model")
    assert load_model(model)
    flip(model / name, share)
    words = ["value", "--data", dataset.path, "--checkpoint", model, "--out", tmp_path / "t.parquet"]
    code, _, err = call(capfd, *words, "--backend", "local")
    assert code == 2, err
    assert name in one_line(err)
    assert not (tmp_path / "t.parquet").exists()


@pytest.mark.parametrize("how", ["gone", "empty", "cut", "a folder", "of another epoch"])
def test_F31_the_manifest_of_an_epoch(dataset, whole, copy, how):
    manifest = epoch_folder(copy, EPOCHS) / "manifest.json"
    content = manifest.read_bytes()
    manifest.unlink()
    {
        "gone": lambda: None,
        "empty": lambda: manifest.write_bytes(b""),
        "cut": lambda: manifest.write_bytes(content[: len(content) // 2]),
        "a folder": manifest.mkdir,
        "of another epoch": lambda: shutil.copy(epoch_folder(copy, 1) / "manifest.json", manifest),
    }[how]()
    assert load_latest(copy).epoch == EPOCHS - 1
    train(open_run(copy), dataset, Backends())
    assert numbers(copy) == numbers(whole)


@pytest.mark.ray
@pytest.mark.chaos
def test_F32_the_snapshot_of_ray_is_cut(ray_local, dataset, whole, copy):
    """Ray Train keeps a list of its checkpoints; whatever is found there, the run's own epochs decide."""
    from raymm.cluster.train import train_on_ray

    shutil.rmtree(epoch_folder(copy, EPOCHS))
    for folder in (copy / "ray", copy / "ray" / "run"):
        folder.mkdir(exist_ok=True)
        snapshot = json.dumps({"checkpoint_results": [{"checkpoint_dir_name": "checkpoint_1", "metrics": {"a": 1}}]})
        (folder / "checkpoint_manager_snapshot.json").write_text(snapshot[: len(snapshot) // 2])
    train_on_ray(open_run(copy), lambda _: None)
    assert numbers(copy) == numbers(whole)


def test_the_data_of_a_run_that_changed_is_not_trained_on(tmp_path, dataset, copy):
    """The comparison of bits can fail: other labels are another data set."""
    data = shutil.copytree(dataset.path, tmp_path / "data")
    flip(data / "shards" / "part-00000.arrow", 0.5)
    (copy / "run.json").write_text((copy / "run.json").read_text().replace(str(dataset.path), str(data)))
    shutil.rmtree(epoch_folder(copy, EPOCHS))
    run = open_run(copy)
    with pytest.raises(DataError, match=r"part-00000\.arrow"):
        train(run, run.dataset(), Backends())
