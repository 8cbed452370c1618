"""(m) Processor time of `raymm prepare` over that of the code before media were read by one clock, on the same clips.

That code comes out of the history of the repository; both commands run in turn, in processes of their own, and must
write the same shards bit for bit. Clips with sound are made here; others are given:

python -m bench.preparing --manifest labels.csv --media-root clips --name preparing_clips

writes bench/results/preparing_clips.json; preparing_grid_digits.json is of the clips of docs/results/grid_digits.
"""

import argparse
import io
import os
import statistics
import subprocess
import tarfile
import tempfile
from pathlib import Path

import numpy as np

from bench.keeping import keep
from bench.timing import Measured, processor_seconds_of_raymm
from raymm.data.media.write import write_clip
from raymm.storage import sha256_of

BEFORE = "04cf411"
"""The last commit whose media were placed packet by packet."""

ROOT = Path(__file__).parents[1]
CLIPS, FRAMES, SIDE, FPS, RATE = 60, 25, 96, 25, 16_000
ROUNDS = 3
BAR = 1.1


def run(data: Path) -> Measured:
    """Prepare clips that are made here."""
    del data
    with tempfile.TemporaryDirectory() as folder:
        return measured(write_clips(Path(folder)), Path(folder))


def measured(manifest: Path, media_root: Path, rounds: int = ROUNDS) -> Measured:
    """Prepare the same clips with both versions, in turn."""
    seconds: dict[str, list[float]] = {"before": [], "now": []}
    with tempfile.TemporaryDirectory() as folder:
        code = {"before": code_of(BEFORE, Path(folder) / "code"), "now": ROOT}
        for number in range(rounds):
            shards = set()
            for version, where in code.items():
                out = Path(folder) / f"{version}-{number}"
                seconds[version].append(prepare_seconds(where, manifest, media_root, out))
                shards.add(tuple(sha256_of(shard) for shard in sorted((out / "shards").glob("*.arrow"))))
            if len(shards) > 1:
                raise RuntimeError("the two versions wrote other shards")
    ratios = [now / before for now, before in zip(seconds["now"], seconds["before"], strict=True)]
    details = {"processor_s": seconds, "ratios": ratios, "shards": len(next(iter(shards)))}
    return Measured("prepare, processor time now / before", statistics.median(ratios), "<=", BAR, details)


def code_of(commit: str, folder: Path) -> Path:
    """The package as it was at a commit, from the history of the repository."""
    command = ["git", "-C", str(ROOT), "archive", commit, "raymm"]
    archive = subprocess.run(command, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        packed.extractall(folder, filter="data")
    return folder


def prepare_seconds(code: Path, manifest: Path, media_root: Path, out: Path) -> float:
    """Processor seconds of the command, all of its threads and its start together."""
    words = ["prepare", "--manifest", str(manifest), "--media-root", str(media_root), "--out", str(out)]
    words += ["--modalities", "audio,rgb,flow"]
    return processor_seconds_of_raymm(words, cwd=code, env={**os.environ, "PYTHONPATH": str(code)})


def write_clips(folder: Path) -> Path:
    """Clips of a second with noise in picture and sound; returns their manifest."""
    generator = np.random.default_rng(0)
    lines = ["file,label"]
    for number in range(CLIPS):
        frames = generator.integers(0, 256, (FRAMES, SIDE // 8, SIDE // 8, 3), dtype=np.uint8)
        sound = (0.3 * generator.standard_normal(RATE * FRAMES // FPS)).astype(np.float32)
        write_clip(folder / f"{number}.mp4", frames.repeat(8, axis=1).repeat(8, axis=2), FPS, sound, RATE)
        lines.append(f"{number}.mp4,{'ab'[number % 2]}")
    manifest = folder / "labels.csv"
    manifest.write_text("\n".join(lines) + "\n")
    return manifest


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.preparing")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--media-root", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--name", required=True)
    given = parser.parse_args()
    result = measured(given.manifest.absolute(), given.media_root.absolute(), given.rounds)
    print(result.line())
    keep(result, given.name)


if __name__ == "__main__":
    _main()
