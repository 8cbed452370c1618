"""What is read of a folder that Transformers saved a network in: its architecture, its preprocessing, its hash.

All of it is settings of the encoder, so that a run records it, and a trained model is read back without the folder.
"""

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

from pydantic import Field, model_validator

from raymm.models.encoders.backbone import BackboneSettings
from raymm.storage.directory import sha256_of

__all__ = ["PREPROCESSING", "HuggingFaceSettings", "digest_of", "settings_of"]

CONFIG_FILE = "config.json"
WEIGHTS = "*.safetensors"
PREPROCESSING = ("preprocessor_config.json", "processor_config.json")

RESCALED = 1e-6
"""Largest difference of a factor from 1/255, as a part of it."""

NAMES_OF_CLASSES = ("id2label", "label2id")
"""What of an architecture is nothing but words, and may be long."""


class HuggingFaceSettings(BackboneSettings):
    """Settings of `hf:FOLDER`; what the folder says is filled in, and need not be given."""

    folder: ClassVar[str] = ""

    normalise: Literal["data", "weights"] = Field(
        default="weights",
        description="mean and deviation of the channels of pictures: of the data, or those of the folder",
    )
    resize: int | None = Field(
        default=None, ge=8, description="height and width that frames are resized to before the network"
    )
    architecture: str = Field(default="", description="config.json of the folder, filled in")
    sha256: str = Field(default="", description="of the architecture and weights of the folder, filled in")
    mean: tuple[float, ...] = Field(default=(), description="of the channels, from the folder, filled in")
    std: tuple[float, ...] = Field(default=(), description="of the channels, from the folder, filled in")
    standardise: bool = Field(default=False, description="waveforms clip by clip, from the folder, filled in")

    @model_validator(mode="before")
    @classmethod
    def _as_the_folder_says(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("architecture"):
            return values
        return {**_read(Path(cls.folder)), **values}


@lru_cache(maxsize=64)
def settings_of(folder: str) -> type[HuggingFaceSettings]:
    """The settings of an encoder of a folder."""
    made = type("HuggingFaceSettings", (HuggingFaceSettings,), {"folder": folder, "__module__": __name__})
    return cast("type[HuggingFaceSettings]", made)


def digest_of(folder: Path) -> str:
    """SHA-256 over the architecture and weights of a folder; of files that did not change it is remembered."""
    files = [folder / CONFIG_FILE, *sorted(folder.glob(WEIGHTS))]
    return _digest(tuple((file, file.stat().st_size, file.stat().st_mtime_ns) for file in files))


@lru_cache(maxsize=64)
def _digest(files: Sequence[tuple[Path, int, int]]) -> str:
    digest = hashlib.sha256()
    for file, _, _ in files:
        digest.update(f"{file.name} {sha256_of(file)}\n".encode())
    return digest.hexdigest()


def _read(folder: Path) -> dict[str, Any]:
    """What a folder says; raises `ValueError`, as pydantic wants it."""
    architecture = _json(folder / CONFIG_FILE)
    if not list(folder.glob(WEIGHTS)):
        raise ValueError(f"{folder} holds no weights ({WEIGHTS}); save them there with save_pretrained")
    kept = {key: value for key, value in architecture.items() if key not in NAMES_OF_CLASSES}
    said = next((_json(folder / name) for name in PREPROCESSING if (folder / name).is_file()), {})
    pictures = said.get("image_processor", said)
    sound = said.get("feature_extractor", said)
    found: dict[str, Any] = {
        "architecture": json.dumps(kept, sort_keys=True, separators=(",", ":")),
        "sha256": digest_of(folder),
        "standardise": bool(sound.get("do_normalize")) and "image_mean" not in pictures,
    }
    return {**found, **_colours(folder, pictures)}


def _colours(folder: Path, said: dict[str, Any]) -> dict[str, Any]:
    """Mean and deviation of the channels of pixels from 0 to 1."""
    if "image_mean" not in said:
        return {}
    factor = said.get("rescale_factor", 1 / 255)
    if not said.get("do_rescale", True) or abs(255 * factor - 1) > RESCALED:
        raise ValueError(
            f"{folder}: its pictures are not rescaled to numbers from 0 to 1, which is all that is known"
        )
    if not said.get("do_normalize", True):
        return {"mean": (0.0,) * 3, "std": (1.0,) * 3}
    return {"mean": tuple(said["image_mean"]), "std": tuple(said["image_std"])}


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(
            f"there is no {file.name} in {file.parent}; name the folder of a network that Transformers saved, since "
            "nothing is downloaded"
        ) from None
    except (OSError, ValueError, RecursionError) as cause:
        raise ValueError(f"{file} cannot be read ({cause})") from cause
    if not isinstance(found, dict):
        raise ValueError(f"{file} holds a {type(found).__name__}, no settings")  # noqa: TRY004  (pydantic)
    return found
