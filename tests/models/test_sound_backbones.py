"""Networks of torchaudio as encoders, over waveforms and log-mels, and the kind of sound that gives waveforms."""

import inspect

import numpy as np
import pytest
import torch
from torchaudio import models, pipelines

import raymm
from raymm.config import ViewConfig
from raymm.data import AudioSpec, BatchReader, Sample, Schema, WaveformSpec, open_dataset, write_dataset
from raymm.data.schema import SPLITS
from raymm.errors import ConfigError
from raymm.models.encoders import wav2vec2
from raymm.models.encoders.surgery import has_batch_norm
from raymm.models.encoders.wav2vec2 import SCALED, WaveformNetworkSettings
from tests.data.clips import collection, manifest
from tests.models.backbones import check_rows_and_gradients, encoder_of

SPEECH = WaveformSpec(name="speech", seconds=0.1)
MELS = AudioSpec(name="audio", seconds=0.3, n_mels=16)
CONFORMER = {"width": 16, "layers": 2, "heads": 2, "kernel": 7}


def test_a_waveform_is_given_as_it_was_stored(tmp_path):
    schema = Schema(modalities=[SPEECH], classes=["a", "b"])
    stored = np.random.default_rng(0).uniform(-1, 1, (6, 1600)).astype(np.float32)
    samples = [Sample(f"s{n}", SPLITS[n % 3], n // 3, {"speech": stored[n]}) for n in range(6)]
    reader = BatchReader(open_dataset(write_dataset(tmp_path / "data", samples, schema)), ViewConfig(shift=0.25))
    batch = reader.batch(np.arange(6)).inputs["speech"]
    assert np.array_equal(batch.numpy(), stored[:, None])
    moved = reader.batch(np.arange(6), keys=reader.augmentation_keys(0, np.arange(6))).inputs["speech"]
    assert moved.shape == batch.shape
    assert not torch.equal(moved, batch)


def test_the_same_files_are_prepared_as_waveforms_and_for_log_mels(tmp_path):
    rows = collection(tmp_path / "media")
    listing = manifest(tmp_path, rows)
    folders = [tmp_path / kind for kind in ("waveform", "audio")]
    made = [
        raymm.prepare(
            listing,
            tmp_path / "media",
            {"speech": folder.name},
            out=folder,
            settings=["speech.seconds=0.2"],
            progress=None,
        )
        for folder in folders
    ]
    waves, sounds = (open_dataset(folder) for folder in folders)
    assert len(made) == 2
    assert waves.schema["speech"] == WaveformSpec(name="speech", seconds=0.2)
    every = np.arange(len(rows))
    assert np.array_equal(waves.shards.read("speech", every), sounds.shards.read("speech", every))
    assert BatchReader(waves, ViewConfig()).batch(every).inputs["speech"].shape == (6, 1, 3200)


@pytest.mark.parametrize(
    ("name", "spec", "settings"), [("wav2vec2", SPEECH, {"layers": 1}), ("conformer", MELS, CONFORMER)]
)
def test_a_row_is_encoded_by_itself_and_everything_is_trained(name, spec, settings):
    encoder = encoder_of(name, spec, **settings)
    assert not has_batch_norm(encoder)
    check_rows_and_gradients(encoder, spec)


@pytest.mark.parametrize("old_names", [False, True])
def test_weights_of_a_bundle_give_the_features_of_torchaudio(tmp_path, old_names):
    torch.manual_seed(3)
    net = models.wav2vec2_model(**{**pipelines.WAV2VEC2_ASR_BASE_960H._params, "encoder_num_layers": 2})
    state = {**net.state_dict(), "aux.weight": torch.zeros(29, 768), "aux.bias": torch.zeros(29)}
    if old_names:
        new = ("parametrizations.weight.original0", "weight_g"), ("parametrizations.weight.original1", "weight_v")
        for today, then in new:
            state = {name.replace(today, then): value for name, value in state.items()}
    torch.save(state, tmp_path / "w.pt")
    encoder = encoder_of("wav2vec2", SPEECH, layers=2, weights=str(tmp_path / "w.pt")).eval()
    x = torch.randn(2, *SPEECH.input_shape)
    net.eval().aux = None
    with torch.inference_mode():
        assert torch.equal(encoder(x), encoder.head(net(x[:, 0])[0].mean(dim=1)))


def test_waveforms_are_standardised_where_the_bundles_say_so(monkeypatch):
    bundles = {
        "wav2vec2_base": pipelines.WAV2VEC2_BASE,
        "wav2vec2_large": pipelines.WAV2VEC2_LARGE,
        "wav2vec2_large_lv60k": pipelines.WAV2VEC2_LARGE_LV60K,
        "hubert_base": pipelines.HUBERT_BASE,
        "hubert_large": pipelines.HUBERT_LARGE,
        "wavlm_base": pipelines.WAVLM_BASE,
        "wavlm_large": pipelines.WAVLM_LARGE,
    }
    assert set(bundles) == set(inspect.get_annotations(WaveformNetworkSettings)["architecture"].__args__)
    assert {name for name, bundle in bundles.items() if bundle._normalize_waveform} == set(SCALED)
    assert all(bundle.sample_rate == 16_000 for bundle in bundles.values())
    x = 0.1 * torch.randn(2, *SPEECH.input_shape) + 3
    assert torch.equal(encoder_of("wav2vec2", SPEECH, layers=1).prepared(x), x[:, 0])
    monkeypatch.setattr(wav2vec2, "SCALED", ("wav2vec2_base",))  # as the large ones are, which take long to make
    wanted = (x - x.mean(dim=2, keepdim=True)) / x.std(dim=2, keepdim=True, correction=0)
    assert torch.allclose(encoder_of("wav2vec2", SPEECH, layers=1).prepared(x), wanted[:, 0], atol=1e-2)


@pytest.mark.parametrize(
    ("spec", "settings", "words"),
    [
        (
            WaveformSpec(name="speech", rate=8_000),
            {"weights": "w.pt"},
            r"was trained on 16000 samples a second, and 'speech' has 8000; prepare with --set speech\.rate=16000$",
        ),
        (WaveformSpec(name="speech", seconds=0.01), {}, r"wav2vec2_base cannot read 160 samples .*--set speech\.sec"),
        (AudioSpec(name="speech"), {}, r"'wav2vec2' reads waveform; 'speech' is audio"),
    ],
)
def test_what_a_network_for_waveforms_cannot_read_is_said(spec, settings, words):
    with pytest.raises(ConfigError, match=words):
        encoder_of("wav2vec2", spec, layers=1, **settings)


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"heads": 3}, r"heads=3 is no divisor of width=16"), ({"kernel": 8}, r"kernel=8 is even; give an odd number")],
)
def test_numbers_of_a_conformer_that_do_not_fit_are_said(settings, words):
    with pytest.raises(ValueError, match=words):
        encoder_of("conformer", MELS, **{**CONFORMER, **settings})


@pytest.mark.parametrize(
    ("name", "spec", "settings"), [("wav2vec2", SPEECH, {"layers": 2}), ("conformer", MELS, CONFORMER)]
)
def test_checkpointed_layers_give_the_same_bits(name, spec, settings):
    x = torch.randn(2, *spec.input_shape, generator=torch.Generator().manual_seed(1))

    def gradients(**more):
        encoder = encoder_of(name, spec, dropout=0.1, **settings, **more).train()
        torch.manual_seed(2)
        made = encoder(x)
        made.square().sum().backward()
        return [made, *[one.grad for one in encoder.parameters()]]

    kept, again = gradients(), gradients(checkpoint_activations=True)
    assert all(torch.equal(one, other) for one, other in zip(kept, again, strict=True))
