"""Every registered method on a group of two Ray workers: the numbers of one process, to the rounding of float32.

One group trains a short run of each method in turn; a method that is registered is tried here without another line.
The examples of a model and of a data set of one's own are trained there, too.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from raymm.cluster.train import train_together
from raymm.config import parse
from raymm.data.opening import open_data
from raymm.methods import METHODS
from raymm.storage import layout
from raymm.storage.layout import epoch_folder
from raymm.training.loop import Backends, train
from raymm.training.result import read_result
from raymm.training.run import Run, create_or_open
from tests.games import settings, small_dataset, untimed
from tests.guests import guest
from tests.methods.test_every_method import EPOCHS, config_of, refusals, small_data

pytestmark = pytest.mark.ray

ONLINE = ("sample", "class", "coalition", "valued", "mcr")
CALIBRATED = ("joint", "coalition", "ensemble")
"""Methods that are also tried with contributions from the training pass, and with a calibration of the outputs."""

VARIANTS: dict[str, dict[str, dict[str, object]]] = {
    **{f"{name}, online": {"valuation": {"source": "online"}} for name in ONLINE},
    **{f"{name}, calibrated": {"model": {"calibrate": "modality_weights"}} for name in CALIBRATED},
}
CASES = (*METHODS, *VARIANTS)

EXAMPLES = Path(__file__).parents[2] / "examples"
OWN_MODEL, OWN_DATA = "a model of one's own", "a data set of one's own"

FAULTY = "tests.methods.faulty:OfItsRank"
"""A method whose loss is that of its rank: what shows that two ranks trained, and that a difference is seen."""


@dataclass(frozen=True)
class Pair:
    """The same run, in one process and on two workers."""

    alone: Run
    together: Run


def case_config(case):
    """The settings of a case, `NAME` or `NAME, VARIANT`, on two workers."""
    sections = config_of(case.split(", ")[0]).model_dump()
    for section, values in VARIANTS.get(case, {}).items():
        sections[section] = {**sections[section], **values}
    return parse({**sections, "cluster": {"workers": 2, "actors": 0}})


@pytest.fixture(scope="module")
def pairs(ray_local, tmp_path_factory):
    """Each case trained in this process, and all of them by one group of two workers."""
    root = tmp_path_factory.mktemp("runs")
    data = {n: small_data(root / f"data-{n}", n) for n in (3, 2)}
    made = {}
    with guest(root):
        for number, case in enumerate((*CASES, FAULTY)):
            config = case_config(case)
            dataset = data[3] if not refusals(config, data[3].schema) else data[2]
            paths = [root / part / f"{number}" for part in ("alone", "together")]
            made[case] = Pair(*(create_or_open(path, config, dataset, check=False) for path in paths))
        made |= {OWN_MODEL: own_model(root), OWN_DATA: own_data(root)}
        train_together([pair.together for pair in made.values()], lambda _: None, root / "ray", restarts=0)
        for pair in made.values():
            train(pair.alone, pair.alone.dataset(), Backends())
    return made


def own_model(root):
    """The example of a model, whose file is gone when it is trained: the run has a copy."""
    file = Path(shutil.copy(EXAMPLES / "own_model.py", root / "my_attention.py"))
    model = {"feature_size": 128, "encoder": {}, "build": f"{file}:build"}
    made = own_pair(root / "model", small_dataset(root / "small"), epochs=4, model=model)
    file.unlink()
    return made


def own_data(root):
    """The example of a data set, which every worker calls again."""
    return own_pair(root / "own", open_data(f"{EXAMPLES / 'own_dataset.py'}:clips", root / "own.data"), epochs=2)


def own_pair(folder, dataset, epochs, **sections):
    training = {"epochs": epochs, "batch_size": 32, "threads": 1}
    config = settings(training=training, cluster={"workers": 2, "actors": 0}, **sections)
    return Pair(*(create_or_open(folder / part, config, dataset) for part in ("alone", "together")))


@pytest.mark.parametrize("case", CASES)
def test_two_workers_do_what_one_process_does(case, pairs):
    pair = pairs[case]
    for epoch in range(1, EPOCHS + 1):
        for file in (layout.WEIGHTS, layout.METHOD, layout.PLAN):
            differing = tensors_that_differ(pair, epoch, file)
            assert not differing, f"{case}, epoch {epoch}, {file}: {differing}"
    results = [read_result(run.path) for run in (pair.alone, pair.together)]
    for entry, other in zip(*(result.history for result in results), strict=True):
        differing = metrics_that_differ(untimed(entry["metrics"]), untimed(other["metrics"]))
        assert not differing, f"{case}, epoch {entry['epoch']}: {differing}"
    differing = metrics_that_differ(*(untimed(result.metrics) for result in results))
    assert not differing, f"{case}, result: {differing}"


@pytest.mark.parametrize("case", [OWN_MODEL, OWN_DATA])
def test_what_is_one_s_own_is_the_same_on_two_workers_and_in_one_process(case, pairs):
    expected, found = (read_result(run.path) for run in (pairs[case].alone, pairs[case].together))
    assert found.metrics["test/loss"] == pytest.approx(expected.metrics["test/loss"], abs=1e-4)
    for here, there in zip(expected.history, found.history, strict=True):
        assert there["metrics"]["train/loss"] == pytest.approx(here["metrics"]["train/loss"], abs=1e-4)


def test_a_method_that_does_not_sum_over_the_workers_is_found(pairs):
    assert tensors_that_differ(pairs[FAULTY], EPOCHS, layout.WEIGHTS)


def tensors_that_differ(pair, epoch, file):
    """Names of tensors of a file of both runs that are not equal to the rounding of float32 sums in another order."""
    one, other = (epoch_folder(run.path, epoch) / file for run in (pair.alone, pair.together))
    assert one.exists() == other.exists(), f"{one.name} is there on one side alone"
    if not one.exists():
        return []
    mine, theirs = load_file(one), load_file(other)
    return sorted(
        name
        for name in {**mine, **theirs}
        if name not in mine or name not in theirs or not close(mine[name].numpy(), theirs[name].numpy())
    )


def metrics_that_differ(one, other):
    """`NAME: ONE PROCESS, TWO WORKERS` of each metric that differs, or that is there on one side alone."""
    missing = float("nan")
    pairs = {name: (one.get(name, missing), other.get(name, missing)) for name in {**one, **other}}
    return [f"{name}: {mine}, {theirs}" for name, (mine, theirs) in sorted(pairs.items()) if not close(mine, theirs)]


def close(one, other):
    """Equal to the rounding of float32; numbers that count something are equal."""
    one, other = np.asarray(one), np.asarray(other)
    if one.shape != other.shape:
        return False
    if one.dtype.kind in "iub":
        return bool((one == other).all())
    return np.allclose(one, other, rtol=1e-4, atol=1e-5, equal_nan=True)
