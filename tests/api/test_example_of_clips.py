"""The example that asks a model about clips: it learns the pitch, and the model that it takes along agrees."""

import numpy as np
import pytest

from tests.examples import example

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")


def test_clips_are_answered_and_the_model_is_taken_along(tmp_path, capsys):
    found, taken_along = example("predict_clips").main(tmp_path)
    said = capsys.readouterr().out
    assert not found.failed
    assert found.labels[:6] == ["low", "middle", "high"] * 2  # the pitch is heard
    assert (found.phi[:6, 0] > found.phi[:6, 1]).all()
    assert np.isnan(found.phi[6, 1])
    assert "rgb missing" in said
    assert taken_along.files[0].difference < 1e-4
    names = [one.name for one in onnxruntime.InferenceSession(str(taken_along.paths[0])).get_inputs()]
    assert names == ["audio", "rgb", "mask"]
