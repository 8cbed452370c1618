"""raymm's reading of a file, through the kinds that `raymm prepare` decodes with."""

import shutil
from itertools import cycle, product

from raymm.data import AudioSpec, RgbSpec, Schema
from raymm.data.decode import read_sample
from raymm.data.manifest import load_manifest
from raymm.data.record import Record
from raymm.data.schema_inference import build_schema, parse_kinds
from tests.data.clips import manifest
from tests.data.media_oracle.signals import HEIGHT, WIDTH


def value_of(path, spec):
    """What `raymm prepare` stores of a file; an error where it would refuse it."""
    schema = Schema(modalities=(spec,), classes=("a", "b"))
    record = Record(sample_id="s", split="train", label="a", source=path.name, cells={spec.name: path.name})
    values, wrong, *_ = read_sample(record, schema, path.parent)
    assert not wrong, f"refused: {wrong}"
    return values[spec.name]


def sound_of(path, rate, seconds, **settings):
    """float32 [round(rate * seconds)]."""
    return value_of(path, AudioSpec(name="audio", rate=rate, seconds=seconds, **settings))


def frames_of(path, fps, count, **settings):
    """Times (the middles of `count` intervals of 1 / fps seconds) and frames uint8 [count, height, width, 3]."""
    spec = RgbSpec(name="rgb", fps=fps, frames=count, **{"height": HEIGHT, "width": WIDTH, **settings})
    return spec.frame_times, value_of(path, spec).transpose(0, 2, 3, 1)


def window_of(path, modality):
    """Seconds that `raymm prepare` finds for a collection of copies of this one file."""
    copies = [f"{number}-{path.name}" for number in range(6)]
    for copy in copies:
        shutil.copy(path, path.parent / copy)
    return window_of_all(path.parent, copies, modality)


def window_of_all(folder, files, modality):
    """Seconds that `raymm prepare` finds for files, which take turns in splits and classes."""
    turns = cycle(product(("train", "val", "test"), "ab"))
    rows = [
        {"file": file, "label": label, "split": split} for file, (split, label) in zip(files, turns, strict=False)
    ]
    kinds = parse_kinds(modality)
    listing = load_manifest(manifest(folder, rows), folder, kinds)
    spec = build_schema(kinds, listing, folder, ["rgb.fps=10"] if modality == "rgb" else []).modalities[0]
    return spec.seconds if modality == "audio" else spec.frames / spec.fps
