"""Weights from files: below prefixes, inside checkpoints, of other networks, and where the file is gone later."""

import json
import os

import pytest
import torch
from safetensors.torch import load_file, save_file
from torchvision.models import get_model

from raymm.config import parse
from raymm.errors import ConfigError
from raymm.models.encoders.weights import Fit, load_weights, weights_come_later
from raymm.models.export import export_model, load_model
from raymm.models.model import build_model
from raymm.storage import layout, sha256_of
from raymm.storage.layout import epoch_folder
from raymm.training import weights_files
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from tests.models.backbones import encoder_of, whole_and_resumed
from tests.models.pictures import dataset_of

torch.manual_seed(3)
NAME = "shufflenet_v2_x0_5"  # small, and with batch normalisation
STATE = get_model(NAME, weights=None).state_dict()
GROUP = {name: value for name, value in STATE.items() if "running" not in name and "num_batches" not in name}


def below(prefix, state=STATE):
    return {f"{prefix}{name}": value for name, value in state.items()}


FORMS = {
    "plain": STATE,
    "parallel": below("module."),
    "twice": below("module.backbone."),
    "checkpoint": {"epoch": 3, "state_dict": below("module."), "optimizer": {"lr": [0.1]}},
    "model": {"model": STATE, "args": "some"},
    "without classifier": {name: value for name, value in STATE.items() if not name.startswith("fc.")},
    "with a head elsewhere": {**below("encoder."), "projector.weight": torch.zeros(3, 3)},
    "a model of raymm": {
        **below("encoders.rgb.body."),
        **below("encoders.flow.body.", {name: value * 0 for name, value in STATE.items()}),
        "fusion.head.weight": torch.zeros(1),
    },
}


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
@pytest.mark.parametrize("form", FORMS)
def test_weights_are_found_wherever_they_stand(tmp_path, form, suffix):
    path, content = tmp_path / f"w.{suffix}", FORMS[form]
    if suffix == "pt":
        torch.save(content, path)
    elif all(isinstance(value, torch.Tensor) for value in content.values()):
        save_file(content, path)
    else:
        pytest.skip("safetensors holds tensors only")
    body = encoder_of(f"torchvision:{NAME}", norm="batch", weights=str(path), normalise="data").body
    for name, value in body.state_dict().items():
        assert torch.equal(value, STATE[name])


@pytest.mark.parametrize(
    ("content", "settings", "words"),
    [
        (
            get_model("resnet18", weights=None).state_dict(),
            {"norm": "batch", "name": "resnet34"},
            r"does not hold the weights of torchvision's resnet34: 96 keys are missing \(layer1\.2\.conv1\.weight, ",
        ),
        (
            {**below("a."), **below("b.")},
            {"norm": "batch"},
            r"holds 2 sets of the weights .*, below a, b; write the one",
        ),
        (STATE, {}, r"w\.pt was trained with batch normalisation, .* needs model\.encoders\.rgb\.norm=batch"),
        (
            below("module."),
            {},
            r"w\.pt was trained with batch normalisation, .* needs model\.encoders\.rgb\.norm=batch",
        ),
        (
            GROUP,
            {"norm": "batch"},
            r"was trained with group normalisation; it needs model\.encoders\.rgb\.norm=group",
        ),
        ({"model": "mine"}, {}, r"holds no weights that can be read; .* \(it holds a dict\)$"),
        ({}, {}, r"holds no weights that can be read; .* \(it holds a dict\)$"),
    ],
)
def test_a_file_that_does_not_fit_is_said_in_short(tmp_path, content, settings, words):
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(ConfigError, match=words) as caught:
        encoder_of(settings.pop("name", f"torchvision:{NAME}"), weights=str(tmp_path / "w.pt"), **settings)
    assert len(str(caught.value)) < len(str(tmp_path)) + 330
    assert "\n" not in str(caught.value)


def test_a_run_records_the_hash_of_its_file_and_says_when_it_has_changed(tmp_path, file, caplog):
    data = dataset_of(tmp_path / "d")
    run = create_or_open(tmp_path / "r", config_with(file), data, check=False)
    recorded = json.loads((run.path / layout.RUN).read_text())["weights"]
    assert recorded == {str(file): sha256_of(file)}
    create_or_open(run.path, config_with(file), data)
    assert "was changed" not in caplog.text
    file.write_bytes(file.read_bytes() + b"0")
    create_or_open(run.path, config_with(file), data)
    assert f"the file of weights {file} was changed since the run began" in caplog.text
    assert json.loads((run.path / layout.RUN).read_text())["weights"] == recorded
    caplog.clear()
    file.unlink()
    create_or_open(run.path, config_with(file), data)
    assert "was changed" not in caplog.text


