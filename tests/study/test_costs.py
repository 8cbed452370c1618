"""What runs cost, and the epochs at a budget, against runs that are counted epoch by epoch."""

import itertools

import numpy as np
import pytest

from raymm.config.loading import parse
from raymm.study.costs import EpochCost, cost_of_epoch, cost_of_run, epoch_cost, least, pilot_epochs, slower
from raymm.tracking import metrics as names

PLAIN, COPIES, VALUATION = 10.0, 17.0, 5.0


def entry(epoch, rows, value=0.0):
    metrics = {names.ROWS: rows, names.ENCODINGS: 3 * rows, names.VALUE_ENCODINGS: value, names.MEMORY: 5.0 + epoch}
    times = {
        names.TRAIN_SECONDS: rows / 100,
        names.VALUE_SECONDS: value / 100,
        names.CPU_SECONDS: (rows + value) / 50,
    }
    return {"epoch": epoch, "metrics": metrics | times}


def history(epochs, warmup, every):
    """A run as the loop trains it: the split is valued after an epoch when the next one plans, not after the last."""
    made = []
    for epoch in range(epochs):
        after = epoch + 1 - warmup
        valued = after >= 0 and after % every == 0 and epoch + 1 < epochs
        made.append(entry(epoch, PLAIN if epoch < warmup else COPIES, VALUATION if valued else 0.0))
    return made


def settings(method, warmup, every, epochs):
    return parse({"method": {"name": method, "warmup": warmup, "every": every}, "training": {"epochs": epochs}})


@pytest.mark.parametrize(("warmup", "every"), list(itertools.product([2, 3, 5], [1, 2, 3])))
def test_a_pilot_tells_what_a_whole_run_costs(warmup, every):
    config = settings("sample", warmup, every, 200)
    pilot = history(200, warmup, every)[: pilot_epochs(config)]
    for cost in ("rows", "encodings", "seconds", "cpu_seconds"):
        found = epoch_cost(pilot, config, cost)
        for epochs in (warmup + every, warmup + 4 * every, warmup + 12 * every):
            whole = cost_of_run(history(epochs, warmup, every))[cost]
            assert found.total(epochs) == pytest.approx(whole)
            assert found.epochs_for(whole) == epochs


@pytest.mark.parametrize("every", [1, 2, 3])
def test_rounds_are_whole_and_few(every):
    assert pilot_epochs(settings("sample", 2, every, 30)) == 2 + {1: 3, 2: 4, 3: 6}[every]


def test_one_slow_epoch_does_not_count():
    config = settings("sample", 3, 1, 200)
    pilot = history(200, 3, 1)[: pilot_epochs(config)]
    expected = epoch_cost(pilot, config, "seconds")
    pilot[4]["metrics"][names.TRAIN_SECONDS] = 9.0
    assert epoch_cost(pilot, config, "seconds") == expected


def faster(run, factors):
    """A run on a machine that takes so many times as long for each epoch; the last factor is that of the rest."""
    times = [names.TRAIN_SECONDS, names.VALUE_SECONDS, names.CPU_SECONDS]
    made = []
    for epoch, entry in enumerate(run):
        factor = factors[min(epoch, len(factors) - 1)]
        slow = {name: entry["metrics"][name] * factor for name in times}
        made.append({**entry, "metrics": {**entry["metrics"], **slow}})
    return made


@pytest.mark.parametrize("cost", ["seconds", "cpu_seconds"])
def test_the_least_of_histories_is_that_of_a_machine_at_rest(cost):
    rest = history(6, 2, 1)
    loud = [faster(rest, [1, 3, 1, 5, 1, 1]), faster(rest, [2, 1, 1, 1, 9, 1]), faster(rest, [1, 1, 7, 1, 1, 4])]
    assert [cost_of_epoch(entry["metrics"], cost) for entry in least(loud, cost)] == pytest.approx(
        [cost_of_epoch(entry["metrics"], cost) for entry in rest]
    )


