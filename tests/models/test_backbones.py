"""Networks of torchvision as encoders: their features, their inputs, frozen, checkpointed, and never the network."""

import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models
from torchvision.models import get_model, get_model_weights

from raymm.config import EncoderConfig, ViewConfig
from raymm.data import AudioSpec, FlowSpec, ImageSpec, RgbSpec
from raymm.errors import ConfigError
from raymm.models.encoders import ENCODERS
from raymm.models.encoders.surgery import drop_classifier, has_batch_norm, set_channels
from raymm.models.encoders.torchvision_models import CLIPS, PICTURES, torchvision_network
from tests.models.backbones import (
    SMALL,
    check_checkpointed,
    check_rows_and_gradients,
    encoder_of,
    gradients,
    refuse_network,
)
from tests.models.pictures import clips_of

SIZES = {"vit_b_16": 224, "mvit_v2_s": 224, "s3d": 224}
FRAMES = {"mvit_v2_s": 16, "s3d": 14}
LIGHT = "torchvision:shufflenet_v2_x0_5"
LARGE = ("mvit_v2_s", "s3d", "vit_b_16")


def spec_for(name):
    """The smallest clips that a network reads."""
    return RgbSpec(name="rgb", frames=FRAMES.get(name, 2), height=SIZES.get(name, 32), width=SIZES.get(name, 32))


@pytest.fixture
def weights(tmp_path):
    """Makes a file with weights of torchvision's own network, and that network."""

    def make(name, seed=7):
        torch.manual_seed(seed)
        name = name.removeprefix("torchvision:")
        net = get_model(name, weights=None)
        for module in net.modules():  # so that running statistics are no longer 0 and 1
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.running_mean.uniform_(-0.1, 0.1)
                module.running_var.uniform_(0.8, 1.2)
        torch.save(net.state_dict(), tmp_path / f"{name}.pt")
        return net.eval(), str(tmp_path / f"{name}.pt")

    return make


@pytest.mark.parametrize("name", sorted({"resnet18", *PICTURES, *CLIPS} - set(LARGE)))
def test_a_row_is_encoded_by_itself_and_everything_is_trained(name):
    encoder = encoder_of(name, dropout=0.0)
    assert not has_batch_norm(encoder)
    check_rows_and_gradients(encoder, SMALL, apart=1e-3)


SHORTENED = {
    "mvit_v2_s": lambda body: (body.blocks.__delitem__(slice(1, None)), setattr(body, "norm", nn.Identity())),
    "vit_b_16": lambda body: body.encoder.layers.__delitem__(slice(2, None)),
    "s3d": lambda body: None,
}
"""Fewer layers, which tell as much and take less time."""


