"""Valuation views that are kept beside a data set, so that runs which read the same one compute it once.

    DATA/views/<key>/<modality>.npy, manifest.json

Kept is what takes long: spectra, and noise. The key is made of all that the view of a modality is a function of, so a
view is found by whoever would compute the same numbers, and by nobody else; they are the same bits. Training reads
augmented batches, which nobody can keep.
"""

import hashlib
import json
import logging
import shutil
import uuid
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from raymm import __version__
from raymm.data.schema import AudioSpec, ModalitySpec, TextSpec
from raymm.storage import commit_directory, is_committed, layout

if TYPE_CHECKING:
    from raymm.data.reader import View

__all__ = ["keep_view", "kept_views"]

log = logging.getLogger(__name__)

MOST_BYTES = 2**31
"""Of one data set's view; a larger one is computed as it is read."""

TILE = 256


def keep_view(view: "View") -> bool:
    """Compute the valuation view of a data set and keep it; returns whether it is kept now.

    It is not where nothing of it takes long, where it is larger than 2 GiB, or where the folder cannot be written.
    """
    dear, folder = _dear(view), _folder(view)
    if not dear or is_committed(folder):
        return bool(dear)
    if 4 * len(view.dataset) * sum(prod(_shape(view, spec)) for spec in dear) > MOST_BYTES:
        return False
    part = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}")
    try:
        part.mkdir(parents=True)
        for spec in dear:
            _write(layout.view_file(part, spec.name), view, spec)
        commit_directory(part, {"digest": view.dataset.digest})
        part.rename(folder)
    except OSError as cause:
        shutil.rmtree(part, ignore_errors=True)
        if not is_committed(folder):  # else somebody else was quicker
            log.info("%s: the view is not kept (%s)", folder, cause)
            return False
    return True


def kept_views(view: "View") -> dict[str, npt.NDArray[np.float32]]:
    """By modality, the kept view of all samples, mapped into memory; empty where none is kept."""
    dear, folder = _dear(view), _folder(view)
    if not view.dataset.digest or not dear or not is_committed(folder):
        return {}
    return {spec.name: np.load(layout.view_file(folder, spec.name), mmap_mode="r") for spec in dear}


def _dear(view: "View") -> list[ModalitySpec]:
    """Modalities whose view takes longer to compute than to read."""
    noisy = view.config.noise_db
    specs = [spec for spec in view.dataset.schema.modalities if not isinstance(spec, TextSpec)]
    return [spec for spec in specs if isinstance(spec, AudioSpec) or spec.name in noisy]


def _folder(view: "View") -> Path:
    """Where the view is kept: named by all that it is a function of."""
    noise = {spec.name: view.config.noise_db.get(spec.name) for spec in _dear(view)}
    about: dict[str, Any] = {
        "raymm": __version__,
        "digest": view.dataset.digest,
        "statistics": view.dataset.statistics,
        "modalities": [spec.model_dump(mode="json") for spec in _dear(view)],
        "noise_db": noise,
        "seed": view.seed if any(level is not None for level in noise.values()) else None,
    }
    key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
    return layout.view_folder(view.dataset.path, key)


def _rows_of(view: "View", spec: ModalitySpec, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """The view of one modality alone."""
    mask = np.zeros((len(rows), len(view.dataset.schema.names)), dtype=bool)
    mask[:, view.dataset.schema.names.index(spec.name)] = True
    computed: npt.NDArray[np.float32] = view.batch(rows, mask).inputs[spec.name].numpy()
    return computed


def _shape(view: "View", spec: ModalitySpec) -> tuple[int, ...]:
    return _rows_of(view, spec, _present(view, spec)[:1]).shape[1:]


def _present(view: "View", spec: ModalitySpec) -> npt.NDArray[np.int64]:
    return np.flatnonzero(view.dataset.present[:, view.dataset.schema.names.index(spec.name)])


def _write(path: Path, view: "View", spec: ModalitySpec) -> None:
    """All rows of one modality; zeros where a sample lacks it, which nobody reads."""
    shape = (len(view.dataset), *_shape(view, spec))
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    has = _present(view, spec)
    for start in range(0, len(has), TILE):
        rows = has[start : start + TILE]
        out[rows] = _rows_of(view, spec, rows)
    out.flush()
