"""torch that is imported late: the same functions and types, and annotations that are still checked."""

import subprocess
import sys

import numpy as np
import pytest
import torch as real

from raymm.data.kinds.vector import VectorSpec
from raymm.deferred import Tensor, torch, torch_type
from raymm.tasks import Classification, MultiLabel, Regression


def test_its_names_are_those_of_torch():
    assert torch.nn.functional.cross_entropy is real.nn.functional.cross_entropy
    assert torch.Tensor is real.Tensor
    with pytest.raises(AttributeError, match="flaot32"):
        torch.flaot32  # noqa: B018


def test_instances_of_tensor_are_those_of_torch():
    for tensor in (real.zeros(2), real.nn.Parameter(real.zeros(2))):
        assert isinstance(tensor, Tensor)
    for other in (np.zeros(2), 1.0, None, real.float32):
        assert not isinstance(other, Tensor)


def test_types_of_labels_are_those_of_torch():
    found = [task.label_dtype for task in (Classification, MultiLabel, Regression, Classification())]
    assert found == [real.int64, real.bool, real.float64, real.int64]


def test_a_task_of_another_package_sets_the_type_as_before():
    class Own(Classification):
        label_dtype = real.int32

    class OwnLater(Classification):
        label_dtype = torch_type("int16")

    assert (Own.label_dtype, OwnLater().label_dtype) == (real.int32, real.int16)


@pytest.mark.parametrize(
    "outputs", [np.zeros((2, 3), np.float32), real.zeros(2, dtype=real.int64).reshape(2, 1), real.zeros(2, 3, 1)]
)
def test_shapes_and_types_are_checked_in_tests(outputs):
    with pytest.raises(Exception, match="losses") as raised:
        Classification().losses(outputs, real.tensor([0, 1]))
    assert "TypeCheckError" in type(raised.value).__name__


def test_one_importing_thread_or_many_get_one_torch():
    program = """
import sys, threading
from raymm.deferred import torch
assert "torch" not in sys.modules
found = []
threads = [threading.Thread(target=lambda: found.append(torch.Tensor)) for _ in range(4)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
import torch as real
assert found == [real.Tensor] * 4
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_values_become_tensors_of_torch():
    values = VectorSpec(name="a", size=2).to_tensor(
        np.ones((3, 2), np.float32), {"mean": [1.0, 0.0], "std": [1.0, 2.0]}
    )
    assert isinstance(values, real.Tensor)
    assert values.tolist() == [[0.0, 0.5]] * 3
