"""What Ray Train starts for a group of ours."""

from ray.train import RunConfig
from ray.train.torch import TorchTrainer

from raymm.cluster.worker_group import _Trainer


def starts(trainer, folder):
    made = trainer(lambda: None, run_config=RunConfig(name="a", storage_path=str(folder)))
    return {type(each).__name__ for each in made._create_default_callbacks()}


def test_a_group_starts_nothing_for_ray_data(tmp_path):
    """It would be a process, and an import in each worker. Another name of it in a newer Ray is found here."""
    assert starts(TorchTrainer, tmp_path) - starts(_Trainer, tmp_path) == {"DatasetsCallback"}
