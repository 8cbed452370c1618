"""Steps of methods on a GPU that is not there, in a process of their own: `python -m tests.methods.fake_device`.

Tensors have no numbers and know where they would lie. What raymm keeps for a process, such as weights of coalitions,
would be such tensors too, so no other test runs in it. It writes of each case, as JSON, the places at which the CPU
would wait for the GPU in a step, or the mistake.
"""

import json
import sys
import traceback
import warnings
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily

from raymm.data import Batch
from raymm.errors import ConfigError
from raymm.methods import METHODS, build_method
from raymm.methods.plan import Plan
from raymm.models.model import build_model
from raymm.training.communicator import SingleProcess
from raymm.training.epoch_record import EpochRecord
from raymm.training.optim import build_optimizer
from raymm.training.step import Trainer, parameters_of
from raymm.training.training_step import RankBatch
from tests.methods.test_every_method import NEEDS
from tests.methods.test_variants import VARIANTS
from tests.training.test_unread import config_of, written_schema

ROWS, EPOCHS = 8, (0, 2)

OTHERS = {name: settings for name, settings in VARIANTS.items() if name != "ogm-window"} | {
    f"online-{fusion}": ("sample", None) for fusion in ("concat", "attention")
}
CASES = {name: (name, None) for name in METHODS if name not in {"ogm_ge", "umt"}} | OTHERS
"""All but what draws by a generator of the device, and what goes on from the weights of an epoch before."""

waited = []


def note(tensor):
    """Note where the CPU would wait."""
    if tensor.device.type == "cuda":
        own = next(code for code in _calls() if "/raymm/" in code[0])
        waited.append(f"raymm/{own[0].rpartition('/raymm/')[2]}:{own[1]}")


def _calls():
    """File and line of each call, the innermost first."""
    return ((frame.f_code.co_filename, line) for frame, line in traceback.walk_stack(None))


def patch():
    """Go on where a number of the GPU is asked for: it is 1, and gradients are zeros."""
    picked, nonzero = _indexing()
    as_one = {"__bool__": True, "__int__": 1, "__index__": 1, "__float__": 1.0, "item": 1.0}
    for name, value in as_one.items():
        setattr(FakeTensor, name, lambda tensor, value=value: (note(tensor), value)[1])
    FakeTensor.nonzero, FakeTensor.__getitem__ = nonzero, picked
    torch.Tensor.cpu, torch.Tensor.numpy = _copies()
    torch.nonzero, torch.autograd.grad = nonzero, _zeros_of


def _copies():
    """`Tensor.cpu` and `Tensor.numpy`, also of tensors that have numbers."""

    def cpu(tensor):
        note(tensor)
        return tensor.to("cpu") if isinstance(tensor, FakeTensor) else tensor

    def numpy(tensor, plain=torch.Tensor.numpy):
        assert tensor.device.type == "cpu"
        if isinstance(tensor, FakeTensor):
            return np.ones(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        with unset_fake_temporarily():
            return plain(tensor)

    return cpu, numpy


def _indexing():
    """`Tensor.__getitem__` and `nonzero`, by which all rows are picked."""

    def picked(tensor, index, plain=torch.Tensor.__getitem__):
        indices = [one for one in (index if isinstance(index, tuple) else (index,)) if isinstance(one, torch.Tensor)]
        assert all(one.device.type in {"cpu", tensor.device.type} for one in indices)
        if isinstance(index, torch.Tensor) and index.dtype == torch.bool:
            note(index)
            return tensor.flatten(0, index.ndim - 1)
        return plain(tensor, index)

    def nonzero(tensor, as_tuple=False):
        note(tensor)
        places = torch.zeros(tensor.numel(), tensor.ndim, dtype=torch.long, device=tensor.device)
        return places.unbind(1) if as_tuple else places

    return picked, nonzero


def _zeros_of(outputs, inputs, **_):
    """Gradients, without a backward pass: torch has none for a GPU that is not there."""
    del outputs
    return tuple(torch.zeros_like(one) for one in ([inputs] if isinstance(inputs, torch.Tensor) else inputs))


def moved(module):
    """The module, with all that it has on the GPU."""
    for part in module.modules():
        for name, own in part._parameters.items():
            part._parameters[name] = None if own is None else nn.Parameter(own.detach().to("cuda"))
        for name, own in part._buffers.items():
            part._buffers[name] = None if own is None else own.to("cuda")
    return module


def trainer_there(name, n, **sections):
    config = config_of(name, None, training={"epochs": 8, "batch_size": ROWS}, **sections)
    schema = written_schema(n)
    model = moved(build_model(schema, config.model, 0))
    method = build_method(config, schema)
    if method.module is not None:
        moved(method.module)
    parameters = parameters_of(model, method)

    def backward(_):
        for one in parameters:
            one.grad = torch.zeros_like(one)

    torch.Tensor.backward = backward
    optimizer = build_optimizer(parameters, config.optimizer)
    return Trainer(model, optimizer, method, config, SingleProcess(), torch.device("cuda"), schema.task)


def part_there(epoch, number, names, index):
    inputs = {name: torch.ones(ROWS, 6, device="cuda") for name in names}
    mask = torch.ones(ROWS, len(names), dtype=torch.bool, device="cuda")
    batch = Batch(inputs, mask, torch.zeros(ROWS, dtype=torch.long, device="cuda"), index)
    return RankBatch(batch, None, ROWS, epoch, number, np.arange(ROWS), np.arange(ROWS) < ROWS - 2)


def steps_there(trainer, index):
    """Two epochs of two steps and what is recorded of them; the places at which a step waited."""
    names, places = trainer.model.names, []
    present = np.ones((ROWS, len(names)), bool)
    dataset = SimpleNamespace(rows=lambda _: np.arange(ROWS), schema=SimpleNamespace(names=names), present=present)
    plan = Plan(np.array([*range(ROWS), 0, 1]), np.ones(ROWS + 2, np.uint8))
    for epoch in EPOCHS:
        about = {"epoch": epoch, "epochs": 8, "samples": ROWS, "forget": lambda _: None}
        about["forget_average"] = about["forget"]
        start = SimpleNamespace(model=trainer.model, initial_model=lambda: trainer.model, **about)
        trainer.method.before_epoch(start)
        record = EpochRecord(trainer, dataset, plan)
        waited.clear()
        for number in (1, 2):
            record.add(trainer.step(part_there(epoch, number, names, index)))
        places += waited
        trainer.method.after_steps(trainer.summed)
    return sorted(set(places))


def places_of(case):
    """Places at which steps of a case wait."""
    name, _ = CASES[case]
    sections = (
        {"valuation": {"source": "online"}, "model": {"fusion": case[7:]}} if case.startswith("online-") else {}
    )
    index = torch.arange(ROWS)
    with FakeTensorMode(allow_non_fake_inputs=True):
        for n in (3, 2, 1):
            try:
                trainer = trainer_there(name, n, **sections)
                break
            except ConfigError:
                if n == 1:
                    raise
        return steps_there(trainer, index)


def main():
    """All cases."""
    warnings.simplefilter("ignore")
    patch()
    found, needs = {}, dict(NEEDS)
    for case, (name, own) in CASES.items():
        NEEDS.clear()
        NEEDS.update(needs if own is None else {**needs, name: {"method": {"settings": own}}})
        try:
            found[case] = places_of(case)
        except Exception as cause:  # noqa: BLE001
            at = [frame for frame in traceback.extract_tb(cause.__traceback__) if "/raymm/" in frame.filename]
            found[case] = f"{type(cause).__name__} at {at[-1].line if at else '?'}: {cause}"
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
