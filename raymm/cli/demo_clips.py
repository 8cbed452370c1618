"""The demo's collection: short clips with sound, written as files, whose true contributions are known.

Each class has a pitch, and a direction of the stripes on a disc. In every clip the pitch tells the class, or the
stripes do, or both; what does not tell is noise. So it is known for every clip which modalities carry the label, and
what an ideal observer's Shapley values are. The pitch is loud and learned within an epoch or two. The stripes tell
the class more often, but are faint: a model that is trained on both together leans on the sound and leaves the
pictures undertrained.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from raymm.data.media.write import write_clip
from raymm.seeds import derive
from raymm.valuation.coalitions import coalition_sizes
from raymm.valuation.exact import shapley_values

__all__ = ["Collection", "true_phi", "write_collection"]

CLASSES = ("north", "northeast", "east", "southeast")
PITCHES = np.array([300.0, 420.0, 590.0, 820.0])
RATE, FPS, FRAMES, SIZE = 16_000, 10, 6, 48
SOUND_SHARE, PICTURE_SHARE = 0.75, 0.95
CONTRAST, PERIOD, RADIUS = 25.0, 6.0, 12.0
"""Of the stripes: grey levels, in a noise of 35; pixels from one stripe to the next; radius of the disc in pixels."""
SPLITS = (("train", 0.6), ("val", 0.2), ("test", 0.2))


@dataclass(frozen=True)
class Collection:
    """Where the manifest lies, and which modalities (sound, picture) tell the class of each clip: bool [N, 2]."""

    manifest: Path
    clips: Path
    sample_id: tuple[str, ...]
    carriers: npt.NDArray[np.bool_]


def write_collection(folder: Path, count: int, seed: int = 0) -> Collection:
    """Write `count` clips and their manifest."""
    clips = folder / "clips"
    clips.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(derive(seed, "clips"))
    label = np.arange(count) % len(CLASSES)
    carriers = generator.random((count, 2)) < (SOUND_SHARE, PICTURE_SHARE)
    carriers[~carriers.any(axis=1), 0] = True
    names = [f"clip-{number:04d}" for number in range(count)]
    for number, name in enumerate(names):
        shown = np.where(carriers[number], label[number], -1)
        waveform, frames = _sound(int(shown[0]), generator), _picture(int(shown[1]), generator)
        write_clip(clips / f"{name}.mp4", frames, FPS, waveform, RATE)
    manifest = folder / "labels.csv"
    with manifest.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "label", "split"])
        writer.writerows(
            zip([f"{name}.mp4" for name in names], [CLASSES[c] for c in label], _splits(count), strict=True)
        )
    return Collection(manifest, clips, tuple(names), carriers)


def true_phi(carriers: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Contributions [N, 2] for an observer who is correct whenever a carrier is present (utility `count`)."""
    sound, picture = carriers[:, 0], carriers[:, 1]
    correct = np.stack([np.zeros(len(carriers), bool), sound, picture, sound | picture], axis=1)
    return shapley_values(torch.from_numpy(correct) * coalition_sizes(2)).numpy()


def _sound(shown: int, generator: np.random.Generator) -> npt.NDArray[np.float32]:
    """A tone in noise, or noise alone."""
    time = np.arange(FRAMES * RATE // FPS) / RATE
    noise = 0.1 * generator.normal(size=len(time))
    if shown >= 0:
        pitch = PITCHES[shown] * generator.uniform(0.95, 1.05)
        noise += 0.05 * np.sin(2 * np.pi * pitch * time + generator.uniform(0, 6))
    return np.clip(noise, -1, 1).astype(np.float32)


def _picture(shown: int, generator: np.random.Generator) -> npt.NDArray[np.uint8]:
    """A disc that moves over a noisy ground, with stripes in the direction of the class or with more noise."""
    grid = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE), indexing="ij"), axis=-1)
    start, end = generator.uniform(RADIUS + 2, SIZE - RADIUS - 2, (2, 2))
    frames = generator.normal(120, 35, (FRAMES, SIZE, SIZE, 3))
    angle, phase = np.pi * shown / len(CLASSES), generator.uniform(0, 2 * np.pi)
    stripes = np.sin(2 * np.pi * (grid @ (np.cos(angle), np.sin(angle))) / PERIOD + phase)
    for number in range(FRAMES):
        centre = start + (end - start) * number / (FRAMES - 1)
        inside = np.linalg.norm(grid - centre, axis=-1) < RADIUS
        pattern = stripes if shown >= 0 else generator.normal(0, np.sqrt(0.5), (SIZE, SIZE))
        frames[number, inside] += CONTRAST * pattern[inside, None]
    return np.clip(frames, 0, 255).astype(np.uint8)


def _splits(count: int) -> list[str]:
    """Splits by share; classes alternate, so every split has all of them."""
    edges = np.round(np.cumsum([share for _, share in SPLITS]) * count).astype(int)
    numbers = np.searchsorted(edges, np.arange(count), side="right")
    return [SPLITS[number][0] for number in numbers]
