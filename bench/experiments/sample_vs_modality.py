"""Sample-level against modality-level re-sampling at the same encoder rows, with joint training and random copies."""

from typing import Any

from bench.experiments.inputs import Inputs
from bench.experiments.page import Page
from bench.experiments.sections import add_costs, add_phi, add_runs, add_scores
from bench.experiments.sets import entry, real
from bench.experiments.studies import study_of

__all__ = ["run"]

SETS = ("grid_digits", "imu_digits")
ARMS: dict[str, dict[str, Any]] = {"joint": {}, "random": {}, "sample": {}, "modality": {}}
UCF: dict[str, Any] = {"training.epochs": 30, "method.warmup": 5, "model.encoder.width": 64}

QUESTION = (
    "Does it help to choose copies sample by sample, rather than by the mean contribution of each modality, when "
    "both may encode as many rows? `sample` decides the budget; `modality`, `random` (as many copies as `sample` "
    "would make, of random samples and modalities) and `joint_matched` train as many epochs as it pays for. "
    "grid_digits is spoken digits with sound at -10 dB (three modalities), imu_digits is digits drawn in the air "
    "(seven sensor streams, split by time). With `--ucf` UCF-101 is a third data set, prepared by `raymm prepare "
    "--source ucf101 --root UCF-101 --modalities rgb,flow --out UCF`; its videos are not part of this checkout."
)


def run(inputs: Inputs) -> Page:
    """Train all arms on the two data sets, and on UCF-101 where it was given."""
    data = {name: real(inputs, name) for name in SETS}
    if inputs.ucf is not None:
        data["ucf101"] = entry(inputs, inputs.ucf, UCF)
    results = study_of(inputs, "sample_vs_modality", data, ARMS, match="encodings", to="sample")
    page = Page("Sample- against modality-level re-sampling", QUESTION)
    add_scores(page, results)
    add_phi(page, results)
    add_costs(page, results)
    add_runs(page, results)
    return page
