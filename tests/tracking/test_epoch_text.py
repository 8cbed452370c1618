"""The line of an epoch: its figures are the metrics', and it fits whatever the names are."""

import re

import numpy as np
import pytest

from raymm.tracking.epoch_text import epoch_line, figure_text, legend, short_name


def metrics(phi, **more):
    named = {f"phi/val_{name}": value for name, value in phi.items()}
    base = {"train/loss": 0.5, "val/accuracy": 0.75, "rows/epoch": 1200.0, "time/train_s": 3.0, "time/value_s": 0.5}
    return {**base, **named, **more}


def test_three_modalities_are_shown_whole():
    line = epoch_line(3, 30, metrics({"audio": 0.12, "rgb": 0.5, "flow": 0.88}), "accuracy")
    assert line == "epoch   3/30  loss 0.500  val 0.750  phi audio +0.12 rgb +0.50 flow +0.88  3.5 s"
    assert len(line) == 80


@pytest.mark.parametrize("seed", range(30))
def test_every_line_fits_and_names_the_least(seed):
    generator = np.random.default_rng(seed)
    names = ["m" * int(generator.integers(1, 40)) + str(i) for i in range(int(generator.integers(1, 13)))]
    phi = {name: float(value) for name, value in zip(names, generator.normal(size=len(names)), strict=True)}
    loss = {"train/loss": float(10.0 ** generator.integers(-9, 9))}
    line = epoch_line(int(generator.integers(1, 1000)), 1000, metrics(phi, **loss), "accuracy")
    assert len(line) <= 80
    assert line.endswith("  3.5 s")
    if all(name in line for name in names):
        return
    least, most = min(phi, key=phi.get), max(phi, key=phi.get)
    found = re.search(r"phi (\S+) ([+-]\S+) to (\S+) ([+-]\S+)", line)
    if found is None:  # of one modality, or there is no room
        assert len(names) == 1 or len(line) > 50
        return
    assert least.endswith(found[1].removeprefix(".."))
    assert most.endswith(found[3].removeprefix(".."))
    assert (found[2], found[4]) == (f"{phi[least]:+.2f}", f"{phi[most]:+.2f}")


def test_a_task_without_accuracy_and_an_epoch_without_seconds():
    without = metrics({"a": 1.0})
    assert "val 0.250" in epoch_line(1, 3, {**without, "val/mAP": 0.25}, "mAP")
    del without["time/train_s"]
    assert epoch_line(1, 3, without, "mAP") == "epoch   1/3  loss 0.500  val nan  phi a +1.00  1200 rows"


def test_the_legend_fits():
    for share in (None, 1.0, 1 / 3):
        assert max(map(len, legend("a_long_metric_name", share))) <= 80
    assert "fair share is 1" in " ".join(legend("mAP", 1.0))
    assert "share" not in " ".join(legend("mAP", None))
    assert short_name("abcdefgh", 4) == "..gh"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.84, "0.8400"),
        (0.0012, "0.0012"),
        (4e-6, "4e-06"),
        (-4.213e-6, "-4.21e-06"),
        (1e-17, "0.0000"),
        (0.0, "0.0000"),
    ],
)
def test_a_figure_of_a_small_unit_is_not_shown_as_0(value, shown):
    assert figure_text(value) == shown
    assert figure_text(value, signed=True) == (shown if value < 0 else f"+{shown}")
