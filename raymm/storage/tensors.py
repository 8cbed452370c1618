"""Tensors and arrays as files of safetensors that everybody may read, as all other files of a run."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors import numpy as safetensors_numpy
from safetensors import torch as safetensors_torch
from torch import Tensor

__all__ = ["MODE", "save_arrays", "save_tensors"]

MODE = 0o644
"""Permissions of the files; safetensors alone lets only their owner read them."""

OS_ERROR = re.compile(r"\(os error ([0-9]+)\)")


def save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors, whatever their device, layout and memory; raises `OSError` as the file system gives it."""
    plain: dict[str, Tensor] = {}
    places: set[int] = set()
    for name, tensor in tensors.items():
        here = tensor.detach().cpu().contiguous()
        place = here.untyped_storage().data_ptr()
        plain[name] = here.clone() if place in places else here  # weights that two layers share are written twice
        places.add(place)
    with _refusals_of_the_system(path):
        safetensors_torch.save_file(plain, path)
    path.chmod(MODE)


def save_arrays(arrays: Mapping[str, npt.NDArray[Any]], path: Path) -> None:
    """Write arrays; errors as `save_tensors`."""
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    with _refusals_of_the_system(path):
        safetensors_numpy.save_file(plain, path)
    path.chmod(MODE)


@contextmanager
def _refusals_of_the_system(path: Path) -> Iterator[None]:
    """An `OSError` that names the file, in place of safetensors' own error, which has the number in its words."""
    try:
        yield
    except SafetensorError as cause:
        number = OS_ERROR.search(str(cause))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from cause
