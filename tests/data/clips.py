"""Small real media files and collections that the tests of `raymm prepare` read."""

import csv
from pathlib import Path

import numpy as np

from raymm.data.manifest import load_manifest
from raymm.data.media.write import write_clip, write_wav
from raymm.data.prepare import chunks_of, finish, run_here
from raymm.data.schema_inference import build_schema, parse_kinds

RATE = 16_000
FPS = 25
SPLITS = ("train", "val", "test")


def tone(seconds=0.4, start=0.0, length=None, frequency=1000.0):
    """A sine that sounds from `start` for `length` seconds, silence around it."""
    time = np.arange(round(seconds * RATE)) / RATE
    on = (time >= start) & (time < start + (seconds if length is None else length))
    return (0.8 * np.sin(2 * np.pi * frequency * (time - start)) * on).astype(np.float32)


def flashes(seconds=0.4, start=0.0, size=32):
    """Black frames that turn white at `start` seconds, uint8 [T, size, size, 3]."""
    frames = np.zeros((round(seconds * FPS), size, size, 3), np.uint8)
    frames[round(start * FPS) :] = 255
    return frames


def clip(path, seconds=0.4, start=0.2, sound=True):
    """A clip in which a tone and a white picture begin at `start` seconds."""
    write_clip(path, flashes(seconds, start), FPS, tone(seconds, start) if sound else None, RATE)
    return path


def cut(path, part=0.5):
    """Cut a file in the middle, as a broken download leaves it."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    return path


def manifest(folder, rows, name="labels.csv"):
    """Write rows (dictionaries with the same keys) as CSV."""
    with (folder / name).open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / name


def collection(folder, kind="wav", each=1, labels=("low", "high")):
    """A collection with `each` files of every label in every split; returns its rows."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for split in SPLITS:
        for label in labels:
            for number in range(each):
                name = f"{split}-{label}-{number}"
                if kind == "wav":
                    write_wav(folder / f"{name}.wav", tone(frequency=500.0 + 100 * number), RATE)
                    rows.append({"file": f"{name}.wav", "label": label, "split": split})
                else:
                    clip(folder / f"{name}.mp4")
                    rows.append({"file": f"{name}.mp4", "label": label, "split": split})
    return rows


def prepare(path: Path, root: Path, modalities: str, out: Path, on_bad="raise", settings=(), run=run_here, **options):
    """What the verb does, in one call; returns the reports of the chunks."""
    kinds = parse_kinds(modalities)
    listing = load_manifest(path, root, kinds, **options)
    schema = build_schema(kinds, listing, root, settings)
    reports = list(run(chunks_of(listing.records), schema, root, out))
    finish(out, schema, reports, on_bad)
    return reports
