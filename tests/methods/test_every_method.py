"""What holds for every registered method: it resumes bit for bit, does the same on two ranks, and says what it is.

A method is tried with its defaults, or as `NEEDS` says; one that is registered is tried here without another line.
"""

import copy
import inspect
from unittest.mock import patch

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from raymm.errors import ConfigError
from raymm.methods import METHODS, Method, build_method, get_method
from raymm.models.fusion import FUSIONS
from raymm.models.model import MultimodalModel
from raymm.storage import layout
from raymm.storage.layout import epoch_folder
from raymm.training.checkpoint import read_checkpoint
from raymm.training.context import RunContext
from raymm.training.loop import Backends, iter_epochs, train
from raymm.training.method_hooks import epoch_end, epoch_start
from raymm.training.run import create_or_open, open_run
from tests.games import advanced, gappy_dataset, gappy_datasets, settings, untimed
from tests.ranks import on_ranks, ranks

pytestmark = pytest.mark.usefixtures("without_waiting_for_the_disk")

EPOCHS = 3
SPLITS = ("train",) * 22 + ("val",) * 9 + ("test",) * 6
"""22 rows in batches of 7: of the last batch, the second of two ranks has none."""


NEEDS: dict[str, dict[str, dict[str, object]]] = {
    "alone": {"method": {"settings": {"modality": "m0"}}},
    "amco": {"method": {"settings": {"share": 0.2}}},
    "arl": {"method": {"settings": {"warmup": 1}}},
    "ensemble": {"model": {"fusion": "ensemble"}},
    "g_blend": {"method": {"settings": {"every": 2}}},
    "greedy": {"method": {"settings": {"warmup": 0, "tolerance": 0.0, "window": 2}}},
    "mla": {"model": {"fusion": "entropy"}},
    "mmcosine": {"model": {"fusion": "cosine"}},
    "pmr": {"method": {"settings": {"entropy": 0.1}}},
    "reconboost": {"method": {"settings": {"rectification": 0}}},
    "relearning": {"method": {"settings": {"every": 1}}},
    "umt": {"method": {"settings": {"strength": 1.0}}},
}
"""Settings, by section, that a method cannot do without in these runs, or that let it act within their epochs."""

UNTUNED = {"alone"}
"""Methods whose settings say what is trained, which no search decides."""


def small_data(path, n, task="classification"):
    return gappy_dataset(path, n, SPLITS, (0.3, 0.4), task)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return gappy_datasets(tmp_path_factory.mktemp("data"), SPLITS, (0.3, 0.4))


def config_of(name, *, dropout=0.0, fusion=None, precision="float32"):
    sections = {
        "training": {"epochs": EPOCHS, "batch_size": 7, "keep": 9, "precision": precision},
        "method": {"name": name, "warmup": 1},
        "model": {"feature_size": 6, "encoder": {"width": 4, "dropout": dropout}},
        "optimizer": {"name": "sgd", "lr": 0.05},
    }
    for section, values in NEEDS.get(name, {}).items():
        sections[section] = {**sections[section], **values}
    if fusion is not None:
        sections["model"]["fusion"] = fusion
    return settings(**sections)


def refusals(config, schema):
    """What keeps a method from a configuration, in lines; empty where nothing does."""
    try:
        build_method(config, schema)
    except ConfigError as refused:
        return str(refused).splitlines()
    return []


def defined_for(name, data, *counts):
    """The first of some numbers of modalities that a method is defined for."""
    return next(n for n in counts if not refusals(config_of(name), data(n).schema))


def stop_at(run, dataset, epoch):
    """Train up to an epoch, and no further: the test split is not read."""
    for state in iter_epochs(run, dataset, Backends()):
        if state.epoch == epoch:
            return


def kept(run):
    """Bytes of all that is committed after each epoch: weights, plan, and what the method keeps."""
    states = []
    for epoch in range(1, EPOCHS + 1):
        folder = epoch_folder(run.path, epoch)
        files = (layout.WEIGHTS, layout.OPTIMIZER, layout.PLAN, layout.METHOD)
        states.append({name: (folder / name).read_bytes() for name in files if (folder / name).exists()})
    return states


def history_of(run):
    return [untimed(entry["metrics"]) for entry in read_checkpoint(run.path, EPOCHS).history]


def whole_and_resumed(name, dataset, path):
    """Two runs of a method: one without a stop, one that is begun anew after every epoch."""
    config = config_of(name, dropout=0.2)
    whole, again = (create_or_open(path / part, config, dataset) for part in ("whole", "again"))
    train(whole, dataset, Backends())
    for epoch in range(1, EPOCHS):
        stop_at(open_run(again.path), dataset, epoch)
    stop_at(open_run(again.path), dataset, EPOCHS)
    return whole, again


