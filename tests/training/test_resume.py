"""A resumed run ends bit-identical to one that was never interrupted, however it was interrupted."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from raymm.errors import CheckpointError
from raymm.storage import sha256_of
from raymm.storage.layout import committed_epochs, epoch_folder
from raymm.training.checkpoint import load_latest
from raymm.training.loop import Backends, iter_epochs, train
from raymm.training.run import create_or_open, open_run
from tests.games import StopError, settings, stop_after

ROOT = Path(__file__).parents[2]
SECTIONS = {
    "training": {"epochs": 5, "keep": 9},
    "model": {"feature_size": 16, "encoder": {"width": 8, "dropout": 0.2}, "baseline": "mean"},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, dataset):
    """A run that was never interrupted."""
    run = create_or_open(tmp_path_factory.mktemp("whole") / "r", settings(**SECTIONS), dataset)
    train(run, dataset, Backends())
    return run.path


def hashes(run, epoch=5):
    folder = epoch_folder(run, epoch)
    names = ("model.safetensors", "optimizer.safetensors", "plan.safetensors")
    return [sha256_of(folder / name) for name in names]


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_interrupted_after_any_epoch(tmp_path, dataset, optimizer):
    sections = {**SECTIONS, "optimizer": {"name": optimizer}}
    straight = create_or_open(tmp_path / "straight", settings(**sections), dataset)
    result = train(straight, dataset, Backends())
    for epochs in (1, 3):
        run = create_or_open(tmp_path / f"stopped-{epochs}", settings(**sections), dataset)
        with pytest.raises(StopError):
            train(run, dataset, Backends(report=stop_after(epochs)))
        assert committed_epochs(run.path)[-1] == epochs
        resumed = train(open_run(run.path), dataset, Backends())
        assert hashes(run.path) == hashes(straight.path)
        assert resumed.metrics == result.metrics
    assert hashes(straight.path, 5) != hashes(straight.path, 4)


def test_another_seed_ends_elsewhere(tmp_path, dataset, whole):
    sections = {**SECTIONS, "training": {**SECTIONS["training"], "seed": 1}}
    other = create_or_open(tmp_path / "r", settings(**sections), dataset)
    train(other, dataset, Backends())
    assert hashes(other.path)[0] != hashes(whole)[0]


def test_killed_in_the_middle_of_anything(tmp_path, dataset, whole):
    """SIGKILL a real process at uneven moments, several times over, then let it finish."""
    path = tmp_path / "r"
    create_or_open(path, settings(**SECTIONS), dataset)
    program = (
        "import sys; from pathlib import Path; from raymm.training.run import open_run\n"
        "from raymm.training.loop import Backends, train\n"
        "run = open_run(Path(sys.argv[1])); train(run, run.dataset(), Backends())\n"
    )
    kills = 0
    for pause in (0.02, 0.15):
        before = committed_epochs(path)
        process = subprocess.Popen([sys.executable, "-c", program, str(path)], cwd=ROOT)
        while process.poll() is None and committed_epochs(path) == before:
            time.sleep(0.002)
        time.sleep(pause)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
    assert kills > 0
    train(open_run(path), dataset, Backends())
    assert hashes(path) == hashes(whole)


@pytest.mark.parametrize("name", ["model.safetensors", "plan.safetensors", "state.json", "optimizer.safetensors"])
@pytest.mark.parametrize("damage", ["truncate", "flip", "remove"])
def test_a_damaged_epoch_is_passed_over_for_the_one_before(tmp_path, dataset, whole, name, damage):
    run = create_or_open(tmp_path / "r", settings(**SECTIONS), dataset)
    with pytest.raises(StopError):
        train(run, dataset, Backends(report=stop_after(3)))
    victim = epoch_folder(run.path, 3) / name
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    {
        "truncate": lambda: victim.write_bytes(bytes(content[: len(content) // 2])),
        "flip": lambda: victim.write_bytes(bytes(content)),
        "remove": victim.unlink,
    }[damage]()
    assert load_latest(run.path).epoch == 2
    train(open_run(run.path), dataset, Backends())
    assert hashes(run.path) == hashes(whole)


@pytest.mark.parametrize("keep", [1, 2])
def test_a_run_whose_kept_epochs_are_all_damaged_goes_on_from_its_best(tmp_path, dataset, whole, keep, monkeypatch):
    """Validation picked the first epoch, the only whole one; what is trained from there is kept."""
    monkeypatch.setattr("raymm.training.epoch_end.best_epoch", lambda *_: 1)
    sections = {**SECTIONS, "training": {"epochs": 5, "keep": keep}}
    run = create_or_open(tmp_path / "r", settings(**sections), dataset)
    with pytest.raises(StopError):
        train(run, dataset, Backends(report=stop_after(4)))
    kept = committed_epochs(run.path)[1:]
    assert len(kept) == keep
    for epoch in kept:
        with (epoch_folder(run.path, epoch) / "optimizer.safetensors").open("r+b") as file:
            file.seek(-5, os.SEEK_END)
            file.write(b"\x5a")
    for state in iter_epochs(run, dataset, Backends()):
        assert committed_epochs(run.path) == sorted({1, *range(max(2, state.epoch - keep + 1), state.epoch + 1)})
    assert hashes(run.path) == hashes(whole)


def test_when_every_epoch_is_damaged_nothing_is_trained(tmp_path, dataset):
    run = create_or_open(tmp_path / "r", settings(), dataset)
    with pytest.raises(StopError):
        train(run, dataset, Backends(report=stop_after(1)))
    (epoch_folder(run.path, 1) / "model.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"every committed epoch is damaged.*model\.safetensors has 0 bytes"):
        train(run, dataset, Backends())
