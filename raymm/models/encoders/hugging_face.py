"""Networks that Transformers saved in a local folder: `hf:FOLDER`, of the extra `raymm[transformers]`.

Encoders of text (`input_ids`), pictures and clips (`pixel_values`) and waveforms (`input_values`) are read; of a
network of pictures and texts, the tower that fits the modality. Features are averaged over tokens, patches or frames.
Only the folder is read: no hub is asked, and code that comes with weights is never run.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from raymm.config.registries import ENCODERS
from raymm.data.kinds.base import ModalitySpec
from raymm.data.kinds.text import TextSpec
from raymm.errors import ConfigError, in_one_line, missing_extra
from raymm.models.encoders.backbone import (
    Backbone,
    Reads,
    each_frame,
    features_for,
    make_checkpointed,
    mean_of_frames,
    resized_shape,
)
from raymm.models.encoders.hugging_face_folder import PREPROCESSING, HuggingFaceSettings, digest_of, settings_of
from raymm.models.encoders.input_scale import InputScale
from raymm.models.encoders.pictures import FRAME_KINDS
from raymm.models.encoders.registry import EncoderPart
from raymm.models.encoders.weights import first_few, weights_follow

__all__: list[str] = []

KINDS = ("text", "image", *(kind for kind in FRAME_KINDS if kind.startswith("rgb")), "waveform")

INPUTS = {"text": "input_ids", "waveform": "input_values"}
"""By kind, what its networks call their input; those of pictures call it `pixel_values`."""

TOWERS = {"text": "text_config", "waveform": "audio_config"}
"""By kind, where an architecture of several towers describes the one for it; `vision_config` for pictures."""

UNUSED = ("pooler.", "masked_spec_embed")
"""Weights that a folder need not have, since nothing reads them here."""

QUIET = {
    **dict.fromkeys(("mask_time_prob", "mask_feature_prob", "layerdrop"), 0.0),
    "apply_spec_augment": False,
}
"""Settings by which networks for sound would draw by generators of their own while they train."""


@dataclass(frozen=True)
class _Folder:
    """A folder as one modality uses it."""

    path: str
    spec: ModalitySpec
    settings: HuggingFaceSettings

    @property
    def where(self) -> str:
        return f"model.encoders.{self.spec.name}"

    def refuse(self, why: str) -> ConfigError:
        """An error about it."""
        return ConfigError(f"{self.where}.name=hf:{self.path}: {why}")


def _build(path: str, spec: ModalitySpec, settings: HuggingFaceSettings, feature_size: int) -> Backbone:
    folder = _Folder(path, spec, settings)
    kind, architecture = _network(folder)
    body: Any = _made(folder, kind, architecture)
    if getattr(body, "pooler", None) is not None:
        body.pooler = None  # features are the mean over all tokens
    reads = _reads(folder, architecture)
    features = _features(folder, body, reads, architecture)
    make_checkpointed(body, settings, folder.where, f"hf:{path}")
    return Backbone(body, reads, features, feature_size, settings, _scale(folder))


def _network(folder: _Folder) -> tuple[Any, Any]:
    """The class of the network for the modality, and its architecture."""
    try:
        from transformers import CONFIG_MAPPING, MODEL_MAPPING  # noqa: PLC0415  (an extra, and slow to import)
    except ImportError as cause:
        raise folder.refuse(missing_extra("transformers", "transformers", cause)) from cause
    said = json.loads(folder.settings.architecture)
    name = said.get("model_type", "")
    if "auto_map" in said or name not in CONFIG_MAPPING:
        raise folder.refuse(f"'{name}' is no network of Transformers itself; code of a folder is never run")
    if said.get("is_encoder_decoder") or any(said.get(key) for key in ("backbone", "backbone_config")):
        raise folder.refuse(f"'{name}' is made of several networks; name the folder of an encoder alone")
    whole = CONFIG_MAPPING[name].from_dict(said)
    tower = TOWERS.get(folder.spec.kind, "vision_config")
    architecture = getattr(whole, tower, whole)
    for key, value in QUIET.items():
        if hasattr(architecture, key):
            setattr(architecture, key, value)
    kind = MODEL_MAPPING.get(type(architecture), None)
    wanted, found = INPUTS.get(folder.spec.kind, "pixel_values"), getattr(kind, "main_input_name", "nothing known")
    if wanted != found:
        raise folder.refuse(f"'{name}' reads {found}; an encoder of '{folder.spec.name}' must read {wanted}")
    return kind, architecture


def _made(folder: _Folder, kind: Any, architecture: Any) -> nn.Module:
    """The network, with the weights of the folder, unless they come later."""
    if weights_follow():
        later: nn.Module = kind(architecture)
        return later
    path = Path(folder.path)
    try:
        same = digest_of(path) == folder.settings.sha256
    except OSError as cause:
        raise folder.refuse(f"it cannot be read ({in_one_line(cause)}); nothing is downloaded") from cause
    if not same:
        raise folder.refuse("the folder was changed since its SHA-256 was recorded; bring back what it held")
    try:
        with _quietly():
            body, info = kind.from_pretrained(
                path,
                config=architecture,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
                dtype=torch.float32,
            )
    except Exception as cause:
        raise folder.refuse(f"its weights cannot be read ({in_one_line(cause)})") from cause
    lost = [*info["missing_keys"], *(str(key[0]) for key in info["mismatched_keys"])]
    lost = sorted(key for key in lost if not any(part in key for part in UNUSED))
    if lost:
        raise folder.refuse(f"{len(lost)} weights of its architecture are not in the folder ({first_few(lost)})")
    made: nn.Module = body
    return made


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the library's bar, and without its list of the weights that a tower leaves out."""
    from transformers.utils import logging  # noqa: PLC0415

    before, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bar:
            logging.enable_progress_bar()