@pytest.mark.parametrize("name", METHODS)
def test_a_run_that_is_resumed_after_every_epoch_ends_with_the_same_bits(name, tmp_path, data):
    whole, again = whole_and_resumed(name, data(defined_for(name, data, 2, 3, 1)), tmp_path)
    assert kept(again) == kept(whole)
    assert history_of(again) == history_of(whole)
    assert all(np.isfinite(list(metrics.values())).all() for metrics in history_of(whole))
    assert len({state[layout.WEIGHTS] for state in kept(whole)}) == EPOCHS  # every epoch trains something


def test_a_method_that_forgets_is_found(tmp_path, data):
    whole, again = whole_and_resumed("tests.methods.faulty:Forgets", data(2), tmp_path)
    assert kept(again)[0] == kept(whole)[0]
    assert kept(again)[1] != kept(whole)[1]


def one_and_two_ranks(name, dataset, path):
    """A run in one process, one of two ranks, and what the ranks hold at the end: weights, and the method's state."""
    config = config_of(name)
    one, two = (create_or_open(path / part, config, dataset) for part in ("one", "two"))
    stop_at(one, dataset, EPOCHS)
    communicators = ranks(2)
    built = [RunContext.build(two, dataset, Backends(communicator=rank)) for rank in communicators]
    initial = copy.deepcopy(built[0].trainer.model)  # building one sets the seed of torch, which threads share

    def work(context):
        advanced(context, EPOCHS)
        return [tensors_of(context.trainer.model), context.trainer.method.state_dict()]

    with patch("raymm.training.method_hooks.build_model", lambda *_: copy.deepcopy(initial)):
        return one, two, on_ranks(communicators, built, work)


@pytest.mark.parametrize("name", METHODS)
def test_two_ranks_do_what_one_process_does(name, tmp_path, data):
    one, two, (first, second) = one_and_two_ranks(name, data(defined_for(name, data, 3, 2, 1)), tmp_path)
    for mine, other in zip(first, second, strict=True):
        assert mine.keys() == other.keys()
        assert [key for key in mine if not same(mine[key], other[key])] == []
    for epoch in range(1, EPOCHS + 1):
        for file in (layout.WEIGHTS, layout.METHOD):
            assert_close(*(epoch_folder(run.path, epoch) / file for run in (one, two)))
    plans = [read_checkpoint(run.path, EPOCHS).plan for run in (one, two)]
    assert plans[0].index.tolist() == plans[1].index.tolist()
    assert plans[0].keep.tolist() == plans[1].keep.tolist()


def test_a_method_that_does_not_sum_over_the_ranks_is_found(tmp_path, data):
    one, two, _ = one_and_two_ranks("tests.methods.faulty:OfItsRank", data(3), tmp_path)
    with pytest.raises(AssertionError, match="encoders"):
        assert_close(*(epoch_folder(run.path, EPOCHS) / layout.WEIGHTS for run in (one, two)))


def same(one, other):
    """Whether two tensors hold the same numbers, or NaN in the same places."""
    return torch.equal(one, other) or (one.is_floating_point() and torch.allclose(one, other, 0, 0, equal_nan=True))


