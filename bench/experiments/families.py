"""Joint training at the rows of `sample`, which the sweep over families of fs and fm did not have."""

from typing import Any

from bench.experiments.inputs import Inputs
from bench.experiments.page import Page
from bench.experiments.sections import add_costs, add_phi, add_runs, add_scores
from bench.experiments.sets import real
from bench.experiments.studies import study_of

__all__ = ["run", "sets_of_the_sweep"]

ARMS: dict[str, dict[str, Any]] = {"joint": {}, "random": {}, "sample": {}}
SETTINGS: dict[str, dict[str, Any]] = {
    "grid_digits": {"view.noise_db.audio": -10, "training.epochs": 15, "method.warmup": 5, "optimizer.lr": 0.001},
    "imu_digits": {
        "training.epochs": 30,
        "method.warmup": 5,
        "model.feature_size": 64,
        "model.encoder.width": 32,
    },
}
"""Those of the sweep of docs/results/families."""

QUESTION = (
    "The [sweep over families](../README.md) compared `sample` and `modality` with joint training of as many epochs, "
    "which trains about half the rows. What is left of the gain over joint training of as many rows? The settings "
    "are those of the sweep; fs is linear with scale 2, its default and the best family there."
)


def sets_of_the_sweep(inputs: Inputs) -> dict[str, dict[str, Any]]:
    """The two data sets with the settings of the sweep, as a study takes them."""
    data = {name: real(inputs, name) for name in SETTINGS}
    if inputs.quick:
        return data
    return {name: {**of_name, "settings": SETTINGS[name]} for name, of_name in data.items()}


def run(inputs: Inputs) -> Page:
    """Train joint, joint of as many rows as `sample`, random copies and `sample`."""
    results = study_of(inputs, "families", sets_of_the_sweep(inputs), ARMS, match="rows", to="sample")
    page = Page("Families of fs and fm: joint training of as many rows", QUESTION)
    add_scores(page, results)
    add_phi(page, results)
    add_costs(page, results)
    add_runs(page, results)
    return page