def _reads(folder: _Folder, architecture: Any) -> Reads:
    kind = folder.spec.kind
    if kind == "text":
        padding = getattr(architecture, "pad_token_id", None) or 0
        return Reads(partial(_tokens, padding=padding), _mean_of_tokens)
    if kind == "waveform":
        return Reads(partial(_waveforms, standardise=folder.settings.standardise), _mean_of_states)
    if hasattr(architecture, "num_frames"):  # a network for clips reads [b, T, C, H, W], as raymm has it
        return Reads(lambda x: x, _mean_of_states)
    return Reads(each_frame, lambda made, x: mean_of_frames(_mean_of_states(made, x), x))


def _features(folder: _Folder, body: nn.Module, reads: Reads, architecture: Any) -> int:
    """Numbers that the network gives a row; raises `ConfigError` where it cannot read the modality."""
    spec, where = folder.spec, folder.where
    if isinstance(spec, TextSpec):
        _check_tokens(folder, spec, architecture)
        return int(architecture.hidden_size)
    shape = resized_shape(spec.input_shape, folder.settings.resize)
    try:
        return features_for(body, reads, shape)
    except ValueError as cause:
        side = getattr(architecture, "image_size", None)
        remedy = (
            f"{where}.resize={side}, or prepare with --set {spec.name}.height={side} --set {spec.name}.width={side}"
            if isinstance(side, int) and shape[-2:] != (side, side)
            else f"its config.json has what it reads; prepare '{spec.name}' so"
        )
        raise folder.refuse(f"it cannot read rows of {list(shape)} ({cause}); {remedy}") from cause


def _check_tokens(folder: _Folder, spec: TextSpec, architecture: Any) -> None:
    """Refuse data that were tokenised in another way than the network was trained with."""
    if not isinstance(spec.tokenizer, str):
        raise folder.refuse(
            f"it needs token ids of its own tokenizer, and '{spec.name}' has those of raymm; prepare with "
            f"--set {spec.name}.tokenizer={folder.path}"
        )
    if spec.buckets - 1 > architecture.vocab_size:
        raise folder.refuse(
            f"it knows {architecture.vocab_size} tokens, and the tokenizer of '{spec.name}' ({spec.tokenizer}) has "
            f"{spec.buckets - 1}; prepare with --set {spec.name}.tokenizer={folder.path}"
        )
    longest = getattr(architecture, "max_position_embeddings", None)
    if longest and longest > 0 and spec.max_tokens > longest:
        raise folder.refuse(
            f"it reads {longest} tokens, and '{spec.name}' has {spec.max_tokens}; prepare with "
            f"--set {spec.name}.max_tokens={longest}"
        )


def _scale(folder: _Folder) -> InputScale | None:
    """From the mean and deviation of the data to those of the folder, where it has some and that is wanted."""
    settings = folder.settings
    if folder.spec.dtype != np.uint8 or settings.normalise == "data":
        return None
    if not settings.mean:
        raise folder.refuse(
            f"it has no {PREPROCESSING[0]} with mean and deviation of pictures; put it there, or give "
            f"{folder.where}.normalise=data"
        )
    return InputScale(settings.mean, settings.std)


def _tokens(x: Tensor, padding: int) -> dict[str, Tensor]:
    """Ids of the network from those of the batch, where 0 pads; a text without any has one to look at."""
    real = x > 0
    seen = real | (torch.arange(x.shape[1], device=x.device) == 0)
    return {"input_ids": torch.where(real, x - 1, padding), "attention_mask": seen.long()}


def _mean_of_tokens(made: Any, x: Tensor) -> Tensor:
    real = (x > 0)[..., None]
    states: Tensor = made.last_hidden_state
    return (states * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)


def _waveforms(x: Tensor, standardise: bool) -> Tensor:
    waveforms = x[:, 0]
    return functional.layer_norm(waveforms, waveforms.shape[-1:], eps=1e-7) if standardise else waveforms


def _mean_of_states(made: Any, x: Tensor) -> Tensor:
    """The mean over tokens [b, T, F] or over places [b, F, h, w]."""
    del x
    states: Tensor = made.last_hidden_state
    return states.mean(dim=1) if states.ndim == 3 else states.flatten(2).mean(dim=2)


def _by_name(path: str, prefix: str) -> EncoderPart:
    """The encoder `hf:FOLDER`."""
    if not path:
        raise ConfigError(f"{prefix}'hf:': write the folder of a network, as hf:FOLDER")
    return EncoderPart(partial(_build, path), KINDS, settings_of(path))


ENCODERS.register_library("hf", _by_name)
