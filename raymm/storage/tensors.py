"""Tensors and arrays as files of safetensors that everybody may read, as all other files of a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import numpy as safetensors_numpy
from safetensors import torch as safetensors_torch
from torch import Tensor

__all__ = ["MODE", "save_arrays", "save_tensors"]

MODE = 0o644
"""Permissions of the files; safetensors alone lets only their owner read them."""


def save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors, whatever their device and layout."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    safetensors_torch.save_file(plain, path)
    path.chmod(MODE)


def save_arrays(arrays: Mapping[str, npt.NDArray[Any]], path: Path) -> None:
    """Write arrays."""
    safetensors_numpy.save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)
    path.chmod(MODE)
