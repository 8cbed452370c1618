"""The device that trains: which there is, and one that was asked for and is not there is refused in words."""

from __future__ import annotations

import torch

from raymm.counts import counted
from raymm.errors import ConfigError

__all__ = ["any_device", "require_device"]


def any_device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def require_device(device: torch.device, asked: str) -> torch.device:
    """The same device, where this process has it.

    Parameters
    ----------
    asked
        The setting or argument that asks for it.

    Raises
    ------
    ConfigError
        When it is a CUDA device that torch does not find here: which it is, who asks for it, and what there is.

    Examples
    --------
    >>> require_device(torch.device("cpu"), "cluster.gpus_per_worker=0")
    device(type='cpu')
    """
    if device.type == "cuda" and (device.index or 0) >= (found := torch.cuda.device_count()):
        built = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "without CUDA"
        there = f"{counted(found, 'CUDA device')} (cuda:0 to cuda:{found - 1})" if found else "no CUDA device"
        raise ConfigError(
            f"{asked} asks for the device '{device}', and torch {torch.__version__}, built {built}, finds {there} "
            "here; train on the CPU, or see `raymm doctor` on the machine that should have it"
        )
    return device
