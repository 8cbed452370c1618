"""A sweep on a cluster of three nodes, one of which dies while its trial trains; run as a program of its own.

python -m tests.sweep.sweep_over_nodes FOLDER
"""

import json
import os
import sys
import threading
import time
from pathlib import Path

from ray.cluster_utils import Cluster

from raymm.cluster.connect import connect
from raymm.config import ClusterConfig
from raymm.sweep.driver import max_concurrent_trials, run_sweep
from raymm.sweep.search import propose_all
from raymm.sweep.space import load_space
from raymm.sweep.store import SweepConfig, commit_sweep, new_sweep, read_outcome, read_trials
from raymm.sweep.tracking import SweepTracker
from raymm.sweep.trial import TRAINABLES
from tests.games import settings, small_dataset
from tests.sweeps import Store

QUICK = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 500, "health_check_failure_threshold": 4}
SPACE = """
from ray import tune

def space():
    return {"method.settings.fs.scale": tune.grid_search([0.5, 1.0, 2.0, 3.0])}
"""


class Watcher:
    """Passes the events of a sweep on, and counts them."""

    def __init__(self, to, first):
        self.to, self.first = to, first
        self.ends = []

    def on_setup(self, text):
        self.to.on_setup(text)

    def on_trial_start(self, trial):
        self.to.on_trial_start(trial)

    def on_epoch(self, trial, epochs):
        self.to.on_epoch(trial, epochs)
        self.first.set()

    def on_trial_wait(self, trial, epochs):
        self.to.on_trial_wait(trial, epochs)

    def on_trial_end(self, trial, outcome):
        self.to.on_trial_end(trial, outcome)
        self.ends.append(trial.name)


def main(folder):
    """Sweep, with a node lost after the first epoch; print what came of it as JSON."""
    dataset = small_dataset(folder / "data")
    (folder / "space.py").write_text(SPACE)
    config = settings(
        training={"epochs": 40, "threads": 1},
        cluster={"workers": 1, "actors": 0, "start_timeout": 60, "max_failures": 3},
    )
    plan, space = (
        SweepConfig(space=f"{folder / 'space.py'}:space", share_warmup=False),
        load_space(f"{folder / 'space.py'}:space"),
    )
    sweep = new_sweep(folder / "sweep", plan, config, dataset)
    propose_all(sweep, space)
    commit_sweep(sweep)
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "_system_config": QUICK, "include_dashboard": True}
    )
    nodes = [cluster.add_node(num_cpus=1, object_store_memory=100_000_000) for _ in range(2)]
    cluster.wait_for_nodes()
    os.environ["RAY_ADDRESS"] = cluster.address
    os.environ["RAY_API_SERVER_ADDRESS"] = f"http://{cluster.head_node.webui_url}"
    store, begun = Store(), threading.Event()
    with connect(ClusterConfig(workers=1, actors=0)):
        at_once = max_concurrent_trials(sweep)
        record = SweepTracker(sweep, dataset, store, "raymm")
        record.begin()
        watcher = Watcher(record, begun)
        lost = threading.Thread(target=lose, args=(cluster, nodes[1], begun), daemon=True)
        lost.start()
        run_sweep(sweep, space, watcher, TRAINABLES)
        lost.join(timeout=60)
    rows = record.close("FINISHED")
    ended = [read_outcome(trial).status for trial in read_trials(sweep)]
    trackers = [store.of(trial).status for trial in read_trials(sweep)]
    told = {
        "at_once": at_once,
        "ends": watcher.ends,
        "ended": ended,
        "recorded": trackers,
        "lost": not lost.is_alive(),
    }
    print(json.dumps({**told, "epochs": [row.epochs for row in rows]}))
    cluster.shutdown()


def lose(cluster, node, begun):
    """Let a node vanish without a word, once some trial has reported an epoch."""
    begun.wait()
    time.sleep(0.5)
    cluster.remove_node(node, allow_graceful=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
