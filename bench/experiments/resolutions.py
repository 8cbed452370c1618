"""Sound at 16 kHz beside 1 to 25 frames a second, and sound whose window is not that of the frames."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.experiments.inputs import Inputs
from bench.experiments.page import Page
from bench.experiments.sections import add_costs, add_phi, add_runs, add_scores
from bench.experiments.sets import entry, prepare_clips
from bench.experiments.studies import study_of
from raymm.cli.demo_clips import write_collection
from raymm.data import Dataset, Sample, open_dataset, write_dataset

__all__ = ["moved", "run"]

RATES = (1, 3, 12, 25)
MOVES = {"late_0.2s": (0.2, False), "late_0.5s": (0.5, False), "rolled_0.2s": (0.2, True)}
BASE = 12
CLIPS = {"train": 200, "val": 100, "test": 100}
ARMS: dict[str, dict[str, Any]] = {"joint": {}, "sample": {}}
SETTINGS = {"view.noise_db.audio": 0, "training.epochs": 9, "method.warmup": 3}

QUESTION = (
    "Sound has 16,000 values a second and pictures a few frames: what do contributions and accuracy do when frames "
    "become fewer, or when the sound is not from the same time as the frames? 200 clips of grid_digits train, 100 "
    "validate and 100 test, each 0.6 s, with noise of 0 dB on the sound. `fps_1` to `fps_25` are prepared with so "
    f"many frames a second. The others are `fps_{BASE}` with another window of sound: `late` begins 0.2 or 0.5 s "
    "later than the frames and ends in silence, so that the beginning is lost; `rolled` moves as far, but what falls "
    "off comes back at the end, so that nothing is lost but the time."
)


def run(inputs: Inputs) -> Page:
    """Prepare the clips at all rates, move the sound of one of them, and train the arms on each."""
    folders = {f"fps_{rate}": _prepared(inputs, rate) for rate in RATES}
    base = open_dataset(folders[f"fps_{BASE}"])
    folders |= {name: _moved_copy(inputs, base, name, *move) for name, move in MOVES.items()}
    data = {name: entry(inputs, folder, SETTINGS) for name, folder in folders.items()}
    results = study_of(inputs, "resolutions", data, ARMS, match="encodings", to="sample")
    page = Page("Different temporal resolutions, and windows that do not agree", QUESTION)
    add_scores(page, results)
    add_phi(page, results)
    add_costs(page, results)
    add_runs(page, results)
    return page


def moved(waveform: npt.NDArray[np.float32], rate: int, seconds: float, *, rolled: bool) -> npt.NDArray[np.float32]:
    """Waveforms [..., T] of a window that begins later; silence after their end, or what fell off where `rolled`."""
    found = np.roll(waveform, -round(rate * seconds), axis=-1)
    if not rolled:
        found[..., waveform.shape[-1] - round(rate * seconds) :] = 0.0
    return found


def _prepared(inputs: Inputs, rate: int) -> Path:
    folder = inputs.work / "data" / f"fps-{rate}"
    if not (folder / "manifest.json").exists():
        manifest, clips = _some_clips(inputs)
        prepare_clips(manifest, clips, folder, f"rgb.fps={rate}", modalities="audio,rgb")
    return folder


def _some_clips(inputs: Inputs) -> tuple[Path, Path]:
    """A manifest of some of the clips, and the folder of all."""
    manifest = inputs.work / "some.csv"
    if inputs.quick:
        found = write_collection(inputs.work / "clips", 40) if not manifest.exists() else None
        if found is not None:
            manifest.write_text(found.manifest.read_text())
        return manifest, inputs.work / "clips" / "clips"
    with (inputs.shared / "grid_digits" / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    some = [row for split, count in CLIPS.items() for row in [one for one in rows if one["split"] == split][:count]]
    with manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(some)
    return manifest, inputs.shared / "grid_digits" / "clips"


def _moved_copy(inputs: Inputs, base: Dataset, name: str, seconds: float, rolled: bool) -> Path:
    folder = inputs.work / "data" / name
    if not (folder / "manifest.json").exists():
        write_dataset(folder, _moved_samples(base, seconds, rolled), base.schema)
    return folder


def _moved_samples(base: Dataset, seconds: float, rolled: bool) -> Iterator[Sample]:
    rows, audio = np.arange(len(base)), base.schema.modalities[0]
    values = {name: base.shards.read(name, rows) for name in base.schema.names}
    values[audio.name] = moved(values[audio.name], audio.rate, seconds, rolled=rolled)
    for row in rows:
        of_row = {name: of_name[row] for name, of_name in values.items()}
        split, label = str(base.shards.split[row]), int(base.label[row])
        yield Sample(str(base.shards.sample_id[row]), split, label, of_row)
