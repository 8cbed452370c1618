"""Keywords that public functions lack are answered with the nearest one that they have."""

import pytest

import raymm
from raymm.errors import ConfigError


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: raymm.train("d", out="o", epoch=3),
            "train.. got an unexpected keyword argument 'epoch'; .*'epochs'",
        ),
        (lambda: raymm.prepare("m.csv", output="d"), "prepare.. got .* 'output'"),
        (lambda: raymm.sweep("d", out="o", trails=3), "sweep.. got .* 'trails'; did you mean 'trials'"),
        (lambda: raymm.export("r", onxn="m.onnx"), "export.. got .* 'onxn'; did you mean 'onnx'"),
        (lambda: raymm.predict("r", "a.wav", manifst="m"), "predict.. got .* 'manifst'; did you mean 'manifest'"),
        (lambda: raymm.Resampler(10, 2, metod="sample"), "Resampler.. got .* 'metod'; did you mean 'method'"),
    ],
)
def test_the_nearest_argument_is_named(call, words):
    with pytest.raises(TypeError, match=words):
        call()


def test_options_of_values_are_named_for_batches_too():
    with pytest.raises(ConfigError, match="value: no option 'modality' of batches; did you mean 'modalities'"):
        raymm.value(lambda batch, mask: batch, [], modality=["a"])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"a": -1, "b": "x", "c": 2}, "a weight is a number above 0, not a=-1, b='x'"),
        ({"a": True}, "a weight is a number above 0, not a=True"),
        ("ballanced", "'ballanced' is neither 'balanced' nor weights by class.*did you mean 'balanced'"),
        ([1.0], r"\[1.0\] is neither 'balanced'"),
    ],
)
@pytest.mark.parametrize("setting", ["class_weights", "pos_weight"])
def test_weights_of_classes_are_refused_in_one_sentence(given, words, setting):
    with pytest.raises(ConfigError, match=f"training.loss.{setting}: {words}") as caught:
        raymm.Config().override({f"training.loss.{setting}": given})
    assert "dict[" not in str(caught.value)
    assert "problems" not in str(caught.value)
