"""Ask a trained model about media files, as the command line does, and take it along as ONNX.

`raymm predict --checkpoint RUN clips/*.mp4` and `raymm export RUN --onnx model.onnx` are the same from a shell. Here
the clips are made first: beeps and flashes, of which the label is the pitch.
"""

import csv
from pathlib import Path

import numpy as np

import raymm
from raymm.data.media.write import write_clip

RATE = 8_000
PITCHES = {"low": 300.0, "middle": 900.0, "high": 2_000.0}


def beep(pitch, draw):
    """A second of a tone in noise, float32 [RATE]."""
    time = np.arange(RATE) / RATE
    return (0.3 * np.sin(2 * np.pi * pitch * time) + 0.05 * draw.normal(size=RATE)).astype(np.float32)


def clips(folder, count):
    """Write so many clips and a manifest of them; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    draw, rows = np.random.default_rng(0), []
    for number in range(count):
        label = list(PITCHES)[number % 3]
        shown = draw.integers(0, 80, size=(8, 48, 48, 3), dtype=np.uint8)
        shown[number % 8] += np.uint8(120)
        write_clip(folder / f"clip-{number:03d}.mp4", shown, 8, beep(PITCHES[label], draw), RATE)
        rows.append({"file": f"clip-{number:03d}.mp4", "label": label})
    manifest = folder / "labels.csv"
    with manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return manifest


def main(folder="runs/clips", count=90):
    """Prepare, train, predict and export; the predictions, and what was exported."""
    folder = Path(folder)
    manifest = clips(folder / "clips", count)
    data = raymm.prepare(
        manifest,
        folder / "clips",
        ["audio", "rgb"],
        out=folder / "data",
        settings=["audio.rate=8000", "rgb.height=24", "rgb.width=24"],
    )
    run = raymm.train(data, out=folder / "run", settings={"training.epochs": 8, "optimizer.lr": 0.005})
    model = raymm.load(run.folder)

    some = sorted((folder / "clips").glob("*.mp4"))[:6]
    found = model.predict([*some, {"audio": some[0]}])  # the last one has sound only
    print(found.summary())

    taken_along = model.export(onnx=folder / "model.onnx")
    print(taken_along.summary())
    return found, taken_along


if __name__ == "__main__":
    main()
