"""No step of a method mixes devices, and a GPU is waited for where it is said: seen without one (`fake_device`).

What a GPU computes is tested in `tests/device`.
"""

import json
import subprocess
import sys

import pytest

from tests.methods.fake_device import CASES

WAITS = {
    "amco": "the dependent modality is chosen after each step",
    "greedy": "the speeds decide what the next step trains",
    "mcr": "rows with gaps are not permuted",
    "mcr-everything": "rows with gaps are not permuted",
    "mcr-contrast": "rows with gaps are no points",
    "mla": "the head is projected by means that are kept on the CPU",
    "valued": "weights are functions of phi, by numpy",
    "valued-samples": "weights are functions of phi, by numpy",
    "valued-classes": "labels choose the mean phi, by numpy",
    "valued-folds": "what is being learned is kept by sample, on the CPU",
}
"""Methods for which a GPU is waited for in each step, and why."""


@pytest.fixture(scope="module")
def found():
    command = [sys.executable, "-m", "tests.methods.fake_device"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize("case", CASES)
def test_steps_on_a_gpu_that_is_not_there(case, found):
    places = found[case]
    assert isinstance(places, list), places
    if case.startswith("online-"):
        assert all(place.startswith("raymm/valuation/") for place in places)  # its checks, and ties
    else:
        assert bool(places) == (case in WAITS), places