def tensors_of(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def assert_close(one, other):
    """Two files of tensors, or none of both, are equal to the rounding of float32 sums in another order."""
    assert one.exists() == other.exists()
    if not one.exists():
        return
    mine, theirs = load_file(one), load_file(other)
    assert mine.keys() == theirs.keys()
    for key, tensor in mine.items():
        assert torch.allclose(tensor, theirs[key], rtol=1e-4, atol=1e-5, equal_nan=True), key


@pytest.mark.parametrize("name", METHODS)
def test_a_method_trains_in_half_precision(name, tmp_path, data):
    """Features and outputs of two types meet in no place where they must not."""
    dataset = data(defined_for(name, data, 3, 2, 1))
    run = create_or_open(tmp_path / "r", config_of(name, precision="bfloat16"), dataset, check=False)
    stop_at(run, dataset, EPOCHS)
    history = read_checkpoint(run.path, EPOCHS).history
    assert np.isfinite([entry["metrics"]["train/loss"] for entry in history]).all()


@pytest.mark.parametrize("name", METHODS)
def test_two_ranks_exchange_numbers_of_one_type_in_half_precision(name, tmp_path, data):
    """A rank without rows has no outputs of bfloat16, and takes part in all sums (`tests.ranks` compares types)."""
    dataset = data(defined_for(name, data, 3, 2, 1))
    config = config_of(name, precision="bfloat16", fusion="mlp")  # whose outputs are of that type
    if refusals(config, dataset.schema):
        config = config_of(name, precision="bfloat16")
    run = create_or_open(tmp_path / "r", config, dataset, check=False)
    communicators = ranks(2)
    built = [RunContext.build(run, dataset, Backends(communicator=rank)) for rank in communicators]
    initial = copy.deepcopy(built[0].trainer.model)
    with patch("raymm.training.method_hooks.build_model", lambda *_: copy.deepcopy(initial)):
        on_ranks(communicators, built, lambda context: advanced(context, 2))
    assert np.isfinite(read_checkpoint(run.path, 2).history[-1]["metrics"]["train/loss"])


class Overflow:
    """A loss scale that was too large in one step: its gradients are not finite, and it is passed over."""

    def __init__(self, step):
        self.step_of_overflow, self.steps = step, 0

    def scale(self, loss):
        return loss

    def unscale_(self, optimizer):
        self.steps += 1
        for group in optimizer.param_groups if self.steps == self.step_of_overflow else ():
            for parameter in group["params"]:
                parameter.grad.fill_(torch.inf)

    def step(self, optimizer):
        if self.steps != self.step_of_overflow:
            optimizer.step()

    def update(self):
        pass

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


@pytest.mark.parametrize("name", METHODS)
def test_a_step_that_overflows_leaves_no_trace_in_what_a_method_keeps(name, tmp_path, data):
    """As the first steps in float16 do: weights and state are as finite as without it."""
    dataset, holes = data(defined_for(name, data, 3, 2, 1)), []
    for step in (0, 1):  # none, or the first one
        run = create_or_open(tmp_path / f"{step}", config_of(name), dataset, check=False)
        with RunContext.build(run, dataset, Backends()) as context:
            context.trainer.scaler = Overflow(step)
            advanced(context, 1)
            tensors = [*context.trainer.method.state_dict().values(), *tensors_of(context.trainer.model).values()]
        assert not any(tensor.isinf().any() for tensor in tensors)
        holes.append([int(tensor.isnan().sum()) for tensor in tensors])
    assert holes[0] == holes[1]


LOOKING = [name for name in METHODS if get_method(name).after_evaluation is not Method.after_evaluation]


@pytest.mark.parametrize("name", LOOKING)
def test_what_a_method_fuses_after_an_epoch_is_counted(name, tmp_path, data, monkeypatch):
    """By a fusion of which each coalition is fused by itself, so that rows of it can be counted from outside."""
    dataset, rows = data(2), []
    fuse = MultimodalModel.fuse
    monkeypatch.setattr(
        MultimodalModel, "fuse", lambda model, *given: rows.append(len(given[0])) or fuse(model, *given)
    )
    run = create_or_open(tmp_path / "r", config_of(name, fusion="attention"), dataset, check=False)
    with RunContext.build(run, dataset, Backends()) as context:
        context.trainer.method.before_epoch(epoch_start(context, 0))
        table = context.value(dataset.rows("val"), 1)
        rows.clear()
        end = epoch_end(context, 0, table)
        context.trainer.method.after_evaluation(end)
    assert end.cost.fusions == sum(rows)


@pytest.mark.parametrize("name", METHODS)
def test_what_a_method_is_defined_for_trains_and_what_it_is_not_is_refused_in_words(name, tmp_path, data):
    """One to three modalities, every fusion and two tasks: an epoch with a finite loss, or a sentence."""
    trained = 0
    cases = [(1, "classification", None), (3, "classification", None), (2, "multilabel", None)]
    cases += [(2, "classification", fusion) for fusion in FUSIONS]
    for n, task, fusion in cases:
        dataset = data(n, task)
        config = config_of(name, fusion=fusion)
        if lines := refusals(config, dataset.schema):
            said = [line.removeprefix(f"method={name}: ").strip(" -") for line in lines if "problems" not in line]
            assert all(len(line.split()) >= 6 for line in said), (n, task, fusion, said)
            continue
        run = create_or_open(tmp_path / f"{n}-{task}-{fusion}", config, dataset, check=False)
        stop_at(run, dataset, 1)
        (entry,) = read_checkpoint(run.path, 1).history
        assert np.isfinite(entry["metrics"]["train/loss"]), (n, task, fusion)
        trained += 1
    assert trained


@pytest.mark.parametrize("name", METHODS)
def test_a_method_says_what_it_is(name):
    method = get_method(name)
    assert method.source, "say where it comes from"
    assert method.cost, "say what a step costs beside joint training"
    own = inspect.getdoc(method)
    assert own, "say what it does"
    assert own != inspect.getdoc(Method)
    for setting, field in method.Settings.model_fields.items():
        assert field.description, f"say what {setting} is"
    assert method.tuned or not method.Settings.model_fields or name in UNTUNED, "say what of it is worth tuning"
