"""Lanes on Ray: the bits of one process, also where the process of a lane is killed; groups of workers."""

import os
import signal
import threading
import time

import pytest
import yaml
from ray.util.state import list_actors

from raymm.cluster.lanes import RayLane, lanes_that_fit, start_trainer
from raymm.config import ClusterConfig
from raymm.errors import ClusterError
from raymm.storage.layout import committed_epochs
from raymm.study.driver import run_study
from raymm.training.result import read_result
from tests.cli.calling import call
from tests.cluster.test_faults_ray import assert_nothing_in_use
from tests.cluster.test_train_ray import kill_a_worker
from tests.study.studies import SETTINGS, Events, HereLane, run_here, study_of, told

pytestmark = pytest.mark.ray

SAMPLES = 120
ONE = ClusterConfig(workers=1)


def test_two_lanes_of_which_one_is_killed_give_the_bits_of_one_process(ray_local, tmp_path, dataset):
    import ray

    straight = study_of(tmp_path / "straight", {"d": dataset}, ["joint", "sample"])
    run_here(straight)
    study = study_of(tmp_path / "s", {"d": dataset}, ["joint", "sample"])
    lanes, events, killed = [RayLane(ONE, start_trainer), RayLane(ONE, start_trainer)], Events(), []

    def kill():
        while not any(committed_epochs(run) for run in study.path.glob("runs/d/*/*")):
            time.sleep(0.01)
        killed.append(ray.get(lanes[0]._actor.__ray_call__.remote(lambda _: os.getpid())))
        os.kill(killed[0], signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        results = run_study(study, lanes, events)
    finally:
        thread.join()
        for lane in lanes:
            lane.close()
    assert killed
    assert not results.failed
    assert told(study.path) == told(straight.path)
    assert [text for text in events.setups if text.startswith("lane 1 was lost")]


@pytest.mark.long
def test_a_lane_of_two_workers_trains_its_runs_with_one_group_and_another_where_it_is_lost(
    ray_local, tmp_path, dataset, capfd
):
    """A worker is killed in the second of three runs; the third goes on with the group that took that one up."""
    straight = study_of(tmp_path / "straight", {"d": dataset}, ["joint"], seeds=[0, 1, 2])
    run_here(straight, HereLane())
    file, victims, before = tmp_path / "mine.yaml", [], controllers()
    settings = {**SETTINGS, "cluster": {"workers": 2, "actors": 0}}
    values = {"data": {"d": str(dataset.path)}, "arms": ["joint"], "seeds": [0, 1, 2], "settings": settings}
    file.write_text(yaml.safe_dump(values))
    thread = threading.Thread(target=kill_a_worker, args=(tmp_path / "s/runs/d/joint/seed-1", victims))
    thread.start()
    words = ["study", "--from", file, "--out", tmp_path / "s", "--store", tmp_path / "store", "--lanes", 1]
    code, out, err = call(capfd, *words)
    thread.join()
    assert code == 0, err
    assert "3 runs; up to 1 at once" in out
    assert len(victims) == 1
    for seed in (0, 1, 2):
        one, two = (
            read_result(root / f"runs/d/joint/seed-{seed}").metrics for root in (straight.path, tmp_path / "s")
        )
        assert two["test/loss"] == pytest.approx(one["test/loss"], abs=1e-4)
    assert len(controllers() - before) == 2
    assert_nothing_in_use()


def controllers():
    """Controllers of Ray Train that this Ray has started, one for each group, by their identifiers."""
    found = list_actors(filters=[("class_name", "=", "TrainController")], limit=1000)
    return {actor.actor_id for actor in found}


def test_as_many_lanes_fit_as_runs(ray_local):
    assert lanes_that_fit(ONE) == 4
    assert lanes_that_fit(ClusterConfig(workers=2, actors=0)) == 2
    with pytest.raises(ClusterError, match="no run fits on this cluster: it asks for 9 workers of 1 CPU"):
        lanes_that_fit(ClusterConfig(workers=9))
