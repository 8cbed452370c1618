"""Lanes on Ray: the bits of one process, also where the process of a lane is killed; groups of workers."""

import os
import signal
import threading
import time

import pytest
import yaml

from raymm.cluster.lanes import RayLane, lanes_that_fit
from raymm.config import ClusterConfig
from raymm.errors import ClusterError
from raymm.storage.layout import committed_epochs
from raymm.study.driver import run_study
from raymm.training.result import read_result
from tests.cli.calling import call
from tests.study.studies import SETTINGS, Events, HereLane, run_here, study_of, told

pytestmark = pytest.mark.ray

SAMPLES = 120
ONE = ClusterConfig(workers=1)


def test_two_lanes_of_which_one_is_killed_give_the_bits_of_one_process(ray_local, tmp_path, dataset):
    import ray

    straight = study_of(tmp_path / "straight", {"d": dataset}, ["joint", "sample"])
    run_here(straight)
    study = study_of(tmp_path / "s", {"d": dataset}, ["joint", "sample"])
    lanes, events, killed = [RayLane(ONE), RayLane(ONE)], Events(), []

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


def test_the_command_trains_by_worker_groups_where_it_has_several_workers(ray_local, tmp_path, dataset, capfd):
    straight = study_of(tmp_path / "straight", {"d": dataset}, ["joint"], seeds=[0])
    run_here(straight, HereLane())
    file = tmp_path / "mine.yaml"
    settings = {**SETTINGS, "cluster": {"workers": 2, "actors": 0}}
    values = {"data": {"d": str(dataset.path)}, "arms": ["joint"], "seeds": [0], "settings": settings}
    file.write_text(yaml.safe_dump(values))
    words = ["study", "--from", file, "--out", tmp_path / "s", "--store", tmp_path / "store"]
    code, out, err = call(capfd, *words)
    assert code == 0, err
    assert "1 run; up to 2 at once" in out
    one, two = (read_result(root / "runs/d/joint/seed-0").metrics for root in (straight.path, tmp_path / "s"))
    assert two["test/loss"] == pytest.approx(one["test/loss"], abs=1e-4)


def test_as_many_lanes_fit_as_runs(ray_local):
    assert lanes_that_fit(ONE) == 4
    assert lanes_that_fit(ClusterConfig(workers=2, actors=0)) == 2
    with pytest.raises(ClusterError, match="no run fits on this cluster: it asks for 9 workers of 1 CPU"):
        lanes_that_fit(ClusterConfig(workers=9))
