"""Results of the evaluation transform beside a data set, so that runs which read the same ones compute them once.

    DATA/views/<key>/<modality>.npy, manifest.json

Cached is what is expensive: spectra, and noise. The key is made of all that the result of a modality is a function
of, so it is found by what would compute the same numbers, and by nothing else; they are the same bits. Augmented
batches are not cached.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import uuid
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from raymm import __version__
from raymm.errors import DataError
from raymm.storage import data_layout
from raymm.storage.directory import commit_directory, is_committed, verify

if TYPE_CHECKING:
    from raymm.config.view import ViewConfig
    from raymm.data.batch import Batch
    from raymm.data.dataset import Dataset
    from raymm.data.kinds.base import ModalitySpec

__all__ = ["cache_features", "cached_features"]

log = logging.getLogger(__name__)

MAX_BYTES = 2**31
"""Of the features of one data set; larger ones are computed as they are read."""

CHUNK_ROWS = 256


class Reader(Protocol):
    """What reads the batches of a data set by the evaluation transform: `raymm.data.reader.BatchReader`."""

    @property
    def dataset(self) -> Dataset:
        """What is read."""

    @property
    def config(self) -> ViewConfig:
        """How it is read."""

    @property
    def seed(self) -> int:
        """Seed of the noise."""

    def of_all(self) -> Reader:
        """The same of all modalities, whatever a model reads."""

    def batch(self, index: npt.NDArray[np.int64], mask: npt.NDArray[np.bool_]) -> Batch:
        """Samples, and the modalities of them to read."""


def cache_features(reader: Reader, begin: Callable[[str], None] = lambda _: None) -> bool:
    """Compute and write what the evaluation transform makes of a data set; returns whether it is there now.

    It is not where nothing of it is expensive, where it is larger than 2 GiB, or where the folder cannot be written.
    `begin` is called with a line of text before anything is computed. What a model reads of the modalities makes no
    difference, so that models of different ones share the features.
    """
    reader = reader.of_all()
    expensive, folder = _expensive(reader), _folder(reader)
    if not expensive or _is_whole(folder, expensive):
        return bool(expensive)
    if 4 * len(reader.dataset) * sum(prod(spec.input_shape) for spec in expensive) > MAX_BYTES:
        return False
    begin(
        f"features of {', '.join(spec.name for spec in expensive)} are computed once, {len(reader.dataset)} samples"
    )
    part = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}")
    try:
        part.mkdir(parents=True)
        for spec in expensive:
            _write(data_layout.view_file(part, spec.name), reader, spec)
        commit_directory(part, {"digest": reader.dataset.digest})
        shutil.rmtree(folder, ignore_errors=True)  # a damaged one
        part.rename(folder)
    except OSError as cause:
        shutil.rmtree(part, ignore_errors=True)
        if not is_committed(folder):  # else another process was quicker
            log.info("%s: features are not cached (%s)", folder, cause)
            return False
    return True


def cached_features(reader: Reader) -> dict[str, npt.NDArray[np.float32]]:
    """By modality, what is cached of all samples, mapped into memory; empty where nothing is, or it is damaged."""
    expensive, folder = _expensive(reader), _folder(reader)
    if not reader.dataset.digest or not expensive or not _is_whole(folder, expensive):
        return {}
    return {spec.name: np.load(data_layout.view_file(folder, spec.name), mmap_mode="r") for spec in expensive}


def _expensive(reader: Reader) -> list[ModalitySpec]:
    """Modalities whose evaluation transform takes longer than reading its result."""
    noisy = reader.config.noise_db
    return [spec for spec in reader.dataset.schema.modalities if spec.is_expensive or spec.name in noisy]


def _is_whole(folder: Path, specs: list[ModalitySpec]) -> bool:
    """Whether the features of all these modalities are there, each file as it was written."""
    if not is_committed(folder):
        return False
    try:
        verify(folder, required=[data_layout.view_file(folder, spec.name).name for spec in specs])
    except DataError as cause:
        log.warning("cached features are damaged, and computed anew: %s", cause)
        return False
    return True


def _folder(reader: Reader) -> Path:
    """Where the features lie: named by all that they are a function of."""
    noise = {spec.name: reader.config.noise_db.get(spec.name) for spec in _expensive(reader)}
    about: dict[str, Any] = {
        "raymm": __version__,
        "digest": reader.dataset.digest,
        "statistics": reader.dataset.statistics,
        "modalities": [spec.model_dump(mode="json") for spec in _expensive(reader)],
        "noise_db": noise,
        "seed": reader.seed if any(level is not None for level in noise.values()) else None,
    }
    key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
    return data_layout.view_folder(reader.dataset.path, key)


def _features_of(reader: Reader, spec: ModalitySpec, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """What the evaluation transform makes of one modality."""
    mask = np.zeros((len(rows), len(reader.dataset.schema.names)), dtype=bool)
    mask[:, reader.dataset.schema.names.index(spec.name)] = True
    computed: npt.NDArray[np.float32] = reader.batch(rows, mask).inputs[spec.name].numpy()
    return computed


def _write(path: Path, reader: Reader, spec: ModalitySpec) -> None:
    """All rows of one modality; zeros, which are never read, where a sample lacks it."""
    shape = (len(reader.dataset), *spec.input_shape)
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    present = np.flatnonzero(reader.dataset.present[:, reader.dataset.schema.names.index(spec.name)])
    for start in range(0, len(present), CHUNK_ROWS):
        rows = present[start : start + CHUNK_ROWS]
        out[rows] = _features_of(reader, spec, rows)
    out.flush()
