"""Workers and actors are lost at every moment of a training: it ends with the bits of one in which none was."""

import contextlib
import gc
import threading
import time
from unittest.mock import patch

import psutil
import pytest
import ray
from ray.util import placement_group_table
from ray.util.state import list_actors

from raymm.cluster.train import train_on_ray
from raymm.cluster.valuation_pool import ActorPool
from raymm.config import parse
from raymm.data import View
from raymm.errors import ClusterError
from raymm.models.model import build_model
from raymm.storage import sha256_of
from raymm.storage.layout import committed_epochs, epoch_folder, valuation_files
from raymm.training.context import RunContext
from raymm.training.loop import Backends, iter_epochs
from raymm.training.run import create_or_open
from raymm.valuation.table_file import read_table
from tests.cluster.kills import MOMENTS, plugin
from tests.games import settings, small_dataset
from tests.ranks import on_ranks, ranks

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.usefixtures("ray_local")]

SECTIONS = {"training": {"epochs": 3, "batch_size": 16, "threads": 1}, "cluster": {"workers": 2, "actors": 1}}
WITHOUT_ACTORS = {**SECTIONS, "cluster": {"workers": 2, "actors": 0}}
"""The same bits, by three processes a group in the place of four."""

WORDS_OF_LOST_ACTORS = (
    r"a valuation actor died more than 3 times; it may need more memory: lower valuation.batch_size or "
    r"cluster.actors. Ray says: ActorDiedError: .*"
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return small_dataset(tmp_path_factory.mktemp("data") / "d", 150)


@pytest.fixture(scope="module")
def straight(tmp_path_factory, dataset):
    """A run in which nobody was killed, of two ranks that are threads of this process."""
    run = create_or_open(tmp_path_factory.mktemp("straight") / "r", settings(**WITHOUT_ACTORS), dataset)
    communicators = ranks(2)
    backends = [Backends(communicator=communicator) for communicator in communicators]
    built = [RunContext.build(run, dataset, each) for each in backends]  # in turn: it sets the seed, which they share
    with patch.object(RunContext, "build", lambda _, __, each: built[each.communicator.rank]):
        on_ranks(communicators, backends, lambda each: list(iter_epochs(run, dataset, each)))
    return run.path


def with_plugin(config, file):
    return parse({**config.model_dump(), "plugins": [str(file)]})


def numbers(run):
    """The weights, and the contributions in every table that is kept."""
    tables = [file for epoch in committed_epochs(run) for file in valuation_files(epoch_folder(run, epoch))]
    weights = sha256_of(run / "result" / "model" / "model.safetensors")
    return weights, {file.relative_to(run): read_table(file).phi.tobytes() for file in tables}


def in_use():
    """CPUs that something holds, living actors, and placement groups that are not removed."""
    held = ray.cluster_resources()["CPU"] - ray.available_resources().get("CPU", 0)
    groups = [group for group in placement_group_table().values() if group["state"] != "REMOVED"]
    living = list_actors(filters=[("state", "!=", "DEAD")])
    actors = sorted(actor.class_name for actor in living if actor.class_name != "_AutoscalingCoordinatorActor")
    return held, actors, groups  # but for the one that Ray keeps in every cluster


def assert_nothing_in_use(seconds=60):
    end = time.monotonic() + seconds
    while in_use() != (0, [], []) and time.monotonic() < end:
        gc.collect()  # frames of an exception hold the handle of Ray Train's controller
        time.sleep(0.1)
    assert in_use() == (0, [], [])


@pytest.mark.long
@pytest.mark.parametrize("moment", MOMENTS[:1])
def test_a_worker_that_starts_and_each_rank_in_turn_are_killed(tmp_path, dataset, straight, moment, caplog):
    """A worker while the first group starts, rank 1 in the second, rank 0 in the third: each counts as a lost group.

    tests/chaos kills in every phase.
    """
    notes, victims = tmp_path / "kills", []
    config = with_plugin(settings(**SECTIONS), plugin(notes, moment))
    run = create_or_open(tmp_path / "r", config, dataset)
    thread = threading.Thread(target=kill_a_worker, args=(victims, 0.5))
    thread.start()
    train_on_ray(run, lambda _: None)
    thread.join()
    assert len(victims) == 1
    assert {file.name for file in notes.glob("killed-*")} == {"killed-0", "killed-1"}
    assert numbers(run.path) == numbers(straight)
    lost = [record.message for record in caplog.records if "a worker group was lost" in record.message]
    assert [text[-8:] for text in lost] == ["(1 of 3)", "(2 of 3)", "(3 of 3)"]
    assert_nothing_in_use()


@pytest.mark.long
@pytest.mark.parametrize("seconds", [0.0, 2.0])
def test_a_worker_lost_while_its_group_starts_counts_as_a_lost_group(tmp_path, dataset, straight, seconds):
    run = create_or_open(tmp_path / "r", settings(**WITHOUT_ACTORS), dataset)
    victims = []
    thread = threading.Thread(target=kill_a_worker, args=(victims, seconds))
    thread.start()
    train_on_ray(run, lambda _: None)
    thread.join()
    assert len(victims) == 1
    assert numbers(run.path) == numbers(straight)


@pytest.mark.long
@pytest.mark.parametrize(("most", "often"), [(0, ""), (1, r" 2 times \(cluster.max_failures=1\)")])
def test_a_group_that_is_lost_too_often_ends_the_run_which_can_be_resumed(tmp_path, dataset, straight, most, often):
    few = {**WITHOUT_ACTORS, "cluster": {**WITHOUT_ACTORS["cluster"], "max_failures": most}}
    config = with_plugin(settings(**few), plugin(tmp_path / "kills", MOMENTS[5]))
    if not most:
        (tmp_path / "kills" / "killed-0").touch()  # rank 1 alone is killed
    run = create_or_open(tmp_path / "r", config, dataset)
    with pytest.raises(ClusterError, match=rf"training on Ray failed{often}: "):
        train_on_ray(run, lambda _: None)
    assert (tmp_path / "kills" / "killed-1").exists()
    assert_nothing_in_use()
    train_on_ray(run, lambda _: None)
    assert numbers(run.path) == numbers(straight)


def test_resources_that_do_not_come_end_the_run_with_what_there_is(tmp_path, dataset, monkeypatch):
    monkeypatch.setenv("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "3")
    wide = {**SECTIONS, "cluster": {"workers": 2, "cpus_per_worker": 3, "start_timeout": 3}}
    run = create_or_open(tmp_path / "r", settings(**wide), dataset)
    words = (
        r"2 workers of 3 CPUs and 0 GPUs did not get them within cluster.start_timeout=3 seconds: the cluster offers "
        r"4 CPUs \(4 free\)"
    )
    begun = time.monotonic()
    with pytest.raises(ClusterError, match=words):
        train_on_ray(run, lambda _: None)
    assert time.monotonic() - begun < 100  # the default of cluster.start_timeout is 120
    assert_nothing_in_use()


@pytest.mark.long
def test_actors_that_die_again_and_again_end_a_valuation_without_a_table(dataset):
    config = settings(**SECTIONS, valuation={"batch_size": 8})
    model, view = build_model(dataset.schema, config.model, 0), View(dataset, config.view)
    pool, stop, killed = ActorPool(1), threading.Event(), []
    thread = threading.Thread(target=kill_processes, args=("Valuer", stop, killed))
    thread.start()
    try:
        with pytest.raises(ClusterError, match=WORDS_OF_LOST_ACTORS):
            pool(model, view, dataset.rows("train"), config)
    finally:
        stop.set()
        thread.join()
        pool.close()
    assert len(killed) > 3


def processes(name):
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if f"ray::{name}" in " ".join(process.cmdline()):
                found.append(process)
    return found


def kill_a_worker(victims, seconds):
    """SIGKILL one train worker some seconds after it appears."""
    while not (workers := processes("RayTrainWorker")):
        time.sleep(0.02)
    time.sleep(seconds)
    victims.append(workers[0].pid)
    workers[0].kill()


def kill_processes(name, stop, killed):
    while not stop.wait(0.05):
        for process in processes(name):
            with contextlib.suppress(psutil.Error):
                process.kill()
                killed.append(process.pid)
