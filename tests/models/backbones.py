"""What tests of networks of libraries as encoders share: how they are made, what is held of all, and their runs."""

import socket

import pytest
import torch

from raymm.config import EncoderConfig
from raymm.data import RgbSpec
from raymm.models.encoders import build_encoder
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open, open_run
from tests.games import StopError, stop_after

__all__ = [
    "SMALL",
    "check_checkpointed",
    "check_rows_and_gradients",
    "encoder_of",
    "gradients",
    "inputs_of",
    "refuse_network",
    "whole_and_resumed",
]

SMALL = RgbSpec(name="rgb", frames=2, height=32, width=32)


def encoder_of(name, spec=SMALL, size=8, seed=0, **settings):
    torch.manual_seed(seed)
    return build_encoder(spec, EncoderConfig(name=name, **settings), size)


def inputs_of(spec, rows):
    return torch.randn(rows, *spec.input_shape, generator=torch.Generator().manual_seed(1))


def check_rows_and_gradients(encoder, spec, apart=1e-4):
    """A row is encoded by itself and unlike another one, and every parameter has a gradient."""
    x = inputs_of(spec, 3)
    encoder.eval()
    with torch.inference_mode():
        together = encoder(x)
        assert together.shape == (3, 8)
        assert torch.allclose(encoder(x[1:2])[0], together[1], atol=1e-4)
        assert not torch.allclose(together[0], together[1], atol=apart)
    encoder.train()(x).square().sum().backward()
    assert all(one.grad is not None and one.grad.isfinite().all() for one in encoder.parameters())


def gradients(encoder, spec):
    """Outputs and gradients of a training step, and how many numbers were kept for the way back."""
    sizes, x = [], inputs_of(spec, 2)
    encoder.train()
    torch.manual_seed(2)
    with torch.autograd.graph.saved_tensors_hooks(lambda one: sizes.append(one.numel()) or one, lambda one: one):
        made = encoder(x)
    made.square().sum().backward()
    return [made, *[one.grad for one in encoder.parameters()]], sum(sizes)


def check_checkpointed(name, spec=SMALL, **settings):
    """Checkpointed stages give the same bits, and keep less for the way back."""
    kept, most = gradients(encoder_of(name, spec, **settings), spec)
    again, fewer = gradients(encoder_of(name, spec, checkpoint_activations=True, **settings), spec)
    assert all(torch.equal(one, other) for one, other in zip(kept, again, strict=True))
    assert fewer < most


def refuse_network(monkeypatch):
    """Let every attempt to reach another machine fail."""

    def refuse(*_, **__):
        raise AssertionError("the network was asked")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)


def whole_and_resumed(folder, config, dataset):
    """A run without a stop, and one that was interrupted after its first epoch and went on."""
    whole = create_or_open(folder / "whole", config, dataset)
    train(whole, dataset, Backends())
    run = create_or_open(folder / "stopped", config, dataset)
    with pytest.raises(StopError):
        train(run, dataset, Backends(report=stop_after(1)))
    train(open_run(run.path), dataset, Backends())
    return whole, run
