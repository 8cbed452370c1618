"""What both scripts that wrote this folder share: the data sets, the settings, and how things are written down.

It imports raymm 0.1.0 (commit 9a53a7b) by the names that it had there; no test imports it.
"""

import json
from pathlib import Path

import numpy as np
import torch
from raymm.data.store import Sample, write_dataset
from raymm.model import build_model, fingerprint
from raymm.training.state import epoch_folder
from safetensors.torch import load_file

from raymm import __version__
from raymm.config import Config, load
from raymm.data import Dataset, open_dataset
from raymm.data.kinds.audio import AudioSpec
from raymm.data.kinds.flow import FlowSpec
from raymm.data.kinds.rgb import RgbSpec
from raymm.data.kinds.sequence import SequenceSpec
from raymm.data.kinds.text import TextSpec
from raymm.data.kinds.vector import VectorSpec
from raymm.data.schema import Schema

HERE = Path(__file__).parent
CLASSES = ("ash", "birch", "cedar")
WORDS = (("grey", "keys"), ("white", "bark"), ("red", "cones"))

SMALL = {
    "training.epochs": 3,
    "training.batch_size": 8,
    "training.threads": 1,
    "resampling.warmup": 1,
    "optimizer.lr": 0.01,
    "model.feature_size": 8,
    "model.fusion_size": 8,
    "model.encoder.width": 4,
}
"""Settings that every model here starts from, in the dotted form of 0.1.0."""


def check_version():
    assert __version__ == "0.1.0", f"raymm {__version__}: put 0.1.0 (commit 9a53a7b) on the path"
    assert "resampling" in Config.model_fields, "the settings are not laid out as in 0.1.0"
    torch.set_num_threads(1)


def settings_of(changes=None):
    """`SMALL` with changes, and the configuration that it makes."""
    dotted = {**SMALL, **(changes or {})}
    return dotted, load(None, tuple(f"{key}={json.dumps(value)}" for key, value in dotted.items()))


def environment():
    """What the bits of sums may depend on."""
    from numpy._core._multiarray_umath import __cpu_features__ as features

    return {
        "raymm": __version__,
        "commit": "9a53a7b",
        "torch": torch.__version__,
        "numpy": np.__version__,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "numpy_features": sorted(name for name, there in features.items() if there),
    }


def small_data(path):
    """Vector, sequence and text; 24, 12 and 12 samples of three classes, some without a modality."""
    if not path.exists():
        schema = Schema(
            modalities=(
                VectorSpec(name="points", size=4),
                SequenceSpec(name="series", channels=2, length=16),
                TextSpec(name="words", max_tokens=6, buckets=32),
            ),
            classes=CLASSES,
        )
        write_dataset(path, _samples(schema, (24, 12, 12), seed=1), schema)
    return open_dataset(path, check=True)


def six_data(path):
    """All six kinds; 12, 6 and 6 samples, most of them without some modality."""
    if not path.exists():
        schema = Schema(
            modalities=(
                AudioSpec(name="sound", rate=1000, seconds=0.2, n_fft=64, hop=32, n_mels=8),
                RgbSpec(name="frames", fps=1.0, frames=1, height=8, width=8),
                FlowSpec(name="motion", fps=5.0, frames=1, height=12, width=12),
                TextSpec(name="words", max_tokens=6, buckets=32),
                VectorSpec(name="points", size=4, encoder=None),
                SequenceSpec(name="series", channels=2, length=16, rate=50.0),
            ),
            classes=CLASSES,
        )
        write_dataset(path, _samples(schema, (12, 6, 6), seed=2), schema)
    return open_dataset(path, check=True)


def wide_data(path):
    """Seventeen small vectors: more than are played out, so a linear model with `logit` has the closed form."""
    names = tuple(VectorSpec(name=f"v{i:02d}", size=2) for i in range(17))
    schema = Schema(modalities=names, classes=CLASSES)
    write_dataset(path, _samples(schema, (6, 3, 3), seed=3), schema)
    return open_dataset(path)


def _samples(schema, counts, seed):
    generator = np.random.default_rng(seed)
    splits = [split for split, count in zip(("train", "val", "test"), counts, strict=True) for _ in range(count)]
    for row, split in enumerate(splits):
        label = row % 3
        values = {spec.name: _value(spec, label, generator) for spec in schema.modalities}
        missing = row % (len(schema.modalities) + 2)
        if row % 2 and missing < len(schema.modalities):
            values[schema.names[missing]] = None
        yield Sample(f"sample-{row:03d}", split, label, values, f"clips/{row:03d}.mp4")


def _value(spec, label, generator):
    """A value that shows its label in noise."""
    if isinstance(spec, TextSpec):
        shown = label if generator.random() < 0.7 else int(generator.integers(3))
        return f"{WORDS[shown][int(generator.integers(2))]} tree {int(generator.integers(9))}"
    noise = generator.normal(size=spec.shape)
    if isinstance(spec, AudioSpec):
        wave = np.sin(2 * np.pi * (60 + 90 * label) * np.arange(spec.shape[0]) / spec.rate)
        return (0.4 * wave + 0.1 * noise).clip(-1, 1).astype(np.float32)
    if isinstance(spec, RgbSpec):
        return (90 + 40 * label + 25 * noise).clip(0, 255).astype(np.uint8)
    value = 0.8 * noise
    value[label % len(value)] += 1.0
    return value.astype(spec.dtype)


def weights_of_epoch(run, epoch):
    """Weights that a run committed after `epoch` epochs, and their fingerprint."""
    return weights_in(epoch_folder(run.path, epoch), run.config, run.dataset().schema)


def weights_in(folder, config, schema):
    weights = load_file(folder / "model.safetensors")
    model = build_model(schema, config.model, config.training.seed)
    model.load_state_dict(weights)
    return weights, fingerprint(model)


def timeless(metrics):
    """Metrics without those that a clock measured."""
    return {name: value for name, value in metrics.items() if not name.startswith("time/")}


def history_of(entries):
    return [{"epoch": entry["epoch"], "metrics": timeless(entry["metrics"])} for entry in entries]


def plain(array):
    """Nested lists, NaN as None."""
    wide = np.asarray(array)
    if wide.dtype.kind == "f":
        return (
            [None if np.isnan(value) else float(value) for value in wide] if wide.ndim == 1 else [*map(plain, wide)]
        )
    return wide.tolist()


def write(path, content):
    """A dictionary as JSON, with a line for each of its entries, and of theirs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = [f"{json.dumps(str(key))}: {_lines(value)}" for key, value in content.items()]
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n")


def _lines(value):
    if isinstance(value, dict):
        inner = [f"  {json.dumps(str(key))}: {json.dumps(item, allow_nan=False)}" for key, item in value.items()]
        return "{\n" + ",\n".join(inner) + "\n }"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(f"  {json.dumps(item, allow_nan=False)}" for item in value) + "\n ]"
    return json.dumps(value, allow_nan=False)


__all__ = [
    "HERE",
    "SMALL",
    "Dataset",
    "check_version",
    "environment",
    "history_of",
    "plain",
    "settings_of",
    "six_data",
    "small_data",
    "timeless",
    "weights_in",
    "weights_of_epoch",
    "wide_data",
    "write",
]
