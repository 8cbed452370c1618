"""Valuation actors that share a GPU, as Ray counts it: the machine of the test need not have one."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.games import small_dataset

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, sys
import numpy as np
import ray
from raymm.config import load
from raymm.data import View, open_dataset
from raymm.distributed.value import ActorPool
from raymm.model import build_model
from raymm.training.value import value_rows

folder, data = sys.argv[1:]
ray.init(address="local", num_cpus=4, num_gpus=1, include_dashboard=False, log_to_driver=False, _temp_dir=folder)
config = load(None, ("cluster.actors=2", "cluster.gpus_per_actor=0.5", "valuation.batch_size=32"))
dataset = open_dataset(data)
view, rows = View(dataset, config.view), dataset.rows("train")
model = build_model(dataset.schema, config.model, 0).eval()
free = lambda: ray.available_resources().get("GPU", 0.0)
before, pool = free(), ActorPool()
table = pool(model, view, rows, config)
there = ray.get([actor.__ray_call__.remote(lambda _: ray.get_gpu_ids()) for actor in pool._actors])
print(json.dumps({
    "before": before, "while": free(), "gpus": there,
    "equal": bool(np.array_equal(table.phi, value_rows(model, view, rows, config).phi, equal_nan=True)),
}))
pool.close()
ray.shutdown()
"""


def test_two_actors_share_one_gpu_and_give_the_values_of_one_process(tmp_path):
    dataset = small_dataset(tmp_path / "data", count=300)
    env = {name: value for name, value in os.environ.items() if name != "RAY_API_SERVER_ADDRESS"}
    with tempfile.TemporaryDirectory(prefix="rf-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, folder, str(dataset.path)],
            env={**env, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == {"before": 1.0, "while": 0.0, "gpus": [[0], [0]], "equal": True}
