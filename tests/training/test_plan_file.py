"""The file of a plan: what is no plan, or none of the data of its run, is a damaged checkpoint."""

import re

import numpy as np
import pytest
from safetensors.numpy import load_file

from raymm.errors import CheckpointError
from raymm.methods.plan import Plan
from raymm.storage.tensors import save_arrays
from raymm.training.plan_file import read_plan, save_plan

SAMPLES = 60


@pytest.fixture
def file(tmp_path, dataset):
    """A plan of the data with all arrays that there are."""
    train, n = dataset.rows("train"), len(dataset.schema.names)
    rows = np.concatenate([train, train[:2]])
    plan = Plan(rows, np.full(len(rows), 2**n - 1), 0, np.ones(len(rows), np.float32), rows * 0, len(train))
    save_plan(tmp_path / "plan.safetensors", plan, np.ones((len(train), n)), np.ones((len(train), n)))
    return tmp_path / "plan.safetensors"


def test_a_plan_is_read_as_it_was_written(file, dataset):
    plan, phi, online = read_plan(file, 3, dataset)
    assert plan.index[: plan.base].tolist() == dataset.rows("train").tolist()
    assert plan.dropped == 3
    assert phi.shape == online.shape == (plan.base, len(dataset.schema.names))


BROKEN = {
    "index gone": ("index", None, "index is missing"),
    "real index": ("index", lambda a: a.astype(np.float64), "index is float64"),
    "square index": ("index", lambda a: a[:, None], "not whole numbers with 1 axes"),
    "short keep": ("keep", lambda a: a[:-1], r"keep has \d+ rows, index has \d+"),
    "negative keep": ("keep", lambda a: -a, "keep has codes below 0, such as -"),
    "weights not finite": ("weight", lambda a: a * np.nan, "weight holds something else than finite numbers"),
    "short weights": ("weight", lambda a: a[:1], "weight has 1 rows, index has"),
    "long group": ("group", lambda a: np.append(a, 0), r"group has \d+ rows"),
    "large base": ("base", lambda a: a + 999, r"base is \[\d+\], not one number from 0 to"),
    "flat phi": ("phi", lambda a: a.ravel(), "phi is float64"),
}

OF_OTHER_DATA = {
    "sample of none": ("index", lambda a: a + 10**6, "index has samples that are not of the training split, such as"),
    "negative sample": ("index", lambda a: -1 - a, "not of the training split, such as number -"),
    "large keep": ("keep", lambda a: a + 1, r"keep has codes above \d+, such as"),
    "less phi": ("phi", lambda a: a[:-1], r"phi is \[\d+, \d+\], not \[\d+, \d+\]"),
    "less online": ("online", lambda a: a[:, :1], r"online is \[\d+, 1\], not"),
}


@pytest.mark.parametrize("how", [*BROKEN, *OF_OTHER_DATA])
def test_what_is_no_plan_is_a_damaged_checkpoint(file, dataset, how):
    name, change, words = {**BROKEN, **OF_OTHER_DATA}[how]
    arrays = load_file(file)
    changed = {**arrays, name: None if change is None else change(arrays[name])}
    save_arrays({one: array for one, array in changed.items() if array is not None}, file)
    with pytest.raises(CheckpointError, match=rf"plan\.safetensors: is no plan of this run: [\s\S]*{words}"):
        read_plan(file, 0, dataset)
    if how in OF_OTHER_DATA:
        assert read_plan(file, 0, None)


def test_all_that_is_wrong_is_said_at_once(file, dataset):
    save_arrays({"index": np.zeros(2), "weight": np.zeros((2, 2))}, file)
    with pytest.raises(CheckpointError) as raised:
        read_plan(file, 0, dataset)
    assert re.findall(r"- (\w+)", str(raised.value)) == ["keep", "index", "weight"]
