"""The table of exported encoders: it is what was found, and the quick ones are tried again."""

import pytest

from bench.export_networks import NETWORKS
from bench.exports import END, PAGE, START, WAYS, attempt, known, table
from raymm.config.registries import ENCODERS

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

QUICK = ("conformer", "hf: vit", "hf: convnext")
OF_RAYMM = {"cnn", "cnn1d", "mlp", "pool", "text"}
"""Encoders that `tests/models/test_graph.py` exports with every kind that they read."""


def of(name):
    return next(network for network in NETWORKS if network.name == name)


def check(name, folder):
    """An encoder is written, or refused in the words, that the table says."""
    found, said = attempt(of(name), folder), known()[name]
    for way in WAYS:
        if isinstance(said[way], float):
            assert isinstance(found[way], float), found[way]
            assert found[way] < 1e-4
        else:
            assert found[way] == said[way]


def test_the_table_is_what_was_found():
    written = PAGE.read_text().partition(START)[2].partition(END)[0]
    assert written.strip() == table(known())
    assert set(known()) <= {network.name for network in NETWORKS}


def test_every_encoder_of_a_library_is_on_the_list():
    named = {name for name in ENCODERS.names() if name.isidentifier()} - OF_RAYMM
    assert named <= {network.name for network in NETWORKS}


@pytest.mark.parametrize("name", QUICK)
def test_quick_ones_are_written_as_the_table_says(name, tmp_path):
    check(name, tmp_path)


def test_what_is_not_written_has_a_row_with_its_reason():
    some = {"conformer": {"torch": 1e-7, "onnx": 1e-6}, "s3d": {"torch": 1e-7, "onnx": "export: no | operator"}}
    assert "| torchaudio | `conformer` |" in table(some)
    assert table(some).endswith("| `s3d` | yes | no \\| operator |")
