"""A run on Ray Train with its mirror on an object store: the driver copies, and another machine goes on."""

import shutil

import pytest

from raymm.cluster.train import train_on_ray
from raymm.mirror.runs import mirrored, open_mirrored
from raymm.storage import sha256_of
from raymm.storage.layout import committed_epochs
from raymm.storage.remote import committed, remote_path
from raymm.training.loop import Backends, train
from tests.games import settings, small_dataset
from tests.object_store import object_store

pytestmark = pytest.mark.ray


@pytest.fixture
def dataset(tmp_path):
    return small_dataset(tmp_path / "data")


def opened(folder, dataset, mirror):
    cluster = {"workers": 1, "actors": 1, "mirror": mirror}
    return open_mirrored(folder, settings(cluster=cluster, training={"epochs": 4, "keep": 9}), dataset)


def weights(run):
    return sha256_of(run.path / "result" / "model" / "model.safetensors")


def lose(run, mirror):
    """Lose the machine, and what the mirror would have got last."""
    shutil.rmtree(run.path)
    there = remote_path(mirror) / run.name
    for name in ("result", "epochs/epoch-00004"):
        there.system.delete_dir((there / name).path)


def test_a_run_that_lost_its_machine_ends_on_another_with_the_same_bits(ray_local, tmp_path, dataset):
    with object_store() as new_prefix:
        mirror = new_prefix()
        run = opened(tmp_path / "r", dataset, mirror)
        with mirrored(run.path, mirror, lambda _: None) as report:
            train_on_ray(run, report)
        first = weights(run)
        assert len(committed(remote_path(mirror) / "r" / "epochs")) == 4
        lose(run, mirror)
        again = opened(tmp_path / "r", dataset, mirror)
        assert again.key == run.key
        assert committed_epochs(again.path) == [1, 2, 3]
        with mirrored(again.path, mirror, lambda _: None) as report:
            train(again, dataset, Backends(report=report))
        assert weights(again) == first
        assert committed(remote_path(mirror) / "r") == ["result"]
