"""Training on Ray Train: the numbers of one process, and recovery to the same weights."""

import contextlib
import os
import re
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from raymm.cluster.train import train_on_ray, train_together
from raymm.data.opening import open_data
from raymm.errors import ClusterError, TrainingError
from raymm.mirror.runs import mirrored, open_mirrored
from raymm.storage import sha256_of
from raymm.storage.layout import committed_epochs
from raymm.storage.remote import committed, remote_path
from raymm.training.loop import Backends, train
from raymm.training.result import read_result
from raymm.training.run import Run, create_or_open
from tests.games import settings, untimed
from tests.guests import guest
from tests.object_store import object_store

pytestmark = pytest.mark.ray

EXAMPLES = Path(__file__).parents[2] / "examples"
SECTIONS = {"training": {"epochs": 4, "batch_size": 32, "threads": 1}}


@dataclass(frozen=True)
class Pair:
    """The same run, in one process and on a worker of Ray Train with an actor."""

    alone: Run
    on_ray: Run


@pytest.fixture(scope="module")
def alone(tmp_path_factory, dataset):
    """The same run in this process."""
    run = create_or_open(tmp_path_factory.mktemp("alone") / "r", settings(**SECTIONS), dataset)
    return run.path, train(run, dataset, Backends())


@pytest.fixture(scope="module")
def mirror():
    """A place on an object store."""
    with object_store() as new_prefix:
        yield new_prefix()


@dataclass(frozen=True)
class Group:
    """What one group of one worker trained: runs in pairs, by name, and one with a mirror.

    `reports` are the histories that it reported; `error` is what it ended with, that of a run with one epoch more.
    """

    pairs: dict[str, Pair]
    mirrored: Run
    reports: list[list[list[dict]]]
    error: TrainingError


@pytest.fixture(scope="module")
def one_worker(ray_local, tmp_path_factory, dataset, mirror):
    """A group of one worker, and the same runs in this process; a model of one's own is known by the run's copy."""
    root = tmp_path_factory.mktemp("one-worker")
    file = Path(shutil.copy(EXAMPLES / "own_model.py", root / "my_attention.py"))
    own = open_data(f"{EXAMPLES / 'own_dataset.py'}:clips", root / "own.data")
    model = {"feature_size": 128, "encoder": {}, "build": f"{file}:build"}
    loaded = {"training": {**SECTIONS["training"], "loader_workers": 1}}
    with guest(root):
        pairs = {
            "plain": Pair(*(run_of(root / f"plain-{n}", dataset, 1, **more) for n, more in enumerate(({}, loaded)))),
            "own model": Pair(*(run_of(root / f"model-{n}", dataset, 1, model=model) for n in range(2))),
            "own data": Pair(*(run_of(root / f"data-{n}", own, 1) for n in range(2))),
        }
        copied = open_with_mirror(root / "mirrored", dataset, mirror)
        longer = {"training": {**SECTIONS["training"], "epochs": SECTIONS["training"]["epochs"] + 1}}
        diverging = run_of(root / "d", dataset, 1, method={"name": "tests.methods.faulty:Diverges"}, **longer)
        file.unlink()
        reports, runs = [], [*(pair.on_ray for pair in pairs.values()), copied, diverging]
        with mirrored(copied.path, mirror, lambda _: None) as copy:

            def tell(histories):
                reports.append(histories)
                copy(histories[-2])

            with pytest.raises(TrainingError) as ended:
                train_together(runs, tell, root / "ray", restarts=0)
        for pair in pairs.values():
            train(pair.alone, pair.alone.dataset(), Backends())
    return Group(pairs, copied, reports, ended.value)


def open_with_mirror(folder, dataset, mirror):
    cluster = {"workers": 1, "actors": 1, "mirror": mirror}
    config = settings(training={**SECTIONS["training"], "keep": 9}, cluster=cluster)
    return open_mirrored(folder, config, dataset)


def weights(run):
    return sha256_of(run / "result" / "model" / "model.safetensors")


def run_of(path, dataset, workers, actors=1, **sections):
    config = settings(**{**SECTIONS, **sections, "cluster": {"workers": workers, "actors": actors}})
    return create_or_open(path, config, dataset)


@pytest.mark.parametrize("name", ["plain", "own model", "own data"])
def test_one_worker_gives_the_bits_of_one_process(one_worker, name):
    """With the example of a model of one's own, and with that of a data set, which the worker calls again, too."""
    alone, on_ray = one_worker.pairs[name].alone, one_worker.pairs[name].on_ray
    assert weights(on_ray.path) == weights(alone.path)
    result, expected = read_result(on_ray.path), read_result(alone.path)
    assert result.metrics == expected.metrics
    pairs = zip(result.history, expected.history, strict=True)
    assert all(untimed(a["metrics"]) == untimed(b["metrics"]) for a, b in pairs)


def test_epochs_are_reported_once_and_in_order(one_worker):
    lengths = [[len(history) for history in histories] for histories in one_worker.reports]
    assert {len(each) for each in lengths} == {len(one_worker.pairs) + 2}
    reached = [min(each) for each in lengths]
    assert reached == sorted(set(reached))


def test_an_error_of_the_loop_comes_back_as_itself(one_worker):
    assert re.search(r"the loss is (nan|inf)|logits that are NaN or infinite", str(one_worker.error))


def test_a_run_that_lost_its_machine_ends_on_another_with_the_same_bits(one_worker, dataset, mirror):
    """The driver has copied it to an object store, from which another machine goes on."""
    run = one_worker.mirrored
    first = weights(run.path)
    assert len(committed(remote_path(mirror) / run.name / "epochs")) == 4
    lose(run, mirror)
    again = open_with_mirror(run.path, dataset, mirror)
    assert again.key == run.key
    assert committed_epochs(again.path) == [1, 2, 3]
    with mirrored(again.path, mirror, lambda _: None) as report:
        train(again, dataset, Backends(report=report))
    assert weights(again.path) == first
    assert committed(remote_path(mirror) / run.name) == ["result"]


def lose(run, mirror):
    """Lose the machine, and what the mirror would have got last."""
    shutil.rmtree(run.path)
    there = remote_path(mirror) / run.name
    for name in ("result", "epochs/epoch-00004"):
        there.system.delete_dir((there / name).path)


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


@pytest.mark.long
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