@pytest.mark.parametrize("name", LARGE)
def test_a_row_of_a_large_network_is_encoded_by_itself(name):
    spec = spec_for(name)
    encoder = encoder_of(name, spec).eval()
    SHORTENED[name](encoder.body)
    encoder.head = nn.Identity()
    x = torch.randn(2, *spec.input_shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        together, alone = encoder(x), encoder(x[:1])
    assert torch.allclose(together[:1], alone, atol=1e-4)
    assert not torch.allclose(together[0], together[1], atol=1e-3)


@pytest.mark.parametrize("name", ["resnet34", "r3d_18"])
def test_features_and_inputs_are_those_of_torchvision_by_its_own_transform(name, weights):
    net, path = weights(name)
    clip_network = name in CLIPS
    preset = get_model_weights(name).DEFAULT.transforms()
    side = preset.crop_size[-1]
    whole = (side, side) if clip_network else side  # of pictures that have the size already
    preset = type(preset)(crop_size=whole, resize_size=whole, mean=preset.mean, std=preset.std)
    spec = RgbSpec(name="rgb", frames=2, height=side, width=side)
    statistics = {"mean": [120.0, 70.0, 30.0], "std": [60.0, 40.0, 20.0]}
    encoder = encoder_of(name, spec, norm="batch", weights=path).eval()
    encoder.set_statistics(statistics)
    stored = clips_of(spec, 2)
    x = spec.transform(spec.to_tensor(stored, statistics), None, ViewConfig())
    pictures = torch.from_numpy(stored)
    wanted = preset(pictures) if clip_network else preset(pictures.flatten(0, 1))
    assert torch.allclose(encoder.prepared(x), wanted, atol=1e-5)
    drop_classifier(net)
    with torch.inference_mode():
        own = net(wanted) if clip_network else net(wanted).unflatten(0, (2, 2)).mean(dim=1)
        assert torch.allclose(encoder(x), encoder.head(own), atol=1e-4)
        plain = encoder_of(name, spec, norm="batch", weights=path, normalise="data").eval()
        assert not torch.allclose(plain.body(plain.prepared(x)), encoder.body(encoder.prepared(x)), atol=1e-2)


def test_without_the_statistics_of_the_data_there_is_no_number(weights):
    _, path = weights(LIGHT)
    encoder = encoder_of(LIGHT, norm="batch", weights=path).eval()
    assert encoder(torch.zeros(1, *SMALL.input_shape)).isnan().all()
    encoder.set_statistics(None)  # pixels as they are
    assert encoder(torch.zeros(1, *SMALL.input_shape)).isfinite().all()


def test_resnet18_has_the_weights_that_it_had_before_there_were_other_networks():
    def before(channels):
        torch.manual_seed(0)
        body = models.resnet18(weights=None, norm_layer=lambda c: nn.GroupNorm(np.gcd(c, 8), c))
        body.conv1 = nn.Conv2d(channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
        body.fc = nn.Identity()
        return nn.ModuleDict({"body": body, "head": nn.Sequential(nn.Dropout(0.0), nn.Linear(512, 8))})

    for spec in (SMALL, FlowSpec(name="rgb", frames=2, height=32, width=32)):
        now, then = encoder_of("resnet18", spec).state_dict(), before(spec.shape[1]).state_dict()
        assert list(now) == list(then)
        assert all(torch.equal(now[name], then[name]) for name in then)


def test_the_data_decide_mean_and_deviation_where_no_weights_are_given_or_there_are_no_colours(weights):
    _, path = weights(LIGHT)
    flow = FlowSpec(name="rgb", frames=2, height=32, width=32)
    assert encoder_of(LIGHT).scale is None
    assert encoder_of(LIGHT, flow, norm="batch", weights=path).scale is None
    assert encoder_of(LIGHT, weights=path, norm="batch").scale is not None
    with pytest.raises(
        ConfigError, match=r"rgb\.normalise=weights: it is for pictures of three colours; 'rgb' is flow"
    ):
        encoder_of(LIGHT, flow, normalise="weights")


def test_a_frozen_network_stays_as_it_is_and_its_head_is_trained(weights):
    _, path = weights(LIGHT)
    encoder = encoder_of(LIGHT, norm="batch", weights=path, normalise="data", frozen=True).train()
    before = {name: value.clone() for name, value in encoder.body.state_dict().items()}
    optimizer = torch.optim.SGD(encoder.parameters(), 0.1)
    x = torch.randn(3, *SMALL.input_shape)
    first = encoder(x)
    assert torch.allclose(encoder(x[:1]), first[:1], atol=1e-4)  # also with batch normalisation
    first.square().sum().backward()
    assert all(one.grad is None for one in encoder.body.parameters())
    optimizer.step()
    assert all(torch.equal(value, before[name]) for name, value in encoder.body.state_dict().items())
    assert not torch.equal(encoder(x), first)


def test_frozen_without_weights_is_refused():
    with pytest.raises(ValueError, match=r"frozen=true keeps weights as they are, and none are given"):
        EncoderConfig(name="resnet34", frozen=True)


@pytest.mark.parametrize("name", ["resnet34", "swin_t", "r3d_18", "torchvision:densenet121"])
def test_checkpointed_stages_give_the_same_bits(name):
    check_checkpointed(name, dropout=0.1)


def test_checkpointed_stages_keep_fewer_activations():
    _, fewer = gradients(encoder_of("resnet34", checkpoint_activations=True), SMALL)
    _, most = gradients(encoder_of("resnet34"), SMALL)
    assert fewer < 0.5 * most


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("resnet34", {"checkpoint_activations": True, "norm": "batch"}, r"would count twice .* use .*\.norm=group"),
        (
            "torchvision:googlenet",
            {"checkpoint_activations": True},
            r"no stages of torchvision's googlenet are known",
        ),
    ],
)
def test_what_cannot_be_checkpointed_is_said(name, settings, words):
    with pytest.raises(ConfigError, match=rf"model\.encoders\.rgb\.checkpoint_activations: .*{words}"):
        encoder_of(name, **settings)


