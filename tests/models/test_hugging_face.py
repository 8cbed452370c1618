"""Networks that Transformers saved in a folder: text, pictures, clips and waveforms, of their own config classes."""

import json
import sys

import numpy as np
import pytest
import torch

from raymm.config import EncoderConfig, ViewConfig, parse
from raymm.data import RgbSpec, Sample, Schema, TextSpec, WaveformSpec, open_dataset, write_dataset
from raymm.data.manifest import Manifest
from raymm.data.schema import SPLITS
from raymm.data.schema_inference import build_schema
from raymm.errors import CheckpointError, ConfigError, DataError
from raymm.models.encoders import build_encoder
from raymm.models.export import load_model
from raymm.storage import layout
from raymm.training.run import create_or_open
from tests.models.backbones import check_checkpointed, encoder_of, refuse_network, whole_and_resumed
from tests.models.pictures import clips_of

transformers = pytest.importorskip("transformers", reason="the extra transformers is not installed")
tokenizers = pytest.importorskip("tokenizers", reason="the extra transformers is not installed")

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
PATCHES = {"image_size": 32, "patch_size": 8}
CONFIGS = {
    "bert": ("BertConfig", {**SMALL, "vocab_size": 33, "max_position_embeddings": 20}),
    "vit": ("ViTConfig", {**SMALL, **PATCHES}),
    "convnext": ("ConvNextConfig", {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2}),
    "videomae": ("VideoMAEConfig", {**SMALL, **PATCHES, "num_frames": 4}),
    "wav2vec2": (
        "Wav2Vec2Config",
        {**SMALL, "conv_dim": (8,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2},
    ),
    "clip": (
        "CLIPConfig",
        {
            "text_config": {**SMALL, "vocab_size": 14, "bos_token_id": 1, "eos_token_id": 2},
            "vision_config": {**SMALL, **PATCHES},
        },
    ),
    "t5": ("T5Config", {"d_model": 16, "d_kv": 8, "num_layers": 1, "num_heads": 2, "d_ff": 16, "vocab_size": 14}),
}
WORDS = ["[UNK]", "[CLS]", "[SEP]", "the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "and"]
WORDS += [f"sleeps{n}" for n in range(20)]
RGB = RgbSpec(name="rgb", frames=4, height=32, width=32)
WAVE = WaveformSpec(name="wave", seconds=0.1)
MEAN, STD = [0.5, 0.4, 0.3], [0.2, 0.25, 0.3]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Folders of small networks with random weights, and the networks themselves."""
    root, made = tmp_path_factory.mktemp("hf"), {}
    for name, (config, settings) in CONFIGS.items():
        torch.manual_seed(len(name))
        network = transformers.AutoModel.from_config(getattr(transformers, config)(**settings))
        network.save_pretrained(root / name)
        made[name] = (str(root / name), network.eval())
    colours = {
        "do_normalize": True,
        "image_mean": MEAN,
        "image_std": STD,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
    }
    (root / "vit" / "preprocessor_config.json").write_text(json.dumps(colours))
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(root / "wav2vec2")
    words = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]")
    )
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    words.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    words.save(str(root / "bert" / "tokenizer.json"))
    return made


def text_spec(folder, **given):
    manifest = Manifest(records=(), classes=("a", "b"))
    settings = [f"t.tokenizer={folder}", *(f"t.{key}={value}" for key, value in given.items())]
    return build_schema({"t": "text"}, manifest, None, settings)["t"]


def test_a_text_becomes_the_ids_of_the_folders_tokenizer(saved):
    folder, _ = saved["bert"]
    spec = text_spec(folder, max_tokens=6)
    assert (spec.buckets, spec.input_shape) == (len(WORDS) + 1, (6,))
    ids = spec.to_tensor(["the fox", "the quick brown fox jumps over", ""], None)
    own = transformers.PreTrainedTokenizerFast(tokenizer_file=f"{folder}/tokenizer.json", pad_token="[UNK]")
    wanted = own(
        ["the fox", "the quick brown fox jumps over", ""], padding="max_length", truncation=True, max_length=6
    )
    real = torch.tensor(wanted["attention_mask"])
    assert torch.equal(ids, (torch.tensor(wanted["input_ids"]) + 1) * real)
    assert spec.length_of("the fox") == (2, False)
    assert spec.length_of("the quick brown fox jumps") == (5, True)
    again = type(spec).model_validate(spec.model_dump(mode="json"))
    assert again == spec


def test_features_of_texts_are_means_over_the_tokens_of_the_network(saved):
    folder, network = saved["bert"]
    spec = text_spec(folder, max_tokens=8)
    encoder = encoder_of(f"hf:{folder}", spec).eval()
    texts = ["the quick brown fox", "a dog", "jumps over and over a lazy dog jumps", ""]
    x = spec.to_tensor(texts, None)
    own = transformers.PreTrainedTokenizerFast(tokenizer_file=f"{folder}/tokenizer.json", pad_token="[UNK]")
    with torch.inference_mode():
        made = encoder(x)
        for row, text in enumerate(texts):
            given = own([text], truncation=True, max_length=8, return_tensors="pt")
            states = network(input_ids=given["input_ids"], attention_mask=given["attention_mask"]).last_hidden_state
            assert torch.allclose(made[row], encoder.head(states.mean(dim=1))[0], atol=1e-5)
        assert encoder(torch.zeros(1, 8, dtype=torch.int64)).isfinite().all()


@pytest.mark.parametrize("name", ["vit", "convnext", "clip"])
def test_features_of_pictures_are_means_over_places(saved, name):
    folder, network = saved[name]
    network = network.vision_model if name == "clip" else network
    normalise = "weights" if name == "vit" else "data"
    encoder = encoder_of(f"hf:{folder}", RGB, normalise=normalise).eval()
    statistics = {"mean": [120.0, 70.0, 30.0], "std": [60.0, 40.0, 20.0]}
    encoder.set_statistics(statistics)
    stored = clips_of(RGB, 2)
    x = RGB.transform(RGB.to_tensor(stored, statistics), None, ViewConfig())
    pictures = x
    if name == "vit":
        processor = transformers.ViTImageProcessor(image_mean=MEAN, image_std=STD, do_resize=False)
        pictures = processor(list(stored.reshape(8, 3, 32, 32)), return_tensors="pt")["pixel_values"].view(
            2, 4, 3, 32, 32
        )
        assert torch.allclose(encoder.prepared(x), pictures.flatten(0, 1), atol=1e-5)
    with torch.inference_mode():
        states = network(pixel_values=pictures.flatten(0, 1)).last_hidden_state
        each = states.mean(dim=1) if states.ndim == 3 else states.mean(dim=(2, 3))
        wanted = encoder.head(each.view(2, 4, -1).mean(dim=1))
        assert torch.allclose(encoder(x), wanted, atol=1e-5)
        assert torch.allclose(encoder(x[:1]), wanted[:1], atol=1e-5)


def test_a_network_for_clips_reads_them_whole(saved):
    folder, network = saved["videomae"]
    encoder = encoder_of(f"hf:{folder}", RGB, normalise="data").eval()
    x = torch.randn(2, *RGB.input_shape)
    with torch.inference_mode():
        assert torch.allclose(encoder(x), encoder.head(network(x).last_hidden_state.mean(dim=1)), atol=1e-5)


@pytest.mark.parametrize("train_mode", [False, True])
def test_a_network_for_waveforms_reads_them_as_its_folder_says(saved, train_mode):
    folder, network = saved["wav2vec2"]
    encoder = encoder_of(f"hf:{folder}", WAVE).train(train_mode)
    waves = 0.1 * np.random.default_rng(0).normal(size=(2, 1600)).astype(np.float32) + 1
    own = transformers.Wav2Vec2FeatureExtractor.from_pretrained(folder)
    wanted = own(list(waves), sampling_rate=16_000, return_tensors="pt")["input_values"]
    x = torch.from_numpy(waves)[:, None]
    assert torch.allclose(encoder.prepared(x), wanted, atol=1e-4)
    drawn = np.random.get_state()[1].copy()  # noqa: NPY002  (the generator that masks in time are drawn by)
    made = encoder(x)
    assert (np.random.get_state()[1] == drawn).all()  # noqa: NPY002
    if not train_mode:
        with torch.inference_mode():
            assert torch.allclose(made, encoder.head(network(wanted).last_hidden_state.mean(dim=1)), atol=1e-5)


@pytest.mark.parametrize(("name", "spec"), [("vit", RGB), ("wav2vec2", WAVE)])
def test_checkpointed_layers_give_the_same_bits(saved, name, spec):
    check_checkpointed(f"hf:{saved[name][0]}", spec, normalise="data")


def test_a_frozen_network_is_not_trained(saved):
    encoder = encoder_of(f"hf:{saved['vit'][0]}", RGB, normalise="data", frozen=True).train()
    encoder(torch.randn(2, *RGB.input_shape)).sum().backward()
    assert {name for name, one in encoder.named_parameters() if one.grad is not None} == {
        "head.1.weight",
        "head.1.bias",
    }
    assert not any(module.training for module in encoder.body.modules())


@pytest.mark.parametrize(
    ("name", "spec", "settings", "words"),
    [
        ("bert", RGB, {}, r"'bert' reads input_ids; an encoder of 'rgb' must read pixel_values"),
        ("vit", WAVE, {}, r"'vit' reads pixel_values; an encoder of 'wave' must read input_values"),
        ("bert", TextSpec(name="t"), {}, r"'t' has those of raymm; prepare with --set t\.tokenizer=.*bert$"),
        ("t5", TextSpec(name="t"), {}, r"'t5' is made of several networks; name the folder of an encoder alone"),
        (
            "vit",
            RgbSpec(name="rgb", frames=2, height=16, width=16),
            {},
            r"\(16\*16\).*; model\.encoders\.rgb\.resize=32",
        ),
        ("convnext", RGB, {}, r"no preprocessor_config\.json with mean .*give model\.encoders\.rgb\.normalise=data"),
        (
            "videomae",
            RgbSpec(name="rgb", frames=2, height=32, width=32),
            {"normalise": "data"},
            r"it cannot read rows of \[2, 3, 32, 32\] .*its config\.json has what it reads; prepare 'rgb' so",
        ),
    ],
)
def test_a_folder_that_does_not_fit_the_modality_is_refused(saved, name, spec, settings, words):
    with pytest.raises(ConfigError, match=rf"model\.encoders\.\w+\.name=hf:.*{name}: .*{words}"):
        encoder_of(f"hf:{saved[name][0]}", spec, **settings)


def test_texts_that_are_too_long_for_the_network_are_refused(saved):
    folder, _ = saved["bert"]
    with pytest.raises(
        ConfigError, match=r"it reads 20 tokens, and 't' has 64; prepare with --set t\.max_tokens=20$"
    ):
        encoder_of(f"hf:{folder}", text_spec(folder))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: (folder / "config.json").unlink(), r"there is no config\.json in .* nothing is downloaded"),
        (
            lambda folder: (folder / "config.json").write_text("{"),
            r"config\.json cannot be read \(Expecting property",
        ),
        (
            lambda folder: (folder / "model.safetensors").unlink(),
            r"holds no weights \(\*\.safetensors\); save them there",
        ),
        (
            lambda folder: (folder / "model.safetensors").write_bytes(b"no"),
            r"its weights cannot be read \(Safetensor",
        ),
        (
            lambda folder: change_config(folder, num_hidden_layers=3),
            r"16 weights of its architecture are not in the fol",
        ),
        (lambda folder: change_config(folder, model_type="mine"), r"'mine' is no network of Transformers itself"),
        (lambda folder: change_config(folder, auto_map={"AutoModel": "x.Y"}), r"code of a folder is never run"),
    ],
)
def test_a_folder_that_cannot_be_read_is_said(saved, tmp_path, change, words):
    folder = copied(saved, "vit", tmp_path)
    change(folder)
    with pytest.raises((ConfigError, ValueError), match=words):
        encoder_of(f"hf:{folder}", RGB)


def test_pictures_that_are_rescaled_in_another_way_are_refused(saved, tmp_path):
    folder = copied(saved, "vit", tmp_path)
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": MEAN, "rescale_factor": 1 / 127.5}))
    with pytest.raises(ValueError, match="its pictures are not rescaled to numbers from 0 to 1"):
        EncoderConfig(name=f"hf:{folder}")


def test_a_tokenizer_that_is_not_there_or_was_changed_is_said(saved, tmp_path):
    with pytest.raises(ConfigError, match=r"t\.tokenizer: there is no tokenizer\.json in .*nowhere; name the folder"):
        text_spec(tmp_path / "nowhere")
    folder = copied(saved, "bert", tmp_path)
    with pytest.raises(ConfigError, match=r"t\.buckets: the tokenizer has 34 ids; leave buckets out"):
        text_spec(folder, buckets=99)
    spec = text_spec(folder)
    (folder / "tokenizer.json").write_text((folder / "tokenizer.json").read_text() + " ")
    with pytest.raises(DataError, match=r"tokenizer\.json: changed since the data set was prepared"):
        spec.to_tensor(["a fox"], None)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ConfigError, match=r"there is no tokenizer\.json; nothing is downloaded"):
        spec.to_tensor(["a fox"], None)


def copied(saved, name, tmp_path):
    folder = tmp_path / name
    folder.mkdir()
    for file in type(folder)(saved[name][0]).iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def change_config(folder, **given):
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **given}))


def test_the_extra_is_named_where_it_is_missing(saved, tmp_path, monkeypatch):
    config = EncoderConfig(name=f"hf:{saved['vit'][0]}")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match=r"transformers cannot be imported .*pip install 'raymm\[transformers\]'$"):
        build_encoder(RGB, config, 8)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ConfigError, match=r"tokenizers cannot be imported .*pip install 'raymm\[transformers\]'$"):
        text_spec(copied(saved, "bert", tmp_path))


def test_nothing_is_asked_of_the_network(saved, monkeypatch):
    refuse_network(monkeypatch)
    encoder_of(f"hf:{saved['vit'][0]}", RGB)
    with pytest.raises(ValueError, match=r"there is no config\.json in bert-base-uncased"):
        EncoderConfig(name="hf:bert-base-uncased")


def test_a_text_encoder_is_fine_tuned_resumed_and_read_back_without_its_folder(saved, tmp_path):
    folder = copied(saved, "bert", tmp_path)
    schema = Schema(modalities=[text_spec(folder, max_tokens=6)], classes=["a", "b"])
    texts = ["the quick fox", "a lazy dog"]
    samples = [Sample(f"s{n}", SPLITS[n % 3], n // 3 % 2, {"t": texts[n // 3 % 2]}) for n in range(12)]
    dataset = open_dataset(write_dataset(tmp_path / "data", samples, schema))
    config = parse(
        {
            "model": {"feature_size": 8, "encoders": {"t": f"hf:{folder}"}},
            "training": {"epochs": 2, "batch_size": 4},
            "method": "joint",
        }
    )
    whole, run = whole_and_resumed(tmp_path, config, dataset)
    states = [load_model(layout.result_folder(one.path) / layout.MODEL).model.state_dict() for one in (whole, run)]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    start = encoder_of(f"hf:{folder}", schema["t"]).body.state_dict()
    name = "encoder.layer.0.attention.self.query.weight"
    assert not torch.equal(states[0][f"encoders.t.body.{name}"], start[name])
    recorded = json.loads((run.path / layout.RUN).read_text())["config"]["model"]["encoders"]["t"]
    assert len(recorded["sha256"]) == 64
    file = folder / "model.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ConfigError, match="the folder was changed since its SHA-256 was recorded"):
        build_encoder(schema["t"], config.model.encoders["t"], 8)
    now = config.model_dump() | {"model": {"feature_size": 8, "encoders": {"t": f"hf:{folder}"}}}
    changed = r"t\.sha256: \w{64} then, \w{64} now \(files of its folder were changed since the run began; bring back"
    with pytest.raises(CheckpointError, match=changed):
        create_or_open(run.path, parse(now), dataset)
    for one in folder.iterdir():
        if one.name != "tokenizer.json":
            one.unlink()
    again = load_model(layout.result_folder(run.path) / layout.MODEL).model
    assert all(torch.equal(value, states[0][name]) for name, value in again.state_dict().items())
