"""The device of what Ray has given to a process."""

from __future__ import annotations

import ray
import torch

from raymm.training.devices import require_device

__all__ = ["given_device"]


def given_device() -> torch.device:
    """The first GPU that Ray has given to this process, or the CPU where it has given none.

    Raises
    ------
    ConfigError
        When torch does not find the GPU that Ray counts.
    """
    device = torch.device("cuda" if ray.get_gpu_ids() else "cpu")
    return require_device(device, "cluster.gpus_per_worker, by which Ray gave this process a GPU,")
