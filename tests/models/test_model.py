"""The model: ragged encoding, baselines, partial logits, independence of rows, seeds."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pydantic import field_validator
from torchvision.models import resnet18

from raymm.config import EncoderConfig, parse
from raymm.config.base import Settings
from raymm.data import (
    AudioSpec,
    Batch,
    EmbeddingSpec,
    FlowPicturesSpec,
    FlowSpec,
    ImageSpec,
    RgbPicturesSpec,
    RgbSpec,
    Schema,
    SequenceSpec,
    TextSpec,
    VectorSpec,
    WaveformSpec,
)
from raymm.errors import CheckpointError, ConfigError, DataError
from raymm.models.encoders import ENCODERS, build_encoder, register_encoder
from raymm.models.encoders.registry import unread_settings
from raymm.models.encoders.torchvision_models import CLIPS, PICTURES
from raymm.models.export import _readable
from raymm.models.fusion import FUSIONS
from raymm.models.model import build_model
from raymm.valuation.coalitions import coalition_masks
from raymm.valuation.protocol import fingerprint
from tests.guests import copy_registries

SCHEMA = Schema(
    modalities=(
        AudioSpec(name="audio", seconds=0.2, n_mels=16),
        RgbSpec(name="rgb", frames=2, height=16, width=16),
        FlowSpec(name="flow", frames=3, height=16, width=16),
        TextSpec(name="text", max_tokens=6, buckets=50),
        VectorSpec(name="vector", size=5),
        SequenceSpec(name="imu", channels=3, length=20),
    ),
    classes=("a", "b", "c"),
)
MORE = (
    ImageSpec(name="picture", height=16, width=16),
    EmbeddingSpec(name="tokens", tokens=4, size=5),
    FlowPicturesSpec(name="saved", frames=3, height=16, width=16),
    RgbPicturesSpec(name="frames", frames=2, height=16, width=16),
    WaveformSpec(name="speech", rate=1_000, seconds=0.2),
)
INPUTS = {
    "audio": lambda b, g: torch.randn(b, 1, 16, 21, generator=g),
    "rgb": lambda b, g: torch.rand(b, 2, 3, 16, 16, generator=g) * 2 - 1,
    "flow": lambda b, g: torch.randn(b, 3, 2, 16, 16, generator=g),
    "text": lambda b, g: torch.randint(0, 50, (b, 6), generator=g),
    "vector": lambda b, g: torch.randn(b, 5, generator=g),
    "imu": lambda b, g: torch.randn(b, 3, 20, generator=g),
    "picture": lambda b, g: torch.randn(b, 3, 16, 16, generator=g),
    "saved": lambda b, g: torch.randn(b, 3, 2, 16, 16, generator=g),
    "frames": lambda b, g: torch.rand(b, 2, 3, 16, 16, generator=g) * 2 - 1,
    "speech": lambda b, g: torch.randn(b, 1, 200, generator=g),
    "tokens": lambda b, g: torch.cat([torch.randn(b, 4, 5, generator=g), torch.ones(b, 4, 1)], dim=2),
}
VECTORS = Schema(modalities=tuple(VectorSpec(name=f"m{i}", size=4) for i in range(4)), classes=("a", "b", "c"))


def model_config(**given):
    """The section `model`, as a file of settings has it."""
    return parse({"model": given}).model


SMALL = {"feature_size": 8, "fusion_size": 8, "encoder": {"width": 8}}


def make_batch(mask, seed=0):
    generator = torch.Generator().manual_seed(seed)
    full = {name: INPUTS[name](len(mask), generator) for name in SCHEMA.names}
    return Batch(
        inputs={name: full[name][mask[:, i]] for i, name in enumerate(SCHEMA.names)},
        mask=mask,
        labels=torch.zeros(len(mask), dtype=torch.int64),
        index=torch.arange(len(mask)),
    )


def random_mask(rows, seed=0):
    return torch.rand(rows, 6, generator=torch.Generator().manual_seed(seed)) < 0.5


def test_encoders_run_on_the_rows_that_have_their_modality_and_no_others():
    model = build_model(SCHEMA, model_config(**SMALL), 0)
    seen = dict.fromkeys(SCHEMA.names, 0)
    for name, encoder in model.encoders.items():
        encoder.register_forward_hook(lambda _, args, __, name=name: seen.update({name: seen[name] + len(args[0])}))
    mask = random_mask(20)
    mask[:, 2] = False
    features = model.encode(make_batch(mask))
    assert list(seen.values()) == mask.sum(dim=0).tolist()
    assert seen["flow"] == 0
    assert (features[~mask] == 0).all()
    assert (features[mask].abs().sum(dim=-1) > 0).all()


@pytest.mark.parametrize("fusion", sorted(FUSIONS))
def test_a_row_does_not_depend_on_the_other_rows(fusion):
    model = build_model(SCHEMA, model_config(fusion=fusion, **SMALL), 0).eval()
    mask = random_mask(9)
    whole = make_batch(mask)
    with torch.inference_mode():
        together = model(whole)
        for row in range(9):
            counts = mask[:row].sum(dim=0)
            one = Batch(
                inputs={
                    name: whole.inputs[name][counts[i] : counts[i] + int(mask[row, i])]
                    for i, name in enumerate(SCHEMA.names)
                },
                mask=mask[row : row + 1],
                labels=whole.labels[:1],
                index=whole.index[:1],
            )
            assert torch.allclose(model(one)[0], together[row], atol=1e-5)
    assert not torch.allclose(together[0], together[1], atol=1e-3)


@pytest.mark.parametrize("fusion", ["concat", "sum"])
@pytest.mark.parametrize("baseline", ["zeros", "mean", "learned"])
@pytest.mark.parametrize("n", [1, 2, 4])
def test_partial_logits_are_the_logits_of_every_coalition(fusion, baseline, n):
    schema = Schema(modalities=VECTORS.modalities[:n], classes=VECTORS.classes)
    model = build_model(schema, model_config(fusion=fusion, baseline=baseline, **SMALL), 0)
    with torch.no_grad():
        model.baseline.copy_(torch.randn(n, 8))
    features = torch.randn(7, n, 8)
    deltas, base = model.partials(features)
    for mask in coalition_masks(n):
        expected = model.fuse(features, mask.expand(7, -1))
        assert torch.allclose(base + deltas[:, mask].sum(dim=1), expected, atol=1e-5)
    assert not torch.allclose(base.expand(7, -1), model.fuse(features, torch.ones(7, n, dtype=torch.bool)))


@pytest.mark.parametrize("fusion", ["gated", "film", "attention"])
def test_other_fusions_have_no_partial_logits(fusion):
    model = build_model(VECTORS, model_config(fusion=fusion, **SMALL), 0)
    assert not model.additive
    with pytest.raises(TypeError, match="is not additive"):
        model.partials(torch.zeros(1, 4, 8))


@pytest.mark.parametrize("fusion", sorted(FUSIONS))
def test_every_coalition_has_finite_logits_and_gradients_and_they_differ(fusion):
    model = build_model(VECTORS, model_config(fusion=fusion, **SMALL), 0)
    drawn = torch.randn(1, 4, 8, generator=torch.Generator().manual_seed(0))
    features = drawn.expand(16, -1, -1).clone().requires_grad_()
    masks = coalition_masks(4)
    logits = model.fuse(features, masks)
    logits.logsumexp(dim=1).sum().backward()
    assert torch.isfinite(logits).all()
    assert torch.isfinite(features.grad).all()
    assert (features.grad[~masks] == 0).all()
    assert (features.grad[masks].abs().sum(dim=-1) > 0).all()
    assert len(torch.unique(logits.detach().round(decimals=5), dim=0)) == 16


def test_what_stands_at_a_masked_place_is_replaced_by_the_baseline():
    model = build_model(VECTORS, model_config(baseline="mean", **SMALL), 0)
    model.set_baseline(torch.full((4, 8), 2.0))
    features = torch.randn(3, 4, 8)
    mask = torch.tensor([[True, False, True, False]] * 3)
    replaced = torch.where(mask[..., None], features, torch.full((), 2.0))
    everyone = torch.ones_like(mask)
    assert torch.equal(model.fuse(features, mask), model.fuse(replaced, everyone))
    assert not torch.equal(model.fuse(features, mask), model.fuse(features, everyone))


def test_weights_are_a_function_of_the_seed():
    config = model_config(**SMALL)
    state = torch.random.get_rng_state()
    one, again, other = (build_model(SCHEMA, config, seed) for seed in (1, 1, 2))
    assert fingerprint(one) == fingerprint(again) != fingerprint(other)
    assert torch.equal(state, torch.random.get_rng_state())


BACKBONES = {*PICTURES, *CLIPS, "conformer", "wav2vec2"}  # large ones, tested by themselves


def encoders_of_kinds():
    for spec in (*SCHEMA.modalities, *MORE):
        for name in sorted(ENCODERS):
            if name not in BACKBONES and spec.kind in ENCODERS.get(name).kinds:
                yield pytest.param(spec, name, id=f"{name}-{spec.kind}")


def encoder_config(name, **given):
    """An encoder with those of the settings that it has."""
    has = ENCODERS.get(name).Settings.model_fields
    return EncoderConfig(name=name, **{key: value for key, value in given.items() if key in has})


@pytest.mark.parametrize("norm", ["group", "batch"])
@pytest.mark.parametrize(("spec", "name"), list(encoders_of_kinds()))
def test_every_encoder_learns_what_its_input_shows(spec, name, norm):
    torch.manual_seed(0)
    encoder = torch.nn.Sequential(
        build_encoder(spec, encoder_config(name, width=8, norm=norm), 8), torch.nn.Linear(8, 2)
    )
    y = torch.arange(12) % 2
    x = INPUTS[spec.name](12, torch.Generator().manual_seed(1))
    x = 1 + 2 * (x // 3) + y[:, None] if spec.kind == "text" else x + y.view(-1, *[1] * (x.ndim - 1))
    if spec.kind == "embedding":
        x[..., -1] = 1.0
    optimizer = torch.optim.Adam(encoder.parameters(), 3e-4 if name == "resnet18" else 3e-3)
    losses = []
    for _ in range(10 if name == "resnet18" else 40):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(encoder(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize(
    "spec",
    [
        RgbSpec(name="x", frames=1, height=8, width=8),
        FlowSpec(name="x", frames=1, height=13, width=15),
        SequenceSpec(name="x", channels=1, length=3),
        AudioSpec(name="x", seconds=0.02, n_mels=4),
        ImageSpec(name="x", height=9, width=8),
        EmbeddingSpec(name="x", tokens=1, size=1),
    ],
    ids=lambda spec: spec.kind,
)
def test_odd_sizes_are_encoded(spec):
    schema = Schema(modalities=(spec,), classes=("a", "b"))
    model = build_model(schema, model_config(**SMALL), 0)
    assert model.encoders["x"](torch.randn(2, *spec.input_shape)).shape == (2, 8)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"fusion": "concta"}, "no fusion 'concta'; did you mean 'concat'"),
        ({"encoders": {"adio": {}}}, "no modality 'adio'; did you mean 'audio'"),
        ({"encoders": {"rgb": {"name": "resnet"}}}, "no encoder 'resnet'; did you mean 'resnet50'"),
        ({"encoders": {"rgb": {"name": "mlp"}}}, "'mlp' reads vector; 'rgb' is rgb"),
        ({"encoders": {"rgb": {"weights": "w.pt"}}}, "'cnn' has no such setting"),
        ({"fusion": "attention", "fusion_size": 10}, "attention has 4 heads, so use a multiple of 4"),
    ],
)
def test_mistakes_in_the_configuration_are_explained(config, words):
    with pytest.raises(ConfigError, match=words):
        build_model(SCHEMA, model_config(**{**SMALL, **config}), 0)


def test_what_a_rule_of_an_encoders_own_says_is_said_as_it_is(monkeypatch):
    class Strict(Settings):
        step: int = 2

        @field_validator("step")
        @classmethod
        def _even(cls, step):
            if step % 2:
                raise ValueError(f"{step} is odd; give an even number")
            return step

    copy_registries(monkeypatch)
    register_encoder("strict", settings=Strict)(lambda spec, chosen, size: torch.nn.Linear(spec.size, size))
    with pytest.raises(ConfigError) as caught:
        build_encoder(VECTORS.modalities[0], SimpleNamespace(name="strict", raw={"step": 3, "stop": 1}), 8)
    assert str(caught.value) == (
        "model.encoders.m0: 2 problems\n  - step: 3 is odd; give an even number"
        "\n  - stop: 'strict' has no such setting; did you mean 'step'?"
    )


BATCH = resnet18(weights=None).state_dict()
GROUP = {name: value for name, value in BATCH.items() if "running" not in name and "num_batches" not in name}
WRONG_KEYS = (
    r"model\.encoders\.rgb\.weights: .*w\.pt does not hold the weights of a ResNet-18: 60 keys are missing "
    r"\(conv1\.weight, bn1\.weight, bn1\.bias, \.\.\.\); 2 keys are not known \(a, b\)$"
)


def test_weights_come_from_a_file_and_fit_another_number_of_channels(tmp_path):
    torch.manual_seed(0)
    source = resnet18(weights=None)
    torch.save(source.state_dict(), tmp_path / "w.pt")
    config = {"name": "resnet18", "norm": "batch", "weights": str(tmp_path / "w.pt")}
    model = build_model(SCHEMA, model_config(encoders={"flow": config}, **SMALL), 0)
    filters = model.encoders["flow"].body.conv1.weight
    assert filters.shape[1] == 2
    gray = torch.ones(1, 1, 16, 16)
    wide = torch.nn.functional.conv2d(gray.expand(1, 3, -1, -1), source.conv1.weight)
    assert torch.allclose(torch.nn.functional.conv2d(gray.expand(1, 2, -1, -1), filters), wide, atol=1e-5)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, r"w\.pt: no such file of weights"),
        (b"rubbish", r"w\.pt: holds no weights that can be read; give a state dict of tensors alone"),
        ([torch.zeros(1)], r"holds no weights that can be read; .* \(it holds a list\)"),
        ({"epoch": 3, "model": {}}, r"holds no weights that can be read; .* \(it holds a dict\)"),
        (torch.nn.Linear(1, 1), r"holds no weights .* \(UnpicklingError: Weights only load failed\)$"),
        ({"a": torch.zeros(1), "b": torch.zeros(1)}, WRONG_KEYS),
        ({**GROUP, "conv1.weight": torch.zeros(8, 2, 7, 7)}, r"1 keys are of another shape \(conv1\.weight\)$"),
        (BATCH, r"trained with batch normalisation, .* needs model\.encoders\.rgb\.norm=batch"),
    ],
)
def test_weights_that_cannot_be_used_are_named(tmp_path, content, words):
    path = tmp_path / "w.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    config = {"name": "resnet18", "weights": str(path)}
    with pytest.raises(ConfigError, match=words) as caught:
        build_model(SCHEMA, model_config(encoders={"rgb": config}, **SMALL), 0)
    assert len(str(caught.value)) < len(str(path)) + 330
    assert "\n" not in str(caught.value)


def test_weights_without_running_statistics_need_group_normalisation(tmp_path):
    torch.save(GROUP, tmp_path / "w.pt")
    config = {"name": "resnet18", "weights": str(tmp_path / "w.pt")}
    build_model(SCHEMA, model_config(encoders={"rgb": config}, **SMALL), 0)
    with pytest.raises(ConfigError, match=r"group normalisation; it needs model\.encoders\.rgb\.norm=group"):
        build_model(SCHEMA, model_config(encoders={"rgb": {**config, "norm": "batch"}}, **SMALL), 0)


def test_a_text_without_tokens_is_a_constant():
    model = build_model(SCHEMA, model_config(**SMALL), 0)
    empty = torch.zeros(2, 6, dtype=torch.int64)
    encoded = model.encoders["text"](empty)
    assert torch.isfinite(encoded).all()
    assert torch.equal(encoded[0], encoded[1])
    assert np.isfinite(encoded.detach().numpy()).all()


def test_a_shared_setting_that_no_encoder_has_is_left_out_and_named_and_weights_are_refused(caplog):
    config = model_config(encoder={"norm": "batch"})
    build_model(VECTORS, config, 0)
    assert not caplog.text
    (said,) = unread_settings(config.encoder, VECTORS.modalities)
    assert said.startswith("model.encoder.norm: no encoder of m0, m1, m2, m3 has it; ")
    assert unread_settings(config.encoder, []) == unread_settings(model_config().encoder, VECTORS.modalities) == []
    with pytest.raises(ConfigError, match=r"model\.encoder: weights: no encoder of .* has it; .*resnet18.* would"):
        build_model(VECTORS, model_config(encoder={"weights": "w.pt"}), 0)


@pytest.mark.parametrize(("content", "words"), [(b"", "may not be read by this user"), (None, "is missing")])
def test_weights_that_safetensors_calls_gone_are_named(tmp_path, content, words):
    if content is not None:
        (tmp_path / "model.safetensors").write_bytes(content)
    with (
        pytest.raises(CheckpointError, match=rf"no model there \(model\.safetensors {words}\)$"),
        _readable(tmp_path),
    ):
        raise FileNotFoundError("No such file or directory")  # without errno and filename, as safetensors does


@pytest.mark.parametrize("rows", [1, 3])
def test_a_batch_with_other_rows_than_its_mask_is_refused(rows):
    mask = torch.tensor([[True, True], [False, True], [True, False]])
    inputs = {"a": torch.zeros(2, 4), "b": torch.zeros(rows, 4)}
    with pytest.raises(DataError, match=rf"a batch has {rows} rows of 'b'; by its mask they are 2"):
        Batch(inputs, mask, labels=torch.zeros(3, dtype=torch.int64), index=torch.arange(3))
