"""Sentence encoders: a text column becomes a vector modality, encoded once, while the data set is prepared.

An encoder is any function from texts to vectors. The one that raymm opens reads a local folder of a
sentence-transformers model (the extra `raymm[text]`); nothing is downloaded. Each process loads the model once, on
the CPU, since preparing asks Ray for CPUs only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError

from raymm.errors import ConfigError, Problems, did_you_mean, missing_extra
from raymm.storage.directory import sha256_of

if TYPE_CHECKING:
    from raymm.data.record import Record

__all__ = ["Encoders", "SentenceEncoder", "embed_texts", "open_encoder", "parse_encoders"]

Encode = Callable[[Sequence[str]], npt.NDArray[np.float32]]
BATCH = 32
"""Texts of one forward pass."""


@dataclass(frozen=True)
class SentenceEncoder:
    """`encode` turns texts into float32 [texts, size]; `name` identifies the encoder in the schema."""

    name: str
    encode: Encode

    @property
    def size(self) -> int:
        """Size of the vectors, measured by encoding one text."""
        shape = np.shape(self.encode(["size"]))
        if len(shape) != 2 or shape[0] != 1:
            raise ConfigError(
                f"sentence encoder '{self.name}': gives shape {list(shape)} for one text; it must give [1, size]"
            )
        return int(shape[1])


Encoders = Mapping[str, SentenceEncoder]
"""Sentence encoders by modality."""


def parse_encoders(options: Sequence[str], kinds: Mapping[str, str]) -> dict[str, SentenceEncoder]:
    """`title=models/minilm` to the encoder of each modality; raises `ConfigError` with every mistake."""
    encoders: dict[str, SentenceEncoder] = {}
    problems = Problems("--sentence-encoder")
    for option in options:
        name, equals, folder = option.partition("=")
        if not equals or not folder:
            problems.add(f"'{option}': write it as modality=folder, for example title=models/minilm")
        elif name not in kinds:
            problems.add(f"'{option}': no modality '{name}'; {did_you_mean(name, kinds)}")
        elif kinds[name] != "text":
            problems.add(
                f"'{option}': '{name}' is {kinds[name]}, only text is encoded; write --modalities {name}:text"
            )
        elif name in encoders:
            problems.add(f"'{option}': '{name}' has an encoder already")
        elif not (Path(folder) / "modules.json").is_file():
            problems.add(
                f"'{option}': there is no sentence-transformers model in {folder} (no modules.json); "
                "save one there with SentenceTransformer(...).save(folder), none is downloaded"
            )
        else:
            encoders[name] = open_encoder(Path(folder))
    problems.raise_if_any(ConfigError)
    return encoders


def open_encoder(folder: Path) -> SentenceEncoder:
    """The encoder in a folder, named after the folder and the SHA-256 of what is in it; loaded at its first text."""
    return SentenceEncoder(f"{folder.resolve().name}@sha256:{_digest(folder)}", _FromFolder(folder.absolute()))


def embed_texts(records: Sequence[Record], encoders: Encoders) -> list[Record]:
    """Records with their texts replaced by vectors, float32 [size]; all texts of a modality are encoded together."""
    embedded = list(records)
    for name, encoder in encoders.items():
        rows = [row for row, record in enumerate(records) if record.cells[name] is not None]
        if not rows:
            continue
        vectors = encoder.encode([str(records[row].cells[name]) for row in rows])
        for row, vector in zip(rows, vectors, strict=True):
            embedded[row] = replace(embedded[row], cells={**embedded[row].cells, name: vector})
    return embedded


@dataclass(frozen=True)
class _FromFolder:
    """A sentence-transformers model that travels between processes as the path of its folder."""

    folder: Path

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        vectors = _load(self.folder).encode(list(texts), batch_size=BATCH, show_progress_bar=False)
        return np.asarray(vectors, np.float32)


@lru_cache(maxsize=4)
def _load(folder: Path) -> Any:
    """The model of a folder, once a process."""
    try:
        package = import_module("sentence_transformers")
    except ImportError as cause:
        words = missing_extra("sentence-transformers", "text", cause)
        raise ConfigError(f"--sentence-encoder: {words}") from cause
    try:
        return package.SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as cause:
        raise ConfigError(f"--sentence-encoder: {folder} cannot be loaded as a sentence encoder ({cause})") from cause


def _digest(folder: Path) -> str:
    """SHA-256 over names and contents of the files of a folder; hidden ones (.git, .cache) do not count."""
    files = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    shown = sorted(name for name in files if not any(part.startswith(".") for part in name.parts))
    lines = [f"{sha256_of(files[name])}  {name.as_posix()}\n" for name in shown]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
