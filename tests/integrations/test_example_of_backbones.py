"""The example of a fine-tuned network: what is frozen stays as its file has it, and the rest is trained."""

import torch
from safetensors.torch import load_file

from raymm.storage import layout
from tests.examples import example


def test_parts_of_the_network_are_trained_as_its_settings_say(tmp_path):
    result = example("fine_tune_backbone").main(tmp_path)
    assert 0 <= result.metrics["test/accuracy"] <= 1
    assert len(result.history) == 2
    folder = layout.epoch_folder(result.folder, 2)
    state = load_file(folder / layout.WEIGHTS)
    file = torch.load(tmp_path / "mc3_18.pt")
    trained = {name for name in file if name.endswith(("weight", "bias")) and not name.startswith("fc.")}
    trained = {name for name in trained if not torch.equal(state[f"encoders.rgb.body.{name}"], file[name])}
    assert "layer4.1.conv2.0.weight" in trained
    assert not {name for name in trained if name.startswith("stem.")}
    first = load_file(layout.epoch_folder(result.folder, 1) / layout.WEIGHTS)
    assert torch.equal(first["encoders.rgb.body.layer4.1.conv2.0.weight"], file["layer4.1.conv2.0.weight"])
    assert not torch.equal(first["encoders.rgb.head.1.weight"], state["encoders.rgb.head.1.weight"])
