"""Every family of fs and of fm at the encoder rows of `sample`, with random copies and joint training of as many."""

from typing import Any

from bench.experiments.families import sets_of_the_sweep
from bench.experiments.inputs import Inputs
from bench.experiments.page import Page
from bench.experiments.sections import add_costs, add_runs, add_scores
from bench.experiments.studies import study_of
from tune_spaces.families import FAMILIES

__all__ = ["run"]

DEFAULT = "linear"
"""The family of `sample`, whose budget the others get."""

BY_SAMPLE = {f"sample_{name}": name for name in (*FAMILIES, "reference") if name != DEFAULT}
BY_MODALITY = {f"modality_{name}": name for name in FAMILIES}  # reference counts copies of a sample: it is an fs only
ARMS: dict[str, dict[str, Any]] = {
    "joint": {},
    "random": {},
    "sample": {},
    **{arm: {"method": "sample", "method.settings.fs.family": name} for arm, name in BY_SAMPLE.items()},
    **{arm: {"method": "modality", "method.settings.fm.family": name} for arm, name in BY_MODALITY.items()},
}
QUESTION = (
    "The [sweep over families](../README.md) compared `sample` and `modality` with joint training of as many epochs, "
    "which trains about half the rows. Does any family of fs or fm, at its default parameters, gain something over "
    "joint training and over random copies that encode as many rows? `sample` is linear with scale 2, its default; "
    "every other arm trains as many epochs as its encoder rows pay for. The settings are those of the sweep."
)


def run(inputs: Inputs) -> Page:
    """Train all families, random copies, and joint training of as many encoder rows as `sample`."""
    few = ("joint", "sample", "sample_tanh", "modality_step")
    arms = {name: ARMS[name] for name in few} if inputs.quick else ARMS
    results = study_of(inputs, "all_families", sets_of_the_sweep(inputs), arms, match="encodings", to="sample")
    page = Page("Families of fs and fm at equal encoder rows", QUESTION)
    add_scores(page, results)
    add_costs(page, results)
    add_runs(page, results)
    return page
