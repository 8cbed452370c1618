"""`raymm.predict`: arrays of every sort are taken as they are meant, or refused in words."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

import raymm
from raymm.data import Schema
from raymm.data.in_memory import MemoryRows
from raymm.errors import DataError
from raymm.models.export import export_model
from raymm.models.model import build_model
from tests.games import settings

VALUES = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
WORDS = ["one", "two"] * 30


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("arrays")
    data = raymm.write_dataset(folder / "d", {"a": VALUES, "said": WORDS}, labels=[0, 1] * 30, progress=None).open()
    export_model(folder / "m", build_model(data.schema, settings().model, 0), settings(), data)
    return folder / "m"


def outputs(model, given, said="one"):
    return raymm.predict(
        model, given if isinstance(given, dict) else [{"a": given, "said": said}], progress=None
    ).outputs


@pytest.mark.parametrize(
    "form",
    [
        torch.tensor([1.0, 2.0]).bfloat16(),
        torch.tensor([1.0, 2.0], requires_grad=True),
        np.ma.array([1.0, 2.0], mask=[False, False]),
        np.array([1, 2], object),
        pa.array([1.0, 2.0]),
        pd.Series([1.0, 2.0]),
    ],
    ids=lambda form: f"{type(form).__module__}.{getattr(form, 'dtype', '')}",
)
def test_an_array_is_what_its_numbers_are(model, form):
    assert np.array_equal(outputs(model, form), outputs(model, [1.0, 2.0]))


def test_columns_are_taken_too(model):
    columns = [torch.tensor(VALUES).bfloat16().float(), torch.tensor(VALUES).bfloat16()]
    assert np.array_equal(*(outputs(model, {"a": column, "said": WORDS}) for column in columns))
    of_arrow = {"a": pa.array(VALUES.tolist()), "said": pa.array(WORDS)}
    assert np.array_equal(outputs(model, of_arrow), outputs(model, {"a": VALUES, "said": WORDS}))


def test_bytes_are_a_text(model):
    assert np.array_equal(outputs(model, [1.0, 2.0], b"two"), outputs(model, [1.0, 2.0], "two"))
    with pytest.raises(DataError, match="input: said is bytes that are no text in UTF-8"):
        outputs(model, [1.0, 2.0], b"\xff")


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (np.ma.array([1.0, 2.0], mask=[1, 0]), "0: a: holds masked numbers; fill them, or give None"),
        (np.array([1j, 2]), "0: a: holds complex numbers; give real and imaginary parts"),
        (torch.tensor([1j, 2]), "0: a: holds complex numbers"),
        ([1j, 2], "0: a: holds complex numbers"),
        (np.array([1, None], object), "0: a: holds 1 values that are NaN"),
        ([1, None], "0: a: "),
    ],
)
def test_what_would_lose_a_part_is_refused(model, form, words):
    with pytest.raises(DataError, match=f"predict: {words}"):
        outputs(model, form)


def test_a_column_of_masked_rows_is_refused_by_the_row(model):
    hidden = np.zeros(VALUES.shape, bool)
    hidden[3] = True
    found = raymm.predict(model, {"a": np.ma.array(VALUES, mask=hidden), "said": WORDS}, progress=None)
    assert [(bad.sample_id, bad.modality) for bad in found.failed] == [("3", "a")]
    schema = Schema(modalities=[{"name": "a", "kind": "vector", "size": 2}], classes=["a", "b"])
    with pytest.raises(DataError, match="input: row 3, a: holds masked numbers"):
        MemoryRows(schema, {"a": np.ma.array(VALUES, mask=hidden)})
