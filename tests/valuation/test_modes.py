"""Evaluation mode reaches modules that objects, methods and functions hold, and leaves each with its own mode."""

from functools import partial, wraps

import pytest
from torch import nn

from raymm.valuation.modes import evaluating, modules_in

ELSEWHERE = nn.Sequential(nn.Dropout())


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.drop, self.normal = nn.Dropout(), nn.BatchNorm1d(2)

    def predict(self, batch, mask):
        return self.drop(batch) * mask


class Holder:
    def __init__(self, held):
        self.held = held

    def encode(self, batch):
        return batch


def closure(net):
    return lambda batch, mask: 2 * net.predict(batch, mask)


def decorated(net):
    @wraps(net.predict)
    def predict(*given):
        return net.predict(*given)

    return predict


HOLDS = {
    "itself": lambda net: net,
    "method": lambda net: net.predict,
    "method of a base class": lambda net: net.forward,
    "closure": closure,
    "decorator": decorated,
    "partial": lambda net: partial(closure(net), mask=None),
    "argument of a partial": lambda net: partial(print, model=net),
    "attribute": Holder,
    "list": lambda net: Holder([None, net]),
    "mapping": lambda net: Holder({"audio": net}),
    "object in an object": lambda net: Holder(Holder(net)),
    "method of an object": lambda net: Holder([net]).encode,
    "function in an object": lambda net: Holder(closure(net)),
}


@pytest.mark.parametrize("form", HOLDS)
def test_modules_are_found_wherever_they_are_held(form):
    net = Net().train()
    net.normal.eval()
    model = HOLDS[form](net)
    assert modules_in(model) == [net]
    with evaluating([model, None]):
        assert not any(part.training for part in net.modules())
    assert (net.training, net.drop.training, net.normal.training) == (True, True, False)


@pytest.mark.parametrize(
    "model", [None, print, "text", Holder(Net), Holder([0] * 10_000), lambda batch: 2 * ELSEWHERE(batch)]
)
def test_data_classes_and_what_a_function_reads_by_a_global_name_are_left_alone(model):
    assert modules_in(model) == []
    with evaluating(model):
        assert ELSEWHERE.training


def test_objects_that_hold_each_other_are_looked_at_once():
    one = Holder(Net())
    one.other = Holder(one)
    assert modules_in(one.other) == [one.held]
