"""What bench `study_start` counts as epochs: each that was trained, once, and no more time than there was."""

import time

import pytest

from bench.study_start import epochs_trained, measured
from tests.games import small_dataset
from tests.study.studies import run_here, study_of

pytestmark = pytest.mark.usefixtures("without_waiting_for_the_disk")


def test_epochs_that_runs_share_are_counted_once_and_take_less_than_the_study(tmp_path):
    dataset = small_dataset(tmp_path / "d", 60)
    started = time.process_time()
    study = study_of(tmp_path / "s", {"d": dataset}, ["joint", "sample", "coalition"])
    results = run_here(study)
    total = time.process_time() - started
    trained = epochs_trained(study.path)
    epochs, seeds = study.config.training.epochs, len(study.settings.seeds)
    alone = {run.path.relative_to(study.path).as_posix(): len(run.history) for run in results.runs}
    assert set(alone.values()) == {epochs}
    shared = {name: len(seconds) for name, seconds in trained.items() if name not in alone}
    assert shared  # joint and sample begin with the same epochs
    for name, seconds in trained.items():
        if name in alone:
            assert len(seconds) == epochs - (0 if "coalition" in name else 1)
    assert sum(shared.values()) == seeds
    inside = sum(map(sum, trained.values()))
    assert 0 < inside < total
    share = measured(total, trained)
    assert share.ratio == pytest.approx((total - inside) / total)
    assert not measured(total, {"r": [0.5 * total]}).reached
    assert measured(total, {"r": [0.95 * total]}).reached
