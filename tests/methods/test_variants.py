"""Methods with settings other than their defaults resume bit for bit and do on two ranks what they do on one."""

import pytest

from tests.methods import test_every_method as every

data = every.data

VARIANTS = {
    "coalition-drawn": ("coalition", {"draw": 2, "weights": "shapley"}),
    "multitask-own": ("multitask", {"heads": "own", "amount": "1/n"}),
    "valued-samples": ("valued", {"smoothing": 0.5, "gate": True, "learnability": True, "interactions": 0.3}),
    "valued-folds": ("valued", {"folds": 2, "fold_epochs": 1, "learnability": True}),
    "valued-classes": ("valued", {"by": "class", "draw": 2, "floor": 0.0}),
    "valued-modalities": ("valued", {"by": "modality", "amount": 0.8}),
    "auto-drawn": ("auto", {"draw": 1, "samples": 7, "rate": 0.3}),
    "lfm-schedule": ("lfm", {"strategy": "schedule"}),
    "mcr-contrast": ("mcr", {"amount": 0.0, "contrast": 0.5}),
    "mcr-everything": ("mcr", {"permutations": 2, "k": -1, "contrast": 0.3, "redundancy": 0.5}),
    "mmpareto-shared": ("mmpareto", {"heads": "shared", "gamma": 1.0}),
    "ogm-window": ("ogm_ge", {"others": "min", "first_epoch": 1, "last_epoch": 1}),
    "pmr-full": ("pmr", {"strength": "full", "momentum": 0.5, "last_epoch": 1}),
    "inforeg-shared": ("inforeg", {"heads": "shared", "span": 1, "growth": 0.0}),
    "g_blend-shared": ("g_blend", {"heads": "shared", "every": 2, "holdout": 0.3}),
    "sample-coalitions": ("sample", {"keep": "coalition"}),
    "random-coalitions": ("random", {"keep": "coalition"}),
}


@pytest.fixture(params=VARIANTS)
def name(request, monkeypatch):
    """A method, with settings of its own for this test."""
    method, settings = VARIANTS[request.param]
    monkeypatch.setitem(every.NEEDS, method, {"method": {"settings": settings}})
    return method


def test_a_run_that_is_resumed_after_every_epoch_ends_with_the_same_bits(name, tmp_path, data):
    every.test_a_run_that_is_resumed_after_every_epoch_ends_with_the_same_bits(name, tmp_path, data)


def test_two_ranks_do_what_one_process_does(name, tmp_path, data):
    every.test_two_ranks_do_what_one_process_does(name, tmp_path, data)
