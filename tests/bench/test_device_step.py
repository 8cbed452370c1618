"""The benches of training on a device, small and on the CPU: both steps are the same step, and epochs have rates."""

from dataclasses import replace

import pytest
import torch

from bench.device import SMALL, SMALL_LOOP
from bench.device_loop import loop_rates
from bench.device_step import _batch, _plain_step, _raymm_step, _trainer, step_rates

CPU = torch.device("cpu")
TINY = replace(SMALL, precision="float32")


def test_both_steps_update_the_same_weights_alike():
    ours, plain = _trainer(CPU, TINY), _trainer(CPU, TINY)
    before = {name: value.clone() for name, value in ours.model.state_dict().items()}
    batch = _batch(TINY, CPU)
    assert torch.allclose(_raymm_step(ours, batch)(), _plain_step(plain, batch)(), atol=1e-6)
    now, other = ours.model.state_dict(), plain.model.state_dict()
    assert all(torch.allclose(now[name], other[name], atol=1e-5) for name in now)
    assert any(not torch.equal(now[name], before[name]) for name in now)


@pytest.mark.long
def test_rates_are_of_the_rows_of_a_step():
    record = step_rates(CPU, SMALL)
    assert record["difference_of_first_losses"] < 0.05
    rates = record["raymm_rows_per_second"], record["plain_rows_per_second"]
    assert min(rates) > 0
    assert len(record["ratios"]) == SMALL.rounds
    assert record["size"]["precision"] == "bfloat16"
    assert record["faster_than_raymm_by"].keys() == {"channels_last"}


@pytest.mark.long
def test_epochs_have_a_rate_for_each_place_and_view():
    rates = loop_rates(CPU, SMALL_LOOP)["samples_per_second"]
    assert rates.keys() == {"loader", "device", "loader, augmented", "device, augmented"}
    assert min(rates.values()) > 0
