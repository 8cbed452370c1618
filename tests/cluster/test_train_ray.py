"""Training on Ray Train: the numbers of one process, and recovery to the same weights."""

import contextlib
import os
import shutil
import threading
import time
from pathlib import Path

import psutil
import pytest

from raymm.cluster.train import train_on_ray, train_together
from raymm.data.opening import open_data
from raymm.errors import ClusterError, TrainingError
from raymm.storage import sha256_of
from raymm.storage.layout import committed_epochs
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from tests.games import settings, untimed
from tests.guests import guest

pytestmark = pytest.mark.ray

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_model.py"
SECTIONS = {"training": {"epochs": 4, "batch_size": 32, "threads": 1}}


@pytest.fixture(scope="module")
def alone(tmp_path_factory, dataset):
    """The same run in this process."""
    run = create_or_open(tmp_path_factory.mktemp("alone") / "r", settings(**SECTIONS), dataset)
    return run.path, train(run, dataset, Backends())


def weights(run):
    return sha256_of(run / "result" / "model" / "model.safetensors")


def run_of(path, dataset, workers, actors=1, **sections):
    config = settings(**{**SECTIONS, **sections, "cluster": {"workers": workers, "actors": actors}})
    return create_or_open(path, config, dataset)


def test_one_worker_gives_the_bits_of_one_process(ray_local, tmp_path, dataset, alone):
    reports = []
    run = run_of(tmp_path / "r", dataset, 1, training={**SECTIONS["training"], "loader_workers": 1})
    result = train_on_ray(run, reports.append)
    assert weights(run.path) == weights(alone[0])
    assert result.metrics == alone[1].metrics
    pairs = zip(result.history, alone[1].history, strict=True)
    assert all(untimed(a["metrics"]) == untimed(b["metrics"]) for a, b in pairs)
    lengths = [len(history) for history in reports]
    assert lengths == sorted(set(lengths))


@pytest.mark.long
def test_two_workers_killed_and_restarted_end_like_two_that_were_not(ray_local, tmp_path, dataset, alone):
    straight = run_of(tmp_path / "straight", dataset, 2)
    result = train_on_ray(straight, lambda _: None)
    assert result.metrics["test/loss"] == pytest.approx(alone[1].metrics["test/loss"], abs=1e-4)
    killed = run_of(tmp_path / "killed", dataset, 2)
    victims = []
    thread = threading.Thread(target=kill_a_worker, args=(killed.path, victims))
    thread.start()
    train_on_ray(killed, lambda _: None)
    thread.join()
    assert victims
    assert weights(killed.path) == weights(straight.path)


def test_a_model_of_one_s_own_is_the_same_on_two_workers_and_on_one_process(ray_local, tmp_path, dataset):
    file = Path(shutil.copy(EXAMPLE, tmp_path / "my_attention.py"))
    model = {"feature_size": 128, "encoder": {}, "build": f"{file}:build"}
    with guest(tmp_path):
        config = settings(**SECTIONS, model=model, cluster={"workers": 2, "actors": 1})
        one, two = (create_or_open(tmp_path / name, config, dataset) for name in ("one", "two"))
        file.unlink()
        expected, found = train(one, dataset, Backends()), train_on_ray(two, lambda _: None)
    assert found.metrics["test/loss"] == pytest.approx(expected.metrics["test/loss"], abs=1e-4)
    for here, there in zip(expected.history, found.history, strict=True):
        assert there["metrics"]["train/loss"] == pytest.approx(here["metrics"]["train/loss"], abs=1e-4)


def test_a_data_set_of_one_s_own_is_called_again_by_one_worker_and_by_two(ray_local, tmp_path):
    file = EXAMPLE.with_name("own_dataset.py")
    own = open_data(f"{file}:clips", tmp_path / "own.data")
    sections = {"training": {"epochs": 2, "batch_size": 32, "threads": 1}}
    alone = create_or_open(tmp_path / "alone", settings(**sections), own)
    expected = train(alone, own, Backends())
    run = run_of(tmp_path / "r", own, 1, **sections)
    result = train_on_ray(run, lambda _: None)
    assert weights(run.path) == weights(alone.path)
    assert result.metrics == expected.metrics
    two = train_on_ray(run_of(tmp_path / "two", own, 2, actors=0, **sections), lambda _: None)
    for here, there in zip(expected.history, two.history, strict=True):
        assert there["metrics"]["train/loss"] == pytest.approx(here["metrics"]["train/loss"], abs=1e-4)
    assert two.metrics["test/loss"] == pytest.approx(expected.metrics["test/loss"], abs=1e-4)


def test_where_nothing_is_started_again_a_lost_worker_ends_it_and_nothing_stays_reserved(
    ray_local, tmp_path, dataset, monkeypatch
):
    import ray
    from ray.util import placement_group_table

    timeout = "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"
    monkeypatch.delenv(timeout)  # a trial's process does not have what the sweep's driver has set
    run = run_of(tmp_path / "r", dataset, 1, actors=0)
    victims = []
    thread = threading.Thread(target=kill_a_worker, args=(run.path, victims))
    thread.start()
    with pytest.raises(ClusterError, match="training on Ray failed"):
        train_together([run], lambda _: None, tmp_path / "ray", restarts=0)
    thread.join()
    assert victims
    assert os.environ[timeout] == f"{run.config.cluster.start_timeout:g}"
    end = time.monotonic() + 20
    while ray.available_resources().get("CPU") != ray.cluster_resources()["CPU"] and time.monotonic() < end:
        time.sleep(0.1)
    assert ray.available_resources()["CPU"] == ray.cluster_resources()["CPU"]
    assert {group["state"] for group in placement_group_table().values()} == {"REMOVED"}


def test_an_error_of_the_loop_comes_back_as_itself(ray_local, tmp_path, dataset):
    run = run_of(tmp_path / "r", dataset, 1, actors=0, optimizer={"lr": 1e30, "clip_norm": None})
    with pytest.raises(TrainingError, match=r"the loss is (nan|inf)|logits that are NaN or infinite"):
        train_on_ray(run, lambda _: None)


def kill_a_worker(run, victims):
    """SIGKILL one train worker of this process's own Ray, once the first epoch is committed."""
    while not committed_epochs(run):
        time.sleep(0.01)
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if any("RayTrainWorker" in part for part in process.cmdline()):
                victims.append(process.pid)
                process.kill()
                return