def test_a_file_is_hashed_again_only_where_it_may_be_another(tmp_path, file, caplog, monkeypatch):
    """Of the same size, and with the time of the last write put back: the time of its inode tells."""
    data, hashed = dataset_of(tmp_path / "d"), []
    monkeypatch.setattr(weights_files, "sha256_of", lambda path: hashed.append(path) or sha256_of(path))
    run = create_or_open(tmp_path / "r", config_with(file), data, check=False)
    about = run.path / layout.RUN
    create_or_open(run.path, config_with(file), data)
    assert len(hashed) == 2  # the file was written a moment ago: another write might have had the same time
    monkeypatch.setattr(weights_files, "SETTLED_NS", 0)
    for times in (3, 3, 3):
        create_or_open(run.path, config_with(file), data)
        assert len(hashed) == times
    before = file.stat()
    copied = file.read_bytes()
    file.unlink()
    file.write_bytes(copied)  # the same file from a copy: hashed once, and then known
    for times in (4, 4):
        create_or_open(run.path, config_with(file), data)
        assert len(hashed) == times
    assert "was changed" not in caplog.text
    with file.open("r+b") as opened:
        opened.write(bytes([copied[0] ^ 1]))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    for times in (5, 6):
        caplog.clear()
        create_or_open(run.path, config_with(file), data)
        assert len(hashed) == times
        assert "was changed since the run began" in caplog.text
    assert "weights_looks" not in json.loads(about.read_text())
    old = {key: value for key, value in json.loads(about.read_text()).items() if key != "weights_looks"}
    file.write_bytes(copied)
    about.write_text(json.dumps(old))  # as runs were recorded before there were looks
    caplog.clear()
    create_or_open(run.path, config_with(file), data)
    assert json.loads(about.read_text())["weights"] == old["weights"]
    assert not caplog.text


@pytest.mark.parametrize(("channels", "file"), [(1, 3), (2, 3), (3, 1), (3, 3)])
def test_equal_channels_have_the_response_of_the_file(tmp_path, channels, file):
    torch.manual_seed(0)
    one, other = torch.nn.Conv3d(file, 4, 3), torch.nn.Conv3d(channels, 4, 3)
    torch.save(one.state_dict(), tmp_path / "w.pt")
    load_weights(other, tmp_path / "w.pt", Fit("model.encoders.rgb", "a convolution", first="weight"))
    gray = torch.randn(2, 1, 5, 5, 5)
    assert torch.allclose(
        other(gray.expand(-1, channels, -1, -1, -1)), one(gray.expand(-1, file, -1, -1, -1)), atol=1e-5
    )


def config_with(path, **settings):
    encoder = {
        "name": f"torchvision:{NAME}",
        "norm": "batch",
        "weights": str(path),
        "normalise": "weights",
        **settings,
    }
    return parse(
        {
            "model": {"feature_size": 8, "encoders": {"rgb": encoder}},
            "training": {"epochs": 2, "batch_size": 4},
            "optimizer": {"weight_decay": 0.5, "lr": 0.01},
            "method": "joint",
        }
    )


@pytest.fixture
def file(tmp_path):
    torch.manual_seed(5)
    torch.save(get_model(NAME, weights=None).state_dict(), tmp_path / "w.pt")
    return tmp_path / "w.pt"


def test_a_frozen_network_is_trained_committed_and_read_back_without_its_file(tmp_path, file):
    dataset, config = dataset_of(tmp_path / "data"), config_with(file, frozen=True)
    run = create_or_open(tmp_path / "run", config, dataset)
    train(run, dataset, Backends())
    fresh = build_model(dataset.schema, config.model, 0, dataset.statistics).encoders["rgb"]
    file.unlink()
    encoder = load_model(layout.result_folder(run.path) / layout.MODEL).model.encoders["rgb"]
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, fresh.state_dict()[name]) == (not name.startswith("head.")), name
    with pytest.raises(ConfigError, match=r"w\.pt: no such file of weights"):
        build_model(dataset.schema, config.model, 0)


def test_a_run_with_frozen_weights_goes_on_as_if_it_had_not_been_interrupted(tmp_path, file):
    dataset, config = dataset_of(tmp_path / "data"), config_with(file, frozen=True)
    whole, run = whole_and_resumed(tmp_path, config, dataset)
    files = [epoch_folder(one.path, 2) / layout.WEIGHTS for one in (whole, run)]
    assert sha256_of(files[0]) == sha256_of(files[1]) != sha256_of(epoch_folder(run.path, 1) / layout.WEIGHTS)


def test_a_frozen_network_is_not_thawed_by_a_group_of_the_optimizer(tmp_path, file):
    dataset, config = dataset_of(tmp_path / "data"), config_with(file, frozen=True)
    config = config.override({"optimizer.groups": [{"pattern": "encoders.rgb", "frozen_epochs": 1}]})
    run = create_or_open(tmp_path / "run", config, dataset)
    train(run, dataset, Backends())
    states = [load_file(epoch_folder(run.path, epoch) / layout.WEIGHTS) for epoch in (1, 2)]
    for name in states[0]:
        if name.startswith("encoders.rgb."):
            same = torch.equal(states[0][name], states[1][name])
            assert same == (not name.startswith("encoders.rgb.head.")), name


def test_a_model_of_raymm_is_a_file_of_weights_for_the_encoder_of_that_modality(tmp_path, file):
    dataset, config = dataset_of(tmp_path / "data"), config_with(file)
    model = build_model(dataset.schema, config.model, 0, dataset.statistics)
    export_model(tmp_path / "m", model, config, dataset)
    again = build_model(dataset.schema, config_with(tmp_path / "m" / layout.WEIGHTS).model, 1, dataset.statistics)
    state = again.encoders["rgb"].body.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in model.encoders["rgb"].body.state_dict().items())


def test_files_are_read_again_after_a_model_was_read_without_them(file):
    with weights_come_later():
        encoder_of(f"torchvision:{NAME}", norm="batch", weights="nowhere.pt")
    with pytest.raises(ConfigError, match=r"nowhere\.pt: no such file of weights"):
        encoder_of(f"torchvision:{NAME}", norm="batch", weights="nowhere.pt")