@pytest.mark.parametrize("cost", ["seconds", "cpu_seconds"])
@pytest.mark.parametrize(("warmup", "every", "epochs"), [(2, 1, 5), (2, 1, 12), (5, 2, 15), (3, 3, 9), (2, 1, 3)])
def test_a_run_is_as_much_slower_as_its_machine_was_over_all_of_its_epochs(cost, warmup, every, epochs):
    config = settings("sample", warmup, every, 200)
    pilot, run = history(200, warmup, every)[: pilot_epochs(config)], history(epochs, warmup, every)
    assert slower(run, pilot, config, cost) == pytest.approx(1.0, abs=0.1)
    for factors in ([3.0], [1.7, 1.7, 1.7, 1.7, 1.0], [1.0, 1.0, 4.0]):
        loud = faster(run, factors)
        expected = cost_of_run(loud)[cost] / cost_of_run(run)[cost]
        assert slower(loud, pilot, config, cost) / slower(run, pilot, config, cost) == pytest.approx(expected)


def test_rows_that_another_seed_does_not_have_do_not_make_a_run_slower():
    config = settings("sample", 2, 1, 200)
    pilot = history(200, 2, 1)[: pilot_epochs(config)]
    run = [
        {**each, "metrics": {name: value * 0.8 for name, value in each["metrics"].items()}}
        for each in history(9, 2, 1)
    ]
    assert slower(run, pilot, config, "seconds") == pytest.approx(1.0, abs=0.06)


def test_a_run_whose_copies_become_fewer_is_not_faster():
    config = settings("sample", 2, 1, 200)
    pilot, run = history(200, 2, 1)[: pilot_epochs(config)], history(12, 2, 1)
    for number, each in enumerate(run[2:]):
        rows = PLAIN + (COPIES - PLAIN) * 0.8**number
        value = each["metrics"][names.VALUE_ENCODINGS]
        each["metrics"] |= {names.ROWS: rows, names.ENCODINGS: 3 * rows, names.TRAIN_SECONDS: 3 * 3 * rows / 100}
        each["metrics"][names.VALUE_SECONDS] = value / 100
    for each in [*pilot, *run[:2]]:
        each["metrics"][names.TRAIN_SECONDS] = 3 * each["metrics"][names.ENCODINGS] / 100
    assert slower(run, pilot, config, "seconds") == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("cost", ["rows", "encodings", "seconds"])
def test_a_method_without_a_plan_costs_the_same_every_epoch(cost):
    config = settings("joint", 5, 1, 30)
    assert pilot_epochs(config) == 3
    pilot = [entry(epoch, PLAIN) for epoch in range(3)]
    pilot[0]["metrics"][names.TRAIN_SECONDS] = 9.0  # libraries load
    one = {"rows": 10.0, "encodings": 30.0, "seconds": 0.1}[cost]
    assert epoch_cost(pilot, config, cost) == EpochCost(0, 0.0, pytest.approx(one))


def test_the_epochs_are_those_whose_cost_is_nearest():
    generator = np.random.default_rng(0)
    for _ in range(300):
        warmup = int(generator.integers(0, 6))
        before, after = generator.uniform(0.1, 9, size=2)
        cost = EpochCost(warmup, float(before) if warmup else 0.0, float(after))
        budget = float(generator.uniform(0.01, 400))
        allowed = range(warmup + 1, 5000)
        best = min(abs(cost.total(epochs) - budget) for epochs in allowed)
        found = cost.epochs_for(budget)
        assert found in allowed
        assert abs(cost.total(found) - budget) == pytest.approx(best)


def test_totals_are_sums_over_epochs_and_memory_is_the_most():
    run = [entry(0, 10.0, 4.0), entry(1, 12.0)]
    assert cost_of_run(run) == {
        "rows": 22.0,
        "encodings": 70.0,
        "fusions": 0.0,
        "backwards": 0.0,
        "seconds": pytest.approx(0.26),
        "cpu_seconds": pytest.approx(0.52),
        "memory": 6.0 * 2**20,
    }
    assert cost_of_epoch(run[0]["metrics"], "encodings") == 34.0