@pytest.mark.parametrize(
    ("name", "spec", "words"),
    [
        ("vit_b_16", SMALL, r"cannot read clips of 2 frames of 32 x 32 .*--set rgb\.height=224 .*resize=224$"),
        (
            "s3d",
            SMALL,
            r"it was made for 224 x 224 and 14 frames: prepare with --set rgb\.frames=14 --set rgb\.height",
        ),
        ("mvit_v2_s", SMALL, r"torchvision's mvit_v2_s cannot read .*--set rgb\.frames=16"),
        (
            "vit_b_16",
            AudioSpec(name="rgb", seconds=0.2),
            r"cannot read inputs of 64 x 21 .*, or let frames be resized",
        ),
        (
            "torchvision:squeezenet1_1",
            ImageSpec(name="rgb", height=16, width=16),
            r"squeezenet1_1 cannot read inputs of 16 x 16",
        ),
    ],
)
def test_inputs_that_are_too_small_are_refused_with_a_remedy(name, spec, words):
    with pytest.raises(ConfigError, match=words) as caught:
        encoder_of(name, spec)
    assert len(str(caught.value)) < 500


def test_frames_are_resized_where_that_is_asked_for():
    encoder = encoder_of("torchvision:squeezenet1_1", ImageSpec(name="rgb", height=16, width=48), resize=64)
    x = torch.randn(2, 3, 16, 48)
    made = encoder.prepared(x)
    wanted = nn.functional.interpolate(x, (64, 64), mode="bilinear", antialias=True)
    assert torch.equal(made, wanted)
    assert encoder(x).shape == (2, 8)
    clip = encoder_of("r3d_18", resize=48).prepared(torch.arange(2 * 2 * 3 * 32 * 32.0).view(2, 2, 3, 32, 32))
    assert clip.shape == (2, 3, 2, 48, 48)
    assert (clip[0, :, 1].mean() - clip[0, :, 0].mean()).item() == pytest.approx(3 * 32 * 32, rel=1e-3)


FAMILIES = ["alexnet", "densenet121", "efficientnet_b0", "googlenet", "inception_v3", "maxvit_t", "mnasnet0_5"]
FAMILIES += ["mobilenet_v2", "mobilenet_v3_small", "shufflenet_v2_x0_5", "squeezenet1_1", "swin_v2_t", "vgg11_bn"]
FAMILIES += [*PICTURES, *CLIPS, "mvit_v1_b"]


@pytest.mark.parametrize("name", FAMILIES)
def test_the_classification_layer_is_dropped_and_the_first_convolution_found(name):
    with torch.device("meta"):
        body = torchvision_network(name).make()
    classes = 400 if name in models.list_models(module=models.video) else 1000
    last = drop_classifier(body)
    with torch.device("meta"):
        whole = torchvision_network(name).make().get_submodule(last)
    assert classes in {getattr(whole, "out_features", 0), getattr(whole, "out_channels", 0)}
    with torch.device("meta"):
        first = set_channels(body, 5)
    assert body.get_submodule(first).in_channels == 5


def test_networks_for_other_things_are_no_encoders():
    with pytest.raises(ValueError, match=r"torchvision has no 'fcn_resnet50'; did you mean "):
        EncoderConfig(name="torchvision:fcn_resnet50")
    with pytest.raises(ConfigError, match=r"'r3d_18' reads rgb, .*; 'rgb' is image"):
        encoder_of("r3d_18", ImageSpec(name="rgb", height=32, width=32))


def test_nothing_is_asked_of_the_network(monkeypatch):
    refuse_network(monkeypatch)
    for name in ("resnet18", "mc3_18", LIGHT):
        encoder_of(name)
    with pytest.raises(AssertionError, match="the network was asked"):
        socket.create_connection(("localhost", 9), timeout=1)


def test_a_network_is_described_by_its_library():
    known = torchvision_network("mvit_v2_s")
    assert (known.mean, known.std, known.size, known.length) == ((0.45,) * 3, (0.225,) * 3, 224, 16)
    assert replace(known, length=1).what == "torchvision's mvit_v2_s"


def test_every_encoder_stands_in_the_docs():
    page = (Path(__file__).parents[2] / "docs" / "encoders.md").read_text()
    assert [name for name in ENCODERS if f"`{name}`" not in page] == []
