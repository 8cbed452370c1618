"""Sampled Shapley values: designs of coalitions, estimates by generalised least squares, standard errors."""

from raymm.valuation.sampling.budget import Sampling
from raymm.valuation.sampling.estimator import (
    Estimates,
    error_of_unseen,
    estimate,
    margin_of_error,
    value_closed_form,
    value_sampled,
)

__all__ = [
    "Estimates",
    "Sampling",
    "error_of_unseen",
    "estimate",
    "margin_of_error",
    "value_closed_form",
    "value_sampled",
]
