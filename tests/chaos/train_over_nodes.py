"""A training on a cluster of three nodes, one of which dies while it trains; run as a program of its own.

python -m tests.chaos.train_over_nodes FOLDER
"""

import json
import os
import sys
import threading
import time
from pathlib import Path

from ray.cluster_utils import Cluster

from raymm.cluster.connect import connect
from raymm.cluster.train import train_on_ray
from raymm.storage import sha256_of
from raymm.training.run import create_or_open
from tests.games import settings, small_dataset

QUICK = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 500, "health_check_failure_threshold": 4}


def main(folder):
    """Train the same run twice, with a node lost in the second; print what came of it as JSON."""
    dataset = small_dataset(folder / "data")
    config = settings(
        training={"epochs": 12, "threads": 1},
        cluster={"workers": 1, "actors": 0, "start_timeout": 60, "max_failures": 3},
    )
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "_system_config": QUICK})
    nodes = [cluster.add_node(num_cpus=1, object_store_memory=100_000_000) for _ in range(2)]
    cluster.wait_for_nodes()
    os.environ["RAY_ADDRESS"] = cluster.address
    told = {}
    with connect(config.cluster):
        for kind in ("_straight", ""):
            run = create_or_open(folder / f"run{kind}", config, dataset)
            begun = threading.Event()
            lost = threading.Thread(target=lose, args=(cluster, nodes, begun), daemon=True)
            if not kind:
                lost.start()
            result = train_on_ray(run, lambda history, begun=begun: begun.set() if history else None)
            told |= {
                f"epochs{kind}": len(result.history),
                f"weights{kind}": sha256_of(run.path / "result" / "model" / "model.safetensors"),
                f"metrics{kind}": result.metrics,
            }
        lost.join(timeout=60)
        told["lost"] = not lost.is_alive()
    print(json.dumps(told))
    cluster.shutdown()


def lose(cluster, nodes, begun):
    """Let the node whose worker trains vanish without a word, once an epoch is committed."""
    import ray

    begun.wait()
    free = {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}
    time.sleep(0.1)
    busy = [node for node in nodes if node.node_id in free and holds_a_worker(node.node_id)]
    cluster.remove_node(busy[0], allow_graceful=False)


def holds_a_worker(node):
    from ray.util.state import list_actors

    actors = list_actors(filters=[("state", "=", "ALIVE")])
    return any(actor.node_id == node and "RayTrainWorker" in actor.class_name for actor in actors)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
