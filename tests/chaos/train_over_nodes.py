"""A training on a cluster of three nodes, one of which dies while it trains; run as a program of its own.

python -m tests.chaos.train_over_nodes FOLDER
"""

import json
import os
import sys
import threading
import time
from pathlib import Path

import psutil
from ray.cluster_utils import Cluster

from raymm.cluster.connect import connect
from raymm.cluster.train import train_on_ray
from raymm.storage import sha256_of
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from tests.chaos.runs import KILLER
from tests.games import settings, small_dataset

QUICK = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 500, "health_check_failure_threshold": 4}


def main(folder):
    """Train a run in this process, then over the nodes, of which one is lost; print what came of both as JSON."""
    dataset = small_dataset(folder / "data", 120)
    config = settings(
        training={"epochs": 4, "threads": 1},
        cluster={"workers": 1, "actors": 0, "start_timeout": 60, "max_failures": 3},
    ).model_copy(update={"plugins": (str(KILLER),)})
    told = {}
    run = create_or_open(folder / "straight", config, dataset)
    tell(told, "straight", run, train(run, dataset, Backends()))
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "_system_config": QUICK})
    nodes = [cluster.add_node(num_cpus=1, object_store_memory=100_000_000) for _ in range(2)]
    cluster.wait_for_nodes()
    os.environ["RAY_ADDRESS"] = cluster.address
    with connect(config.cluster):
        run = create_or_open(folder / "run", config, dataset)
        kills = [{"phase": "mid-epoch", "epoch": 2, "rank": "any", "sleep": 120}]
        (run.path / "fault.json").write_text(json.dumps({"kills": kills}))
        lost = threading.Thread(target=lose, args=(cluster, nodes, run.path, told), daemon=True)
        lost.start()
        tell(told, "run", run, train_on_ray(run, lambda _: None))
        lost.join(timeout=60)
    print(json.dumps(told))
    cluster.shutdown()


def tell(told, name, run, result):
    """Add what a run came to: its epochs, the bits of its model, its metrics."""
    weights = sha256_of(run.path / "result" / "model" / "model.safetensors")
    told[name] = {"epochs": len(result.history), "weights": weights, "metrics": result.metrics}


def lose(cluster, nodes, run, told):
    """Let the node whose worker trains vanish without a word, in the middle of the third epoch."""
    while not (run / "fault-0-0.done").exists():
        time.sleep(0.05)
    (busy,) = [node for node in nodes if holds_a_worker(node)]
    cluster.remove_node(busy, allow_graceful=False)
    told["lost"] = True


def holds_a_worker(node):
    """Whether a train worker is among the processes of a node."""
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    return any("RayTrainWorker" in " ".join(process.cmdline()) for process in raylet.children(recursive=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
