"""Ray on a GPU: train workers and valuation actors share it, and find what one process finds there."""

import numpy as np
import pytest
from safetensors.numpy import load_file as load_arrays

from raymm.cluster.connect import connect
from raymm.cluster.train import train_on_ray
from raymm.config import ClusterConfig
from raymm.storage.layout import result_folder, valuation_file
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from raymm.valuation import read_table
from tests.games import settings

pytestmark = pytest.mark.ray

CLOSE = 1e-4


@pytest.fixture(scope="module")
def shared_gpu(cuda):
    with connect(ClusterConfig(workers=1), local_cpus=4):
        yield cuda


@pytest.fixture(scope="module")
def alone(tmp_path_factory, dataset, cuda):
    run = create_or_open(tmp_path_factory.mktemp("alone") / "r", settings(), dataset)
    train(run, dataset, Backends(device=cuda))
    return run.path


def weights(run):
    return load_arrays(result_folder(run) / "model" / "model.safetensors")


def valued(run):
    return read_table(valuation_file(result_folder(run), "test"))


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_and_actors_share_a_gpu(workers, shared_gpu, tmp_path, dataset, alone):
    parts = {"workers": workers, "gpus_per_worker": 0.5 / workers, "actors": 2, "gpus_per_actor": 0.25}
    run = create_or_open(tmp_path / "r", settings(cluster=parts), dataset)
    train_on_ray(run, lambda _: None)
    expected, found = weights(alone), weights(run.path)
    assert max(float(np.abs(expected[name] - found[name]).max()) for name in expected) <= (
        0 if workers == 1 else CLOSE
    )
    assert np.allclose(valued(run.path).phi, valued(alone).phi, atol=CLOSE, equal_nan=True)
