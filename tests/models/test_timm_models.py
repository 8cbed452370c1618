"""Networks of timm as encoders: by name, with weights from a file, and never from the network."""

import sys

import pytest
import torch

from raymm.config import EncoderConfig
from raymm.data import AudioSpec, RgbSpec
from raymm.errors import ConfigError
from raymm.models.encoders.surgery import has_batch_norm
from tests.models.backbones import (
    SMALL,
    check_checkpointed,
    check_rows_and_gradients,
    encoder_of,
    refuse_network,
)
from tests.models.pictures import clips_of

timm = pytest.importorskip("timm", reason="the extra timm is not installed")

CLIP = RgbSpec(name="rgb", frames=2, height=32, width=32)


@pytest.mark.parametrize("name", ["test_vit", "test_efficientnet", "test_resnet", "test_convnext"])
@pytest.mark.parametrize("norm", ["group", "batch"])
def test_a_row_is_encoded_by_itself_and_everything_is_trained(name, norm):
    encoder = encoder_of(f"timm:{name}", norm=norm, resize=160)
    assert has_batch_norm(encoder) == (norm == "batch" and name in {"test_efficientnet", "test_resnet"})
    check_rows_and_gradients(encoder, SMALL)


@pytest.mark.parametrize("name", ["test_vit.r160_in1k", "test_efficientnet.r160_in1k"])
def test_features_are_those_of_timm_by_its_own_transform(tmp_path, name):
    torch.manual_seed(3)
    net = timm.create_model(name, pretrained=False).eval()
    torch.save(net.state_dict(), tmp_path / "w.pt")
    side = net.pretrained_cfg["input_size"][-1]
    spec = RgbSpec(name="rgb", frames=2, height=side, width=side)
    statistics = {"mean": [120.0, 70.0, 30.0], "std": [60.0, 40.0, 20.0]}
    encoder = encoder_of(f"timm:{name}", spec, norm="batch", weights=str(tmp_path / "w.pt")).eval()
    encoder.set_statistics(statistics)
    stored = clips_of(spec, 1)
    known = timm.data.resolve_model_data_config(net)
    mean, std = (torch.tensor(known[key]).view(3, 1, 1) for key in ("mean", "std"))
    wanted = (torch.from_numpy(stored)[0] / 255 - mean) / std
    x = spec.to_tensor(stored, statistics)
    assert torch.allclose(encoder.prepared(x), wanted, atol=1e-5)
    with torch.inference_mode():
        features = net.forward_head(net.forward_features(wanted), pre_logits=True)
        assert torch.allclose(encoder(x), encoder.head(features.mean(dim=0, keepdim=True)), atol=1e-4)


def test_activations_of_replaced_norms_are_kept():
    group = encoder_of("timm:test_efficientnet", norm="group", resize=160).body
    batch = encoder_of("timm:test_efficientnet", norm="batch", resize=160).body

    def count(body):
        return sum(isinstance(module, torch.nn.SiLU) for module in body.modules())

    assert count(group) == count(batch) > 0


@pytest.mark.parametrize("name", ["test_vit", "test_convnext"])
def test_checkpointed_stages_give_the_same_bits(name):
    check_checkpointed(f"timm:{name}", resize=160)


@pytest.mark.parametrize(
    ("name", "spec", "words"),
    [
        ("test_vitt", SMALL, r"model\.encoders\.rgb\.name: timm has no 'test_vitt'; did you mean 'test_vit\w*'"),
        (
            "vit_tiny_patch16_224",
            SMALL,
            r"patch16_224 cannot read .*--set rgb\.height=224 .*model\.encoders\.rgb\.resize=224$",
        ),
        ("test_vit", AudioSpec(name="rgb", seconds=0.2), r"test_vit cannot read inputs of 64 x 21"),
    ],
)
def test_what_timm_cannot_do_is_said(name, spec, words):
    with pytest.raises(ConfigError, match=words):
        encoder_of(f"timm:{name}", spec)


@pytest.mark.parametrize("name", ["hf-hub:timm/resnet18.a1_in1k", "timm/resnet18", ""])
def test_a_hub_is_never_asked(name):
    with pytest.raises(ValueError, match=r"write the name of a network, .*; nothing is downloaded from a hub"):
        EncoderConfig(name=f"timm:{name}")


def test_nothing_is_asked_of_the_network(monkeypatch):
    refuse_network(monkeypatch)
    encoder_of("timm:test_vit.r160_in1k", resize=160)


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(
        ConfigError, match=r"rgb\.name=timm:test_vit: timm cannot be imported .*pip install 'raymm\[timm\]'"
    ):
        encoder_of("timm:test_vit")
