"""Weights of an encoder from a file on disk, never from the network, brought to the names and shapes of a module.

A file is a state dict, saved by torch.save or as .safetensors, also one inside a checkpoint (`state_dict`, `model`).
Its keys may stand below a prefix, such as `module.` of a parallel training or `encoders.rgb.body.` of raymm itself;
the classification layer is left out. A first convolution for another number of channels takes the mean of the file's
filters over their input channels, rescaled so that the response to equal channels stays the same.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from raymm.errors import ConfigError, in_one_line

__all__ = ["Fit", "first_few", "load_weights", "read_weights", "weights_come_later", "weights_follow"]

Weights = Mapping[str, Tensor]

NO_WEIGHTS = (
    "holds no weights that can be read; give a state dict of tensors alone, saved by torch.save or as .safetensors"
)

INSIDE = ("state_dict", "model_state_dict", "model")
"""Where checkpoints keep their state dict."""

_LATER: ContextVar[bool] = ContextVar("weights_come_later", default=False)


@contextmanager
def weights_come_later() -> Iterator[None]:
    """In here encoders are built without their files, which need not be there: all weights are loaded afterwards."""
    token = _LATER.set(True)
    try:
        yield
    finally:
        _LATER.reset(token)


def weights_follow() -> bool:
    """Whether weights are loaded after the encoder was built, so that its file is not read."""
    return _LATER.get()


@dataclass(frozen=True)
class Fit:
    """What a file of weights is to be brought to.

    Attributes
    ----------
    where
        The settings of the encoder, for messages: "model.encoders.rgb".
    what
        What the file should hold, for messages: "a ResNet-18".
    left_out
        Prefixes of keys that are not wanted, such as those of the classification layer.
    first
        Name of the weight of the first convolution, whose input channels may differ; "" where they may not.
    """

    where: str
    what: str
    left_out: tuple[str, ...] = ()
    first: str = ""


def load_weights(body: nn.Module, path: Path, fit: Fit) -> None:
    """Load the weights of a file into `body`, all of them.

    Raises
    ------
    ConfigError
        When the file cannot be read, or lacks weights, or has others; the first few are named.
    """
    if weights_follow():
        return
    wanted = body.state_dict()
    found = _below_prefix(_of_today(read_weights(path)), wanted, path, fit)
    kept = {name: tensor for name, tensor in found.items() if not name.startswith(fit.left_out or ("\0",))}
    first = kept.get(fit.first)
    if first is not None and first.ndim > 2 and first.shape[1] != (channels := wanted[fit.first].shape[1]):
        rest = [1] * (first.ndim - 2)
        scale = first.shape[1] / channels
        kept[fit.first] = first.mean(dim=1, keepdim=True).repeat(1, channels, *rest) * scale
    _refuse_other_weights(path, kept, wanted, fit)
    body.load_state_dict(kept)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The state dict of a file; raises `ConfigError` where there is none."""
    try:
        loaded: Any = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file of weights; nothing is downloaded, so put it there") from None
    except Exception as cause:  # the unpickler raises whatever it meets in a file that is none
        first, *_ = in_one_line(cause).split(". ")  # a page about unsafe files follows, where it holds a whole module
        raise ConfigError(f"{path}: {NO_WEIGHTS} ({first})") from cause
    inner = [loaded[key] for key in INSIDE if key in loaded] if isinstance(loaded, dict) else []
    for candidate in (loaded, *inner):
        if isinstance(candidate, dict) and candidate and all(isinstance(one, Tensor) for one in candidate.values()):
            return dict(candidate)
    raise ConfigError(f"{path}: {NO_WEIGHTS} (it holds a {type(loaded).__name__})")


def _of_today(weights: Weights) -> dict[str, Tensor]:
    """Weights under the names that torch gives the parts of a weight normalisation today."""
    old = {".weight_g": ".parametrizations.weight.original0", ".weight_v": ".parametrizations.weight.original1"}
    return {name[:-9] + old[name[-9:]] if name[-9:] in old else name: tensor for name, tensor in weights.items()}


def _below_prefix(weights: Weights, wanted: Weights, path: Path, fit: Fit) -> dict[str, Tensor]:
    """The weights below the prefix that most of the wanted keys have; all of them where that is none."""
    found = {prefix: sum(prefix + name in weights for name in wanted) for prefix in _prefixes(weights, wanted)}
    most = max(found.values(), default=0)
    best = sorted(prefix for prefix, count in found.items() if count == most)
    own = f"{fit.where.removeprefix('model.')}.body."  # of this modality, in a model of raymm
    if not most or "" in best:
        return dict(weights)
    if len(best) > 1 and own not in best:
        raise ConfigError(
            f"{fit.where}.weights: {path} holds {len(best)} sets of the weights of {fit.what}, below "
            f"{first_few([prefix.rstrip('.') for prefix in best])}; write the one that is meant to a file of its own"
        )
    prefix = own if own in best else best[0]
    return {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}


def _prefixes(weights: Weights, wanted: Collection[str]) -> set[str]:
    """What stands before a wanted key in some key of the file, "" where nothing does."""
    some = list(wanted)[:: max(1, len(wanted) // 8)]  # a few of them tell
    return {key.removesuffix(name) for name in some for key in weights if key == name or key.endswith(f".{name}")}


def _refuse_other_weights(path: Path, weights: Weights, wanted: Weights, fit: Fit) -> None:
    """Say in words how a file of weights differs from what is wanted."""
    missing = [name for name in wanted if name not in weights]
    unknown = [name for name in weights if name not in wanted]
    others = [name for name in wanted if name in weights and wanted[name].shape != weights[name].shape]
    if unknown and not missing and not others and all(_is_of_batch_norm(name) for name in unknown):
        raise ConfigError(
            f"{fit.where}.weights: {path} was trained with batch normalisation, as torchvision's weights are; it "
            f"needs {fit.where}.norm=batch"
        )
    if missing and not unknown and not others and all(_is_of_batch_norm(name) for name in missing):
        raise ConfigError(
            f"{fit.where}.weights: {path} was trained with group normalisation; it needs {fit.where}.norm=group"
        )
    parts = [("missing", missing), ("not known", unknown), ("of another shape", others)]
    wrong = [f"{len(names)} keys are {what} ({first_few(names)})" for what, names in parts if names]
    if wrong:
        raise ConfigError(f"{fit.where}.weights: {path} does not hold the weights of {fit.what}: {'; '.join(wrong)}")


def _is_of_batch_norm(name: str) -> bool:
    return name.endswith((".running_mean", ".running_var", ".num_batches_tracked"))


def first_few(names: list[str]) -> str:
    """The first three names, and whether there are more.

    >>> first_few(["a", "b", "c", "d"])
    'a, b, c, ...'
    """
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
