"""Valuation actors that share a GPU, as Ray counts it: the machine of the test need not have one."""

import tempfile

from tests.games import small_dataset

PROGRAM = """
import os
import numpy as np
import ray
from raymm.config import load
from raymm.data import BatchReader, open_dataset
from raymm.cluster.valuation_pool import ActorPool
from raymm.models.model import build_model
from raymm.valuation.engine import value_rows

ray.init(
    address="local", num_cpus=4, num_gpus=1, include_dashboard=False, log_to_driver=False,
    _temp_dir=os.environ["FOLDER"],
)
config = load(None, ("cluster.actors=2", "cluster.gpus_per_actor=0.5", "valuation.batch_size=32"))
dataset = open_dataset(os.environ["DATA"])
view, rows = BatchReader(dataset, config.view), dataset.rows("train")
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


def test_two_actors_share_one_gpu_and_give_the_values_of_one_process(ray_free, tmp_path):
    dataset = small_dataset(tmp_path / "data", count=300)
    with tempfile.TemporaryDirectory(prefix="rf-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        found = ray_free(PROGRAM, FOLDER=folder, DATA=str(dataset.path))
    assert found == {"before": 1.0, "while": 0.0, "gpus": [[0], [0]], "equal": True}
