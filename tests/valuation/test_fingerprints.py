"""The fingerprint of a model: of the bytes of its weights, and of whatever else a state holds, never an error."""

import hashlib

import pytest
import torch
from torch import nn

from raymm.valuation.fingerprints import fingerprint


class State(nn.Module):
    """A module with a weight, and something else in its state."""

    def __init__(self, extra):
        super().__init__()
        self.weight, self.extra = nn.Parameter(torch.arange(3.0)), extra

    def get_extra_state(self):
        return self.extra

    def set_extra_state(self, state):
        self.extra = state


class Silent:
    def __repr__(self):
        raise RuntimeError


def quantized(scale=1.0):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 3))
    model[0].weight.data *= scale
    return torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)


def test_of_plain_weights_it_is_the_hash_of_names_shapes_and_bytes():
    model = nn.Sequential(nn.Linear(2, 3).bfloat16(), nn.BatchNorm1d(3), nn.Linear(3, 1, bias=False).double())
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"{name}{tuple(value.shape)}{value.dtype}".encode())
        digest.update(bytes(value.untyped_storage()))
    assert fingerprint(model) == digest.hexdigest()[:16]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("make", "other"),
    [
        (quantized, lambda: quantized(0.5)),
        (lambda: State({"epoch": 3, "names": ["a"]}), lambda: State({"epoch": 4, "names": ["a"]})),
        (lambda: State(torch.eye(2).to_sparse()), lambda: State(2 * torch.eye(2).to_sparse())),
        (lambda: State(torch.eye(2).to_sparse_csr()), lambda: State(torch.ones(2, 2).to_sparse_csr())),
        (lambda: State(torch.tensor([1j]).conj()), lambda: State(torch.tensor([1j]))),
        (lambda: State(object()), lambda: State(None)),
        (lambda: State(Silent()), lambda: State(None)),
        (lambda: nn.Linear(2, 2, device="meta"), lambda: nn.Linear(2, 3, device="meta")),
        (lambda: nn.LazyLinear(2), nn.Identity),
    ],
)
def test_of_any_state_it_is_the_same_for_the_same_alone(make, other):
    assert fingerprint(make()) == fingerprint(make())
    assert fingerprint(make()) != fingerprint(other())
