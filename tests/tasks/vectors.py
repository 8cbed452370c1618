"""A manifest of three vectors a sample, of which the third may lack, and what `raymm prepare` makes of it."""

import csv

import numpy as np

from tests.cli.calling import exit_code

__all__ = ["prepare", "write_vectors"]


def write_vectors(folder, vectors, present, labels):
    """FOLDER/m.npz and FOLDER/labels.csv: vectors [N, 3, D], whether the third is there [N], and labels as text."""
    folder.mkdir()
    np.savez(folder / "m.npz", **{f"m{i}": vectors[:, i].astype(np.float32) for i in range(3)})
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sample_id", "label", "m0", "m1", "m2"])
        for row, label in enumerate(labels):
            cells = [f"m.npz#m{i}[{row}]" if i < 2 or present[row] else "" for i in range(3)]
            writer.writerow([f"clip-{row:03d}", label, *cells])


def prepare(folder, out, *more):
    """Exit code of `raymm prepare` of such a folder."""
    kinds = "m0:vector,m1:vector,m2:vector"
    where = ["--manifest", folder / "labels.csv", "--media-root", folder, "--modalities", kinds, "--out", out]
    return exit_code("prepare", *where, "--backend", "local", *more)
